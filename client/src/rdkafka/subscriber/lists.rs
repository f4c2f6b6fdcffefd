//! librdkafka's lists of partitions, and this client's.

use std::collections::HashMap;
use std::sync::Arc;

use ::rdkafka::error::KafkaResult;
use ::rdkafka::{Offset, TopicPartitionList};

use crate::record::TopicPartition;

/// A list of partitions without offsets.
pub(super) fn list(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for one in partitions {
        list.add_partition(&one.topic, one.partition);
    }
    list
}

/// A list of partitions and offsets.
pub(super) fn list_of_offsets(offsets: &[(TopicPartition, i64)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (one, offset) in offsets {
        list.add_partition_offset(&one.topic, one.partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

/// The partitions in a list.
pub(super) fn partitions_in(list: &TopicPartitionList) -> Vec<TopicPartition> {
    all(list).into_iter().map(|(partition, _)| partition).collect()
}

/// The partitions in a list that have an offset which is a number, with it.
pub(super) fn offsets_in(list: &TopicPartitionList) -> Vec<(TopicPartition, i64)> {
    let numbers = all(list).into_iter().filter_map(|(partition, offset)| match offset {
        Offset::Offset(offset) => Some((partition, offset)),
        _ => None,
    });
    numbers.collect()
}

fn all(list: &TopicPartitionList) -> Vec<(TopicPartition, Offset)> {
    let mut topics: HashMap<String, Arc<str>> = HashMap::new();
    let elements = list.elements();
    let all = elements.iter().map(|element| {
        let topic = topics.entry(element.topic().to_owned()).or_insert_with(|| element.topic().into());
        (TopicPartition::new(Arc::clone(topic), element.partition()), element.offset())
    });
    all.collect()
}

//! Topics: how much is in them, and what came last.

use crate::Broker;
use crate::look::{Partition, Record, Topic};

use super::{line, text, time};

const MOST_TOPICS: usize = 15;
const MOST_RECORDS: usize = 5;
/// Partitions of a topic that are looked into.
const MOST_PARTITIONS: usize = 32;

/// Tells of the topics. Those of the broker itself are left out: groups are told of as groups.
pub(super) fn tell(out: &mut String, broker: &Broker) {
    let topics: Vec<_> = broker.topics().into_iter().filter(|topic| !topic.internal).collect();
    if topics.is_empty() {
        line(out, "topics   none");
        return;
    }
    line(out, &format!("topics   {}", topics.len()));
    for topic in topics.iter().take(MOST_TOPICS) {
        tell_topic(out, broker, topic);
    }
    text::and_more(out, topics.len(), MOST_TOPICS, "topics");
}

fn offsets(partition: &Partition) -> i64 {
    partition.log_end_offset.saturating_sub(partition.log_start_offset)
}

fn tell_topic(out: &mut String, broker: &Broker, topic: &Topic) {
    let records: i64 = topic.partitions.iter().map(offsets).fold(0, i64::saturating_add);
    let records = text::count(usize::try_from(records).unwrap_or(0), "record");
    let partitions = text::count(topic.partitions.len(), "partition");
    let gone: i64 = topic.partitions.iter().map(|p| p.log_start_offset).fold(0, i64::saturating_add);
    let gone = if gone > 0 { format!(", {gone} deleted before them") } else { String::new() };
    line(out, &format!("  {}  {records} in {partitions}{gone}", text::quoted(&topic.name)));
    for record in last_records(broker, topic) {
        tell_record(out, &topic.name, &record);
    }
    text::and_more(out, topic.partitions.len(), MOST_PARTITIONS, "partitions, not looked into");
}

/// The last records of a topic by their time, oldest first.
fn last_records(broker: &Broker, topic: &Topic) -> Vec<Record> {
    let most = i64::try_from(MOST_RECORDS).unwrap_or(i64::MAX);
    let mut last = Vec::new();
    for partition in topic.partitions.iter().take(MOST_PARTITIONS).filter(|partition| offsets(partition) > 0)
    {
        let from = partition.log_end_offset.saturating_sub(most).max(partition.log_start_offset);
        // What cannot be read is not shown; the report is of what can.
        last.extend(
            broker.records_from(&topic.name, partition.index, from, MOST_RECORDS).unwrap_or_default(),
        );
    }
    last.sort_by_key(|record| (record.timestamp_ms, record.partition, record.offset));
    let beyond = last.len().saturating_sub(MOST_RECORDS);
    last.split_off(beyond)
}

fn tell_record(out: &mut String, topic: &str, record: &Record) {
    let key = record.key.as_deref().map(|key| format!("{} = ", text::bytes(Some(key)))).unwrap_or_default();
    let value = text::bytes(record.value.as_deref());
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", text::bytes(value.as_deref())))
        .collect();
    let headers =
        if headers.is_empty() { String::new() } else { format!("  [{}]", text::short(&headers.join(", "))) };
    let (partition, offset, at) = (record.partition, record.offset, time::iso(record.timestamp_ms));
    line(out, &format!("    {topic}-{partition} @{offset}  {at}  {key}{value}{headers}"));
}

//! Offsets of records, and deleting records from the beginning.

use std::collections::HashMap;

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest, TopicName};
use std::time::Instant;

use super::fan_out::{Charge, Errand, Outcomes};
use super::{Admin, Call, Each, by_topic, outcome, text, timeout_ms};
use crate::error::{ClientError, ErrorKind};
use crate::native::connection::{Connection, RequestError};
use crate::record::TopicPartition;

/// Nobody's broker id: that of a client.
const CLIENT: i32 = -1;

/// In an answer: there is no such offset.
const NO_OFFSET: i64 = -1;

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetAt {
    /// Of the first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// Of the first record with a timestamp at or after this one, in milliseconds since 1970.
    Timestamp(i64),
    /// Of the record with the largest timestamp. Brokers from Kafka 3.0 on know it.
    MaxTimestamp,
    /// Of the first record that the broker itself has, where older ones are in remote storage.
    EarliestLocal,
    /// Of the last record that is in remote storage.
    LatestTiered,
    /// Of the first record that has still to go to remote storage.
    EarliestPendingUpload,
}

impl OffsetAt {
    fn to_wire(self) -> i64 {
        match self {
            OffsetAt::Latest => -1,
            OffsetAt::Earliest => -2,
            OffsetAt::MaxTimestamp => -3,
            OffsetAt::EarliestLocal => -4,
            OffsetAt::LatestTiered => -5,
            OffsetAt::EarliestPendingUpload => -6,
            OffsetAt::Timestamp(at) => at.max(0),
        }
    }

    /// The version of ListOffsets from which on brokers know what is asked for.
    fn known_from(self) -> i16 {
        match self {
            OffsetAt::Latest | OffsetAt::Earliest | OffsetAt::Timestamp(_) => 0,
            OffsetAt::MaxTimestamp => 7,
            OffsetAt::EarliestLocal => 8,
            OffsetAt::LatestTiered => 9,
            OffsetAt::EarliestPendingUpload => 11,
        }
    }
}

/// An offset that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset.
    pub offset: i64,
    /// The timestamp of the record there, where a timestamp was asked for; else -1.
    pub timestamp: i64,
    /// The epoch of the leader that took that record; -1 where the broker does not say.
    pub leader_epoch: i32,
}

/// Up to where records are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeleteUpTo {
    /// Those before this offset.
    Offset(i64),
    /// All that are there now.
    All,
}

impl Admin {
    /// Offsets of partitions. None where there is no record at or after a timestamp.
    ///
    /// ```
    /// # use klamm_client::{Admin, Bootstrap, ClientOptions, NewTopic, OffsetAt, TopicPartition};
    /// # let bootstrap = Bootstrap::Embedded { name: "offsets docs".to_owned(), data_dir: None };
    /// # let admin = Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() })?;
    /// # admin.create_topics([NewTopic::new("orders").partitions(1)]).wait()?.all()?;
    /// let first = TopicPartition::new("orders", 0);
    /// for ((partition, _), found) in admin.list_offsets([(first, OffsetAt::Latest)]).wait()? {
    ///     println!("{partition} ends at {}", found?.map_or(0, |found| found.offset));
    /// }
    /// # Ok::<(), klamm_client::ClientError>(())
    /// ```
    pub fn list_offsets(
        &self,
        wanted: impl IntoIterator<Item = (TopicPartition, OffsetAt)>,
    ) -> Call<Each<(TopicPartition, OffsetAt), Option<FoundOffset>>> {
        self.each(ListOffsets, wanted.into_iter().collect())
    }

    /// Deletes records from the beginning of partitions. Each outcome is the offset at which the partition begins then.
    pub fn delete_records(
        &self,
        up_to: impl IntoIterator<Item = (TopicPartition, DeleteUpTo)>,
    ) -> Call<Each<TopicPartition, i64>> {
        let up_to: HashMap<_, _> = up_to.into_iter().collect();
        let mut partitions: Vec<_> = up_to.keys().cloned().collect();
        partitions.sort_unstable();
        self.each(DeleteRecords { up_to }, partitions)
    }
}

pub(super) struct ListOffsets;

impl Errand for ListOffsets {
    type Item = (TopicPartition, OffsetAt);
    type Answer = Option<FoundOffset>;

    fn asked(&self, (partition, _): &Self::Item) -> String {
        format!("looking for an offset of {partition}")
    }

    fn charge(&self, (partition, _): &Self::Item) -> Charge {
        Charge::Leader(partition.clone())
    }

    async fn ask(
        &self,
        connection: Connection,
        items: Vec<Self::Item>,
        deadline: Instant,
    ) -> Result<Outcomes<Self::Item, Self::Answer>, RequestError> {
        // A request names a partition once: what else is asked of the same one goes into another.
        let version = connection.version::<ListOffsetsRequest>(i16::MAX)?;
        let (mut left, too_new): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|(_, at)| at.known_from() <= version);
        let unsupported = |item: Self::Item| {
            let why = format!(
                "ListOffsets is known in version {version}, and this came with {}",
                item.1.known_from()
            );
            let error = ClientError::new(ErrorKind::Unsupported, self.asked(&item), why);
            (item, Err(error))
        };
        let mut outcomes: Vec<_> = too_new.into_iter().map(unsupported).collect();
        while !left.is_empty() {
            let mut seen: HashMap<TopicPartition, OffsetAt> = HashMap::new();
            left.retain(|(partition, at)| match seen.contains_key(partition) {
                true => true,
                false => {
                    seen.insert(partition.clone(), *at);
                    false
                }
            });
            outcomes.extend(self.ask_once(&connection, &seen, deadline).await?);
        }
        Ok(outcomes)
    }
}

impl ListOffsets {
    async fn ask_once(
        &self,
        connection: &Connection,
        wanted: &HashMap<TopicPartition, OffsetAt>,
        deadline: Instant,
    ) -> Result<Outcomes<(TopicPartition, OffsetAt), Option<FoundOffset>>, RequestError> {
        let topics =
            by_topic(wanted.iter(), |(partition, _)| partition).into_iter().map(|(topic, partitions)| {
                let partitions = partitions.into_iter().map(|(partition, at)| {
                    ListOffsetsPartition::default()
                        .with_partition_index(partition.partition)
                        .with_timestamp(at.to_wire())
                });
                ListOffsetsTopic::default()
                    .with_name(TopicName(text(&topic)))
                    .with_partitions(partitions.collect())
            });
        let request = ListOffsetsRequest::default()
            .with_replica_id(CLIENT.into())
            .with_topics(topics.collect())
            .with_timeout_ms(timeout_ms(deadline));
        let answer = super::call(connection, &request, deadline).await?;
        let mut outcomes = Vec::with_capacity(wanted.len());
        for topic in &answer.topics {
            for answered in &topic.partitions {
                let partition = TopicPartition::new(topic.name.as_str(), answered.partition_index);
                let Some(at) = wanted.get(&partition) else { continue };
                let item = (partition, *at);
                let found = FoundOffset {
                    offset: answered.offset,
                    timestamp: answered.timestamp,
                    leader_epoch: answered.leader_epoch,
                };
                let found = (found.offset != NO_OFFSET).then_some(found);
                let outcome = outcome(answered.error_code, || self.asked(&item), None, found);
                outcomes.push((item, outcome));
            }
        }
        Ok(outcomes)
    }
}

struct DeleteRecords {
    up_to: HashMap<TopicPartition, DeleteUpTo>,
}

impl Errand for DeleteRecords {
    type Item = TopicPartition;
    type Answer = i64;

    fn asked(&self, partition: &TopicPartition) -> String {
        format!("deleting records of {partition}")
    }

    fn charge(&self, partition: &TopicPartition) -> Charge {
        Charge::Leader(partition.clone())
    }

    async fn ask(
        &self,
        connection: Connection,
        items: Vec<TopicPartition>,
        deadline: Instant,
    ) -> Result<Outcomes<TopicPartition, i64>, RequestError> {
        let topics = by_topic(items.iter(), |partition| *partition).into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|partition| {
                let offset = match self.up_to.get(partition) {
                    Some(DeleteUpTo::Offset(offset)) => *offset,
                    // The broker's word for "up to the high watermark".
                    Some(DeleteUpTo::All) | None => -1,
                };
                DeleteRecordsPartition::default()
                    .with_partition_index(partition.partition)
                    .with_offset(offset)
            });
            DeleteRecordsTopic::default()
                .with_name(TopicName(text(&topic)))
                .with_partitions(partitions.collect())
        });
        let request = DeleteRecordsRequest::default()
            .with_topics(topics.collect())
            .with_timeout_ms(timeout_ms(deadline));
        let answer = super::call(&connection, &request, deadline).await?;
        let deleted = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|answered| {
                let partition = TopicPartition::new(topic.name.as_str(), answered.partition_index);
                let outcome =
                    outcome(answered.error_code, || self.asked(&partition), None, answered.low_watermark);
                (partition, outcome)
            })
        });
        Ok(deleted.collect())
    }
}

//! The topic that is copied to: made where it is not there, and whether offsets can be kept in it.

use std::time::{Duration, Instant};

use klamm::{Admin, ConfigResource, ConfigSource, NewTopic, OffsetAt, Record, ResponseError, TopicPartition};

use crate::cli::connect::Cluster;
use crate::cli::data::places::{self, Place};
use crate::cli::error::Failure;

/// Configs that a new target does not get: with the first, records would not keep their times; the others are about brokers
/// of the source's cluster.
const NOT_PASSED_ON: [&str; 3] = [
    "message.timestamp.type",
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
];

/// How long to wait before asking again for a topic that has just been made.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The topic that is copied to.
pub(super) struct Target<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) admin: Admin,
    pub(super) name: &'a str,
}

impl Target<'_> {
    /// How many partitions it has. Where it is not there it is made like the source: as many partitions, the same configs.
    pub(super) fn prepare(
        &self,
        (source, admin, topic): (&Cluster, &Admin, &str),
        no_create: bool,
    ) -> Result<i32, Failure> {
        let described = self.cluster.wait(self.admin.describe_topics([self.name]))?;
        let Some((_, described)) = described.into_iter().next() else {
            return Err(format!("nothing is said of the topic '{}'; try again", self.name).into());
        };
        match described {
            Ok(topic) => return Ok(i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)),
            Err(error) if error.code() == Some(ResponseError::UnknownTopicOrPartition) && !no_create => {}
            Err(error) => return Err(places::no_topic(self.cluster, &self.admin, self.name, error)),
        }
        let partitions =
            places::topics(source, admin, &[topic.to_owned()], false)?.first().map_or(1, |found| found.1);
        let mut new = NewTopic::new(self.name).partitions(partitions);
        for (name, value) in own_configs(admin, topic) {
            new = new.config(name, value);
        }
        let created = self.cluster.wait(self.admin.create_topics([new]))?;
        created.all().map_err(|error| self.cluster.explain(error))?;
        self.wait_until_served(partitions)?;
        Ok(partitions)
    }

    /// Waits until the brokers know of the topic that was made: what the controller has answered reaches them a little later.
    fn wait_until_served(&self, partitions: i32) -> Result<(), Failure> {
        let deadline = Instant::now() + self.cluster.timeout();
        loop {
            let all = (0..partitions)
                .map(|partition| (TopicPartition::new(self.name, partition), OffsetAt::Latest));
            let found = self.cluster.wait(self.admin.list_offsets(all))?;
            match found.all() {
                Ok(_) => return Ok(()),
                Err(error) if error.is_retriable() && Instant::now() < deadline => {
                    std::thread::park_timeout(LOOK_AGAIN);
                }
                Err(error) => return Err(self.cluster.explain(error).into()),
            }
        }
    }

    /// Whether offsets can be kept: each partition has to go on where the source's begins.
    pub(super) fn offsets(
        &self,
        places: &[Place],
        partitions: i32,
        by_key: bool,
    ) -> Result<Offsets, Failure> {
        if by_key {
            return Ok(Offsets { next: Vec::new(), kept: false });
        }
        if let Some(place) = places.iter().find(|place| place.partition.partition >= partitions) {
            return Err(format!(
                "'{}' has {partitions} partitions, and records of partition {} are to be copied; give it more, name \
                 partitions with --partition, or have keys decide with --by-key",
                self.name, place.partition.partition
            )
            .into());
        }
        let there: Vec<_> =
            places.iter().map(|place| TopicPartition::new(self.name, place.partition.partition)).collect();
        let ends = places::ranges(self.cluster, &self.admin, &there)?;
        let mut offsets = Offsets { next: vec![None; usize::try_from(partitions).unwrap_or(0)], kept: true };
        for (place, (_, end)) in places.iter().zip(ends) {
            if let Some(next) = place_of(&mut offsets.next, place.partition.partition) {
                *next = Some(end);
            }
        }
        Ok(offsets)
    }
}

/// What was set for the source alone. Who may not see it gets none of it.
fn own_configs(admin: &Admin, topic: &str) -> Vec<(String, String)> {
    let resource = ConfigResource::Topic(topic.to_owned());
    let described = admin.describe_configs([resource]).wait().and_then(klamm::Each::all).unwrap_or_default();
    described
        .into_iter()
        .flat_map(|(_, entries)| entries)
        .filter(|entry| entry.source == ConfigSource::Topic && !NOT_PASSED_ON.contains(&entry.name.as_str()))
        .filter_map(|entry| Some((entry.name, entry.value?)))
        .collect()
}

fn place_of(next: &mut [Option<i64>], partition: i32) -> Option<&mut Option<i64>> {
    next.get_mut(usize::try_from(partition).ok()?)
}

/// Which offset each partition of the target gives next, as far as this copy alone writes to it.
pub(super) struct Offsets {
    next: Vec<Option<i64>>,
    kept: bool,
}

impl Offsets {
    /// Takes note of a record that is copied. Says why it does not keep its offset, if it does not.
    #[inline]
    pub(super) fn take(&mut self, record: &Record) -> Option<String> {
        let next = place_of(&mut self.next, record.partition)?.as_mut()?;
        if *next == record.offset {
            *next = next.saturating_add(1);
            return None;
        }
        self.kept = false;
        let there = *next;
        *next = next.saturating_add(1);
        Some(format!(
            "offset {} of partition {} cannot be kept: the target's next is {there}, because the source has gaps (from \
             compaction or transactions) or does not begin where the target goes on; leave --keep-offsets out",
            record.offset, record.partition
        ))
    }

    /// Whether every record so far has kept its offset.
    pub(super) fn are_kept(&self) -> bool {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: i64) -> Record {
        Record {
            topic: "t".into(),
            partition: 0,
            offset,
            leader_epoch: 0,
            timestamp: 0,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn offsets_are_kept_without_gaps() {
        let mut offsets = Offsets { next: vec![Some(5)], kept: true };
        assert!(offsets.take(&record(5)).is_none() && offsets.take(&record(6)).is_none());
        assert!(offsets.are_kept());
        let why = offsets.take(&record(8)).unwrap();
        assert!(why.contains("offset 8 of partition 0") && why.contains("next is 7"), "{why}");
        assert!(!offsets.are_kept());
    }
}

//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use crate::conformance::batch::{Batch, Record, T0};
use crate::conformance::request::{Topic, create, list_offsets, store, topic_name};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::*;

/// Timestamps T0, T0+100 | T0+50 | T0+300, T0+200.
fn filled(s: &mut Session<'_>, name: &str) -> Topic {
    let t = create(s, name, 2, &[]);
    for deltas in [vec![0, 100], vec![50], vec![300, 200]] {
        let records = deltas.into_iter().map(|delta| Record::value("v").at(delta)).collect();
        store(s, &t, 0, Batch::of(records).bytes());
    }
    t
}

pub(crate) fn by_time(s: &mut Session<'_>) {
    let t = filled(s, "offsets-by-time");
    for timestamp in [-1, -2, -3, -4, -5, -6, -7, -100, i64::MIN, 0, i64::MAX] {
        s.each(&format!("{timestamp}"), |_| list_offsets(&[(&t.name, &[(0, timestamp), (1, timestamp)])]));
    }
    for delta in [-1, 0, 1, 50, 51, 100, 101, 200, 201, 300, 301] {
        s.each(&format!("T0{delta:+}"), |_| list_offsets(&[(&t.name, &[(0, T0 + delta)])]));
    }
}

pub(crate) fn refused(s: &mut Session<'_>) {
    let t = filled(s, "offsets-refused");
    s.each("no topic", |_| list_offsets(&[]));
    s.each("no partition", |_| list_offsets(&[(&t.name, &[])]));
    s.each("an unknown topic", |_| list_offsets(&[("unknown-topic", &[(0, -1)]), (&t.name, &[(0, -1)])]));
    s.each("an illegal name", |_| list_offsets(&[("a b", &[(0, -1)])]));
    s.each("an empty name", |_| list_offsets(&[("", &[(0, -1)])]));
    s.each("an unknown partition", |_| list_offsets(&[(&t.name, &[(2, -1), (-1, -2), (0, -2)])]));
    s.each("a partition twice", |_| list_offsets(&[(&t.name, &[(0, -1), (0, -2), (1, -1)])]));
    s.each("a topic twice", |_| list_offsets(&[(&t.name, &[(0, -1)]), (&t.name, &[(1, -2)])]));
    for epoch in [0, 1, -2] {
        s.each(&format!("leader epoch {epoch}"), |v| {
            let mut request = list_offsets(&[(&t.name, &[(0, -1)])]);
            request.topics[0].partitions[0].current_leader_epoch = if v >= 4 { epoch } else { -1 };
            request
        });
    }
    for level in [1, 2, -1] {
        s.each(&format!("isolation level {level}"), |v| {
            list_offsets(&[(&t.name, &[(0, -1)])]).with_isolation_level(if v >= 2 { level } else { 0 })
        });
    }
    for replica in [-2, 1, 5] {
        s.each(&format!("replica {replica}"), |_| {
            list_offsets(&[(&t.name, &[(0, -1)])]).with_replica_id(BrokerId(replica))
        });
    }
}

/// A topic; of its partitions the index, the leader epoch that is taken for the current one, and the one asked for.
type Epochs<'a> = (&'a str, &'a [(i32, i32, i32)]);

fn epoch_request(version: i16, topics: &[Epochs<'_>]) -> OffsetForLeaderEpochRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        let partitions = partitions.iter().map(|(partition, current, epoch)| {
            OffsetForLeaderPartition::default()
                .with_partition(*partition)
                .with_current_leader_epoch(*current)
                .with_leader_epoch(*epoch)
        });
        OffsetForLeaderTopic::default().with_topic(topic_name(name)).with_partitions(partitions.collect())
    });
    let replica = if version >= 3 { -1 } else { -2 };
    OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(replica)).with_topics(topics.collect())
}

pub(crate) fn of_epochs(s: &mut Session<'_>) {
    let t = filled(s, "offsets-of-epochs");
    for epoch in [0, 1, 5, -1, -2, i32::MAX] {
        s.each(&format!("epoch {epoch}"), |v| {
            epoch_request(v, &[(&t.name, &[(0, -1, epoch), (1, -1, epoch)])])
        });
    }
    for current in [0, 1, 9, -2] {
        s.each(&format!("current epoch {current}"), |v| epoch_request(v, &[(&t.name, &[(0, current, 0)])]));
    }
    s.each("unknown ones", |v| {
        epoch_request(
            v,
            &[("unknown-topic", &[(0, -1, 0)]), (&t.name, &[(7, -1, 0), (-1, -1, 0), (0, -1, 0)])],
        )
    });
    s.each("no topic", |v| epoch_request(v, &[]));
    s.each("no partition", |v| epoch_request(v, &[(&t.name, &[])]));
    s.each("a partition twice", |v| epoch_request(v, &[(&t.name, &[(0, -1, 0), (0, -1, 1)])]));
    for v in 3..=*versions::<OffsetForLeaderEpochRequest>().end() {
        for replica in [-2, 1, 9] {
            let request = epoch_request(v, &[(&t.name, &[(0, -1, 0)])]).with_replica_id(BrokerId(replica));
            s.call(format!("replica {replica}"), v, request);
        }
    }
}

fn delete(topics: &[(&str, &[(i32, i64)])]) -> DeleteRecordsRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        let partitions = partitions.iter().map(|(p, offset)| {
            DeleteRecordsPartition::default().with_partition_index(*p).with_offset(*offset)
        });
        DeleteRecordsTopic::default().with_name(topic_name(name)).with_partitions(partitions.collect())
    });
    DeleteRecordsRequest::default().with_topics(topics.collect()).with_timeout_ms(10_000)
}

pub(crate) fn deletion(s: &mut Session<'_>) {
    let compacted = create(s, "records-compacted", 1, &[("cleanup.policy", "compact")]);
    let both = create(s, "records-both", 1, &[("cleanup.policy", "compact,delete")]);
    for v in versions::<DeleteRecordsRequest>() {
        let t = filled(s, &format!("records-{v}"));
        for offset in [0, 2, 1, 0, 5, 6, -2, i64::MAX, -1, -1, i64::MIN] {
            s.call(format!("below {offset}"), v, delete(&[(&t.name, &[(0, offset)])]));
        }
        s.call("earliest", 7, list_offsets(&[(&t.name, &[(0, -2), (1, -2)])]));
        s.call("latest", 7, list_offsets(&[(&t.name, &[(0, -1), (1, -1)])]));
        s.call("by time", 7, list_offsets(&[(&t.name, &[(0, T0)])]));
        s.call("of the greatest timestamp", 7, list_offsets(&[(&t.name, &[(0, -3)])]));
        s.call("unknown ones", v, delete(&[("unknown-topic", &[(0, 0)]), (&t.name, &[(5, 0), (-1, 0)])]));
        s.call("a partition twice", v, delete(&[(&t.name, &[(1, 0), (1, -1)])]));
        s.call("no topic", v, delete(&[]));
        s.call("no partition", v, delete(&[(&t.name, &[])]));
        s.call("no wait", v, delete(&[(&t.name, &[(1, 0)])]).with_timeout_ms(0));
        s.call("a negative wait", v, delete(&[(&t.name, &[(1, 0)])]).with_timeout_ms(-1));
        s.call("an illegal name", v, delete(&[("a b", &[(0, 0)]), ("", &[(0, 0)])]));
        s.call("an internal topic", v, delete(&[("__consumer_offsets", &[(0, 0)])]));
        s.call("a compacted topic", v, delete(&[(&compacted.name, &[(0, 0)]), (&both.name, &[(0, 0)])]));
    }
}

//! DescribeLogDirs, ElectLeaders, ListPartitionReassignments: the answers of a single node.

use crate::conformance::batch::Batch;
use crate::conformance::request::{create, store, topic_name};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::*;

pub(crate) fn log_dirs(s: &mut Session<'_>) {
    let a = create(s, "dirs-a", 2, &[]);
    let b = create(s, "dirs-b", 1, &[]);
    store(s, &a, 0, Batch::counted(3).bytes());
    store(s, &b, 0, Batch::counted(1).bytes());
    let request = |topics: &[(&str, &[i32])]| {
        let topic = |(name, partitions): &(&str, &[i32])| {
            DescribableLogDirTopic::default()
                .with_topic(topic_name(name))
                .with_partitions(partitions.to_vec())
        };
        DescribeLogDirsRequest::default().with_topics(Some(topics.iter().map(topic).collect()))
    };
    for v in versions::<DescribeLogDirsRequest>() {
        for (what, topics) in [
            ("one partition", &[("dirs-a", &[0][..])][..]),
            ("all partitions", &[("dirs-a", &[0, 1]), ("dirs-b", &[0])]),
            ("no topic", &[]),
            ("no partition", &[("dirs-a", &[])]),
            ("an unknown topic", &[("dirs-unknown", &[0]), ("dirs-b", &[0])]),
            ("an unknown partition", &[("dirs-a", &[5, -1, 1])]),
            ("a partition twice", &[("dirs-a", &[0, 0])]),
            ("a topic twice", &[("dirs-a", &[0]), ("dirs-a", &[1])]),
            ("an illegal name", &[("a b", &[0])]),
        ] {
            s.sorted("partitions", "partition_index").sorted("topics", "name").call(what, v, request(topics));
        }
    }
}

pub(crate) fn elections(s: &mut Session<'_>) {
    create(s, "elect-a", 2, &[]);
    let request = |version: i16, kind: i8, topics: Option<&[(&str, &[i32])]>| {
        let topic = |(name, partitions): &(&str, &[i32])| {
            TopicPartitions::default().with_topic(topic_name(name)).with_partitions(partitions.to_vec())
        };
        ElectLeadersRequest::default()
            .with_election_type(if version >= 1 { kind } else { 0 })
            .with_topic_partitions(topics.map(|all| all.iter().map(topic).collect()))
            .with_timeout_ms(10_000)
    };
    for v in versions::<ElectLeadersRequest>() {
        for kind in [0, 1, 2, -1] {
            for (what, topics) in [
                ("one partition", Some(&[("elect-a", &[0][..])][..])),
                ("two partitions", Some(&[("elect-a", &[0, 1])])),
                ("all", None),
                ("no topic", Some(&[])),
                ("no partition", Some(&[("elect-a", &[])])),
                ("an unknown topic", Some(&[("elect-unknown", &[0])])),
                ("an unknown partition", Some(&[("elect-a", &[5, 0])])),
                ("a partition twice", Some(&[("elect-a", &[0, 0])])),
                ("an illegal name", Some(&[("a b", &[0])])),
            ] {
                s.without_internal_topics();
                s.sorted("partition_result", "partition_id").sorted("replica_election_results", "topic");
                s.call(format!("type {kind}: {what}"), v, request(v, kind, topics));
            }
        }
    }
}

pub(crate) fn reassignments(s: &mut Session<'_>) {
    create(s, "reassign-a", 2, &[]);
    let request = |topics: Option<&[(&str, &[i32])]>| {
        let topic = |(name, partitions): &(&str, &[i32])| {
            ListPartitionReassignmentsTopics::default()
                .with_name(topic_name(name))
                .with_partition_indexes(partitions.to_vec())
        };
        ListPartitionReassignmentsRequest::default()
            .with_topics(topics.map(|all| all.iter().map(topic).collect()))
    };
    for (what, topics) in [
        ("all", None),
        ("one", Some(&[("reassign-a", &[0, 1][..])][..])),
        ("no topic", Some(&[])),
        ("no partition", Some(&[("reassign-a", &[])])),
        ("an unknown topic", Some(&[("reassign-unknown", &[0])])),
        ("an unknown partition", Some(&[("reassign-a", &[9, -1])])),
        ("an illegal name", Some(&[("a b", &[0])])),
    ] {
        s.call(what, 0, request(topics));
    }
}

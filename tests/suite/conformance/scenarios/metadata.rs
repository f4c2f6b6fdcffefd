//! Metadata, DescribeCluster, DescribeTopicPartitions.

use crate::conformance::request::{Topic, create, metadata, metadata_topic, topic_name};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::*;

pub(crate) fn topics(s: &mut Session<'_>) {
    create(s, "metadata-a", 1, &[]);
    create(s, "metadata-b", 3, &[]);
    s.each("one", |v| metadata(v, Some(&["metadata-a"])));
    s.each("two", |v| metadata(v, Some(&["metadata-b", "metadata-a"])));
    s.each("one twice", |v| metadata(v, Some(&["metadata-a", "metadata-a"])));
    for v in 4..=*versions::<MetadataRequest>().end() {
        s.call("unknown", v, metadata(v, Some(&["metadata-unknown", "metadata-a"])));
    }
    for v in 1..=*versions::<MetadataRequest>().end() {
        s.call("an empty list", v, metadata(v, Some(&[])));
    }
    s.each("illegal names", |v| metadata(v, Some(&["", ".", "..", "a b", "a/b", &"x".repeat(250)])));
    for v in 4..=*versions::<MetadataRequest>().end() {
        s.call("an internal topic, unknown", v, metadata(v, Some(&["__share_group_state"])));
    }
    for v in 8..=10 {
        let request = metadata(v, Some(&["metadata-a"])).with_include_cluster_authorized_operations(true);
        s.call("operations on the cluster", v, request);
    }
    for v in 8..=*versions::<MetadataRequest>().end() {
        let request = metadata(v, Some(&["metadata-a", "metadata-unknown"]))
            .with_include_topic_authorized_operations(true);
        s.call("operations on topics", v, request.with_allow_auto_topic_creation(false));
    }
}

pub(crate) fn all(s: &mut Session<'_>) {
    create(s, "metadata-all-a", 1, &[]);
    create(s, "metadata-all-b", 2, &[]);
    for v in 1..=*versions::<MetadataRequest>().end() {
        s.without_internal_topics().sorted("topics", "name");
        s.call("all topics", v, metadata(v, None));
    }
    // Version 0 does not say which are internal; at that version an empty list means all.
    s.call("an empty list", 1, metadata(0, Some(&[])));
}

pub(crate) fn by_id(s: &mut Session<'_>) {
    let t = create(s, "metadata-by-id", 1, &[]);
    let none = Topic::unknown();
    let of = |id: uuid::Uuid, name: Option<&str>| {
        metadata_request::MetadataRequestTopic::default().with_topic_id(id).with_name(name.map(topic_name))
    };
    for v in 10..=*versions::<MetadataRequest>().end() {
        let request = |topics: Vec<_>| {
            MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false)
        };
        s.call("an id", v, request(vec![of(t.id, None)]));
        s.call("an unknown id", v, request(vec![of(none.id, None), of(t.id, None)]));
        s.call("an id and its name", v, request(vec![of(t.id, Some(&t.name))]));
        s.call("an id and another name", v, request(vec![of(t.id, Some("other"))]));
        s.call("a zero id without a name", v, request(vec![of(uuid::Uuid::nil(), None)]));
        s.call("a name and an id", v, request(vec![metadata_topic(&t.name), of(t.id, None)]));
        s.call("an id twice", v, request(vec![of(t.id, None), of(t.id, None)]));
    }
}

pub(crate) fn creation(s: &mut Session<'_>) {
    for v in versions::<MetadataRequest>() {
        let names = [format!("metadata-made-{v}"), format!("metadata-made-too-{v}")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        s.call("created on the way", v, metadata(v, Some(&names)).with_allow_auto_topic_creation(true));
        s.settle();
        s.call("there now", v, metadata(v, Some(&names)).with_allow_auto_topic_creation(true));
        s.call("illegal names", v, metadata(v, Some(&["a b", ".."])).with_allow_auto_topic_creation(true));
    }
    s.call(
        "names that collide",
        12,
        metadata(12, Some(&["metadata.made_0"])).with_allow_auto_topic_creation(true),
    );
    s.settle();
    s.call(
        "names that collide",
        12,
        metadata(12, Some(&["metadata_made.0"])).with_allow_auto_topic_creation(true),
    );
}

pub(crate) fn cluster(s: &mut Session<'_>) {
    s.each("plain", |_| DescribeClusterRequest::default());
    s.each("operations", |_| {
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true)
    });
    for v in 1..=*versions::<DescribeClusterRequest>().end() {
        for kind in [0, 1, 2, 3, -1] {
            s.call(
                format!("endpoint type {kind}"),
                v,
                DescribeClusterRequest::default().with_endpoint_type(kind),
            );
        }
    }
    s.call("fenced ones too", 2, DescribeClusterRequest::default().with_include_fenced_brokers(true));
}

pub(crate) fn topic_partitions(s: &mut Session<'_>) {
    for (name, partitions) in [("parts-a", 3), ("parts-b", 1), ("parts-c", 2)] {
        create(s, name, partitions, &[]);
    }
    let request = |names: &[&str], limit: i32| {
        DescribeTopicPartitionsRequest::default()
            .with_topics(names.iter().map(|n| TopicRequest::default().with_name(topic_name(n))).collect())
            .with_response_partition_limit(limit)
    };
    let cursor = |name: &str, partition: i32| {
        Some(Cursor::default().with_topic_name(topic_name(name)).with_partition_index(partition))
    };
    for limit in [2000, 1, 2, 3, 4, 5, 6, 0, -1, 100_000] {
        s.call(format!("limit {limit}"), 0, request(&["parts-a", "parts-b", "parts-c"], limit));
    }
    s.call("another order", 0, request(&["parts-c", "parts-a"], 2000));
    s.call("twice", 0, request(&["parts-b", "parts-b"], 2000));
    s.call("unknown ones", 0, request(&["parts-unknown", "parts-b", "", "a b"], 2000));
    s.without_internal_topics().sorted("topics", "name").call("an empty list", 0, request(&[], 2000));
    for (name, partition) in [
        ("parts-a", 0),
        ("parts-a", 1),
        ("parts-a", 3),
        ("parts-a", 99),
        ("parts-a", -1),
        ("parts-b", 0),
        ("parts-c", 1),
        ("parts-aa", 0),
        ("parts-d", 0),
        ("", 0),
    ] {
        let all = request(&["parts-a", "parts-b", "parts-c"], 2000).with_cursor(cursor(name, partition));
        s.call(format!("from {name:?} {partition}"), 0, all);
        let few = request(&["parts-a", "parts-c"], 2).with_cursor(cursor(name, partition));
        s.call(format!("two from {name:?} {partition}"), 0, few);
    }
}

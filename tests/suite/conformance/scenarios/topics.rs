//! CreateTopics, DeleteTopics, CreatePartitions.

use crate::conformance::request::{
    Topic, creatable, create, create_topics, delete_topics, metadata, text, topic_name,
};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::*;
use uuid::Uuid;

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text))
}

/// Partitions and the brokers of each.
type Assignment<'a> = &'a [(i32, &'a [i32])];

fn assigned(name: &str, partitions: Assignment<'_>) -> CreatableTopic {
    creatable(name, -1, -1).with_assignments(
        partitions
            .iter()
            .map(|(index, brokers)| {
                CreatableReplicaAssignment::default()
                    .with_partition_index(*index)
                    .with_broker_ids(brokers.iter().map(|b| BrokerId(*b)).collect())
            })
            .collect(),
    )
}

/// Sends a creation and then shows what there is.
fn attempt(s: &mut Session<'_>, what: &str, version: i16, topics: Vec<CreatableTopic>, validate: bool) {
    let names: Vec<String> = topics.iter().map(|t| t.name.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    s.call(what, version, create_topics(topics).with_validate_only(validate));
    s.settle();
    s.call(
        format!("{what}: what there is"),
        12,
        metadata(12, Some(&names)).with_allow_auto_topic_creation(false),
    );
}

pub(crate) fn creation(s: &mut Session<'_>) {
    for v in versions::<CreateTopicsRequest>() {
        for validate in [true, false] {
            let name = format!("create-{v}");
            let kind = if validate { "only validated" } else { "created" };
            attempt(s, &format!("{kind}, 3 partitions"), v, vec![creatable(&name, 3, 1)], validate);
            attempt(s, &format!("{kind}, again"), v, vec![creatable(&name, 3, 1)], validate);
            let name = format!("create-defaults-{v}");
            attempt(s, &format!("{kind}, defaults"), v, vec![creatable(&name, -1, -1)], validate);
            let name = format!("create-assigned-{v}");
            attempt(
                s,
                &format!("{kind}, assigned"),
                v,
                vec![assigned(&name, &[(0, &[1]), (1, &[1])])],
                validate,
            );
            let topic = creatable(&format!("create-configs-{v}"), 1, 1).with_configs(vec![
                config("retention.ms", Some("1000")),
                config("cleanup.policy", Some("compact")),
            ]);
            attempt(s, &format!("{kind}, with configs"), v, vec![topic], validate);
            let topic = creatable(&format!("create-config-twice-{v}"), 1, 1).with_configs(vec![
                config("retention.ms", Some("1000")),
                config("retention.ms", Some("2000")),
            ]);
            attempt(s, &format!("{kind}, a config twice"), v, vec![topic], validate);
            let topics =
                vec![creatable(&format!("create-x-{v}"), 1, 1), creatable(&format!("create-y-{v}"), 2, 1)];
            attempt(s, &format!("{kind}, two"), v, topics, validate);
            let topics = vec![
                creatable(&format!("create-good-{v}"), 1, 1),
                creatable("a b", 1, 1),
                creatable(&format!("create-bad-{v}"), 0, 1),
            ];
            attempt(s, &format!("{kind}, good and bad"), v, topics, validate);
        }
        s.call("no topic", v, create_topics(vec![]));
        s.call(
            "no wait",
            v,
            create_topics(vec![creatable(&format!("create-hurry-{v}"), 1, 1)]).with_timeout_ms(0),
        );
        s.settle();
        let name = format!("create-hurry-{v}");
        s.call("what came of it", 12, metadata(12, Some(&[&name])).with_allow_auto_topic_creation(false));
    }
}

/// Changes that may take no time.
pub(crate) fn without_time(s: &mut Session<'_>) {
    for timeout in [0, -1] {
        let t = create(s, &format!("hurry{timeout}"), 1, &[]);
        for v in versions::<CreateTopicsRequest>() {
            let topics = vec![creatable(&format!("hurry{timeout}-{v}"), 1, 1), creatable("a b", 1, 1)];
            s.call(format!("in {timeout} ms"), v, create_topics(topics).with_timeout_ms(timeout));
        }
        for v in versions::<CreatePartitionsRequest>() {
            let topics = vec![partitions(&t.name, 5, None), partitions("hurry-unknown", 5, None)];
            let request = CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(timeout);
            s.call(format!("in {timeout} ms"), v, request);
        }
        for v in versions::<ElectLeadersRequest>() {
            let partition = elect_leaders_request::TopicPartitions::default()
                .with_topic(topic_name(&t.name))
                .with_partitions(vec![0]);
            let request = ElectLeadersRequest::default()
                .with_topic_partitions(Some(vec![partition]))
                .with_timeout_ms(timeout);
            s.call(format!("in {timeout} ms"), v, request);
        }
        for v in versions::<DeleteTopicsRequest>() {
            let request = delete_topics(v, &[&t.name, "hurry-unknown"]).with_timeout_ms(timeout);
            s.sorted("responses", "name").call(format!("in {timeout} ms"), v, request);
        }
        s.settle();
        let request = metadata(12, Some(&[&t.name])).with_allow_auto_topic_creation(false);
        s.call("what came of it", 12, request);
    }
}

pub(crate) fn refused(s: &mut Session<'_>) {
    create(s, "refused-there", 1, &[]);
    create(s, "refused.dotted", 1, &[]);
    let long = "x".repeat(250);
    let longest = "x".repeat(249);
    for v in versions::<CreateTopicsRequest>() {
        for name in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "ä",
            "a,b",
            "a\0b",
            &long,
            "__consumer_offsets",
            "refused-there",
            "refused_dotted",
        ] {
            let what =
                if name.len() > 100 { "a long name".to_string() } else { format!("the name {name:?}") };
            s.call(what, v, create_topics(vec![creatable(name, 1, 1)]));
        }
        s.call(
            "the longest name",
            v,
            create_topics(vec![creatable(&longest, 1, 1)]).with_validate_only(true),
        );
        for (partitions, replicas) in
            [(0, 1), (-2, 1), (1, 0), (1, -2), (1, 2), (0, 0), (0, 9), (-2, -2), (-1, 2), (1, i16::MAX)]
        {
            let topic = creatable("refused-counts", partitions, replicas);
            s.call(format!("{partitions} partitions, {replicas} replicas"), v, create_topics(vec![topic]));
        }
        let name = "refused-assigned";
        let counts = assigned(name, &[(0, &[1])]).with_num_partitions(1).with_replication_factor(1);
        s.call("counts and an assignment", v, create_topics(vec![counts]));
        let partitions = assigned(name, &[(0, &[1])]).with_num_partitions(1);
        s.call("a partition count and an assignment", v, create_topics(vec![partitions]));
        let replicas = assigned(name, &[(0, &[1])]).with_replication_factor(1);
        s.call("a replication factor and an assignment", v, create_topics(vec![replicas]));
        let wrong: [(&str, Assignment<'_>); 9] = [
            ("an unknown broker", &[(0, &[7])]),
            ("a broker twice", &[(0, &[1, 1])]),
            ("no broker", &[(0, &[])]),
            ("a gap", &[(0, &[1]), (2, &[1])]),
            ("not from zero", &[(1, &[1])]),
            ("a partition twice", &[(0, &[1]), (0, &[1])]),
            ("a negative partition", &[(-1, &[1])]),
            ("a negative broker", &[(0, &[-1])]),
            ("uneven replicas", &[(0, &[1]), (1, &[1, 7])]),
        ];
        for (what, assignment) in wrong {
            s.call(format!("assigned: {what}"), v, create_topics(vec![assigned(name, assignment)]));
        }
        let twice = vec![
            creatable("refused-twice", 1, 1),
            creatable("refused-twice", 1, 1),
            creatable("refused-else", 0, 1),
        ];
        s.call("a name twice", v, create_topics(twice));
        let collide = vec![creatable("refused-col.lide", 1, 1), creatable("refused-col_lide", 1, 1)];
        s.call("two names that collide", v, create_topics(collide).with_validate_only(true));
    }
    s.settle();
}

pub(crate) fn bad_configs(s: &mut Session<'_>) {
    for v in versions::<CreateTopicsRequest>() {
        for (name, value) in [
            ("no.such.config", Some("1")),
            ("", Some("1")),
            ("retention.ms", None),
            ("retention.ms", Some("")),
            ("retention.ms", Some("x")),
            ("retention.ms", Some("-2")),
            ("segment.bytes", Some("0")),
            ("cleanup.policy", Some("nonsense")),
            ("num.partitions", Some("1")),
        ] {
            let topic = creatable("bad-configs", 1, 1).with_configs(vec![config(name, value)]);
            s.call(format!("{name:?} = {value:?}"), v, create_topics(vec![topic]).with_validate_only(true));
        }
        let topic = creatable("bad-configs", 0, 1).with_configs(vec![config("nonsense", Some("1"))]);
        s.call("bad counts and configs", v, create_topics(vec![topic]));
    }
}

pub(crate) fn deletion(s: &mut Session<'_>) {
    for v in versions::<DeleteTopicsRequest>() {
        let names: Vec<String> = ["a", "b", "c"].iter().map(|n| format!("delete-{n}-{v}")).collect();
        for name in &names {
            create(s, name, 1, &[]);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let call = |s: &mut Session<'_>, what: &str, names: &[&str]| {
            s.sorted("responses", "name").call(what, v, delete_topics(v, names));
        };
        call(s, "no topic", &[]);
        call(s, "an unknown topic", &["delete-unknown"]);
        call(s, "an empty name", &[""]);
        call(s, "an illegal name", &["a b"]);
        call(s, "a name twice", &[names[0], names[0]]);
        call(s, "one", &names[..1]);
        call(s, "it again", &names[..1]);
        s.settle();
        call(s, "good and bad ones", &[names[1], "delete-unknown", names[2]]);
        s.settle();
        s.call("what is left", 12, metadata(12, Some(&names)).with_allow_auto_topic_creation(false));
        let again = create(s, names[0], 2, &[]);
        s.call("created again", 12, metadata(12, Some(&[&again.name])));
    }
}

pub(crate) fn deletion_by_id(s: &mut Session<'_>) {
    let none = Topic::unknown();
    let of = |name: Option<&str>, id: Uuid| {
        DeleteTopicState::default().with_name(name.map(topic_name)).with_topic_id(id)
    };
    let v = 6;
    let t = create(s, "delete-by-id", 1, &[]);
    let other = create(s, "delete-by-id-too", 1, &[]);
    for (what, topics) in [
        ("an unknown id", vec![of(None, none.id)]),
        ("a zero id", vec![of(None, Uuid::nil())]),
        ("a name and an id", vec![of(Some(&t.name), t.id)]),
        ("an id twice", vec![of(None, t.id), of(None, t.id)]),
        ("a name, and its id", vec![of(Some(&t.name), Uuid::nil()), of(None, t.id)]),
        ("an unknown name and id", vec![of(Some("delete-unknown"), Uuid::nil()), of(None, none.id)]),
        ("two by id", vec![of(None, t.id), of(None, other.id)]),
        ("again", vec![of(None, t.id)]),
    ] {
        let request = DeleteTopicsRequest::default().with_topics(topics).with_timeout_ms(10_000);
        s.sorted("responses", "name").call(what, v, request);
        s.settle();
    }
}

fn partitions(
    name: &str,
    count: i32,
    assignments: Option<Vec<Vec<i32>>>,
) -> create_partitions_request::CreatePartitionsTopic {
    use create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
    let assignments = assignments.map(|all| {
        let of = |brokers: Vec<i32>| {
            CreatePartitionsAssignment::default().with_broker_ids(brokers.into_iter().map(BrokerId).collect())
        };
        all.into_iter().map(of).collect()
    });
    CreatePartitionsTopic::default()
        .with_name(topic_name(name))
        .with_count(count)
        .with_assignments(assignments)
}

pub(crate) fn more_partitions(s: &mut Session<'_>) {
    for v in versions::<CreatePartitionsRequest>() {
        let t = create(s, &format!("partitions-{v}"), 2, &[]);
        let n = t.name.as_str();
        let all =
            |topics: Vec<_>| CreatePartitionsRequest::default().with_topics(topics).with_timeout_ms(10_000);
        s.call("no topic", v, all(vec![]));
        for count in [2, 1, 0, -1] {
            s.call(format!("to {count}"), v, all(vec![partitions(n, count, None)]));
        }
        s.call("an unknown topic", v, all(vec![partitions("partitions-unknown", 5, None)]));
        s.call("an empty name", v, all(vec![partitions("", 5, None)]));
        s.call("a topic twice", v, all(vec![partitions(n, 5, None), partitions(n, 6, None)]));
        for (what, assignment) in [
            ("too few", vec![vec![1]]),
            ("too many", vec![vec![1], vec![1], vec![1]]),
            ("none", vec![]),
            ("an unknown broker", vec![vec![9], vec![1]]),
            ("no broker", vec![vec![], vec![1]]),
            ("a broker twice", vec![vec![1, 1], vec![1]]),
            ("more replicas", vec![vec![1, 2], vec![1]]),
        ] {
            s.call(format!("assigned: {what}"), v, all(vec![partitions(n, 4, Some(assignment))]));
        }
        let validated = all(vec![partitions(n, 3, None)]).with_validate_only(true);
        s.call("to 3, only validated", v, validated);
        s.settle();
        s.call("as before", 12, metadata(12, Some(&[n])));
        s.call("to 3", v, all(vec![partitions(n, 3, None), partitions("partitions-unknown", 5, None)]));
        s.call("to 5, assigned", v, all(vec![partitions(n, 5, Some(vec![vec![1], vec![1]]))]));
        s.settle();
        s.call("five", 12, metadata(12, Some(&[n])));
    }
}

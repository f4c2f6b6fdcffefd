//! Changing configs and what is shown of them afterwards: operations, sources, synonyms, what a resource must be.

use crate::conformance::request::{create, text};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A config, what to do with it, and a value.
type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource(kind: i8, name: &str, changes: &[Change<'_>]) -> AlterConfigsResource {
    let changes = changes.iter().map(|(name, operation, value)| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    });
    AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(changes.collect())
}

fn alter(s: &mut Session<'_>, kind: i8, name: &str, changes: &[Change<'_>]) {
    let request =
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource(kind, name, changes)]);
    s.call(format!("{kind} {name:?}: {changes:?}"), 1, request);
    s.settle();
}

fn describe(s: &mut Session<'_>, kind: i8, name: &str, keys: &[&str]) {
    let keys = (!keys.is_empty()).then(|| keys.iter().map(|key| text(key)).collect());
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.clone());
    let request =
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    s.call(format!("{kind} {name:?} shown: {keys:?}"), 4, request);
}

pub(crate) fn of_topics(s: &mut Session<'_>) {
    create(s, "config-changes", 1, &[("flush.ms", "77")]);
    let topic = "config-changes";
    let steps: [&[Change<'_>]; 31] = [
        &[("retention.ms", SET, Some("abc"))],
        &[("retention.ms", SET, None)],
        &[("retention.ms", SET, Some(" 1000 "))],
        &[("retention.ms", SET, Some("+5")), ("segment.ms", SET, Some("9"))],
        &[("retention.ms", DELETE, None), ("flush.ms", DELETE, Some("ignored"))],
        &[("nobody.knows", SET, Some("1"))],
        &[("nobody.knows", DELETE, None)],
        &[("nobody.knows", APPEND, Some("x"))],
        &[("nobody.knows", SUBTRACT, Some("x"))],
        &[("", SET, Some("x"))],
        &[("", DELETE, None)],
        &[("retention.ms", APPEND, Some("5"))],
        &[("retention.ms", 9, Some("5"))],
        &[("retention.ms", -1, Some("5"))],
        &[("cleanup.policy", APPEND, Some("compact"))],
        &[("cleanup.policy", APPEND, Some("compact"))],
        &[("cleanup.policy", SUBTRACT, Some("delete"))],
        &[("cleanup.policy", SUBTRACT, Some("compact"))],
        &[("cleanup.policy", APPEND, None)],
        &[("cleanup.policy", SET, Some("delete, compact"))],
        &[("cleanup.policy", SET, Some("delete,delete"))],
        &[("cleanup.policy", APPEND, Some(" compact ,delete"))],
        &[("cleanup.policy", APPEND, Some(""))],
        &[("cleanup.policy", DELETE, None)],
        &[("leader.replication.throttled.replicas", SET, Some("0:1,1:2"))],
        &[("leader.replication.throttled.replicas", APPEND, Some("0:1,1:3"))],
        &[("max.compaction.lag.ms", SET, Some("5")), ("min.compaction.lag.ms", SET, Some("10"))],
        &[("segment.ms", SET, Some("5")), ("segment.ms", SET, Some("6"))],
        &[("segment.ms", SET, Some("5")), ("flush.ms", SET, Some("z"))],
        &[("internal.segment.bytes", SET, Some("1000000"))],
        &[],
    ];
    for changes in steps {
        alter(s, TOPIC, topic, changes);
        let mut names: Vec<&str> = changes.iter().map(|(name, _, _)| *name).collect();
        names.push("cleanup.policy");
        describe(s, TOPIC, topic, &names);
    }
    for name in ["nowhere", "", "a b"] {
        alter(s, TOPIC, name, &[("segment.ms", SET, Some("5"))]);
        alter(s, TOPIC, name, &[("segment.ms", SET, Some("x"))]);
        alter(s, TOPIC, name, &[("segment.ms", APPEND, Some("5"))]);
        alter(s, TOPIC, name, &[]);
    }
}

pub(crate) fn of_brokers(s: &mut Session<'_>) {
    create(s, "config-changes", 1, &[]);
    let shown = ["log.retention.ms", "log.retention.hours", "log.cleanup.policy", "log.segment.bytes"];
    for broker in ["", "1"] {
        let steps: [&[Change<'_>]; 19] = [
            &[("log.retention.ms", SET, Some(" 3600000 "))],
            &[("log.retention.ms", SET, Some("0"))],
            &[("log.retention.ms", DELETE, None), ("log.segment.bytes", SET, Some("2000000"))],
            &[("log.cleanup.policy", APPEND, Some("compact"))],
            &[("log.cleanup.policy", SUBTRACT, Some("delete"))],
            &[("log.cleanup.policy", DELETE, None)],
            &[("log.retention.ms", SET, None)],
            &[("log.retention.ms", APPEND, Some("5"))],
            &[("log.retention.ms", 7, Some("5"))],
            &[("num.partitions", SET, Some("3")), ("node.id", SET, Some("7"))],
            &[("num.partitions", DELETE, None)],
            &[("nobody.knows", SET, Some("x"))],
            &[("nobody.knows", APPEND, Some("x"))],
            &[("nobody.knows", DELETE, None)],
            &[("min.insync.replicas", SET, Some("2"))],
            &[("min.insync.replicas", DELETE, None)],
            &[("ssl.keystore.password", SET, Some("secret"))],
            &[("listener.name.plaintext.ssl.keystore.password", SET, Some("secret"))],
            &[("log.retention.ms", SET, Some("5")), ("log.roll.ms", SET, Some("abc"))],
        ];
        for changes in steps {
            alter(s, BROKER, broker, changes);
            describe(s, BROKER, broker, &shown);
            describe(s, BROKER, "1", &["nobody.knows", "listener.name.plaintext.ssl.keystore.password"]);
            describe(s, TOPIC, "config-changes", &["retention.ms", "cleanup.policy", "segment.bytes"]);
        }
    }
    alter(s, BROKER, "", &[("min.insync.replicas", SET, Some("1"))]);
    alter(s, BROKER, "1", &[("log.segment.bytes", SET, Some("3000000"))]);
    describe(s, BROKER, "1", &["log.segment.bytes"]);
    describe(s, TOPIC, "config-changes", &["segment.bytes"]);
    for name in ["2", "-1", "abc", " 1", "01", "+1", "99999999999"] {
        alter(s, BROKER, name, &[("log.roll.ms", SET, Some("700000"))]);
        describe(s, BROKER, name, &["log.roll.ms"]);
    }
}

pub(crate) fn of_groups_and_metrics(s: &mut Session<'_>) {
    for (kind, name, config, other) in [
        (GROUP, "config-changes", "consumer.session.timeout.ms", "46000"),
        (METRICS, "config-changes", "interval.ms", "1000"),
        (GROUP, "", "consumer.session.timeout.ms", "46000"),
        (METRICS, "", "interval.ms", "1000"),
    ] {
        for change in [
            (config, SET, Some(other)),
            (config, SET, Some("1")),
            (config, SET, Some("x")),
            (config, SET, Some("100000000")),
            (config, SET, None),
            (config, APPEND, Some("1")),
            (config, SUBTRACT, Some("1")),
            (config, 9, Some("1")),
            ("nobody.knows", SET, Some("1")),
            ("nobody.knows", DELETE, None),
        ] {
            alter(s, kind, name, &[change]);
            describe(s, kind, name, &[config]);
        }
        describe(s, kind, name, &["nobody.knows"]);
    }
    for pattern in ["client_id=a.*,client_source_port=1", "bad", "foo=bar", "client_id=[", "client_id=*", ""]
    {
        alter(s, METRICS, "config-changes", &[("match", SET, Some(pattern))]);
    }
    for metrics in [" a , b ", "*", ""] {
        alter(s, METRICS, "config-changes", &[("metrics", SET, Some(metrics))]);
        describe(s, METRICS, "config-changes", &[]);
    }
    let deleted = [("match", DELETE, None), ("metrics", DELETE, None), ("interval.ms", DELETE, None)];
    alter(s, METRICS, "config-changes", &deleted);
    describe(s, METRICS, "config-changes", &[]);
}

pub(crate) fn of_several_at_once(s: &mut Session<'_>) {
    create(s, "config-changes", 1, &[]);
    let good = [("flush.ms", SET, Some("5"))];
    let bad = [("log.roll.ms", SET, Some("x"))];
    for v in versions::<IncrementalAlterConfigsRequest>() {
        for validate_only in [true, false] {
            let several = vec![
                resource(TOPIC, "config-changes", &good),
                resource(99, "anything", &good),
                resource(BROKER, "1", &bad),
                resource(GROUP, "g", &good),
                resource(TOPIC, "nowhere", &[]),
                resource(LOGGER, "2", &good),
            ];
            let request = IncrementalAlterConfigsRequest::default().with_validate_only(validate_only);
            s.call("several", v, request.clone().with_resources(several));
            let twice = vec![
                resource(TOPIC, "config-changes", &good),
                resource(BROKER, "1", &bad),
                resource(TOPIC, "config-changes", &[]),
            ];
            s.call("one twice", v, request.clone().with_resources(twice));
            s.call("none", v, request);
            s.settle();
            describe(s, TOPIC, "config-changes", &["flush.ms"]);
        }
    }
    for kind in [-1, 0, 1, 3, 64, 127] {
        alter(s, kind, "x", &good);
        describe(s, kind, "x", &[]);
    }
}

/// AlterConfigs: all or nothing.
pub(crate) fn replaced(s: &mut Session<'_>) {
    use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let resource = |kind: i8, name: &str, configs: &[(&str, Option<&str>)]| {
        let configs = configs.iter().map(|(name, value)| {
            AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
        });
        AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(configs.collect())
    };
    create(s, "config-changes", 1, &[("retention.ms", "1000"), ("segment.ms", "1000")]);
    let topic = "config-changes";
    for v in versions::<AlterConfigsRequest>() {
        let mut call = |what: &str, resources: Vec<AlterConfigsResource>, validate_only: bool| {
            let request = AlterConfigsRequest::default().with_resources(resources);
            s.call(what, v, request.with_validate_only(validate_only));
            s.settle();
            describe(s, TOPIC, topic, &["retention.ms", "segment.ms", "flush.ms"]);
        };
        call("validated", vec![resource(TOPIC, topic, &[("flush.ms", Some("9"))])], true);
        call("bad", vec![resource(TOPIC, topic, &[("flush.ms", Some("x"))])], true);
        call("replaced", vec![resource(TOPIC, topic, &[("flush.ms", Some("9"))])], false);
        call("null", vec![resource(TOPIC, topic, &[("flush.ms", None)])], false);
        call("unknown", vec![resource(TOPIC, topic, &[("nobody.knows", Some("1"))])], false);
        call(
            "twice",
            vec![resource(TOPIC, topic, &[("flush.ms", Some("1")), ("flush.ms", Some("2"))])],
            false,
        );
        call("emptied", vec![resource(TOPIC, topic, &[])], false);
        let several = vec![
            resource(TOPIC, topic, &[("segment.ms", Some("7"))]),
            resource(TOPIC, "nowhere", &[("segment.ms", Some("7"))]),
            resource(TOPIC, "", &[]),
            resource(BROKER, "1", &[("num.partitions", Some("5"))]),
            resource(BROKER, "2", &[("log.roll.ms", Some("700000"))]),
            resource(BROKER, "abc", &[]),
            resource(BROKER, "", &[("log.roll.ms", Some("700000"))]),
            resource(LOGGER, "1", &[("root", Some("ERROR"))]),
            resource(GROUP, "g", &[("consumer.session.timeout.ms", Some("50000"))]),
            resource(GROUP, "", &[]),
            resource(METRICS, "m", &[("interval.ms", Some("50000"))]),
            resource(0, "x", &[]),
            resource(77, "y", &[]),
        ];
        call("several", several, false);
        call("none", vec![], false);
        call("back", vec![resource(GROUP, "g", &[]), resource(METRICS, "m", &[])], false);
    }
}

pub(crate) fn described(s: &mut Session<'_>) {
    create(s, "config-changes", 1, &[("flush.ms", "5")]);
    alter(s, GROUP, "config-changes", &[("share.isolation.level", SET, Some("read_committed"))]);
    let one = |kind: i8, name: &str, keys: Option<&[&str]>| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()))
    };
    for v in versions::<DescribeConfigsRequest>().filter(|v| *v >= 1) {
        for synonyms in [true, false] {
            let request = DescribeConfigsRequest::default().with_include_synonyms(synonyms);
            let several = vec![
                one(TOPIC, "config-changes", None),
                one(TOPIC, "config-changes", Some(&["segment.ms", "nobody.knows"])),
                one(TOPIC, "nowhere", None),
                one(TOPIC, "", None),
                one(TOPIC, "a b", None),
                one(
                    BROKER,
                    "1",
                    Some(&["num.io.threads", "ssl.keystore.password", "group.initial.rebalance.delay.ms"]),
                ),
                one(BROKER, "", None),
                one(BROKER, "2", None),
                one(BROKER, "x", None),
                one(GROUP, "config-changes", None),
                one(GROUP, "", None),
                one(METRICS, "config-changes", None),
                one(METRICS, "", None),
                one(LOGGER, "2", None),
                one(LOGGER, "", None),
                one(LOGGER, "x", None),
            ];
            s.call(format!("several, synonyms {synonyms}"), v, request.clone().with_resources(several));
            let with_unknown = vec![one(TOPIC, "config-changes", None), one(99, "x", None)];
            s.call("one of an unknown type", v, request.clone().with_resources(with_unknown));
            s.call("none", v, request);
        }
    }
}

pub(crate) fn listed(s: &mut Session<'_>) {
    create(s, "config-changes", 1, &[]);
    alter(s, METRICS, "config-changes", &[("interval.ms", SET, Some("1000"))]);
    alter(s, GROUP, "config-changes", &[("consumer.session.timeout.ms", SET, Some("50000"))]);
    for v in versions::<ListConfigResourcesRequest>() {
        // Version 0 can't ask for types. All types at once would list what other scenarios left.
        let all: &[&[i8]] = &[&[METRICS], &[METRICS, METRICS], &[BROKER, LOGGER], &[1], &[99], &[METRICS, 0]];
        let none: &[&[i8]] = &[&[]];
        for types in if v == 0 { none } else { all } {
            let request = ListConfigResourcesRequest::default().with_resource_types(types.to_vec());
            s.call(format!("{types:?}"), v, request);
        }
    }
    alter(s, METRICS, "config-changes", &[("interval.ms", DELETE, None)]);
    s.call("none left", 1, ListConfigResourcesRequest::default().with_resource_types(vec![METRICS]));
}

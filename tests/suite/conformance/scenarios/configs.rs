//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

use crate::conformance::request::{create, text};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const METRICS: i8 = 16;
const GROUP: i8 = 32;

fn resource(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResource {
    DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys.map(|all| all.iter().map(|k| text(k)).collect()))
}

fn describe(resources: Vec<DescribeConfigsResource>) -> DescribeConfigsRequest {
    DescribeConfigsRequest::default().with_resources(resources)
}

/// Operations: 0 set, 1 delete, 2 append, 3 subtract.
type Change<'a> = (&'a str, i8, Option<&'a str>);

fn change(resources: &[(i8, &str, &[Change<'_>])]) -> IncrementalAlterConfigsRequest {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let config = |(name, operation, value): &Change<'_>| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    let resource = |(kind, name, changes): &(i8, &str, &[Change<'_>])| {
        AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configs(changes.iter().map(config).collect())
    };
    IncrementalAlterConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

/// A resource, and all that it shall have set.
type Replacement<'a> = (i8, &'a str, &'a [(&'a str, Option<&'a str>)]);

fn replace(resources: &[Replacement<'_>]) -> AlterConfigsRequest {
    use alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let config = |(name, value): &(&str, Option<&str>)| {
        AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    };
    let resource = |(kind, name, configs): &(i8, &str, &[(&str, Option<&str>)])| {
        AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configs(configs.iter().map(config).collect())
    };
    AlterConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

pub(crate) fn of_topics(s: &mut Session<'_>) {
    create(s, "configs-plain", 1, &[]);
    create(s, "configs-own", 1, &[("retention.ms", "1000"), ("cleanup.policy", "compact,delete")]);
    for v in versions::<DescribeConfigsRequest>() {
        for name in ["configs-plain", "configs-own", "configs-unknown", "", "a b"] {
            s.call(format!("all of {name:?}"), v, describe(vec![resource(TOPIC, name, None)]));
        }
        let own = |keys: Option<&[&str]>| describe(vec![resource(TOPIC, "configs-own", keys)]);
        s.call("synonyms", v, own(None).with_include_synonyms(true));
        s.call("some", v, own(Some(&["retention.ms", "segment.bytes"])));
        s.call("none", v, own(Some(&[])));
        s.call("one that is not", v, own(Some(&["nonsense", "retention.ms"])));
        s.call("one twice", v, own(Some(&["retention.ms", "retention.ms"])));
        let twice = vec![
            resource(TOPIC, "configs-own", Some(&["retention.ms"])),
            resource(TOPIC, "configs-plain", Some(&["retention.ms"])),
            resource(TOPIC, "configs-own", Some(&["segment.ms"])),
        ];
        s.sorted("results", "resource_name").call("several", v, describe(twice));
        s.call("nothing", v, describe(vec![]));
        if v >= 3 {
            let documented = own(Some(&["retention.ms"])).with_include_documentation(true);
            s.call("documentation", v, documented);
        }
        for kind in [0, 1, 3, -1, 64] {
            s.call(format!("resource type {kind}"), v, describe(vec![resource(kind, "x", None)]));
        }
    }
}

pub(crate) fn of_brokers(s: &mut Session<'_>) {
    const KEYS: [&str; 12] = [
        "num.partitions",
        "log.retention.hours",
        "log.retention.ms",
        "log.retention.minutes",
        "message.max.bytes",
        "auto.create.topics.enable",
        "log.cleanup.policy",
        "group.min.session.timeout.ms",
        "offsets.retention.minutes",
        "compression.type",
        "ssl.keystore.password",
        "log.segment.bytes",
    ];
    for v in versions::<DescribeConfigsRequest>() {
        if v == 4 {
            s.call("all of broker 1", v, describe(vec![resource(BROKER, "1", None)]));
        }
        s.call("some of broker 1", v, describe(vec![resource(BROKER, "1", Some(&KEYS))]));
        s.call(
            "with synonyms",
            v,
            describe(vec![resource(BROKER, "1", Some(&KEYS))]).with_include_synonyms(true),
        );
        for name in ["", "7", "-1", "x", "2147483648"] {
            s.call(
                format!("broker {name:?}"),
                v,
                describe(vec![resource(BROKER, name, Some(&["num.partitions"]))]),
            );
        }
        s.call("all of the cluster", v, describe(vec![resource(BROKER, "", None)]));
        for (kind, name) in [
            (LOGGER, "7"),
            (LOGGER, ""),
            (METRICS, "unknown"),
            (METRICS, ""),
            (GROUP, "unknown"),
            (GROUP, ""),
        ] {
            s.call(format!("type {kind} {name:?}"), v, describe(vec![resource(kind, name, None)]));
        }
    }
}

/// Every topic config with good and bad values.
pub(crate) fn values_of_topics(s: &mut Session<'_>) {
    create(s, "config-values", 1, &[]);
    let kinds: [(&[&str], &[&str]); 8] = [
        (
            &[
                "retention.ms",
                "retention.bytes",
                "local.retention.ms",
                "local.retention.bytes",
                "flush.ms",
                "flush.messages",
                "delete.retention.ms",
                "file.delete.delay.ms",
                "index.interval.bytes",
                "max.compaction.lag.ms",
                "min.compaction.lag.ms",
                "max.message.bytes",
                "message.timestamp.after.max.ms",
                "message.timestamp.before.max.ms",
                "min.insync.replicas",
                "segment.bytes",
                "segment.index.bytes",
                "segment.jitter.ms",
                "segment.ms",
            ],
            &[
                "1",
                "0",
                "-1",
                "-2",
                "-3",
                "1048576",
                "2147483647",
                "2147483648",
                "9223372036854775807",
                "9223372036854775808",
                " 5",
                "5 ",
                "1.5",
                "x",
                "",
                "0x10",
            ],
        ),
        (&["min.cleanable.dirty.ratio"], &["0", "1", "0.5", "1.1", "-0.1", "x", "NaN", "1e-3", ""]),
        (
            &["cleanup.policy"],
            &[
                "delete",
                "compact",
                "compact,delete",
                "delete,compact",
                " delete",
                "Delete",
                "delete,delete",
                "",
                ",",
                "none",
                "delete,x",
            ],
        ),
        (
            &["compression.type"],
            &["producer", "gzip", "snappy", "lz4", "zstd", "uncompressed", "none", "GZIP", ""],
        ),
        (&["message.timestamp.type"], &["CreateTime", "LogAppendTime", "createtime", "x", ""]),
        (
            &[
                "preallocate",
                "unclean.leader.election.enable",
                "remote.storage.enable",
                "remote.copy.disable",
                "remote.log.delete.on.disable",
            ],
            &["true", "false", "TRUE", " true", "yes", "1", ""],
        ),
        (
            &["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"],
            &["*", "", "0:1", "0:1,1:1", "0", "x", "0:1:2", "none", "*,0:1"],
        ),
        (
            &["compression.gzip.level", "compression.lz4.level", "compression.zstd.level"],
            &["1", "9", "0", "-1", "10", "17", "18", "22", "23", "-131072", "-131073", "x"],
        ),
    ];
    for (names, values) in kinds {
        for name in names {
            for value in values {
                let request = change(&[(TOPIC, "config-values", &[(name, 0, Some(value))])]);
                s.call(format!("{name} = {value:?}"), 1, request);
            }
            s.settle();
            let shown =
                describe(vec![resource(TOPIC, "config-values", Some(&[name]))]).with_include_synonyms(true);
            s.call(format!("{name} as it is"), 4, shown);
            s.call(format!("{name} deleted"), 1, change(&[(TOPIC, "config-values", &[(name, 1, None)])]));
            s.settle();
            s.call(
                format!("{name} as it was"),
                4,
                describe(vec![resource(TOPIC, "config-values", Some(&[name]))]),
            );
        }
    }
}

pub(crate) fn changes(s: &mut Session<'_>) {
    for v in versions::<IncrementalAlterConfigsRequest>() {
        let t = create(s, &format!("changes-{v}"), 1, &[("cleanup.policy", "compact")]);
        let n = t.name.as_str();
        let show = |s: &mut Session<'_>| {
            s.settle();
            s.call(
                "now",
                4,
                describe(vec![resource(
                    TOPIC,
                    n,
                    Some(&[
                        "cleanup.policy",
                        "retention.ms",
                        "segment.ms",
                        "leader.replication.throttled.replicas",
                    ]),
                )]),
            );
        };
        let steps: [(&str, &[Change<'_>]); 22] = [
            ("set", &[("retention.ms", 0, Some("1000"))]),
            ("set two", &[("retention.ms", 0, Some("2000")), ("segment.ms", 0, Some("3000"))]),
            ("good and bad", &[("retention.ms", 0, Some("4000")), ("segment.ms", 0, Some("x"))]),
            ("null", &[("retention.ms", 0, None)]),
            ("a key twice", &[("retention.ms", 0, Some("1")), ("retention.ms", 0, Some("2"))]),
            ("delete", &[("retention.ms", 1, None)]),
            ("delete again", &[("retention.ms", 1, None)]),
            ("delete with a value", &[("segment.ms", 1, Some("1"))]),
            ("append to a list", &[("cleanup.policy", 2, Some("delete"))]),
            ("append what is there", &[("cleanup.policy", 2, Some("delete"))]),
            ("append nonsense", &[("cleanup.policy", 2, Some("nonsense"))]),
            ("append null", &[("cleanup.policy", 2, None)]),
            ("subtract", &[("cleanup.policy", 3, Some("compact"))]),
            ("subtract what is not there", &[("cleanup.policy", 3, Some("compact"))]),
            ("subtract the last", &[("cleanup.policy", 3, Some("delete"))]),
            ("append to what is no list", &[("retention.ms", 2, Some("1"))]),
            ("subtract from what is no list", &[("retention.ms", 3, Some("1"))]),
            ("append to a default", &[("leader.replication.throttled.replicas", 2, Some("0:1"))]),
            ("append two", &[("leader.replication.throttled.replicas", 2, Some("1:1,2:1"))]),
            ("an unknown key", &[("nonsense", 0, Some("1"))]),
            ("an unknown key deleted", &[("nonsense", 1, None)]),
            ("an empty key", &[("", 0, Some("1"))]),
        ];
        for (what, changes) in steps {
            s.call(
                format!("only validated: {what}"),
                v,
                change(&[(TOPIC, n, changes)]).with_validate_only(true),
            );
            s.call(what, v, change(&[(TOPIC, n, changes)]));
            show(s);
        }
        for operation in [4, -1, 99] {
            s.call(
                format!("operation {operation}"),
                v,
                change(&[(TOPIC, n, &[("retention.ms", operation, Some("1"))])]),
            );
        }
        s.call("no change", v, change(&[(TOPIC, n, &[])]));
        s.call("no resource", v, change(&[]));
        s.call(
            "a resource twice",
            v,
            change(&[
                (TOPIC, n, &[("retention.ms", 0, Some("1"))]),
                (TOPIC, n, &[("segment.ms", 0, Some("1"))]),
            ]),
        );
        s.call(
            "an unknown topic",
            v,
            change(&[(TOPIC, "changes-unknown", &[("retention.ms", 0, Some("1"))])]),
        );
        s.call("an illegal topic", v, change(&[(TOPIC, "a b", &[("retention.ms", 0, Some("1"))])]));
        s.call("an empty topic", v, change(&[(TOPIC, "", &[("retention.ms", 0, Some("1"))])]));
        for kind in [0, 1, 3, -1, 64] {
            s.call(
                format!("resource type {kind}"),
                v,
                change(&[(kind, "x", &[("retention.ms", 0, Some("1"))])]),
            );
        }
        let mixed = change(&[
            (TOPIC, n, &[("retention.ms", 0, Some("77000"))]),
            (TOPIC, "changes-unknown", &[("retention.ms", 0, Some("1"))]),
        ]);
        s.sorted("responses", "resource_name").call("good and bad topics", v, mixed);
        show(s);
    }
}

pub(crate) fn replacements(s: &mut Session<'_>) {
    for v in versions::<AlterConfigsRequest>() {
        let t = create(
            s,
            &format!("replaced-{v}"),
            1,
            &[("cleanup.policy", "compact"), ("retention.ms", "5000")],
        );
        let n = t.name.as_str();
        let show = |s: &mut Session<'_>| {
            s.settle();
            s.call(
                "now",
                4,
                describe(vec![resource(TOPIC, n, Some(&["cleanup.policy", "retention.ms", "segment.ms"]))]),
            );
        };
        s.call(
            "only validated",
            v,
            replace(&[(TOPIC, n, &[("segment.ms", Some("100"))])]).with_validate_only(true),
        );
        show(s);
        s.call("replaced", v, replace(&[(TOPIC, n, &[("segment.ms", Some("100"))])]));
        show(s);
        for (what, configs) in [
            ("a bad value", &[("segment.ms", Some("x")), ("retention.ms", Some("1"))][..]),
            ("an unknown key", &[("nonsense", Some("1"))]),
            ("a null value", &[("segment.ms", None)]),
            ("a key twice", &[("segment.ms", Some("1")), ("segment.ms", Some("2"))]),
            ("nothing", &[]),
        ] {
            s.call(what, v, replace(&[(TOPIC, n, configs)]));
            show(s);
        }
        s.call("no resource", v, replace(&[]));
        s.call("an unknown topic", v, replace(&[(TOPIC, "replaced-unknown", &[("segment.ms", Some("1"))])]));
        for kind in [0, 1, -1, 64] {
            s.call(
                format!("resource type {kind}"),
                v,
                replace(&[(kind, "x", &[("retention.ms", Some("1"))])]),
            );
        }
        s.call("an unknown broker", v, replace(&[(BROKER, "7", &[("log.retention.ms", Some("1"))])]));
        s.call("a read-only broker config", v, replace(&[(BROKER, "1", &[("num.partitions", Some("3"))])]));
    }
}

pub(crate) fn changes_of_brokers(s: &mut Session<'_>) {
    const SHOWN: [&str; 4] =
        ["log.retention.ms", "message.max.bytes", "log.cleanup.policy", "num.partitions"];
    for v in versions::<IncrementalAlterConfigsRequest>() {
        for name in ["1", ""] {
            let show = |s: &mut Session<'_>| {
                s.settle();
                let shown = describe(vec![resource(BROKER, "1", Some(&SHOWN))]).with_include_synonyms(true);
                s.call("now", 4, shown);
            };
            let steps: [&[Change<'_>]; 16] = [
                &[("log.retention.ms", 0, Some("1000000"))],
                &[("log.retention.ms", 0, Some("x"))],
                &[("log.retention.ms", 1, None)],
                &[("message.max.bytes", 0, Some("2000000"))],
                &[("message.max.bytes", 0, Some("-1"))],
                &[("message.max.bytes", 1, None)],
                &[("log.cleanup.policy", 0, Some("compact"))],
                &[("log.cleanup.policy", 2, Some("delete"))],
                &[("log.cleanup.policy", 1, None)],
                &[("num.partitions", 0, Some("3"))],
                &[("auto.create.topics.enable", 0, Some("false"))],
                &[("node.id", 0, Some("4"))],
                &[("advertised.listeners", 0, Some("PLAINTEXT://x:1"))],
                &[("log.retention.hours", 0, Some("1"))],
                &[("nonsense", 0, Some("1"))],
                &[("nonsense", 1, None)],
            ];
            for changes in steps {
                let (what, operation, value) = changes[0];
                let what = format!("broker {name:?}: {what} {operation} {value:?}");
                s.call(
                    format!("{what}, only validated"),
                    v,
                    change(&[(BROKER, name, changes)]).with_validate_only(true),
                );
                s.call(what, v, change(&[(BROKER, name, changes)]));
                show(s);
            }
        }
        for name in ["7", "-1", "x"] {
            s.call(
                format!("broker {name:?}"),
                v,
                change(&[(BROKER, name, &[("log.retention.ms", 0, Some("1"))])]),
            );
        }
    }
}

pub(crate) fn changes_of_groups(s: &mut Session<'_>) {
    for v in versions::<IncrementalAlterConfigsRequest>() {
        for (name, values) in [
            ("consumer.session.timeout.ms", ["45000", "1", "x", "61000"]),
            ("consumer.heartbeat.interval.ms", ["5000", "1", "x", "50000"]),
            ("share.session.timeout.ms", ["45000", "1", "x", "61000"]),
            ("share.auto.offset.reset", ["earliest", "latest", "x", "by_duration:PT1H"]),
            ("nonsense", ["1", "2", "3", "4"]),
        ] {
            for value in values {
                let request = change(&[(GROUP, "configured", &[(name, 0, Some(value))])]);
                s.call(format!("{name} = {value:?}"), v, request);
            }
            s.settle();
            s.call("now", 4, describe(vec![resource(GROUP, "configured", None)]).with_include_synonyms(true));
            s.call(format!("{name} deleted"), v, change(&[(GROUP, "configured", &[(name, 1, None)])]));
        }
        s.call(
            "an empty group",
            v,
            change(&[(GROUP, "", &[("consumer.session.timeout.ms", 0, Some("45000"))])]),
        );
        s.settle();
        s.call("as it was", 4, describe(vec![resource(GROUP, "configured", None)]));
    }
}

pub(crate) fn resources(s: &mut Session<'_>) {
    create(s, "resources-a", 1, &[]);
    create(s, "resources-b", 1, &[("retention.ms", "1000")]);
    s.call("none", 0, ListConfigResourcesRequest::default());
    s.quietly(1, change(&[(GROUP, "resources-group", &[("consumer.session.timeout.ms", 0, Some("50000"))])]));
    s.settle();
    s.call("version 0", 0, ListConfigResourcesRequest::default());
    for kinds in [
        &[TOPIC][..],
        &[BROKER],
        &[GROUP],
        &[METRICS],
        &[LOGGER],
        &[TOPIC, GROUP],
        &[1],
        &[64],
        &[TOPIC, TOPIC],
        &[-1],
    ] {
        let request = ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec());
        s.without_internal_topics().call(format!("types {kinds:?}"), 1, request);
    }
}

//! The rules against answers that Apache Kafka 4.3.1 gave.

use crate::config::broker_rules::{check_change, check_dynamic, check_together};
use crate::config::layers::{Layers, Overrides};
use crate::config::resource_rules::{MetricsComplaint, check_client_metrics, check_group, check_topic};

fn configs(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sentence<E: ToString>(result: Result<(), E>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn topics() {
    let check = |pairs: &[(&str, &str)]| sentence(check_topic(&Layers::default(), &configs(pairs)));
    for (name, value, answer) in [
        (
            "retention.ms",
            "abc",
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("retention.ms", "", "Invalid value  for configuration retention.ms: Not a number of type LONG"),
        ("retention.ms", " 1000 ", ""),
        ("foo", "1", "Unknown topic config name: foo"),
        ("cleanup.policy", "delete, compact", ""),
        ("cleanup.policy", "delete,delete", ""),
        ("cleanup.policy", "", ""),
        ("cleanup.policy", ",compact", "Configuration 'cleanup.policy' values must not be empty."),
        (
            "cleanup.policy",
            "bogus",
            "Invalid value bogus for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            "compression.type",
            "GZIP",
            "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, zstd, lz4, \
             snappy, gzip, producer",
        ),
        (
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            "compression.lz4.level",
            "18",
            "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17",
        ),
        (
            "min.cleanable.dirty.ratio",
            "1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "leader.replication.throttled.replicas",
            "bad",
            "Invalid value [bad] for configuration leader.replication.throttled.replicas: \
             leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following \
             format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        ("leader.replication.throttled.replicas", "*", ""),
        ("leader.replication.throttled.replicas", "0:1,1:2", ""),
        ("internal.segment.bytes", "100", ""),
        (
            "remote.storage.enable",
            "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
             storage.",
        ),
    ] {
        assert_eq!(check(&[(name, value)]), answer, "{name}={value}");
    }
    assert_eq!(
        check(&[("max.compaction.lag.ms", "5"), ("min.compaction.lag.ms", "10")]),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
    );
    // The order is that of Kafka's definitions, not of the request.
    assert!(check(&[("flush.ms", "x"), ("segment.bytes", "x")]).contains("segment.bytes"));
}

#[test]
fn dynamic_broker_configs() {
    for (one_broker, name, value, answer) in [
        (false, "num.partitions", "3", "Cannot update these configs dynamically: [num.partitions]"),
        (false, "foo.bar", "x", ""),
        (false, "leader.replication.throttled.rate", "5", ""),
        (
            true,
            "ssl.keystore.password",
            "secret",
            "These security configs can be dynamically updated only per-listener using the listener prefix: \
             [ssl.keystore.password]",
        ),
        (true, "listener.name.plaintext.ssl.keystore.password", "secret", ""),
        (
            false,
            "listener.name.plaintext.ssl.keystore.password",
            "secret",
            "Cannot update these configs at default cluster level, broker id must be specified: \
             [listener.name.plaintext.ssl.keystore.password]",
        ),
        (
            false,
            "listeners",
            "PLAINTEXT://:1",
            "Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
        ),
        (
            true,
            "listener.name.plaintext.num.io.threads",
            "abc",
            "Invalid value abc for configuration num.io.threads: Not a number of type INT",
        ),
        (
            true,
            "log.segment.bytes",
            "1",
            "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
    ] {
        assert_eq!(sentence(check_dynamic(&configs(&[(name, value)]), one_broker)), answer, "{name}={value}");
    }
    let both = configs(&[("num.partitions", "5"), ("node.id", "7")]);
    assert_eq!(
        sentence(check_dynamic(&both, true)),
        "Cannot update these configs dynamically: [node.id, num.partitions]"
    );
}

#[test]
fn broker_configs_together() {
    let check = |pairs: &[(&str, &str)]| {
        let before = Layers::default();
        let after = Layers { broker: configs(pairs), ..Layers::default() };
        sentence(check_together(&after).and_then(|()| check_change(&before, &after)))
    };
    let wrapped = |why: &str| {
        format!(
            "Invalid value org.apache.kafka.common.config.ConfigException: {why} for configuration Invalid dynamic \
             configuration"
        )
    };
    assert_eq!(check(&[]), "");
    for (name, value, answer) in [
        (
            "log.retention.ms",
            "0",
            "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        ("log.retention.ms", "-5", ""),
        ("log.roll.ms", "0", "requirement failed: log.roll.ms must be greater than or equal to 1"),
        (
            "log.roll.jitter.ms",
            "-5",
            "requirement failed: log.roll.jitter.ms must be greater than or equal to 0",
        ),
        ("log.cleaner.threads", "0", "/ by zero"),
        (
            "log.cleaner.dedupe.buffer.size",
            "1",
            "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
        ),
        (
            "max.connections.per.ip",
            "0",
            "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides \
             property is set.",
        ),
        (
            "max.connections.per.ip.overrides",
            "bad",
            "Error parsing configuration property 'max.connections.per.ip.overrides': begin 0, end -1, length 3",
        ),
        ("max.connections.per.ip.overrides", "127.0.0.1:5", ""),
        (
            "listener.security.protocol.map",
            "A:B",
            "Invalid security protocol `B` defined in listener.security.protocol.map",
        ),
        ("listeners", "garbage", "Unable to parse a listener name from garbage"),
        (
            "cordoned.log.dirs",
            "/x",
            "requirement failed: All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing \
             entries : /x",
        ),
        (
            "group.consumer.assignment.interval.ms",
            "20000",
            "group.consumer.assignment.interval.ms must be less than or equal to \
             group.consumer.max.assignment.interval.ms",
        ),
    ] {
        assert_eq!(check(&[(name, value)]), answer, "{name}={value}");
    }
    let threads = "Dynamic thread count update validation failed for num.io.threads";
    for (name, value, why) in [
        ("num.io.threads", "100", format!("{threads}=100, value should not be greater than double the current value 8")),
        ("num.io.threads", "1", format!("{threads}=1, value should be at least half the current value 8")),
        ("max.connections", "0", "Invalid max.connections 0".to_owned()),
        ("log.cleaner.threads", "10", "Log cleaner threads cannot be increased to more than double the current value 1".to_owned()),
        (
            "log.local.retention.ms",
            "99999999999",
            "Invalid value 99999999999 for configuration log.local.retention.ms: Value must not be more than \
             log.retention.ms property value: 604800000"
                .to_owned(),
        ),
        (
            "log.local.retention.ms",
            "-1",
            "Invalid value -1 for configuration log.local.retention.ms: Value must not be -1 as log.retention.ms value \
             is set as 604800000."
                .to_owned(),
        ),
    ] {
        assert_eq!(check(&[(name, value)]), wrapped(&why), "{name}={value}");
    }
    assert_eq!(check(&[("num.io.threads", "6")]), "");
}

#[test]
fn groups() {
    let check =
        |name: &str, value: &str| sentence(check_group(&Layers::default(), &configs(&[(name, value)])));
    let reset = |value: &str| {
        format!(
            "Invalid value {value} for configuration share.auto.offset.reset: Invalid value `{value}` for configuration \
             share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format \
             'by_duration:<PnDTnHnMn.nS>'."
        )
    };
    assert_eq!(check("foo", "1"), "Unknown group config name: foo");
    assert_eq!(check("consumer.session.timeout.ms", "46000"), "");
    assert_eq!(
        check("consumer.session.timeout.ms", "1"),
        "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"
    );
    assert_eq!(
        check("streams.num.standby.replicas", "3"),
        "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"
    );
    assert_eq!(
        check("share.delivery.count.limit", "1"),
        "Invalid value 1 for configuration share.delivery.count.limit: Value must be at least 2"
    );
    for good in ["earliest", "latest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S", "by_duration:P2D"] {
        assert_eq!(check("share.auto.offset.reset", good), "");
    }
    for bad in [
        "foo",
        "EARLIEST",
        "by_duration:x",
        "by_duration:P",
        "by_duration:PT",
        "by_duration:P1H",
        "by_duration:PT1.5H",
    ] {
        assert_eq!(check("share.auto.offset.reset", bad), reset(bad));
    }
}

#[test]
fn client_metrics() {
    let check = |name: &str, value: &str| match check_client_metrics("m", &configs(&[(name, value)])) {
        Ok(()) => (0, String::new()),
        Err(MetricsComplaint::Request(error)) => (42, error.to_string()),
        Err(MetricsComplaint::Value(error)) => (40, error.to_string()),
    };
    let fine = (0, String::new());
    assert_eq!(check("metrics", "*"), fine);
    assert_eq!(check("match", "client_id=a.*,client_source_port=1"), fine);
    assert_eq!(check("foo", "1"), (42, "Unknown client metrics configuration: foo".to_owned()));
    assert_eq!(
        check("interval.ms", "50"),
        (
            42,
            "Invalid value 50 for interval.ms, interval must be between 100 and 3600000 (1 hour)".to_owned()
        )
    );
    assert_eq!(
        check("interval.ms", "x"),
        (40, "Invalid value x for configuration interval.ms: Not a number of type INT".to_owned())
    );
    for bad in ["bad", "foo=bar", "client_id=[", "client_id=(a", "client_id=*", "client_id"] {
        assert_eq!(check("match", bad), (40, format!("Illegal client matching pattern: {bad}")));
    }
}

//! Configs: what loads, what it comes to, and what is said of what does not load.

use serde_json::json;

use super::*;
use crate::options::{Acks, Assignor, Bootstrap, Compression, IsolationLevel, OffsetReset, SaslMechanism};

fn map(value: Value) -> Map<String, Value> {
    Config::from_value(value).unwrap().into_map()
}

fn publisher(more: Value) -> Result<PublisherConfig, ClientError> {
    let mut config = map(json!({ "destination": "kafka://topic/orders" }));
    config.extend(map(more));
    PublisherConfig::read("p", config, Kind::Plain)
}

fn subscriber(more: Value) -> Result<SubscriberConfig, ClientError> {
    let mut config = map(json!({ "source": "kafka://topic/orders" }));
    config.extend(map(more));
    SubscriberConfig::read("s", config, Kind::Plain)
}

/// That reading a publisher's config fails, and what of it must be said.
fn refused(more: Value, said: &[&str]) {
    let shown = more.to_string();
    let error = publisher(more).expect_err(&shown);
    assert!(
        matches!(error.kind(), ErrorKind::Config | ErrorKind::InvalidArgument | ErrorKind::Unsupported),
        "{error}"
    );
    for what in said {
        assert!(error.to_string().contains(what), "{shown}: {what:?} is not in: {error}");
    }
}

fn refused_for_subscribers(more: Value, said: &[&str]) {
    let shown = more.to_string();
    let error = subscriber(more).expect_err(&shown);
    for what in said {
        assert!(error.to_string().contains(what), "{shown}: {what:?} is not in: {error}");
    }
}

#[test]
fn defaults_are_those_of_the_specification() {
    let read = publisher(json!({})).unwrap();
    let options = &read.producer;
    assert_eq!(read.client.bootstrap, Bootstrap::Servers(vec!["localhost:9092".to_owned()]));
    assert_eq!((options.acks, options.retries, options.batch_size), (Acks::Leader, 0, 16_384));
    assert_eq!(
        (options.linger, options.compression, options.max_in_flight),
        (Duration::ZERO, Compression::None, 5)
    );
    assert_eq!((options.buffer_memory, options.is_idempotent()), (33_554_432, false));
    assert_eq!(
        (read.publish_interval, read.batch_size, read.library),
        (Duration::ZERO, None, Library::Native)
    );

    let read = subscriber(json!({})).unwrap();
    let options = &read.consumer;
    assert_eq!(options.group_id, "s_group");
    assert_eq!((options.auto_offset_reset, options.enable_auto_commit), (OffsetReset::Latest, true));
    assert_eq!((options.max_poll_records, options.max_depth), (500, 100_000));
    assert_eq!(
        (options.session_timeout.as_millis(), options.heartbeat_interval.as_millis()),
        (10_000, 3_000)
    );
    assert_eq!((options.auto_commit_interval.as_millis(), options.fetch_max_wait.as_millis()), (5_000, 500));
    assert_eq!((options.fetch_min_bytes, options.max_partition_fetch_bytes), (1, 1_048_576));
    assert_eq!((read.resilience.tries, read.resilience.buffer_max_messages), (10, 10_000));
    assert_eq!(read.resilience.interval, Duration::from_secs(60));
}

#[test]
fn both_spellings_mean_the_same() {
    let python = publisher(json!({ "producer_config": {
        "acks": "all", "batch_size": 1000, "linger_ms": 5, "compression_type": "lz4", "retries": 3,
        "max_in_flight_requests_per_connection": 2, "delivery_timeout_ms": 9000, "max_request_size": 2000,
        "enable_idempotence": true,
    } }))
    .unwrap();
    let librdkafka = publisher(json!({ "confluent_config": {
        "request.required.acks": "-1", "batch.size": "1000", "queue.buffering.max.ms": 5, "compression.codec": "lz4",
        "message.send.max.retries": 3, "max.in.flight": "2", "message.timeout.ms": 9000, "message.max.bytes": 2000,
        "enable.idempotence": "true",
    } }))
    .unwrap();
    assert_eq!(format!("{:?}", python.producer), format!("{:?}", librdkafka.producer));
    // Java's spelling is Python's with dots.
    let java = publisher(json!({ "producer_config": { "buffer.memory": 5000, "max.block.ms": 7 } })).unwrap();
    assert_eq!((java.producer.buffer_memory, java.producer.max_block.as_millis()), (5000, 7));

    let read = subscriber(json!({ "confluent_config": {
        "auto.offset.reset": "smallest", "session.timeout.ms": "20000", "fetch.wait.max.ms": 100, "group.id": "g",
        "partition.assignment.strategy": "cooperative-sticky,range", "isolation.level": "read_committed",
        "queued.max.messages.kbytes": 2,
    } }))
    .unwrap();
    let options = &read.consumer;
    assert_eq!(options.auto_offset_reset, OffsetReset::Earliest);
    assert_eq!((options.session_timeout.as_secs(), options.fetch_max_wait.as_millis()), (20, 100));
    assert_eq!(options.assignors, [Assignor::CooperativeSticky, Assignor::Range]);
    assert_eq!((options.isolation_level, options.group_id.as_str()), (IsolationLevel::ReadCommitted, "g"));
    assert_eq!(options.max_fetched_bytes, 2048);
}

#[test]
fn names_of_the_originals_mean_ours() {
    assert_eq!(publisher(json!({ "kafka_library": "kafka-python" })).unwrap().library, Library::Native);
    let other = if cfg!(feature = "rdkafka") { Library::Rdkafka } else { Library::Native };
    assert_eq!(publisher(json!({ "kafka_library": "confluent-kafka" })).unwrap().library, other);
    refused(json!({ "kafka_library": "kafka-pyton" }), &["kafka-pyton", "did you mean 'kafka-python'"]);
}

#[test]
fn unknown_keys_are_told_with_the_nearest_one() {
    refused(
        json!({ "bootstrap_server": "x:1" }),
        &["'bootstrap_server'", "did you mean 'bootstrap_servers'"],
    );
    refused(
        json!({ "producer_config": { "lingr_ms": 1 } }),
        &["producer_config.lingr_ms", "did you mean 'linger_ms'"],
    );
    refused(
        json!({ "confluent_config": { "batch.num.message": 1 } }),
        &["did you mean 'batch.num.messages'"],
    );
    refused(json!({ "producer_config": { "zzzzzzzzzzzz": 1 } }), &["nobody knows"]);
    refused(json!({ "acks": "all" }), &["'acks'", "producer_config"]);
    refused(json!({ "producer_config": { "auto_offset_reset": "latest" } }), &["option of subscribers"]);
    refused_for_subscribers(json!({ "consumer_config": { "acks": 1 } }), &["option of publishers"]);
    refused_for_subscribers(
        json!({ "consumer_config": { "auto_offset_rest": "x" } }),
        &["auto_offset_reset"],
    );
}

#[test]
fn wrong_types_and_ranges_are_told_with_what_is_taken() {
    refused(json!({ "producer_config": { "acks": 2 } }), &["producer_config.acks is 2", "0, 1 or \"all\""]);
    refused(json!({ "producer_config": { "linger_ms": "soon" } }), &["linger_ms", "milliseconds from 0"]);
    refused(json!({ "producer_config": { "batch_size": "16384" } }), &["batch_size", "a whole number"]);
    refused(json!({ "producer_config": { "batch_size": -1 } }), &["batch_size is -1"]);
    refused(json!({ "producer_config": { "compression_type": "brotli" } }), &["gzip, snappy, lz4 or zstd"]);
    refused(json!({ "producer_config": [] }), &["producer_config is a list"]);
    refused(json!({ "publish_interval": -1 }), &["publish_interval is -1"]);
    refused(json!({ "publish_interval": "1" }), &["publish_interval"]);
    refused(json!({ "batch_size": 0 }), &["batch_size is 0"]);
    refused(json!({ "bootstrap_servers": 9092 }), &["bootstrap_servers is a number"]);
    refused(json!({ "destination": "kafka://queue/x" }), &["kafka://queue/x", "kafka://topic/NAME"]);
    refused(json!({ "destination": "kafka://topic/no good" }), &["no good"]);
    refused(json!({ "destination": null }), &["destination is missing"]);
    refused_for_subscribers(json!({ "max_depth": 1.5 }), &["max_depth is 1.5"]);
    refused_for_subscribers(json!({ "dead_letter_topic": "a b" }), &["a b"]);
    refused_for_subscribers(
        json!({ "consumer_config": { "auto_offset_reset": "middle" } }),
        &["earliest, latest or none"],
    );
    refused_for_subscribers(
        json!({ "consumer_config": { "partition_assignment_strategy": [] } }),
        &["range, roundrobin"],
    );
}

#[test]
fn what_contradicts_itself_is_told() {
    refused(
        json!({ "producer_config": { "acks": 1 }, "confluent_config": { "request.required.acks": "all" } }),
        &["same option", "producer_config.acks,"],
    );
    assert!(
        publisher(json!({ "producer_config": { "acks": 1 }, "confluent_config": { "acks": "1" } })).is_ok()
    );
    refused(
        json!({ "producer_config": { "enable_idempotence": true, "acks": 1 } }),
        &["acks is not \"all\""],
    );
    refused(
        json!({ "producer_config": { "enable_idempotence": true, "max_in_flight_requests_per_connection": 6 } }),
        &["max_in_flight_requests_per_connection is 6"],
    );
    refused(
        json!({ "bootstrap_servers": "a:1", "producer_config": { "bootstrap_servers": "b:1" } }),
        &["bootstrap_servers"],
    );
    refused_for_subscribers(
        json!({ "group_id": "a", "consumer_config": { "group_id": "b" } }),
        &["\"a\"", "\"b\""],
    );
    refused_for_subscribers(
        json!({ "consumer_config": { "session_timeout_ms": 3000, "heartbeat_interval_ms": 3000 } }),
        &["heartbeat_interval_ms is 3000"],
    );
}

#[test]
fn idempotence_follows_from_acks() {
    let all = publisher(json!({ "producer_config": { "acks": "all" } })).unwrap();
    assert!(all.producer.is_idempotent() && all.producer.retries > 1_000_000);
    let asked = publisher(json!({ "producer_config": { "enable_idempotence": true } })).unwrap();
    assert_eq!(asked.producer.acks, Acks::All);
    let many = publisher(
        json!({ "producer_config": { "acks": "all", "max_in_flight_requests_per_connection": 9 } }),
    );
    assert!(!many.unwrap().producer.is_idempotent());
}

#[test]
fn what_only_librdkafka_has_is_told_to_others() {
    refused(
        json!({ "confluent_config": { "statistics.interval.ms": 1000 } }),
        &["statistics.interval.ms", "no counterpart", "rdkafka"],
    );
    refused(json!({ "producer_config": { "ssl_password": "swordfish" } }), &["no counterpart"]);
    refused(json!({ "producer_config": { "sasl_mechanism": "GSSAPI" } }), &["no counterpart"]);
    refused(json!({ "producer_config": { "value_serializer": "json" } }), &["with_codec"]);
    refused(json!({ "confluent_config": { "dr_cb": "x" } }), &["publish_acknowledged"]);
    refused(json!({ "producer_config": { "transactional_id": "t" } }), &["transactional_id"]);
}

#[cfg(feature = "rdkafka")]
#[test]
fn what_only_librdkafka_has_goes_to_it() {
    let read = publisher(json!({
        "kafka_library": "rdkafka",
        "confluent_config": { "compression.level": 3, "enable.ssl.certificate.verification": false, "security.protocol": "ssl" },
    }))
    .unwrap();
    assert_eq!(read.producer.passthrough["compression.level"], "3");
    assert_eq!(read.producer.passthrough["enable.ssl.certificate.verification"], "false");
    assert!(read.client.security.tls.is_some());
}

#[test]
fn security_is_put_together() {
    let read = publisher(json!({ "producer_config": {
        "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "olga",
        "sasl_plain_password": "swordfish", "ssl_cafile": "/ca.pem", "ssl_check_hostname": false,
    } }))
    .unwrap();
    let (sasl, tls) = (read.client.security.sasl.unwrap(), read.client.security.tls.unwrap());
    assert_eq!((sasl.mechanism, sasl.username.as_str()), (SaslMechanism::ScramSha512, "olga"));
    assert!(!tls.check_hostname && tls.ca_file.is_some());
    refused(
        json!({ "producer_config": { "sasl_plain_username": "olga" } }),
        &["security_protocol is without it"],
    );
    refused(
        json!({ "producer_config": { "security_protocol": "SASL_SSL" } }),
        &["user name or password are missing"],
    );
    refused(
        json!({ "producer_config": { "security_protocol": "SSL", "ssl_certfile": "c" } }),
        &["ssl_keyfile"],
    );
}

#[test]
fn resilient_producers_wait_for_everybody() {
    let mut config = map(
        json!({ "destination": "kafka://topic/orders", "reconnect_tries": 2, "reconnect_interval_seconds": 0.5 }),
    );
    let read = PublisherConfig::read("p", config.clone(), Kind::Resilient).unwrap();
    assert_eq!((read.producer.acks, read.resilience.tries), (Acks::All, 2));
    assert_eq!(read.resilience.interval, Duration::from_millis(500));
    assert!(
        PublisherConfig::read("p", config.clone(), Kind::Plain)
            .unwrap_err()
            .to_string()
            .contains("reconnect")
    );
    config.insert("reconnect_tries".to_owned(), json!(0));
    assert!(PublisherConfig::read("p", config, Kind::Resilient).is_err());
}

#[test]
fn properties_say_the_same() {
    let text = "# a comment\nkafka.library: confluent-kafka\nkafka.bootstrap.servers=a:1,b:2\n\
        kafka.producer.acks=all\nkafka.producer.linger.ms=5\nkafka.producer.compression.type=gzip\n\
        kafka.destination=orders\nkafka.source=kafka://topic/orders\n\
        kafka.consumer.group.id=g\nkafka.consumer.auto.offset.reset=earliest\nkafka.consumer.enable.auto.commit=false\n\
        kafka.consumer.max.poll.records = 7\nspring.name=x\nkafka.max.depth=5";
    let properties = Properties::parse(text).unwrap();
    let read = PublisherConfig::read("p", properties.publisher().into_map(), Kind::Plain).unwrap();
    assert_eq!((read.producer.acks, read.producer.compression), (Acks::All, Compression::Gzip));
    assert_eq!((read.producer.linger.as_millis(), &*read.topic), (5, "orders"));
    let read = SubscriberConfig::read("s", properties.subscriber().into_map(), Kind::Plain).unwrap();
    assert_eq!((read.consumer.group_id.as_str(), read.consumer.max_poll_records), ("g", 7));
    assert_eq!((read.consumer.enable_auto_commit, read.consumer.max_depth), (false, 5));
    assert_eq!(read.client.bootstrap, Bootstrap::Servers(vec!["a:1".to_owned(), "b:2".to_owned()]));

    for (text, said) in [
        ("kafka.produser.acks=1", "nobody knows"),
        ("kafka.producer.lingr.ms=1", "linger"),
        ("a=1\nkafka.consumer.group", "line 2"),
        ("kafka.libary=native", "did you mean 'library'"),
    ] {
        let error = Properties::parse(text).unwrap_err();
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
    // A value of the wrong type is told by whoever reads the config.
    let wrong = Properties::parse("kafka.destination=x\nkafka.producer.linger.ms=soon").unwrap();
    assert!(PublisherConfig::read("p", wrong.publisher().into_map(), Kind::Plain).is_err());
}

#[test]
fn nodes_are_described() {
    for (description, said) in [
        (json!({ "type": "DataPublisherNode", "config": {} }), "name is missing"),
        (
            json!({ "name": "n", "type": "DataPublisherNod", "config": {} }),
            "did you mean 'DataPublisherNode'",
        ),
        (json!({ "name": "n", "type": "DataSubscriberNode", "confg": {} }), "did you mean 'config'"),
        (json!({ "name": "n", "type": "DataSubscriberNode", "config": {} }), "source is missing"),
        (json!([]), "a list"),
    ] {
        let error = create_node(description).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

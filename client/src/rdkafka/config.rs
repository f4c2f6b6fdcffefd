//! Typed options as librdkafka's configuration.
//!
//! What librdkafka has no counterpart for is an error that says so; nothing is passed over in silence.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ::rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use crate::error::{ClientError, ErrorKind};
use crate::options::{
    Acks, Assignor, ClientOptions, Compression, ConsumerOptions, IsolationLevel, OffsetReset, Partitioner,
    ProducerOptions, SaslMechanism, SaslOptions, TlsOptions,
};

/// What a record counts as at least against `buffer_memory`: librdkafka counts only keys and values, and empty ones are
/// not to be without number.
const SMALLEST_RECORD: usize = 64;

/// The most records that librdkafka is told to keep ahead for a partition; its own default.
const MOST_AHEAD: usize = 100_000;

/// How long librdkafka waits before it fetches again once it has fetched enough ahead. Its own default, a second, starves
/// a reader who has caught up.
const FETCH_AGAIN: Duration = Duration::from_millis(10);

/// How often librdkafka says where partitions end and which brokers are connected.
pub(super) const STATISTICS: Duration = Duration::from_millis(500);

/// Options that this backend has set so that it does what it promises; changing them would break it.
const RESERVED: [&str; 9] = [
    "delivery.report.only.error",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "log.queue",
    "offset.store.method",
    "produce.offset.report",
    "queuing.strategy",
    "statistics.interval.ms",
];

/// The configuration of a producer at these addresses.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what librdkafka cannot do.
pub(super) fn producer(
    options: &ClientOptions,
    producer: &ProducerOptions,
    servers: &str,
) -> Result<ClientConfig, ClientError> {
    if producer.transactional_id.is_some() {
        return Err(unsupported("transactional_id", "transactions are not offered over librdkafka"));
    }
    let mut config = common(options, servers)?;
    let acks = match producer.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    };
    config.set("acks", acks);
    config.set("enable.idempotence", producer.is_idempotent().to_string());
    if !producer.is_idempotent() {
        config.set("message.send.max.retries", producer.retries.min(i32::MAX as u32).to_string());
    }
    config.set("batch.size", producer.batch_size.max(1).to_string());
    if let Some(most) = producer.batch_records {
        config.set("batch.num.messages", most.clamp(1, 1_000_000).to_string());
    }
    config.set("linger.ms", fractional_millis(producer.linger));
    config.set("compression.type", compression(producer.compression));
    config.set("max.in.flight", producer.max_in_flight.to_string());
    config.set("queue.buffering.max.kbytes", (producer.buffer_memory / 1024).max(1).to_string());
    let most = (producer.buffer_memory / SMALLEST_RECORD).clamp(1, i32::MAX as usize);
    config.set("queue.buffering.max.messages", most.to_string());
    config.set("delivery.timeout.ms", millis(producer.delivery_timeout.max(Duration::from_millis(1))));
    config.set("request.timeout.ms", millis(options.request_timeout));
    config.set("message.max.bytes", producer.max_request_size.to_string());
    let partitioner = match producer.partitioner {
        Partitioner::Murmur2 => "murmur2_random",
        Partitioner::Consistent => "consistent_random",
        Partitioner::Random => "random",
    };
    config.set("partitioner", partitioner);
    // A record that never comes back is never settled: each is reported.
    config.set("delivery.report.only.error", "false");
    passed_through(&mut config, &producer.passthrough)?;
    Ok(config)
}

/// The configuration of a consumer at these addresses.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for what librdkafka cannot do.
pub(super) fn consumer(
    options: &ClientOptions,
    consumer: &ConsumerOptions,
    servers: &str,
) -> Result<ClientConfig, ClientError> {
    let mut config = common(options, servers)?;
    config.set("group.id", &consumer.group_id);
    if let Some(instance) = &consumer.group_instance_id {
        config.set("group.instance.id", instance);
    }
    let reset = match consumer.auto_offset_reset {
        OffsetReset::Earliest => "earliest",
        OffsetReset::Latest => "latest",
        OffsetReset::None => "error",
    };
    config.set("auto.offset.reset", reset);
    // What was handed out is known here, not in librdkafka, so commits are made here too.
    config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    config.set("session.timeout.ms", millis(consumer.session_timeout));
    config.set("heartbeat.interval.ms", millis(consumer.heartbeat_interval));
    config.set("max.poll.interval.ms", millis(consumer.max_poll_interval));
    config.set("fetch.min.bytes", consumer.fetch_min_bytes.to_string());
    config.set("fetch.wait.max.ms", millis(consumer.fetch_max_wait));
    config.set("fetch.max.bytes", consumer.fetch_max_bytes.to_string());
    // librdkafka wants it to be no larger; a consumer has no other use for it.
    config.set("message.max.bytes", consumer.fetch_max_bytes.clamp(1_000, 1_000_000).to_string());
    config.set("max.partition.fetch.bytes", consumer.max_partition_fetch_bytes.to_string());
    config.set("fetch.queue.backoff.ms", millis(FETCH_AGAIN));
    config.set("fetch.error.backoff.ms", millis(options.retry_backoff));
    let isolation = match consumer.isolation_level {
        IsolationLevel::ReadUncommitted => "read_uncommitted",
        IsolationLevel::ReadCommitted => "read_committed",
    };
    config.set("isolation.level", isolation);
    config.set("partition.assignment.strategy", assignors(&consumer.assignors)?);
    config.set("check.crcs", consumer.check_crcs.to_string());
    if let Some(rack) = &consumer.client_rack {
        config.set("client.rack", rack);
    }
    config.set("allow.auto.create.topics", consumer.allow_auto_create_topics.to_string());
    // Subscriptions are to names and never to patterns, so that `exclude_internal_topics` has nothing to exclude.
    config.set("queued.min.messages", consumer.max_depth.clamp(1, MOST_AHEAD).to_string());
    let kilobytes = (consumer.max_fetched_bytes / 1024).clamp(1, 2_097_151);
    config.set("queued.max.messages.kbytes", kilobytes.to_string());
    config.set("statistics.interval.ms", millis(STATISTICS));
    passed_through(&mut config, &consumer.passthrough)?;
    Ok(config)
}

fn common(options: &ClientOptions, servers: &str) -> Result<ClientConfig, ClientError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config.set("client.id", &options.client_id);
    config.set("socket.timeout.ms", millis(options.request_timeout));
    config.set("socket.connection.setup.timeout.ms", millis(options.connect_timeout));
    config.set("reconnect.backoff.ms", millis(options.reconnect_backoff));
    config.set("reconnect.backoff.max.ms", millis(options.reconnect_backoff_max));
    config.set("retry.backoff.ms", millis(options.retry_backoff));
    config.set("retry.backoff.max.ms", millis(options.retry_backoff_max));
    config.set("topic.metadata.refresh.interval.ms", millis(options.metadata_max_age));
    config.set("connections.max.idle.ms", millis(options.connections_max_idle));
    config.set("receive.message.max.bytes", options.max_answer_bytes.min(i32::MAX as usize).to_string());
    // Neither library tells brokers of itself, and librdkafka waits for the last of it when it ends.
    config.set("enable.metrics.push", "false");
    config.set_log_level(RDKafkaLogLevel::Info);
    let (tls, sasl) = (options.security.tls.as_ref(), options.security.sasl.as_ref());
    let protocol = match (tls, sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    config.set("security.protocol", protocol);
    if let Some(tls) = tls {
        encrypted(&mut config, tls)?;
    }
    if let Some(sasl) = sasl {
        authenticated(&mut config, sasl);
    }
    Ok(config)
}

fn encrypted(config: &mut ClientConfig, tls: &TlsOptions) -> Result<(), ClientError> {
    match &tls.ca_file {
        Some(file) => config.set("ssl.ca.location", path(file, "ssl_cafile")?),
        None => config.set("ssl.ca.location", "probe"),
    };
    if let Some(file) = &tls.certificate_file {
        config.set("ssl.certificate.location", path(file, "ssl_certfile")?);
    }
    if let Some(file) = &tls.key_file {
        config.set("ssl.key.location", path(file, "ssl_keyfile")?);
    }
    let checked = if tls.check_hostname { "https" } else { "none" };
    config.set("ssl.endpoint.identification.algorithm", checked);
    Ok(())
}

fn authenticated(config: &mut ClientConfig, sasl: &SaslOptions) {
    let mechanism = match sasl.mechanism {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    config.set("sasl.mechanism", mechanism);
    config.set("sasl.username", &sasl.username).set("sasl.password", &sasl.password);
}

/// Options in librdkafka's own words, which go before what the typed ones come to.
fn passed_through(config: &mut ClientConfig, options: &BTreeMap<String, String>) -> Result<(), ClientError> {
    for (key, value) in options {
        if RESERVED.contains(&key.as_str()) {
            let why = format!("'{key}' cannot be set: what this client promises rests on it");
            return Err(ClientError::new(ErrorKind::Config, "reading the config", why));
        }
        config.set(key, value);
    }
    Ok(())
}

fn assignors(assignors: &[Assignor]) -> Result<String, ClientError> {
    let mut names = Vec::new();
    for assignor in assignors {
        names.push(match assignor {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::CooperativeSticky => "cooperative-sticky",
            Assignor::Sticky => {
                let why = "librdkafka has no sticky assignment but 'cooperative-sticky'";
                return Err(unsupported("partition_assignment_strategy", why));
            }
        });
    }
    let cooperative = assignors.contains(&Assignor::CooperativeSticky);
    if cooperative && assignors.len() > 1 {
        let why = "librdkafka cannot offer a group 'cooperative-sticky' beside the others";
        return Err(unsupported("partition_assignment_strategy", why));
    }
    Ok(names.join(","))
}

fn compression(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

fn unsupported(key: &str, why: &str) -> ClientError {
    ClientError::new(ErrorKind::Unsupported, format!("setting '{key}' for librdkafka"), why)
        .remedy("leave it out, or set kafka_library to native")
}

fn path<'a>(file: &'a Path, key: &str) -> Result<&'a str, ClientError> {
    file.to_str().ok_or_else(|| {
        let why = format!("the path {} is not UTF-8", file.display());
        ClientError::new(ErrorKind::Config, format!("setting '{key}' for librdkafka"), why)
    })
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn fractional_millis(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Security;

    fn client() -> ClientOptions {
        ClientOptions::default()
    }

    #[test]
    fn librdkafka_takes_the_defaults() {
        let config = producer(&client(), &ProducerOptions::default(), "localhost:1").unwrap();
        config.create_native_config().unwrap();
        let options = ConsumerOptions { group_id: "g".to_owned(), ..ConsumerOptions::default() };
        let config = consumer(&client(), &options, "localhost:1").unwrap();
        config.create_native_config().unwrap();
        assert_eq!(config.get("partition.assignment.strategy"), Some("range,roundrobin"));
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
    }

    #[test]
    fn options_have_their_counterparts() {
        let options = ProducerOptions {
            acks: Acks::All,
            linger: Duration::from_micros(1500),
            compression: Compression::Zstd,
            partitioner: Partitioner::Consistent,
            buffer_memory: 1 << 20,
            passthrough: BTreeMap::from([("socket.keepalive.enable".to_owned(), "true".to_owned())]),
            ..ProducerOptions::default()
        };
        let config = producer(&client(), &options, "localhost:1").unwrap();
        for (key, value) in [
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("linger.ms", "1.500"),
            ("compression.type", "zstd"),
            ("partitioner", "consistent_random"),
            ("queue.buffering.max.kbytes", "1024"),
            ("queue.buffering.max.messages", "16384"),
            ("socket.keepalive.enable", "true"),
        ] {
            assert_eq!(config.get(key), Some(value), "{key}");
        }
        assert_eq!(config.get("message.send.max.retries"), None, "an idempotent producer tries on");
    }

    #[test]
    fn security_has_its_counterparts() {
        let tls =
            TlsOptions { ca_file: Some("/a/ca.pem".into()), check_hostname: false, ..TlsOptions::default() };
        let sasl = SaslOptions {
            mechanism: SaslMechanism::ScramSha512,
            username: "me".to_owned(),
            password: "secret".to_owned(),
        };
        let options = ClientOptions { security: Security { tls: Some(tls), sasl: Some(sasl) }, ..client() };
        let config = producer(&options, &ProducerOptions::default(), "localhost:1").unwrap();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("ssl.endpoint.identification.algorithm"), Some("none"));
        assert_eq!(config.get("ssl.ca.location"), Some("/a/ca.pem"));
    }

    #[test]
    fn what_librdkafka_cannot_do_is_said() {
        let sticky = ConsumerOptions { assignors: vec![Assignor::Sticky], ..ConsumerOptions::default() };
        let refused = consumer(&client(), &sticky, "localhost:1").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("partition_assignment_strategy"), "{refused}");
        let transactions =
            ProducerOptions { transactional_id: Some("t".to_owned()), ..ProducerOptions::default() };
        let refused = producer(&client(), &transactions, "localhost:1").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        let reserved = ConsumerOptions {
            passthrough: BTreeMap::from([("enable.auto.commit".to_owned(), "true".to_owned())]),
            ..ConsumerOptions::default()
        };
        assert_eq!(consumer(&client(), &reserved, "localhost:1").unwrap_err().kind(), ErrorKind::Config);
    }
}

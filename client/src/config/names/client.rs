//! Options that publishers and subscribers have in common: connections, metadata, security.

use std::time::Duration;

use super::{I32, Meaning, Role, Row, Verdict};
use crate::config::draft::{Draft, Protocol};
use crate::options::SaslMechanism;

const fn row(python: &'static [&'static str], librdkafka: &'static [&'static str], meaning: Meaning) -> Row {
    Row { python, librdkafka, role: Role::Both, meaning }
}

const CODEC: &str = "choose a codec with `with_codec`, or publish bytes with `publish_bytes`";
const OBJECT: &str = "it is an object of a program's, which a config cannot hold; take it out";

pub(super) static ROWS: &[Row] = &[
    row(&["client_id"], &["client.id"], Meaning::Text(|d, text| d.client.client_id = text)),
    row(
        &["bootstrap_servers"],
        &["bootstrap.servers", "metadata.broker.list"],
        Meaning::Words("\"HOST:PORT\", several with commas or as a list", |d, servers| {
            d.servers = Some(servers.to_vec());
            Verdict::Set
        }),
    ),
    row(
        &["request_timeout_ms"],
        &["socket.timeout.ms", "request.timeout.ms"],
        Meaning::Millis(1, I32, |d, time| d.client.request_timeout = time),
    ),
    row(
        &["socket_connection_setup_timeout_ms"],
        &["socket.connection.setup.timeout.ms"],
        Meaning::Millis(1, I32, |d, time| d.client.connect_timeout = time),
    ),
    row(
        &["reconnect_backoff_ms"],
        &["reconnect.backoff.ms"],
        Meaning::Millis(0, 3_600_000, |d, time| d.client.reconnect_backoff = time),
    ),
    row(
        &["reconnect_backoff_max_ms"],
        &["reconnect.backoff.max.ms"],
        Meaning::Millis(0, 3_600_000, |d, time| d.client.reconnect_backoff_max = time),
    ),
    row(
        &["retry_backoff_ms"],
        &["retry.backoff.ms"],
        Meaning::Millis(0, 300_000, |d, time| d.client.retry_backoff = time),
    ),
    row(
        &["retry_backoff_max_ms"],
        &["retry.backoff.max.ms"],
        Meaning::Millis(0, 300_000, |d, time| d.client.retry_backoff_max = time),
    ),
    row(
        &["metadata_max_age_ms"],
        &["topic.metadata.refresh.interval.ms"],
        Meaning::Millis(1, 86_400_000, |d, time| d.client.metadata_max_age = time),
    ),
    row(
        &["connections_max_idle_ms"],
        &["connections.max.idle.ms"],
        Meaning::Millis(0, I32, |d, time| {
            // librdkafka's 0 means never.
            d.client.connections_max_idle = if time.is_zero() { Duration::MAX } else { time };
        }),
    ),
    row(
        &["receive_message_max_bytes"],
        &["receive.message.max.bytes"],
        Meaning::Number(1000, I32, |d, bytes| {
            d.client.max_answer_bytes = usize::try_from(bytes).unwrap_or(usize::MAX)
        }),
    ),
    row(
        &["security_protocol"],
        &["security.protocol"],
        Meaning::Word("PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", |d, word| {
            d.security.protocol = Some(match word {
                "plaintext" => Protocol::Plaintext,
                "ssl" => Protocol::Ssl,
                "sasl_plaintext" => Protocol::SaslPlaintext,
                "sasl_ssl" => Protocol::SaslSsl,
                _ => return Verdict::Wrong,
            });
            Verdict::Set
        }),
    ),
    row(
        &["sasl_mechanism"],
        &["sasl.mechanisms", "sasl.mechanism"],
        Meaning::Word("PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", |d, word| {
            d.security.mechanism = Some(match word {
                "plain" => SaslMechanism::Plain,
                "scram-sha-256" => SaslMechanism::ScramSha256,
                "scram-sha-512" => SaslMechanism::ScramSha512,
                "gssapi" | "oauthbearer" => {
                    d.security.librdkafkas_mechanism = true;
                    return Verdict::Librdkafka;
                }
                _ => return Verdict::Wrong,
            });
            Verdict::Set
        }),
    ),
    row(
        &["sasl_plain_username"],
        &["sasl.username"],
        Meaning::Text(|d, text| d.security.username = Some(text)),
    ),
    row(
        &["sasl_plain_password"],
        &["sasl.password"],
        Meaning::Text(|d, text| d.security.password = Some(text)),
    ),
    row(
        &["ssl_cafile"],
        &["ssl.ca.location"],
        Meaning::Text(|d, text| d.security.tls.ca_file = Some(text.into())),
    ),
    row(
        &["ssl_certfile"],
        &["ssl.certificate.location"],
        Meaning::Text(|d, text| d.security.tls.certificate_file = Some(text.into())),
    ),
    row(
        &["ssl_keyfile"],
        &["ssl.key.location"],
        Meaning::Text(|d, text| d.security.tls.key_file = Some(text.into())),
    ),
    row(&["ssl_check_hostname"], &[], Meaning::Flag(|d, flag| d.security.tls.check_hostname = flag)),
    row(
        &["ssl_endpoint_identification_algorithm"],
        &["ssl.endpoint.identification.algorithm"],
        Meaning::Word("none or https", |d, word| {
            d.security.tls.check_hostname = match word {
                "none" | "" => false,
                "https" => true,
                _ => return Verdict::Wrong,
            };
            Verdict::Set
        }),
    ),
    row(&[], &["enable.ssl.certificate.verification"], Meaning::Word("true or false", verification)),
    row(&["ssl_password"], &["ssl.key.password"], Meaning::Librdkafka),
    row(&["ssl_crlfile"], &["ssl.crl.location"], Meaning::Librdkafka),
    row(&["ssl_ciphers"], &["ssl.cipher.suites"], Meaning::Librdkafka),
    row(&["sasl_kerberos_service_name"], &["sasl.kerberos.service.name"], Meaning::Librdkafka),
    row(&["send_buffer_bytes"], &["socket.send.buffer.bytes"], Meaning::Librdkafka),
    row(&["receive_buffer_bytes"], &["socket.receive.buffer.bytes"], Meaning::Librdkafka),
    row(&["client_dns_lookup"], &["client.dns.lookup"], Meaning::Librdkafka),
    row(
        &["api_version", "api_version_auto_timeout_ms"],
        &[
            "api.version.request",
            "api.version.request.timeout.ms",
            "broker.version.fallback",
            "api.version.fallback.ms",
        ],
        Meaning::Nothing("versions are agreed with each broker when it is connected to"),
    ),
    row(
        &["bootstrap_timeout_ms"],
        &[],
        Meaning::Nothing("the first connection is tried for as long as whoever needs it waits"),
    ),
    row(
        &["metrics_enabled", "metrics_num_samples", "metrics_sample_window_ms", "metric_group_prefix"],
        &[],
        Meaning::Nothing("figures go to the recorder of the `metrics` crate that the program installs"),
    ),
    row(
        &[],
        &["log.connection.close", "socket.nagle.disable", "socket.keepalive.enable"],
        Meaning::Nothing("connections are kept alive and send at once"),
    ),
    row(
        &[
            "metric_reporters",
            "selector",
            "kafka_client",
            "ssl_context",
            "socket_options",
            "sock_opts",
            "sasl_oauth_token_provider",
        ],
        &[],
        Meaning::Refused(OBJECT),
    ),
    row(
        &["proxy_url", "socks5_proxy", "sasl_kerberos_domain_name", "sasl_kerberos_name"],
        &[],
        Meaning::Refused("neither library can do it; take it out"),
    ),
    row(
        &["key_serializer", "value_serializer", "key_deserializer", "value_deserializer"],
        &[],
        Meaning::Refused(CODEC),
    ),
    row(
        &[],
        &[
            "error_cb",
            "throttle_cb",
            "stats_cb",
            "log_cb",
            "background_event_cb",
            "socket_cb",
            "connect_cb",
            "closesocket_cb",
            "open_cb",
            "resolve_cb",
            "oauthbearer_token_refresh_cb",
            "ssl.certificate.verify_cb",
            "opaque",
            "default_topic_conf",
            "interceptors",
            "ssl_engine_callback_data",
            "plugin.library.paths",
        ],
        Meaning::Refused(OBJECT),
    ),
];

/// A broker's certificate is always checked by the native library; librdkafka can be told not to.
fn verification(draft: &mut Draft, word: &str) -> Verdict {
    match word {
        "true" => Verdict::Set,
        "false" => {
            draft.security.unverified = true;
            Verdict::Librdkafka
        }
        _ => Verdict::Wrong,
    }
}

//! What options come to while a config is read, and what can only be said of them together.

use super::address::bootstrap;
use super::config_error;
use super::names::Taken;
use crate::error::{ClientError, ErrorKind};
use crate::options::{
    Acks, ClientOptions, ConsumerOptions, ProducerOptions, SaslMechanism, SaslOptions, TlsOptions,
};

use std::time::Duration;

use serde_json::Value;

/// `security_protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

/// What was said of security, before it is known whether it makes sense together.
#[derive(Debug, Default)]
pub(super) struct SecurityDraft {
    pub(super) protocol: Option<Protocol>,
    pub(super) mechanism: Option<SaslMechanism>,
    /// A mechanism that librdkafka alone has was given to it.
    pub(super) librdkafkas_mechanism: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: TlsOptions,
    /// Certificates are not to be checked; librdkafka alone is told so.
    pub(super) unverified: bool,
}

/// The typed options under construction.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) client: ClientOptions,
    pub(super) producer: ProducerOptions,
    pub(super) consumer: ConsumerOptions,
    pub(super) security: SecurityDraft,
    /// `bootstrap_servers`, where it was given among the options of a library.
    pub(super) servers: Option<Vec<String>>,
    /// `group_id`, where it was given among the options of a library.
    pub(super) group_id: Option<String>,
    /// `consumer_timeout_ms`.
    pub(super) iteration_timeout: Option<Duration>,
}

/// How often an idempotent producer tries again: until the delivery's time is over.
const TRY_ON: u32 = i32::MAX as u32;
/// Most requests under way to a broker with which it still knows their order. Kafka's limit.
const MOST_ORDERED: usize = 5;

impl Draft {
    /// Sets where the broker is, from the config's own key and from the options.
    pub(super) fn settle_bootstrap(&mut self, own: Option<&Value>, asked: &str) -> Result<(), ClientError> {
        let of_options =
            self.servers.take().map(|servers| bootstrap(&Value::from(servers), asked)).transpose()?;
        let own = own.map(|value| bootstrap(value, asked)).transpose()?;
        self.client.bootstrap = match (own, of_options) {
            (Some(own), Some(other)) if own != other => {
                return Err(config_error(
                    asked,
                    "bootstrap_servers says one thing, and the options of the library another",
                )
                .remedy("give bootstrap_servers once"));
            }
            (Some(servers), _) | (None, Some(servers)) => servers,
            (None, None) => self.client.bootstrap.clone(),
        };
        Ok(())
    }

    /// Makes sense of what was said of security.
    pub(super) fn settle_security(&mut self, asked: &str) -> Result<(), ClientError> {
        let draft = std::mem::take(&mut self.security);
        let protocol = draft.protocol.unwrap_or(Protocol::Plaintext);
        let (tls, sasl) = match protocol {
            Protocol::Plaintext => (false, false),
            Protocol::Ssl => (true, false),
            Protocol::SaslPlaintext => (false, true),
            Protocol::SaslSsl => (true, true),
        };
        let any_sasl = draft.mechanism.is_some() || draft.username.is_some() || draft.librdkafkas_mechanism;
        if any_sasl && !sasl {
            return Err(config_error(
                asked,
                "there are options of SASL, and security_protocol is without it",
            )
            .remedy("set security_protocol to \"SASL_SSL\" or \"SASL_PLAINTEXT\""));
        }
        let any_tls = draft.tls.ca_file.is_some() || draft.tls.certificate_file.is_some() || draft.unverified;
        if any_tls && !tls {
            return Err(config_error(asked, "there are options of TLS, and security_protocol is without it")
                .remedy("set security_protocol to \"SSL\" or \"SASL_SSL\""));
        }
        if draft.tls.certificate_file.is_some() != draft.tls.key_file.is_some() {
            return Err(config_error(
                asked,
                "the client's certificate and its key belong together, and one is missing",
            )
            .remedy("give both ssl_certfile and ssl_keyfile"));
        }
        self.client.security.tls = tls.then_some(draft.tls);
        if sasl && !draft.librdkafkas_mechanism {
            let (Some(username), Some(password)) = (draft.username, draft.password) else {
                return Err(config_error(
                    asked,
                    "security_protocol asks for SASL, and user name or password are missing",
                )
                .remedy("give sasl_plain_username and sasl_plain_password"));
            };
            let mechanism = draft.mechanism.unwrap_or(SaslMechanism::Plain);
            self.client.security.sasl = Some(SaslOptions { mechanism, username, password });
        }
        if sasl && draft.librdkafkas_mechanism {
            // The mechanism is librdkafka's own affair; all that the typed options cannot say goes there with it.
            let protocol = if tls { "sasl_ssl" } else { "sasl_plaintext" };
            for passed in [&mut self.producer.passthrough, &mut self.consumer.passthrough] {
                passed.insert("security.protocol".to_owned(), protocol.to_owned());
            }
        }
        Ok(())
    }

    /// What a resilient producer does unless it is told otherwise: everybody has a record before it counts, nothing comes
    /// twice, and nothing is given up while it may still be delivered.
    pub(super) fn settle_resilient(&mut self, taken: &Taken) {
        if !taken.has("acks") {
            self.producer.acks = Acks::All;
        }
        if !taken.has("retries") {
            self.producer.retries = TRY_ON;
        }
    }

    /// Completes what follows from idempotence, and refuses what contradicts it.
    pub(super) fn settle_producer(&mut self, taken: &Taken, asked: &str) -> Result<(), ClientError> {
        let producer = &mut self.producer;
        if producer.transactional_id.is_some() {
            return Err(ClientError::new(
                ErrorKind::Unsupported,
                asked,
                "transactional_id is set, and there are no transactions here yet",
            )
            .remedy("take it out; acks=\"all\" alone makes publishing idempotent"));
        }
        let wanted = producer.enable_idempotence == Some(true);
        if wanted && !taken.has("acks") {
            producer.acks = Acks::All;
        }
        if wanted && producer.acks != Acks::All {
            return Err(config_error(asked, "enable_idempotence is true, and acks is not \"all\"")
                .remedy("set acks to \"all\", or leave it out"));
        }
        if wanted && producer.max_in_flight > MOST_ORDERED {
            return Err(config_error(
                asked,
                format!(
                    "enable_idempotence is true, and max_in_flight_requests_per_connection is {}",
                    producer.max_in_flight
                ),
            )
            .remedy("set it to 5 or less, or leave it out"));
        }
        if wanted && taken.has("retries") && producer.retries == 0 {
            return Err(config_error(asked, "enable_idempotence is true, and retries is 0")
                .remedy("leave retries out"));
        }
        // Where it follows from acks alone, options that rule it out win.
        if producer.enable_idempotence.is_none() && producer.max_in_flight > MOST_ORDERED {
            producer.enable_idempotence = Some(false);
        }
        if producer.is_idempotent() && !taken.has("retries") {
            producer.retries = TRY_ON;
        }
        Ok(())
    }

    /// Refuses times of a group that contradict each other.
    pub(super) fn settle_consumer(&mut self, asked: &str) -> Result<(), ClientError> {
        let consumer = &self.consumer;
        if consumer.heartbeat_interval >= consumer.session_timeout {
            return Err(config_error(
                asked,
                format!(
                    "heartbeat_interval_ms is {}, and session_timeout_ms {}",
                    consumer.heartbeat_interval.as_millis(),
                    consumer.session_timeout.as_millis()
                ),
            )
            .remedy(
                "let heartbeats come several times within the session's time-out: a third of it is usual",
            ));
        }
        if consumer.fetch_max_wait >= self.client.request_timeout {
            return Err(config_error(
                asked,
                format!(
                    "fetch_max_wait_ms is {}, and request_timeout_ms {}",
                    consumer.fetch_max_wait.as_millis(),
                    self.client.request_timeout.as_millis()
                ),
            )
            .remedy("let an answer take longer than a broker may wait for data"));
        }
        Ok(())
    }
}

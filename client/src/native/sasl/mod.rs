//! Signing on: SaslHandshake names the mechanism, SaslAuthenticate carries its messages.
//!
//! A mechanism knows nothing of connections: it is given the broker's messages and gives its own.

mod plain;
mod scram;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

use super::connection::Connection;
use crate::error::{ClientError, ErrorKind};
use crate::options::{SaslMechanism, SaslOptions};

/// The version from which on messages travel in SaslAuthenticate, and not bare.
const HANDSHAKE_VERSION: i16 = 1;

/// Signs on. Gives the time at which the connection had better be replaced, where the broker ends sessions.
pub(super) async fn sign_on(
    connection: &Connection,
    options: &SaslOptions,
    patience: Duration,
) -> Result<Option<Instant>, ClientError> {
    let mechanism = name(options.mechanism);
    let asked = || format!("signing on to {} as '{}' with {mechanism}", connection.to(), options.username);
    let refused = |why: String| {
        ClientError::new(ErrorKind::Authentication, asked(), why)
            .remedy("correct sasl_mechanism, sasl_plain_username or sasl_plain_password")
    };
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let version = connection.version::<SaslHandshakeRequest>(HANDSHAKE_VERSION)?;
    if version < HANDSHAKE_VERSION {
        let why = "the broker is older than Kafka 1.0, whose way of signing on is not known here";
        return Err(ClientError::new(ErrorKind::Unsupported, asked(), why));
    }
    let answer = connection.call(&request, version, patience).await?;
    if let Some(error) = ResponseError::try_from_code(answer.error_code) {
        let offered: Vec<_> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
        return Err(refused(format!("the broker answered {error:?}; it offers {}", offered.join(", "))));
    }
    let version = connection.version::<SaslAuthenticateRequest>(i16::MAX)?;
    let exchange = async |message: Bytes| {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message);
        let answer = connection.call(&request, version, patience).await?;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(answer),
            Some(error) => {
                let why = answer.error_message.as_deref().map_or(format!("{error:?}"), ToOwned::to_owned);
                Err(refused(why))
            }
        }
    };
    let last = match options.mechanism {
        SaslMechanism::Plain => {
            let message = plain::message(&options.username, &options.password).map_err(refused)?;
            exchange(message).await?
        }
        SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => {
            let hash = if options.mechanism == SaslMechanism::ScramSha256 {
                scram::Hash::Sha256
            } else {
                scram::Hash::Sha512
            };
            let client = scram::Client::new(hash, &options.username, &scram::nonce().map_err(refused)?);
            let answer = exchange(client.first_message()).await?;
            let (password, first) = (options.password.clone(), answer.auth_bytes);
            // Thousands of rounds of hashing are no work for a thread that others wait for.
            let proof = tokio::task::spawn_blocking(move || client.prove(&password, &first)).await;
            let (proof, expected) = proof
                .map_err(|error| ClientError::new(ErrorKind::System, asked(), error.to_string()))?
                .map_err(refused)?;
            let answer = exchange(proof).await?;
            expected.verify(&answer.auth_bytes).map_err(refused)?;
            answer
        }
    };
    // Well before the session ends, so that what is under way by then can be answered.
    let lifetime = u64::try_from(last.session_lifetime_ms).ok().filter(|ms| *ms > 0);
    Ok(lifetime.map(|ms| Instant::now() + Duration::from_millis(ms).mul_f64(0.85)))
}

fn name(mechanism: SaslMechanism) -> &'static str {
    match mechanism {
        SaslMechanism::Plain => "PLAIN",
        SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
        SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
    }
}

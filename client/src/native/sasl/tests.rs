//! Signing on to a broker that checks: with the right password, the wrong one, and a broker that does not know it.

use std::num::NonZeroU32;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, MetadataRequest, MetadataResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use parking_lot::Mutex;
use ring::{digest, hmac, pbkdf2};

use super::*;
use crate::native::connection::Target;
use crate::native::testing::{Asked, FakeBroker, Reply, all_apis};
use crate::options::{ClientOptions, Security};

const PASSWORD: &str = "pencil";
const OFFERED: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// The broker's side of SCRAM, by the formulas of RFC 5802. `known`: the password that it has.
fn scram(
    algorithms: (hmac::Algorithm, pbkdf2::Algorithm, &'static digest::Algorithm),
    known: &str,
    first: &str,
    last: &str,
) -> Result<String, String> {
    let first_bare = first.strip_prefix("n,,").unwrap();
    let server_first = server_first(first);
    let (without_proof, proof) = last.rsplit_once(",p=").unwrap();
    let mut salted = vec![0; algorithms.2.output_len()];
    pbkdf2::derive(algorithms.1, NonZeroU32::new(4096).unwrap(), b"salt", known.as_bytes(), &mut salted);
    let sign = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(algorithms.0, key), message);
    let signed = format!("{first_bare},{server_first},{without_proof}");
    let stored = digest::digest(algorithms.2, sign(&salted, b"Client Key").as_ref());
    let signature = sign(stored.as_ref(), signed.as_bytes());
    let proof = STANDARD.decode(proof).unwrap();
    let key: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    if digest::digest(algorithms.2, &key).as_ref() != stored.as_ref() {
        return Err("Authentication failed during authentication due to invalid credentials".to_owned());
    }
    let server_key = sign(&salted, b"Server Key");
    Ok(format!("v={}", STANDARD.encode(sign(server_key.as_ref(), signed.as_bytes()))))
}

fn server_first(first: &str) -> String {
    let nonce = first.rsplit_once("r=").unwrap().1;
    format!("r={nonce}broker,s={},i=4096", STANDARD.encode("salt"))
}

#[derive(Default)]
struct Exchange {
    mechanism: String,
    first: Option<String>,
}

/// A broker on which `user` has the password; a forger pretends to know and does not.
async fn broker(forger: bool, lifetime_ms: i64) -> FakeBroker {
    let exchange = Arc::new(Mutex::new(Exchange::default()));
    FakeBroker::start(move |asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        ApiKey::SaslHandshake => {
            let mechanism = asked.decode::<SaslHandshakeRequest>().mechanism.to_string();
            *exchange.lock() = Exchange { mechanism, first: None };
            asked.answer(
                &SaslHandshakeResponse::default()
                    .with_mechanisms(OFFERED.map(StrBytes::from_static_str).to_vec()),
            )
        }
        ApiKey::SaslAuthenticate => authenticate(asked, &mut exchange.lock(), forger, lifetime_ms),
        _ => asked.answer(&MetadataResponse::default()),
    })
    .await
}

fn authenticate(asked: &Asked, exchange: &mut Exchange, forger: bool, lifetime_ms: i64) -> Reply {
    let message = asked.decode::<SaslAuthenticateRequest>().auth_bytes;
    let message = String::from_utf8(message.to_vec()).unwrap();
    let answer = match (exchange.mechanism.as_str(), exchange.first.take()) {
        ("PLAIN", _) if message == format!("\0user\0{PASSWORD}") => Ok(String::new()),
        ("PLAIN", _) => Err("Authentication failed: Invalid username or password".to_owned()),
        (_, None) => {
            let answer = server_first(&message);
            exchange.first = Some(message);
            Ok(answer)
        }
        (_, Some(_)) if forger => Ok(format!("v={}", STANDARD.encode([7; 32]))),
        ("SCRAM-SHA-256", Some(first)) => {
            let algorithms = (hmac::HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA256, &digest::SHA256);
            scram(algorithms, PASSWORD, &first, &message)
        }
        (_, Some(first)) => {
            let algorithms = (hmac::HMAC_SHA512, pbkdf2::PBKDF2_HMAC_SHA512, &digest::SHA512);
            scram(algorithms, PASSWORD, &first, &message)
        }
    };
    asked.answer(&match answer {
        Ok(answer) => SaslAuthenticateResponse::default()
            .with_auth_bytes(Bytes::from(answer))
            .with_session_lifetime_ms(lifetime_ms),
        Err(why) => SaslAuthenticateResponse::default()
            .with_error_code(ResponseError::SaslAuthenticationFailed.code())
            .with_error_message(Some(StrBytes::from_string(why))),
    })
}

async fn connect(
    broker: &FakeBroker,
    mechanism: SaslMechanism,
    password: &str,
) -> Result<Connection, ClientError> {
    let sasl = SaslOptions { mechanism, username: "user".to_owned(), password: password.to_owned() };
    let security = Security { sasl: Some(sasl), tls: None };
    let options = ClientOptions { security, ..broker.options() };
    let target = Target::Address { host: Arc::from("localhost"), port: broker.port };
    Connection::open(&target, None, &options).await
}

const MECHANISMS: [SaslMechanism; 3] =
    [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512];

#[tokio::test]
async fn the_right_password_opens_and_the_wrong_one_does_not() {
    let broker = broker(false, 0).await;
    for mechanism in MECHANISMS {
        let connection = connect(&broker, mechanism, PASSWORD).await.unwrap();
        connection.call(&MetadataRequest::default(), 9, Duration::from_secs(10)).await.unwrap();
        let error = connect(&broker, mechanism, "wrong").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        let text = error.to_string();
        assert!(text.contains("Authentication failed") && text.contains("sasl_plain_password"), "{text}");
        assert!(!text.contains("wrong") && !error.is_retriable(), "{text}");
    }
}

#[tokio::test]
async fn a_broker_that_does_not_know_the_password_is_not_believed() {
    let broker = broker(true, 0).await;
    let error = connect(&broker, SaslMechanism::ScramSha256, PASSWORD).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.why().contains("not whom it claims"), "{error}");
}

#[tokio::test]
async fn a_session_that_ends_soon_is_not_used_any_more() {
    let lasting = broker(false, 3_600_000).await;
    assert!(connect(&lasting, SaslMechanism::Plain, PASSWORD).await.unwrap().is_usable());
    let short = broker(false, 1).await;
    let connection = connect(&short, SaslMechanism::Plain, PASSWORD).await.unwrap();
    while connection.is_usable() {
        tokio::task::yield_now().await;
    }
    // What is under way on it is still answered.
    connection.call(&MetadataRequest::default(), 9, Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_mechanism_that_is_not_offered_is_told() {
    let broker = FakeBroker::start(|asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        _ => asked.answer(
            &SaslHandshakeResponse::default()
                .with_error_code(ResponseError::UnsupportedSaslMechanism.code())
                .with_mechanisms(vec![StrBytes::from_static_str("GSSAPI")]),
        ),
    })
    .await;
    let error = connect(&broker, SaslMechanism::Plain, PASSWORD).await.unwrap_err();
    assert!(error.why().contains("GSSAPI"), "{error}");
}

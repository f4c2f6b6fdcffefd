//! TLS and passwords, at a real Kafka that asks for them.

use klamm_client::ErrorKind;
use serde_json::{Value, json};

use super::place::{Kafka, Place, merged, numbers, unique};
use crate::harness::DEADLINE;

super::over_each_library! {
    encrypted
    authenticated_by_every_mechanism
    wrong_passwords_and_users
    certificates_that_are_not_believed
}

fn tls(kafka: &Kafka) -> Value {
    json!({ "security_protocol": "SSL", "ssl_cafile": kafka.address("CA") })
}

fn sasl(mechanism: &str, user: &str, password: &str) -> Value {
    json!({
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    })
}

/// Publishes and reads over a listener, with these options.
fn works(library: &'static str, kafka: &Kafka, listener: &str, options: &Value) {
    let topic = Place::at(library, kafka.address("PLAINTEXT")).topic(1);
    let place = Place::at(library, kafka.address(listener));
    let publisher = place.publisher(&topic, json!({ "producer_config": options }));
    let delivered = publisher.publish_acknowledged(&7);
    assert_eq!(delivered.unwrap_or_else(|error| panic!("{listener} {options}: {error}")).offset, 0);
    publisher.stop().unwrap();
    let subscriber = place.subscriber(&topic, &unique("group"), json!({ "consumer_config": options }));
    assert_eq!(numbers(&subscriber, 1), [7]);
    subscriber.stop().unwrap();
}

/// Is refused over a listener, for the publisher as for the subscriber, and not by waiting for a time-out.
fn refused(library: &'static str, kafka: &Kafka, listener: &str, options: &Value) {
    let topic = Place::at(library, kafka.address("PLAINTEXT")).topic(1);
    let place = Place::at(library, kafka.address(listener));
    let publisher = place.publisher(&topic, json!({ "producer_config": options }));
    let began = std::time::Instant::now();
    let error = publisher.publish_acknowledged(&7).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{listener} {options}: {error}");
    publisher.stop().unwrap();
    let subscriber = place.subscriber(&topic, &unique("group"), json!({ "consumer_config": options }));
    let error = loop {
        match subscriber.get_record(DEADLINE) {
            Ok(record) => assert!(record.is_none()),
            Err(error) if error.kind() == ErrorKind::Authentication => break error,
            Err(error) => assert!(error.is_retriable(), "{listener} {options}: {error}"),
        }
        assert!(began.elapsed() < DEADLINE);
    };
    assert!(!error.is_retriable());
    assert!(!error.to_string().contains("wonderland"), "a password is not told: {error}");
    // It has nothing to leave.
    let _ = subscriber.stop();
}

fn encrypted(library: &'static str) {
    let Some(kafka) = Kafka::get() else { return };
    works(library, kafka, "SSL", &tls(kafka));
    let own = json!({
        "ssl_certfile": kafka.address("CLIENT_CERTIFICATE"),
        "ssl_keyfile": kafka.address("CLIENT_KEY"),
    });
    works(library, kafka, "MUTUAL_SSL", &merged(tls(kafka), own));
    let unchecked = merged(tls(kafka), json!({ "ssl_check_hostname": false }));
    works(library, kafka, "OTHER_HOST_SSL", &unchecked);
}

fn authenticated_by_every_mechanism(library: &'static str) {
    let Some(kafka) = Kafka::get() else { return };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let options = sasl(mechanism, "alice", "wonderland");
        works(library, kafka, "SASL_PLAINTEXT", &options);
        let both = merged(merged(options, tls(kafka)), json!({ "security_protocol": "SASL_SSL" }));
        works(library, kafka, "SASL_SSL", &both);
    }
}

fn wrong_passwords_and_users(library: &'static str) {
    let Some(kafka) = Kafka::get() else { return };
    refused(library, kafka, "SASL_PLAINTEXT", &sasl("PLAIN", "alice", "wrong"));
    refused(library, kafka, "SASL_PLAINTEXT", &sasl("SCRAM-SHA-512", "alice", "wrong"));
    refused(library, kafka, "SASL_PLAINTEXT", &sasl("SCRAM-SHA-256", "nobody", "wonderland"));
}

fn certificates_that_are_not_believed(library: &'static str) {
    let Some(kafka) = Kafka::get() else { return };
    let other = merged(tls(kafka), json!({ "ssl_cafile": kafka.address("OTHER_CA") }));
    refused(library, kafka, "SSL", &other);
    refused(library, kafka, "OTHER_HOST_SSL", &tls(kafka));
}

//! What files for commands may say, and what is told of those that say something else.

use super::*;
use crate::error::ErrorKind;
use crate::options::{Acks, Bootstrap, SaslMechanism};

fn parse(text: &str) -> Result<CommandConfig, ClientError> {
    CommandConfig::parse(text, "f.properties")
}

fn refused(text: &str) -> String {
    let error = parse(text).and_then(|config| config.client("t")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    error.to_string()
}

#[test]
fn files_of_java_and_of_librdkafka_say_the_same() {
    let java = "bootstrap.servers=a:1\nsecurity.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\n\
                ssl.truststore.type=PEM\nssl.truststore.location=/ca.pem\nssl.truststore.password=x\n\
                ssl.keystore.location=/client.pem\nssl.endpoint.identification.algorithm=\n\
                sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  \
                username=\"alice\" password=\"won \\\"der\\\"; land\";\n";
    let librdkafka = "metadata.broker.list=a:1\nsecurity.protocol=sasl_ssl\nsasl.mechanisms=SCRAM-SHA-256\n\
                      ssl.ca.location=/ca.pem\nssl.certificate.location=/client.pem\nssl.key.location=/client.pem\n\
                      ssl.endpoint.identification.algorithm=none\nsasl.username=alice\nsasl.password=won \"der\"; land\n";
    for text in [java, librdkafka] {
        let options = parse(text).unwrap().client("t").unwrap();
        assert_eq!(options.bootstrap, Bootstrap::Servers(vec!["a:1".to_owned()]));
        let (tls, sasl) = (options.security.tls.unwrap(), options.security.sasl.unwrap());
        assert_eq!(tls.ca_file.unwrap().to_str(), Some("/ca.pem"));
        assert_eq!((tls.certificate_file.clone(), tls.check_hostname), (tls.key_file, false));
        assert_eq!((sasl.mechanism, sasl.username.as_str()), (SaslMechanism::ScramSha256, "alice"));
        assert_eq!(sasl.password, "won \"der\"; land");
    }
}

#[test]
fn producers_and_consumers_take_what_is_theirs() {
    let config =
        parse("acks=all\nlinger.ms=5\nauto.offset.reset=earliest\ngroup.id=g\nclient.id=me").unwrap();
    let (client, producer) = config.producer("t").unwrap();
    assert_eq!((client.client_id.as_str(), producer.acks), ("me", Acks::All));
    assert_eq!(producer.linger.as_millis(), 5);
    let (_, consumer) = config.consumer("t").unwrap();
    assert_eq!((consumer.group_id.as_str(), consumer.auto_offset_reset), ("g", crate::OffsetReset::Earliest));
    assert!(config.client("t").is_ok() && config.has("auto_offset_reset") && !config.has("retries"));
}

#[test]
fn what_is_said_first_goes_before_what_is_said_elsewhere() {
    let strong = CommandConfig::from_pairs([("request_timeout_ms", "7")], "-X").unwrap();
    let both = strong.over(parse("request.timeout.ms=9\nclient.id=x").unwrap());
    let options = both.client("t").unwrap();
    assert_eq!((options.request_timeout.as_millis(), options.client_id.as_str()), (7, "x"));
}

#[test]
fn names_that_nobody_knows_are_passed_over_and_misspelled_ones_are_not() {
    let config = parse("interceptor.classes=a.B\nstatistics.interval.ms=5\nclient.id=x").unwrap();
    assert_eq!(config.passed_over(), ["interceptor.classes", "statistics.interval.ms"]);
    let told = refused("client.id=x\nsecurity.protocl=SSL");
    assert!(told.contains("line 2") && told.contains("'security.protocol'"), "{told}");
    let told = refused("sasl.jaas.confg=x");
    assert!(told.contains("'sasl.jaas.config'"), "{told}");
}

#[test]
fn what_makes_no_sense_is_told_with_its_line() {
    for (text, wanted) in [
        ("a=b\nsecurity.protocol", "line 2"),
        ("security.protocol=SLS", "give PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ("request_timeout_ms=soon", "request_timeout_ms is \"soon\""),
        ("security.protocol=SASL_SSL", "sasl.jaas.config"),
        ("ssl.truststore.location=/a/trust.jks", "keytool"),
        ("ssl.truststore.type=PKCS12\nssl.truststore.location=/a/trust", "PKCS12"),
        ("ssl.keystore.key=x", "PEM file"),
        ("ssl.key.password=x", "only librdkafka"),
        ("sasl.jaas.config=a.KerberosLoginModule required;", "KerberosLoginModule"),
        ("sasl.jaas.config=a.PlainLoginModule required username=\"a\"", "does not end with ';'"),
        ("sasl.jaas.config=a.PlainLoginModule required username=\"a;", "a quote"),
        ("sasl.jaas.config=a.PlainLoginModule required username=\"a\";", "no password"),
        ("sasl.jaas.config=PlainLoginModule", "names no user"),
    ] {
        let told = refused(text);
        assert!(told.contains(wanted) && told.contains("reading"), "{text}: {told}");
    }
    let told = refused("sasl.jaas.config=a.PlainLoginModule required username=\"a\" password=\"swordfish");
    assert!(!told.contains("swordfish"), "{told}");
}

#[test]
fn passwords_are_not_shown() {
    let config = parse("sasl.password=swordfish").unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("sasl.password") && !shown.contains("swordfish"), "{shown}");
}

#[test]
fn publishers_and_subscribers_are_made_of_it() {
    let config = parse("bootstrap.servers=embedded://command-config\nacks=all\ngroup.id=g").unwrap();
    let publisher = config.publisher().set("destination", "kafka://topic/t");
    crate::create_publisher("p", publisher).unwrap().stop().unwrap();
    let subscriber =
        crate::create_subscriber("s", config.subscriber().set("source", "kafka://topic/t")).unwrap();
    assert_eq!(subscriber.details().group, "g");
}

//! What is asked wrongly, and what cannot be had: a sentence with what to do next, on stderr, and 1 or 2 to end with.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::{klamm, said};

#[test]
fn a_broker_that_is_not_there_is_told_at_once() {
    // Nobody listens on a port that was just given back.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for args in [
        &["topics", "list"][..],
        &["topics", "create", "a"],
        &["topics", "describe", "a"],
        &["topics", "delete", "a"],
        &["topics", "alter", "a", "--set", "b=c"],
        &["topics", "delete-records", "a", "--all"],
        &["groups", "list"],
        &["groups", "describe", "a"],
        &["groups", "watch", "a"],
        &["groups", "reset", "a", "--all-topics", "--to-latest"],
        &["groups", "delete", "a"],
        &["configs", "describe", "brokers"],
        &["configs", "alter", "topics", "a", "--set", "b=c"],
        &["cluster", "brokers"],
        &["cluster", "apis"],
        &["cluster", "log-dirs"],
    ] {
        let began = Instant::now();
        let said = said(klamm(args).args(["--bootstrap-server", &address, "--timeout", "150ms"]));
        assert!(said.code == Some(1) && said.out.is_empty(), "{args:?}: {said:?}");
        assert_eq!(said.err.lines().count(), 1, "{args:?}: {said:?}");
        for wanted in [&*address, "--bootstrap-server", " ms: start a broker", "klamm serve"] {
            assert!(said.err.contains(wanted), "{args:?}: {said:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{args:?} took {:?}", began.elapsed());
    }
}

#[test]
fn a_broker_that_does_not_answer_is_waited_for_as_long_as_is_said() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let began = Instant::now();
    let said = said(&mut klamm(&["topics", "list", "-b", &address, "--timeout", "300ms"]));
    assert!(said.code == Some(1) && said.err.contains(" ms: start"), "{said:?}");
    assert!((Duration::from_millis(250)..Duration::from_secs(10)).contains(&began.elapsed()));
}

#[test]
fn wrong_usage_is_told_with_what_is_right() {
    for (args, wanted) in [
        (&["topcis", "list"][..], "topics"),
        (&["topics", "lst"], "list"),
        (&["topics", "create", "a", "--partitons", "3"], "--partitions"),
        (&["topics", "create", "a", "--partitions", "0"], "--partitions"),
        (&["topics", "create", "a", "--config", "retention.ms"], "NAME=VALUE"),
        (&["topics", "alter", "a"], "--set"),
        (&["topics", "add-partitions", "a"], "--to"),
        (&["topics", "delete-records", "a"], "--before"),
        (&["topics", "delete-records", "a", "--before-time", "yesterday"], "2026-11-21T10:30:00Z"),
        (&["topics", "list", "--timeout", "soon"], "10s"),
        (&["topics", "list", "-b", "nowhere:0"], "nowhere:0"),
        (&["topics", "list", "-b", "http://localhost:9092"], "HOST:PORT"),
        (&["topics", "list", "-X", "acks"], "NAME=VALUE"),
        (&["topics", "list", "-X", "security.protocol=SSH"], "PLAINTEXT, SSL"),
        (&["topics", "list", "--command-config", "/nonexistent.properties"], "/nonexistent.properties"),
        (&["groups", "reset", "a", "--to-latest"], "--topic"),
        (&["groups", "reset", "a", "--all-topics"], "--to-earliest"),
        (&["groups", "reset", "a", "--all-topics", "--to-latest", "--to-earliest"], "cannot be used with"),
        (&["groups", "reset", "a", "--all-topics", "--by-duration", "a while"], "5m"),
        (&["groups", "reset", "a", "--from-file", "/nonexistent.csv"], "/nonexistent.csv"),
        (&["groups", "reset", "a", "--topic", "b:x", "--to-latest"], "TOPIC:0,2"),
        (&["configs", "describe", "topcis"], "topics"),
        (&["configs", "describe", "groups", "--default"], "brokers --default"),
        (&["cluster", "brokres"], "brokers"),
        (&["completion", "bahs"], "bash"),
    ] {
        let said = said(&mut klamm(args));
        assert!(said.code == Some(2) && said.out.is_empty(), "{args:?}: {said:?}");
        assert!(said.err.contains(wanted), "{args:?} does not say {wanted}: {}", said.err);
    }
}

#[test]
fn a_malformed_line_of_a_config_file_is_told_with_its_number() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (text, wanted) in [
        ("client.id=x\nsecurity.protocol", "line 2"),
        ("# a comment\n\nrequest.timeout.ms=soon\n", "line 3"),
        ("security.protocol=SASL_SSL\n", "sasl.jaas.config"),
        ("ssl.truststore.location=/a/store.jks\n", "keytool"),
    ] {
        std::fs::write(path, text).unwrap();
        let said = said(&mut klamm(&["topics", "list", "--command-config", path]));
        assert!(said.code == Some(2) && said.err.contains(wanted), "{text}: {said:?}");
    }
}

#[test]
fn help_says_what_there_is() {
    for args in [&["--help"][..], &["topics", "--help"], &["groups", "reset", "--help"], &["help", "configs"]]
    {
        let said = said(&mut klamm(args));
        assert!(
            said.code == Some(0) && said.out.contains("Usage:") && said.err.is_empty(),
            "{args:?}: {said:?}"
        );
    }
}

//! Clients that stay while the broker goes back to a snapshot, or begins anew, underneath them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use klamm::Broker;
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use crate::harness::{DEADLINE, Wire, produce_request};

const TOPIC: &str = "followed";

/// A consumer in a process of its own, and what it has printed.
struct Follower {
    process: Child,
    values: Receiver<String>,
}

impl Follower {
    /// None where the library is not installed, which CI does not accept.
    fn start(library: &str, broker: &Broker) -> Option<Follower> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let python = peers.join(format!(".cache/python/{library}/bin/python"));
        if !python.exists() {
            assert!(std::env::var_os("CI").is_none(), "CI needs python: run tests/peers/setup python");
            println!("ignored: needs python (tests/peers/setup python)");
            return None;
        }
        let mut process = Command::new(python)
            .arg(peers.join("snapshots/follow.py"))
            .arg(library)
            .env("BOOTSTRAP_SERVERS", broker.bootstrap_servers())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, values) = channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).all(|line| to.send(line).is_ok()));
        Some(Follower { process, values })
    }

    /// Waits for these values, and lets none come twice that has been committed.
    #[track_caller]
    fn expect(&self, wanted: &[&str]) {
        for value in wanted {
            let got = self.values.recv_timeout(DEADLINE);
            assert_eq!(got.as_deref(), Ok(*value));
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn produce(broker: &Broker, values: &[&str]) {
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    for value in values {
        let value = Some(value.as_bytes().to_vec().into());
        let record = RecordToWrite { key: None, value, headers: Vec::new(), timestamp: 1_700_000_000_000 };
        let records = batch::build([record], &BuildOptions::default());
        let answer = wire.call(&produce_request(TOPIC, 0, records), 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

/// A member of a group reads on from the offsets of the snapshot, though it had got further.
fn follow(library: &str) {
    let broker = Broker::builder().topic(TOPIC, 1).start().unwrap();
    let Some(follower) = Follower::start(library, &broker) else { return };
    produce(&broker, &["0", "1", "2"]);
    follower.expect(&["0", "1", "2"]);
    let snapshot = broker.snapshot().unwrap();
    produce(&broker, &["3", "4", "5"]);
    follower.expect(&["3", "4", "5"]);
    for value in ["after a restore", "after another"] {
        broker.restore(&snapshot).unwrap();
        produce(&broker, &[value]);
        follower.expect(&[value]);
    }
    broker.reset().unwrap();
    produce(&broker, &["after", "a reset"]);
    follower.expect(&["after", "a reset"]);
}

#[test]
fn confluent_kafka_goes_on_from_a_snapshots_offsets() {
    follow("confluent");
}

#[test]
fn kafka_python_goes_on_from_a_snapshots_offsets() {
    follow("kafka-python");
}

//! `klamm run`: a command with a broker of its own.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use kafka_protocol::messages::MetadataRequest;

use crate::harness::{Wire, wait_for};

fn klamm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command.arg("run").args(args);
    command
}

fn run(args: &[&str]) -> Output {
    klamm(args).output().expect("klamm was built with this test")
}

#[test]
fn the_command_finds_the_broker_and_its_exit_code_is_passed_on() {
    let script = r#"echo "$KAFKA_BOOTSTRAP_SERVERS $BOOTSTRAP_SERVERS $KLAMM_BOOTSTRAP_SERVERS"; exit 7"#;
    let output = run(&["--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let addresses: Vec<&str> = told.split_whitespace().collect();
    assert_eq!(addresses.len(), 3, "{told}");
    assert!(addresses.iter().all(|address| *address == addresses[0]), "{told}");
    assert!(TcpStream::connect(addresses[0]).is_err(), "the broker is still there");
}

#[test]
fn topics_are_there_before_the_command_runs() {
    let mut running =
        klamm(&["--topic", "orders:3", "--", "sh", "-c", "echo $KAFKA_BOOTSTRAP_SERVERS; read done"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let mut address = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let all = MetadataRequest::default().with_topics(None);
    let metadata = Wire::connect(address.trim()).call(&all, 12);
    // Nothing more to read ends the command.
    drop(running.stdin.take());
    running.wait().unwrap();
    let topics: Vec<_> = metadata
        .topics
        .iter()
        .map(|topic| (topic.name.as_ref().unwrap().as_str(), topic.partitions.len()))
        .collect();
    assert_eq!(topics, [("orders", 3)]);
}

#[test]
fn input_and_output_are_the_commands_own() {
    let output = run(&["--", "sh", "-c", "echo to-stdout; echo to-stderr >&2"]);
    assert_eq!((&*output.stdout, &*output.stderr), (&b"to-stdout\n"[..], &b"to-stderr\n"[..]));
}

#[test]
fn a_command_that_a_signal_ended_gives_its_number() {
    assert_eq!(run(&["--", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
}

#[test]
fn a_signal_reaches_the_command_and_nothing_is_left() {
    for (signal, code) in [("TERM", 42), ("INT", 43), ("HUP", 44)] {
        let script = format!(
            "trap 'exit {code}' {signal}; echo $$ $KAFKA_BOOTSTRAP_SERVERS; while :; do sleep 0.05; done"
        );
        let mut running = klamm(&["--", "sh", "-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(running.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (child, address) = line.trim().split_once(' ').unwrap();
        let told = Command::new("kill").args(["-s", signal, &running.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert_eq!(running.wait().unwrap().code(), Some(code), "after {signal}");
        wait_for("the command to be gone", || (!is_running(child)).then_some(()));
        assert!(TcpStream::connect(address).is_err(), "the broker is still there");
    }
}

fn is_running(pid: &str) -> bool {
    Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn a_command_that_is_not_there_is_told() {
    let output = run(&["--", "no-such-command-here"]);
    assert_eq!(output.status.code(), Some(127), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("'no-such-command-here'") && said.contains("PATH"), "{said}");
}

#[test]
fn no_command_is_wrong_usage() {
    assert_eq!(run(&["--topic", "orders"]).status.code(), Some(2));
}

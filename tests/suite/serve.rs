//! `klamm serve` as a process: ready line, exit codes, and sentences for what it cannot use.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use crate::harness::Process;

fn serve(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
        .arg("serve")
        .args(args)
        .output()
        .expect("klamm was built with this test")
}

/// Runs `klamm serve` with what it must refuse, and gives what it said.
fn refused(args: &[&str]) -> String {
    let output = serve(args);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("errors are text")
}

#[test]
fn it_says_where_it_listens_and_stops_cleanly_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), "127.0.0.1:0", &["--topic", "orders:3"]);
    assert!(process.address.starts_with("127.0.0.1:"), "{}", process.address);
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn it_can_stand_for_several_nodes() {
    let more = ["--brokers", "3", "--racks", "a,b,c", "--topic", "orders:3"];
    let process = Process::start_in_memory("127.0.0.1:0", &more);
    assert_eq!(process.address.split(',').count(), 3, "{}", process.address);
    assert_eq!(process.terminate(), Some(0));
    let said = refused(&["--listen", "127.0.0.1:0", "--brokers", "2", "--racks", "a"]);
    assert!(said.contains("give one rack for each node"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&["--listen", &address]);
    assert!(said.contains(&address) && said.contains("choose another port"), "{said}");
}

#[test]
fn a_data_folder_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let _process = Process::start(folder.path(), "127.0.0.1:0", &[]);
    let said = refused(&["--listen", "127.0.0.1:0", "--data-dir", &folder.path().display().to_string()]);
    assert!(said.contains("another") && said.contains(&folder.path().display().to_string()), "{said}");
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear reader").unwrap();
    let said = refused(&["--listen", "127.0.0.1:0", "--data-dir", &folder.path().display().to_string()]);
    assert!(said.contains(&folder.path().display().to_string()), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was written");
}

#[test]
fn a_config_that_nobody_knows_is_told_with_the_nearest_one() {
    let said = refused(&["--listen", "127.0.0.1:0", "--config", "num.partition=3"]);
    assert!(said.contains("num.partition") && said.contains("num.partitions"), "{said}");
    let said = refused(&["--listen", "127.0.0.1:0", "--config", "num.partitions=many"]);
    assert!(said.contains("num.partitions") && said.contains("many"), "{said}");
}

#[test]
fn a_topic_that_cannot_be_is_told() {
    let said = refused(&["--listen", "127.0.0.1:0", "--topic", "no spaces"]);
    assert!(said.contains("no spaces"), "{said}");
    let said = refused(&["--listen", "127.0.0.1:0", "--topic", "orders:0"]);
    assert!(said.contains("orders") && said.contains("1 or more"), "{said}");
}

#[test]
fn a_harness_can_ask_for_the_port_in_a_file_and_one_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("port");
    let mut child = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--ready",
            "json",
            "--topic",
            "orders:3",
            "--topic",
            "events",
        ])
        .arg("--port-file")
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port: u16 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ready["event"], "ready");
    assert_eq!(ready["bootstrap_servers"], format!("127.0.0.1:{port}"));
    assert_eq!(ready["listening"], serde_json::json!([format!("127.0.0.1:{port}")]));
    assert_eq!(ready["topics"], serde_json::json!(["orders", "events"]));
    assert_eq!(ready["data_dir"], serde_json::Value::Null);
    assert_eq!(ready["pid"], child.id());
}

#[test]
fn a_port_file_that_cannot_be_written_and_a_level_that_nobody_knows_are_told() {
    let said = refused(&["--listen", "127.0.0.1:0", "--port-file", "/no/such/folder/port"]);
    assert!(said.contains("/no/such/folder/port"), "{said}");
    let said = refused(&["--listen", "127.0.0.1:0", "--log", "klamm=loud"]);
    assert!(said.contains("klamm=loud") && said.contains("debug"), "{said}");
}

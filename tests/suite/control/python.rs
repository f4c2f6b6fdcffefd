//! The whole of it driven from Python, by the standard library's HTTP and the unmodified confluent-kafka.

use std::process::Command;

use crate::interop::{have, peers};

#[test]
fn each_capability_is_driven_from_python() {
    if !have(&["python"]) {
        return;
    }
    let output = Command::new(peers().join(".cache/python/confluent/bin/python"))
        .arg(peers().join("python/control.py"))
        .env("KLAMM", env!("CARGO_BIN_EXE_klamm"))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.lines().filter(|line| line.starts_with("ok ")).count() >= 14, "{said}");
}

//! `klamm check` and a data folder: one that is in order, one that is not, and one that is none.

use std::path::Path;
use std::process::{Command, Output};

use klamm::Broker;
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use crate::harness::{Wire, produce_request};

fn check(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klamm")).arg("check").args(args).arg(folder).output().unwrap()
}

/// A data folder with three records in a partition, of a broker that has stopped.
fn data_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::builder().topic("orders", 2).data_dir(folder.path()).start().unwrap();
    let mut wire = Wire::connect(&broker.bootstrap_servers());
    let record = RecordToWrite { value: Some("value".into()), ..RecordToWrite::default() };
    let batch = batch::build([record], &BuildOptions::default());
    for _ in 0..3 {
        let answer = wire.call(&produce_request("orders", 1, batch.clone()), 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    broker.shutdown().unwrap();
    folder
}

#[test]
fn a_folder_in_order_is_said_to_be() {
    let folder = data_folder();
    let output = check(&[], folder.path());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("__")).collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(lines[0].starts_with("PARTITION"), "{said}");
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(row, ["orders-1", "1", "3", "3", "219", "B", "0", "to", "2", "ok"]);
    assert!(lines[2].ends_with("in order"), "{said}");
}

#[test]
fn damage_is_said_and_fails() {
    let folder = data_folder();
    let log = folder.path().join("orders-1/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let output = check(&["--json"], &folder.path().join("orders-1"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&row["records"], &row["findings"][0]["position"]), (&3.into(), &0.into()));
    let what = row["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("offset 0") && what.contains("checksum"), "{what}");
}

#[test]
fn a_folder_that_is_none_of_a_broker_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (place, wanted) in
        [(folder.path().to_owned(), "no data folder"), (folder.path().join("no"), "cannot read")]
    {
        let output = check(&[], &place);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(wanted) && said.contains(&place.display().to_string()), "{said}");
    }
}

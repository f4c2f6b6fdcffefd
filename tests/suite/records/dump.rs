//! `klamm dump`, of folders of ours and of Apache Kafka's.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Said, done, klamm};
use crate::client::place::{Place, create_topic};
use crate::harness::Process;
use crate::interop::{have, peers};

fn dump(args: &[&str], path: &Path) -> Said {
    let path = path.display().to_string();
    let args: Vec<&str> = ["dump"].into_iter().chain(args.iter().copied()).chain([path.as_str()]).collect();
    klamm(&args, "")
}

fn rows(args: &[&str], path: &Path) -> Vec<Value> {
    let said = dump(&[args, &["--json"]].concat(), path);
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Writes two batches, one compressed, with keys, headers and nulls; and has a group read and commit.
fn fill(place: &Place) {
    create_topic(&place.address, "orders", 1);
    let lines = concat!(
        r#"{"key":"k","value":"v","timestamp":1000,"headers":{"h":"1"}}"#,
        "\n",
        r#"{"key_base64":"/w==","value":null,"timestamp":2000}"#,
        "\n"
    );
    done(place, &["produce", "orders", "-J"], lines);
    done(place, &["produce", "orders", "-z", "gzip", "--acks", "1", "--timestamp", "3000"], "a\nb\n");
    assert_eq!(done(place, &["consume", "orders", "--group", "billing", "-c", "3"], "").lines().count(), 3);
}

fn check(folder: &Path) {
    let partition = folder.join("orders-0");
    let batches: Vec<Value> =
        rows(&[], &partition).into_iter().filter(|row| row["kind"] == "batch").collect();
    let of = |name: &str| batches.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("base_offset"), [0, 2]);
    assert_eq!(of("last_offset"), [1, 3]);
    assert_eq!(of("records"), [2, 2]);
    assert_eq!(of("compression"), ["none", "gzip"]);
    assert_eq!(of("max_timestamp"), [2000, 3000]);
    assert!(of("crc_is_right").iter().all(|right| right == true));
    assert!(batches[0]["producer_id"].as_i64() >= Some(0) && batches[1]["producer_id"] == -1, "{batches:?}");

    let records: Vec<Value> = rows(&["--records", "--logs-only"], &partition)
        .into_iter()
        .filter(|row| row["kind"] == "record")
        .collect();
    assert_eq!(records.len(), 4);
    assert_eq!((&records[0]["key"], &records[0]["headers"][0]["value"]), (&"k".into(), &"1".into()));
    assert_eq!((&records[1]["key_base64"], &records[1]["value"]), (&"/w==".into(), &Value::Null));
    let said = dump(&["-r", "--logs-only", "--from-offset", "1"], &partition);
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    assert!(lines[1].starts_with("position 0  offsets 0 to 1  2 records"), "{said:?}");
    assert_eq!(lines[2], "offset 1  1970-01-01T00:00:02.000Z  key 0xff  value null");
    assert!(lines[4].ends_with("key null  value 'a'"), "{said:?}");

    // What groups have committed is somewhere in the brokers' own topic.
    let said = dump(&["--records", "--logs-only"], folder);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.out.contains("group 'billing', partition 0 of 'orders': committed offset 3"),
        "{}",
        said.out
    );
}

#[test]
fn a_folder_of_ours_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let process =
        Process::start(folder.path(), "127.0.0.1:0", &["--config", "offsets.topic.num.partitions=2"]);
    fill(&Place::at("native", &process.address));
    assert_eq!(process.terminate(), Some(0));
    check(folder.path());
}

#[test]
fn a_folder_of_apache_kafka_is_shown() {
    if !have(&["kafka"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = peers().join("kafka");
    let kafka = |what: &str| {
        let mut command = Command::new(&script);
        command.arg(what).arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    };
    let mut started = kafka("start").arg("offsets.topic.num.partitions=2").spawn().unwrap();
    let mut address = String::new();
    BufReader::new(started.stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(started.wait().unwrap().success(), "{address}");
    fill(&Place::at("native", address.trim()));
    assert!(kafka("stop").status().unwrap().success());
    check(&folder.path().join("data"));
    let index = rows(&[], &folder.path().join("data/orders-0"));
    assert!(index.iter().any(|row| row["kind"] == "producer"), "{index:?}");
}

#[test]
fn damage_is_shown_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), "127.0.0.1:0", &[]);
    fill(&Place::at("native", &process.address));
    assert_eq!(process.terminate(), Some(0));
    let log = folder.path().join("orders-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    let said = dump(&[], &log);
    assert!(said.code == Some(1) && said.out.contains("DAMAGED: the checksum is wrong"), "{said:?}");
    std::fs::write(&log, &bytes[..bytes.len() - 5]).unwrap();
    let said = dump(&["--from-offset", "2"], &log);
    assert!(said.code == Some(1) && said.out.contains("no whole batch"), "{said:?}");
    let index = folder.path().join("orders-0/00000000000000000000.index");
    std::fs::write(&index, b"odd").unwrap();
    let said = dump(&["--json"], &index);
    assert!(said.code == Some(1) && said.out.contains("\"damage\""), "{said:?}");
}

#[test]
fn what_is_no_data_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let said = dump(&[], folder.path());
    assert!(said.code == Some(1) && said.err.contains("no segments"), "{said:?}");
    let said = dump(&[], &folder.path().join("absent"));
    assert!(said.code == Some(1) && said.err.contains("cannot read"), "{said:?}");
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "x").unwrap();
    let said = dump(&[], &other);
    assert!(said.code == Some(2) && said.err.contains("no file of a segment"), "{said:?}");
}

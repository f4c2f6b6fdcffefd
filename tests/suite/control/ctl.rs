//! `klamm ctl`, `klamm serve --control` and `klamm run --control`, as processes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::{Controlled, produce, reader};

/// What a command of `klamm ctl` gives.
fn ctl(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command.arg("ctl").args(args).env("KLAMM_CONTROL_URL", url).env_remove("KLAMM_CONTROL_TOKEN");
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn said(url: &str, args: &[&str]) -> String {
    let output = ctl(url, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// That a command ends with this code, says these words on stderr, and nothing on stdout.
#[track_caller]
fn refused(url: &str, args: &[&str], code: i32, words: &[&str]) {
    let output = ctl(url, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

#[test]
fn every_noun_has_its_command() {
    let controlled = Controlled::start();
    let url = controlled.server.url();
    let says = |args: &[&str], words: &[&str]| {
        let said = said(&url, args);
        for word in words {
            assert!(said.contains(word), "'{word}' is not in: {said}");
        }
    };
    produce(&controlled.broker, "orders", &["a lamp", "a\u{1b}[31m chair"]);
    let _reader = reader(&controlled.broker.bootstrap_servers(), 2);
    says(&["info"], &["seed: 7", &controlled.broker.bootstrap_servers()]);
    says(&["wait", "records", "orders", "2"], &[]);
    says(&["wait", "group", "readers", "1", "--timeout", "20s"], &[]);
    says(&["wait", "lag", "readers"], &[]);
    says(&["wait", "commit", "readers", "orders", "0", "2"], &[]);
    says(&["wait", "connections", "1"], &[]);
    says(&["wait", "idle"], &[]);
    says(&["look", "topics"], &["TOPIC", "orders"]);
    says(
        &["look", "records", "orders"],
        &["VALUE", "a lamp", "\\u{1b}[31m chair", "2023-11-14T22:13:20.000Z"],
    );
    says(&["look", "records", "orders", "--count", "1"], &["there are more"]);
    says(&["look", "groups"], &["readers", "Stable"]);
    says(&["look", "group", "readers"], &["ASSIGNMENT", "orders: 0, 1"]);
    says(&["look", "lag", "readers"], &["COMMITTED", "orders"]);
    says(&["look", "connections"], &["CONNECTION", "127.0.0.1"]);
    says(&["look", "requests"], &["Produce"]);
    says(&["look", "recent", "--count", "2"], &["API", "OUTCOME", "answered"]);
    says(&["faults", "add", r#"{"api":"ListGroups","error":"COORDINATOR_NOT_AVAILABLE"}"#], &["1"]);
    says(&["wait", "hits", "1", "0"], &[]);
    says(&["faults", "list"], &["COORDINATOR_NOT_AVAILABLE"]);
    says(&["faults", "show", "1"], &["ListGroups"]);
    says(&["faults", "remove", "1"], &["ListGroups"]);
    says(&["faults", "clear"], &[]);
    says(&["disk", "--full", "false"], &[]);
    says(&["time", "now"], &["2023-11-14T22:13:20.000Z (1700000000000 ms), a manual clock"]);
    says(&["time", "advance", "36h"], &["2023-11-16T10:13:20.000Z"]);
    says(&["time", "set", "1700200000000"], &["1700200000000 ms"]);
    says(&["housekeeping"], &[]);
    says(&["openapi"], &["3.1.0"]);
    says(&["reset"], &[]);
    says(&["time", "now"], &["2023-11-14T22:13:20.000Z"]);
}

#[test]
fn snapshots_and_forks_are_handled() {
    let controlled = Controlled::start();
    let url = controlled.server.url();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("before.klamm").display().to_string();
    produce(&controlled.broker, "orders", &["one"]);
    assert!(said(&url, &["snapshot", "take", "before"]).contains("before"));
    said(&url, &["snapshot", "download", "before", &file]);
    said(&url, &["snapshot", "upload", "again", &file]);
    assert_eq!(said(&url, &["snapshot", "list", "--json"]).lines().count(), 2);
    produce(&controlled.broker, "orders", &["two"]);
    said(&url, &["snapshot", "restore", "again"]);
    assert_eq!(controlled.broker.records("orders").unwrap().len(), 1);
    said(&url, &["snapshot", "delete", "again"]);
    let fork: Value =
        serde_json::from_str(&said(&url, &["--json", "fork", "start", "--snapshot", "before"])).unwrap();
    assert_eq!(fork["fork"], 1);
    said(&url, &["--fork", "1", "time", "advance", "1s"]);
    assert!(said(&url, &["time", "now", "--fork", "1"]).contains("22:13:21"));
    assert!(said(&url, &["info", "--fork", "1"]).contains("fork: 1"));
    // A fork's own URL will do as well.
    assert!(said(fork["control_url"].as_str().unwrap(), &["time", "now"]).contains("22:13:21"));
    assert!(said(&url, &["fork", "list"]).contains("CONTROL"));
    said(&url, &["fork", "stop", "1"]);
    refused(&url, &["--fork", "1", "time", "now"], 1, &["no fork 1"]);
}

#[test]
fn a_cluster_is_commanded() {
    let broker =
        klamm::Broker::builder().brokers(3).racks(["a", "b", "c"]).topic("orders", 1).start().unwrap();
    let controlled = Controlled::of(broker);
    let url = controlled.server.url();
    let nodes = said(&url, &["cluster", "nodes"]);
    assert!(
        nodes.contains("running") && nodes.contains("controller") && nodes.lines().count() == 4,
        "{nodes}"
    );
    said(&url, &["cluster", "move-leader", "orders", "0", "2"]);
    said(&url, &["cluster", "stop", "2"]);
    assert!(said(&url, &["cluster", "nodes"]).contains("stopped"));
    refused(&url, &["cluster", "stop", "2"], 1, &["node 2", "bring it back"]);
    refused(&url, &["cluster", "move-leader", "orders", "0", "9"], 1, &["no node 9"]);
    said(&url, &["cluster", "bring-back", "2"]);
    said(&url, &["cluster", "slow", "2", "5ms"]);
    said(&url, &["cluster", "cut-off", "3"]);
    assert!(said(&url, &["cluster", "nodes"]).contains("cut_off"));
    said(&url, &["cluster", "bring-back", "3"]);
    said(&url, &["cluster", "move-coordinator", "readers", "3"]);
    said(&url, &["cluster", "move-controller", "3"]);
    said(&url, &["cluster", "elect-preferred-leaders"]);
    assert!(said(&url, &["cluster", "partitions"]).contains("IN SYNC"));
    said(&url, &["cluster", "coordinators"]);
}

#[test]
fn json_is_an_object_a_line() {
    let controlled = Controlled::start();
    let url = controlled.server.url();
    produce(&controlled.broker, "orders", &["one", "two"]);
    let lines = said(&url, &["look", "records", "orders", "--json"]);
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["value"], "two");
    let time: Value = serde_json::from_str(&said(&url, &["time", "now", "--json"])).unwrap();
    assert_eq!(time["manual"], true);
}

#[test]
fn refusals_are_sentences_and_codes() {
    let controlled = Controlled::start();
    let url = controlled.server.url();
    refused(&url, &["time", "set", "1"], 1, &["cannot go back"]);
    refused(&url, &["snapshot", "restore", "none"], 1, &["no snapshot 'none'"]);
    refused(&url, &["wait", "records", "orders", "1", "--timeout", "1ms"], 1, &["seen instead: 0 records"]);
    refused(&url, &["faults", "add", r#"{"topik":"t"}"#], 1, &["topik"]);
    refused(&url, &["faults", "add", "{"], 1, &["no JSON"]);
    refused(&url, &["snapshot", "upload", "a", "/no/such/file"], 1, &["/no/such/file"]);
    refused(&url, &["snapshot", "download", "none", "/no/such/file"], 1, &["no snapshot"]);
    refused(&url, &["time", "advance", "a while"], 2, &["a while"]);
    refused(&url, &["disk"], 2, &["--full"]);
    refused(&url, &["wait", "rain"], 2, &["rain"]);
    refused("", &["time", "now"], 2, &["--control URL", "KLAMM_CONTROL_URL"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refused(&format!("http://{closed}"), &["time", "now"], 1, &["no broker can be controlled", "--control"]);
    refused("http://not a host", &["time", "now"], 1, &["no URL"]);
}

/// A broker as a process, and the JSON that it says when it is ready.
struct Served(Child, Value);

impl Served {
    fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_klamm"))
            .args(["serve", "--listen", "127.0.0.1:0", "--ready", "json"])
            .args(args)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Served(child, serde_json::from_str(&line).unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_served_broker_says_where_it_is_controlled_and_wants_its_token() {
    let served = Served::start(
        &["--control", "127.0.0.1:0", "--clock", "manual:1700000000000", "--seed", "3"],
        &[("KLAMM_CONTROL_TOKEN", "secret")],
    );
    let url = served.1["control"].as_str().unwrap();
    refused(url, &["time", "now"], 1, &["wants its token"]);
    refused(url, &["time", "now", "--token", "wrong"], 1, &["not the one"]);
    assert!(said(url, &["--token", "secret", "time", "advance", "1h"]).contains("23:13:20"));
    assert!(said(url, &["--token", "secret", "info"]).contains("seed: 3"));
    let open = Served::start(&[], &[]);
    assert_eq!(open.1["control"], Value::Null, "control is off unless it is asked for");
}

#[test]
fn control_that_would_be_too_open_is_refused() {
    let serve = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        let output = command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for (args, code, words) in [
        (&["--control", "0.0.0.0:0"][..], 1, "--control-allow-remote"),
        (&["--control", "0.0.0.0:0", "--control-allow-remote"], 1, "needs a token"),
        (&["--control", "127.0.0.1:0", "--control-token", "a b"], 1, "token"),
        (&["--control-token", "t"], 2, "--control"),
        (&["--clock", "sundial"], 2, "manual"),
        (&["--clock", "manual:-1"], 2, "1970"),
        (&["--clock", "manual:99999999999999999"], 2, "9999"),
    ] {
        let (got, said) = serve(args);
        assert_eq!(got, code, "{args:?}: {said}");
        assert!(said.contains(words), "'{words}' is not in: {said}");
    }
}

#[test]
fn a_command_that_is_run_finds_the_control() {
    let klamm = env!("CARGO_BIN_EXE_klamm");
    let script =
        format!("{klamm} ctl time advance 1h && {klamm} ctl look topics --json && echo $KLAMM_CONTROL_TOKEN");
    let output = Command::new(klamm)
        .args([
            "run",
            "--control",
            "127.0.0.1:0",
            "--control-token",
            "secret",
            "--clock",
            "manual:0",
            "--topic",
            "orders",
        ])
        .args(["--", "sh", "-c", &script])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        said.contains("1970-01-01T01:00:00.000Z") && said.contains("orders") && said.ends_with("secret\n"),
        "{said}"
    );
}

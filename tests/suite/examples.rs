//! The examples, each run as a reader would run it: with no set-up, on a broker that it starts itself.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::harness::Process;

/// The folder of the built examples, of the same profile as this test.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(|deps| deps.parent()).unwrap().to_owned();
        let mut build = Command::new(env!("CARGO"));
        // As the tests are built, so that nothing is built twice.
        build.args(["build", "--quiet", "--workspace", "--examples", "--manifest-path"]);
        build
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
            .arg("--target-dir")
            .arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        if cfg!(feature = "rdkafka") {
            build.args(["--features", "klamm/rdkafka"]);
        }
        let built = build.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        profile.join("examples")
    })
}

fn run(name: &str, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } =
        Command::new(folder().join(name)).args(arguments).output().unwrap();
    let (said, complained) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert!(status.success() && complained.is_empty(), "{name}: {status}\n{said}\n{complained}");
    said
}

/// That an example says these things, in this order.
fn says(name: &str, arguments: &[&str], what: &[&str]) {
    let said = run(name, arguments);
    let mut rest = said.as_str();
    for part in what {
        let Some((_, behind)) = rest.split_once(part) else {
            panic!("{name} does not say {part:?}, or not in this order:\n{said}");
        };
        rest = behind;
    }
}

#[test]
fn broadcast() {
    let all = "has seen the orders [1, 2, 3, 4, 5]";
    let lines = ["billing", "shipping", "statistics"].map(|group| format!("{group} {all}"));
    says("broadcast", &[], &lines.each_ref().map(String::as_str));
}

#[test]
fn load_balancing() {
    let workers = ["anna", "bert", "carl"].map(|name| format!("{name} has 2 partitions and has done "));
    says("load_balancing", &[], &workers.each_ref().map(String::as_str));
    says("load_balancing", &[], &["together: 600 jobs of 600"]);
}

#[test]
fn pipeline() {
    says(
        "pipeline",
        &[],
        &[
            r#"told: ["31.5 degrees on the roof", "4 degrees on the cellar"]"#,
            "nobody knows the sensor 9",
            "read 4, wrote 3, dead letters 1",
            "read 3, wrote 2, dead letters 0",
        ],
    );
}

#[test]
fn event_sourcing() {
    says(
        "event_sourcing",
        &[],
        &[
            r#"the state: {"frieda": 2500, "olga": 7500}"#,
            "the same: true",
            r#"after two events it was: {"olga": 10000}"#,
        ],
    );
}

#[test]
fn change_data_capture() {
    says(
        "change_data_capture",
        &[],
        &["published 7 changes", "customer 1 lives in Prague again", "customer 3 lives in Kierling"],
    );
    assert!(!run("change_data_capture", &[]).contains("customer 2"));
}

#[test]
fn keyed_ordering() {
    let said = run("keyed_ordering", &[]);
    // Where Java's murmur2 puts these keys among four partitions.
    for (key, partition) in KEYS_BY_JAVA {
        let line = format!("{key}: partition {{{partition}}}, in the order [1, 2, 3, 4, 5]");
        assert!(said.contains(&line), "{line:?} is not in:\n{said}");
    }
    let spread = said.trim().strip_suffix(" partitions").and_then(|line| line.rsplit(' ').next()).unwrap();
    assert!(spread.parse::<u32>().unwrap() > 1, "{said}");
}

const KEYS_BY_JAVA: [(&str, i32); 4] = [("anna", 3), ("bert", 3), ("carl", 2), ("dora", 2)];

#[test]
fn manual_commit() {
    says(
        "manual_commit",
        &[],
        &[
            "has done [1, 2, 3, 4, 5] and committed",
            "has done [1, 2, 3, 4, 5, 6, 7, 8] and crashes",
            "has done [6, 7, 8, 9, 10] and committed",
            "done twice: [6, 7, 8], missing: []",
        ],
    );
}

#[test]
fn high_performance() {
    says(
        "high_performance",
        &[],
        &["acknowledged: 100000 messages, 0 failed", "100000 messages, in order: true"],
    );
}

#[test]
fn log_aggregation() {
    says(
        "log_aggregation",
        &[],
        &["api: 250", "auth: 250", "billing: 250", "search: 250", "its order: true, errors among them: 8"],
    );
}

#[test]
fn embedded_and_real() {
    let said = ["published to orders-0 at offset 0", r#"received Some(Order { id: 1, item: "lamp" })"#];
    says("embedded_and_real", &[], &said);
    // A broker of another process stands for a cluster.
    let process = Process::start_in_memory("127.0.0.1:0", &[]);
    says("embedded_and_real", &[&process.address], &said);
    says("broadcast", &[&process.address], &["statistics has seen the orders [1, 2, 3, 4, 5]"]);
}

#[test]
fn testing_time() {
    says(
        "testing_time",
        &[],
        &[
            "read: a lamp",
            "45 seconds later the member is out: true",
            "and then in again",
            "read once more: a lamp",
            "committed: Some(1)",
            "a day later: None",
            "records: 1",
            "eight days later: 0",
            "less than ten seconds: true",
        ],
    );
}

#[test]
fn testing_seed() {
    says(
        "testing_seed",
        &[],
        &[
            "the same seed again, the same run: true",
            "another seed, another run: true",
            "equal to the byte 100 times",
        ],
    );
}

#[test]
fn testing_faults() {
    says(
        "testing_faults",
        &[],
        &[
            "acks=1, struck 1 time: the order is there 2 times",
            "acks=all, struck 1 time: the order is there 1 time",
            "a lamp is in orders-0 at offset 0",
            "a chair is in orders-1 at offset 0",
            "the rule for orders-1 struck 3 times",
            "though the disk was full: the rule struck 1 time",
            r#"its requests were ["KAFKA_STORAGE_ERROR", "answered"]"#,
            "refused: Heartbeat names no topics",
        ],
    );
}

#[test]
fn testing_waiting() {
    says(
        "testing_waiting",
        &[],
        &[
            "100 records are there",
            "stable with 2 members",
            "committed all",
            "they have read 100 records",
            "nothing is under way",
            "waited 20 ms for 101 records in 'orders'; seen instead: 100 records in 2 partitions of 'orders'",
        ],
    );
}

#[test]
fn testing_looking() {
    says(
        "testing_looking",
        &[],
        &[
            "an order of 1 lamp",
            "an order of 4 chair",
            "at offset 1, with the key \"chair\"",
            "prague",
            "billing reads lamp",
            "its group is Empty",
            "committed Some(1)",
            "and is 1 behind",
            "produced in 2 requests",
            "Produce of test-publisher: answered",
        ],
    );
}

#[test]
fn testing_state() {
    says(
        "testing_state",
        &[],
        &[
            r#"the test leaves ["a lamp", "a chair"]"#,
            r#"restored: ["a lamp"]"#,
            r#"the fork has ["a lamp", "a table"]"#,
            r#"the original has ["a lamp"]"#,
            "reset: []",
            r#"goes on: ["a bed"]"#,
            "begin with the fixture: true",
        ],
    );
}

#[test]
fn testing_guard() {
    let Output { status, stdout, stderr } = Command::new(folder().join("testing_guard")).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(
        status.success() && said.contains("the test has failed, and said why: true"),
        "{said}{complained}"
    );
    let (panic, report) = complained.split_once("klamm: what the broker saw").expect(&complained);
    assert!(panic.contains("all_orders_are_billed"), "{complained}");
    for part in ["1 record in 1 partition", "\"a lamp\"", "\"billing\"  Stable", "NOT_LEADER_OR_FOLLOWER"] {
        assert!(report.contains(part), "{part:?} is missing from:\n{complained}");
    }
}

#[test]
fn the_readmes_quick_start_is_one_of_them() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let readme = std::fs::read_to_string(format!("{folder}README.md")).unwrap();
    let example = std::fs::read_to_string(format!("{folder}examples/embedded_and_real.rs")).unwrap();
    let (_, program) = example.split_once("\n\n").expect("the header comes first");
    assert!(readme.contains(&format!("```rust\n{program}```")), "README.md has not this program:\n{program}");
}

#[test]
fn testing_cluster() {
    says(
        "testing_cluster",
        &[],
        &[
            "at the start: led in epoch 0, 3 in sync",
            "after a move: led in epoch 1, 3 in sync",
            "without the leader: led in epoch 2, 2 in sync",
            "the node cannot lead a partition: it is stopped; bring it back first",
            "with one node: led in epoch 2, 1 in sync",
            "with one back: led in epoch 2, 2 in sync",
            "4 records, each once and in order",
        ],
    );
}

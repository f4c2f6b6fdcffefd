//! The command line against clusters: Klamm and a real Apache Kafka give the same output, which is kept in `expected/`.
//!
//! With `KLAMM_BLESS=1` the expectations are written anew from what Klamm gives; the difference is then to be read.

mod bad_input;
mod cluster;
mod completion;
mod configs;
mod groups;
mod profiles;
mod readme;
mod terminal;
mod topics;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::client::place::Place;

/// Runs tests, functions of a [`Cluster`], at a broker of ours and at a real Kafka.
macro_rules! against_each {
    ($($test:ident)*) => {
        mod at_klamm {
            $(#[test]
            fn $test() {
                super::$test(&$crate::cli::Cluster::klamm());
            })*
        }
        mod kafka {
            $(#[test]
            fn $test() {
                if let Some(cluster) = $crate::cli::Cluster::kafka() {
                    super::$test(&cluster);
                }
            })*
        }
    };
}
pub(crate) use against_each;

/// A cluster that commands are run against.
pub(crate) struct Cluster {
    pub(crate) place: Place,
    /// A release of Kafka before 4.0, which lacks some of what is tested.
    pub(crate) is_older: bool,
}

/// What a command has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The binary, with nothing in its environment that says where a cluster is.
pub(crate) fn klamm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    for variable in
        ["KLAMM_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "KLAMM_CONFIG", "XDG_CONFIG_HOME", "NO_COLOR"]
    {
        command.env_remove(variable);
    }
    command.env("HOME", "/nonexistent").args(args).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A name that no other test uses, and as long as all of this stem.
pub(crate) fn named(stem: &str) -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{:04}", LAST.fetch_add(1, Ordering::Relaxed))
}

impl Cluster {
    pub(crate) fn klamm() -> Cluster {
        Cluster { place: Place::served("native"), is_older: false }
    }

    pub(crate) fn kafka() -> Option<Cluster> {
        let is_older = std::env::var_os("KLAMM_KAFKA_RELEASE").is_some();
        Place::kafka("native").map(|place| Cluster { place, is_older })
    }

    /// Runs a command against it.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(klamm(args).args(["--bootstrap-server", &self.place.address, "--timeout", "30s"]))
    }

    /// Runs a command that succeeds without a word on stderr, and gives what it writes.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert!(said.code == Some(0) && said.err.is_empty(), "{args:?}: {said:?}");
        said.out
    }

    /// Waits until the cluster has heard of a new topic everywhere: a real one answers before that.
    pub(crate) fn settled(&self, topic: &str) {
        crate::harness::wait_for("leaders", || {
            let said = self.run(&["topics", "describe", topic, "--json"]);
            (said.code == Some(0) && rows(&said.out).iter().all(|row| !row["log_end"].is_null()))
                .then_some(())
        });
    }

    /// Runs a command that fails, and gives what it says on stderr.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert!(said.code == Some(1) && said.err.starts_with("klamm: "), "{args:?}: {said:?}");
        said.err
    }
}

/// The rows that a command has written with `--json`.
pub(crate) fn rows(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// Compares what was written with `expected/NAME`. Names that differ from run to run stand there as `STEM-NNNN`.
pub(crate) fn expect(name: &str, text: &str, names: &[&str]) {
    let mut text = text.to_owned();
    for name in names {
        let stem = name.rsplit_once('-').map_or(*name, |(stem, _)| stem);
        text = text.replace(name, &format!("{stem}-NNNN"));
    }
    let path = expected().join(name);
    if std::env::var_os("KLAMM_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(wanted == text, "{name} is to be\n{wanted}\nand is\n{text}\n(KLAMM_BLESS=1 writes it anew)");
}

fn expected() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/cli/expected")
}

/// The same as rows of JSON, without what no two clusters have in common.
pub(crate) fn without(rows: Vec<serde_json::Value>, keys: &[&str]) -> String {
    let mut text = String::new();
    for mut row in rows {
        for key in keys {
            let value = row.get_mut(*key).unwrap_or_else(|| panic!("no {key} in a row"));
            *value = serde_json::Value::from("(differs)");
        }
        text.push_str(&format!("{row}\n"));
    }
    text
}

/// What is documented of the rows: every field that a command writes stands in the page, in the row of that command.
#[test]
fn every_field_is_documented() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md")).unwrap();
    let cluster = Cluster::klamm();
    let (topic, group) = (named("orders"), named("billing"));
    cluster.ok(&["topics", "create", &topic]);
    cluster.place.fill(&topic, 0..3);
    cluster.run(&["groups", "reset", &group, "--topic", &topic, "--to-earliest", "--execute"]);
    let subscriber = cluster.place.subscriber(&topic, &named("reading"), serde_json::Value::Null);
    crate::client::place::numbers(&subscriber, 3);
    let commands: &[&[&str]] = &[
        &["topics", "list"],
        &["topics", "create", "payments"],
        &["topics", "describe", &topic],
        &["topics", "alter", &topic, "--set", "retention.ms=1"],
        &["topics", "add-partitions", &topic, "--to", "2"],
        &["topics", "delete-records", &topic, "--all", "--dry-run"],
        &["topics", "delete", "payments"],
        &["groups", "list"],
        &["groups", "describe", &group],
        &["groups", "describe", "--members"],
        &["groups", "watch", &group, "--times", "1"],
        &["groups", "reset", &group, "--all-topics", "--to-latest"],
        &["groups", "delete-offsets", &group, "--topic", &topic],
        &["groups", "delete", &group],
        &["configs", "describe", "topics", &topic],
        &["configs", "alter", "topics", &topic, "--reset", "retention.ms"],
        &["cluster", "brokers"],
        &["cluster", "apis"],
        &["cluster", "log-dirs"],
    ];
    for args in commands {
        let said = cluster.run(&[*args, &["--json"]].concat());
        let rows = rows(&said.out);
        // A group whose offsets are gone is gone.
        assert!(!rows.is_empty() || args[1] == "delete", "{args:?}: {said:?}");
        let mut name = format!("`klamm {} {}`", args[0], args[1]);
        if args.contains(&"--members") {
            name = "`klamm groups describe --members`".to_owned();
        }
        let line = page.lines().find(|line| line.starts_with(&format!("| {name} |")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in the page"));
        for field in rows.iter().flat_map(|row| row.as_object().unwrap().keys()) {
            assert!(
                line.contains(&format!("`{field}`")),
                "{name} writes {field}, and the page does not say so"
            );
        }
    }
}

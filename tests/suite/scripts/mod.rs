//! Kafka's scripts: the original of Apache Kafka 4.3.1 and ours, with the same arguments, good and bad, against the same
//! broker; output, errors and exit codes are compared. The cases are the files in `cases/`; see [`cases`] for their form.

mod cases;
mod jvm;
mod normal;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cases::{Case, Mode};
use jvm::{Jvm, Said};

use crate::client::place::Kafka;
use crate::harness::{Process, wait_for};
use crate::interop::have;

/// The longest that a script of ours may take; it fails the case.
const LIMIT: Duration = Duration::from_secs(60);

/// What takes longer is told.
const SLOW: Duration = Duration::from_secs(1);

/// What stands for the names of the one side and of the other. They are of the same length: tables are as wide as their
/// longest names.
const SIDES: [&str; 2] = ["xorig", "xours"];

/// The scripts' folder, the broker, and a folder for files.
struct Bench {
    scripts: PathBuf,
    folder: PathBuf,
    broker: String,
    jvm: Jvm,
    compared: usize,
    report: String,
}

impl Bench {
    fn new(folder: &Path, broker: &str) -> Bench {
        let scripts = folder.join("bin");
        let installed =
            Command::new(env!("CARGO_BIN_EXE_klamm")).arg("install-scripts").arg(&scripts).output().unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let (folder, broker) = (folder.to_owned(), broker.to_owned());
        Bench { scripts, folder, broker, jvm: Jvm::start(), compared: 0, report: String::new() }
    }

    /// The text for one side: with its names, the broker and the folder.
    fn filled(&self, text: &str, side: &str) -> String {
        text.replace("{me}", side)
            .replace("{broker}", &self.broker)
            .replace("{dir}", &self.folder.display().to_string())
    }

    fn write_files(&self, cases: &[Case]) {
        for case in cases {
            if let Mode::File(name) = &case.mode {
                for side in SIDES {
                    let path = self.folder.join(self.filled(name, side));
                    std::fs::write(path, self.filled(&case.input, side)).unwrap();
                }
            }
        }
    }

    fn run(&mut self, subject: &str, text: &str) {
        let cases = cases::read(text);
        let began = Instant::now();
        self.write_files(&cases);
        let mut started = Vec::new();
        for case in cases {
            match &case.mode {
                Mode::File(_) => {}
                Mode::Start => started.push(self.start(&case)),
                Mode::Both => {
                    for side in SIDES {
                        let said = self.original(&case, side);
                        assert_eq!(said.code, 0, "{subject}: {}: {said:?}", case.line);
                    }
                }
                _ => self.compare(subject, &case),
            }
        }
        drop(started);
        println!("{subject}: {:.1?}", began.elapsed());
    }

    fn original(&mut self, case: &Case, side: &str) -> Said {
        let arguments: Vec<_> = case.arguments.iter().map(|argument| self.filled(argument, side)).collect();
        let input = self.folder.join(format!("input-{side}"));
        std::fs::write(&input, self.filled(&case.input, side)).unwrap();
        self.jvm.run(&case.script, &arguments, &input)
    }

    fn compare(&mut self, subject: &str, case: &Case) {
        let began = Instant::now();
        let original = self.original(case, SIDES[0]);
        let theirs_took = began.elapsed();
        let ours = self.ours(case);
        if began.elapsed() > SLOW {
            println!("{subject}: {theirs_took:.1?} and {:.1?}: {}", began.elapsed() - theirs_took, case.line);
        }
        self.compared += 1;
        let theirs = normal::original(&original, &case.mode, &self.broker);
        let ours = normal::ours(&ours, &case.mode, &self.broker);
        if theirs != ours {
            writeln!(
                self.report,
                "\n{subject}: {}\n--- original: {theirs:#?}\n+++ ours: {ours:#?}",
                case.line
            )
            .unwrap();
        }
    }

    /// Starts ours, and returns once its group is stable.
    fn start(&self, case: &Case) -> Running {
        let arguments: Vec<_> =
            case.arguments.iter().map(|argument| self.filled(argument, SIDES[1])).collect();
        let at = arguments.iter().position(|argument| argument == "--group").expect("it has a group");
        let described = format!("consumer-groups --describe --state --group {}", arguments[at + 1]);
        let running = Command::new(self.scripts.join(&case.script))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let state = cases::read(&described).remove(0);
        wait_for("a stable group", || self.ours(&state).out.contains("Stable").then_some(()));
        Running(running)
    }

    fn ours(&self, case: &Case) -> Said {
        let arguments = case.arguments.iter().map(|argument| self.filled(argument, SIDES[1]));
        let mut child = Command::new(self.scripts.join(format!("{}.sh", case.script)))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = self.filled(&case.input, SIDES[1]);
        // One that does not read its input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let (began, line) = (Instant::now(), case.line.clone());
        let waiting = std::thread::spawn(move || child.wait_with_output().unwrap());
        while !waiting.is_finished() {
            assert!(began.elapsed() < LIMIT, "{line} did not end");
            std::thread::park_timeout(Duration::from_millis(2));
        }
        let output = waiting.join().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Said { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Fails with all differences.
    fn finish(self, least: usize) {
        assert!(self.report.is_empty(), "{}", self.report);
        assert!(self.compared >= least, "only {} invocations were compared", self.compared);
        println!("{} invocations of originals and ours agree", self.compared);
    }
}

/// A script that runs until this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn originals_and_ours_say_the_same_of_klamm() {
    if !have(&["kafka"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let broker = Process::start(&data, "127.0.0.1:0", &[]);
    let mut bench = Bench::new(folder.path(), &broker.address);
    bench.run("usage", include_str!("cases/usage.txt"));
    bench.run("topics", include_str!("cases/topics.txt"));
    bench.run("configs", include_str!("cases/configs.txt"));
    bench.run("alone", include_str!("cases/alone.txt"));
    bench.run("groups", include_str!("cases/groups.txt"));
    bench.run("members", include_str!("cases/members.txt"));
    bench.run("offsets", include_str!("cases/offsets.txt"));
    bench.run("records", include_str!("cases/records.txt"));
    bench.run("measuring", include_str!("cases/measuring.txt"));
    // A broker that has stopped has left its files as they stay.
    assert_eq!(broker.terminate(), Some(0));
    bench.run("dump", include_str!("cases/dump.txt"));
    bench.finish(300);
}

#[test]
fn originals_and_ours_say_the_same_of_apache_kafka() {
    let Some(kafka) = Kafka::get() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path(), kafka.address("PLAINTEXT"));
    bench.run("topics", include_str!("cases/topics.txt"));
    bench.run("configs", include_str!("cases/configs.txt"));
    bench.run("kafka", include_str!("cases/kafka.txt"));
    bench.run("members", include_str!("cases/members.txt"));
    bench.finish(100);
}

#[test]
fn links_to_scripts_are_made_once_and_replace_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let install = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        command.arg("install-scripts").arg(folder.path()).args(more).output().unwrap()
    };
    let first = install(&[]);
    assert!(first.status.success());
    assert!(String::from_utf8_lossy(&first.stdout).starts_with("24 links"), "{first:?}");
    assert!(String::from_utf8_lossy(&install(&[]).stdout).starts_with("0 links"));

    let topics = folder.path().join("kafka-topics");
    for (what, expected) in [("a link to elsewhere", true), ("a file", false)] {
        std::fs::remove_file(&topics).unwrap();
        if expected {
            std::os::unix::fs::symlink("/dev/null", &topics).unwrap();
        } else {
            std::fs::write(&topics, "mine").unwrap();
        }
        let refused = install(&[]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(what), "{refused:?}");
        assert_eq!(install(&["--force"]).status.success(), expected);
    }
    assert_eq!(std::fs::read_to_string(&topics).unwrap(), "mine");
}

#[test]
fn a_script_ends_quietly_where_nobody_reads_on() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("kafka-producer-perf-test");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_klamm"), &link).unwrap();
    let mut child = Command::new(&link).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

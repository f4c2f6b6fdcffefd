//! `klamm produce`, `consume`, `copy`, `bench` and `dump`, as a process with pipes, at `klamm serve` and at a real Apache Kafka.

mod bench;
mod consume;
mod copy;
mod dump;
mod produce;

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::client::place::Place;

/// Runs tests, functions of a [`Place`], at each kind of broker.
macro_rules! at_each_broker {
    ($($test:ident)*) => {
        mod at_klamm {
            $(#[test]
            fn $test() {
                super::$test(&$crate::client::place::Place::served("native"));
            })*
        }
        mod at_kafka {
            $(#[test]
            fn $test() {
                if let Some(place) = $crate::client::place::Place::kafka("native") {
                    super::$test(&place);
                }
            })*
        }
    };
}
pub(crate) use at_each_broker;

/// What a command said, and what it ended with.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

/// A command of ours, with standard input from a pipe.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What a developer's machine has set says nothing here.
    for variable in ["KLAMM_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS", "XDG_CONFIG_HOME", "HOME"] {
        command.env_remove(variable);
    }
    command.env("KLAMM_CONFIG", "/nonexistent/klamm.toml");
    command
}

/// Runs a command with this input, to its end.
pub(crate) fn klamm(args: &[&str], input: &str) -> Said {
    let mut child = command(args).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Beside reading what it says, as neither pipe may be full for ever. A command that wants no input closes it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let said = said(child);
    writer.join().unwrap();
    said
}

/// What a command says to its end.
pub(crate) fn said(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

/// Runs a command against the place's broker; it has to succeed.
pub(crate) fn done(place: &Place, args: &[&str], input: &str) -> String {
    let said = at(place, args, input);
    assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
    said.out
}

/// Runs a command against the place's broker.
pub(crate) fn at(place: &Place, args: &[&str], input: &str) -> Said {
    klamm(&with_broker(place, args), input)
}

pub(crate) fn with_broker<'a>(place: &'a Place, args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(["--bootstrap-server", place.address.as_str()]).collect()
}

/// Sends a signal.
pub(crate) fn signal(name: &str, child: &Child) {
    let told = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(told.success());
}

/// Lines of numbers.
pub(crate) fn numbers(range: std::ops::Range<u64>) -> String {
    range.map(|number| format!("{number}\n")).collect()
}

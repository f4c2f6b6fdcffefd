//! A client of another make, as a process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use klamm_client::Headers;
use serde_json::{Value, json};

use crate::interop::{have, peers};

/// A make of client, and what has to be installed for it.
pub(super) const MAKES: [(&str, &str); 3] =
    [("java", "kafka"), ("confluent-kafka", "python"), ("franz-go", "go")];

/// The makes that are there. In CI all have to be.
pub(super) fn makes() -> Vec<&'static str> {
    MAKES.into_iter().filter(|(_, needed)| have(&[needed])).map(|(make, _)| make).collect()
}

/// A record, as lines tell it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) partition: i32,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Headers,
    pub(super) timestamp: i64,
}

fn packed(bytes: &Option<Bytes>) -> Value {
    bytes.as_ref().map_or(Value::Null, |bytes| Value::String(STANDARD.encode(bytes)))
}

fn unpacked(text: &Value) -> Option<Bytes> {
    text.as_str().map(|text| STANDARD.decode(text).unwrap().into())
}

impl Line {
    /// As a line to be written.
    pub(super) fn told(&self, codec: &str) -> String {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| json!([name, packed(value)])).collect();
        let line = json!({
            "codec": codec,
            "key": packed(&self.key),
            "value": packed(&self.value),
            "headers": headers,
            "timestamp": self.timestamp,
        });
        line.to_string()
    }

    fn heard(line: &str) -> Line {
        let line: Value = serde_json::from_str(line).unwrap();
        let header = |one: &Value| (one[0].as_str().unwrap().to_owned(), unpacked(&one[1]));
        Line {
            partition: i32::try_from(line["partition"].as_i64().unwrap()).unwrap(),
            key: unpacked(&line["key"]),
            value: unpacked(&line["value"]),
            headers: line["headers"].as_array().unwrap().iter().map(header).collect(),
            timestamp: line["timestamp"].as_i64().unwrap(),
        }
    }
}

fn command(make: &str, address: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(peers().join("exchange/run"));
    command.arg(make).args(arguments).env("BOOTSTRAP_SERVERS", address);
    command
}

/// What a client of this make reads.
pub(super) fn read(make: &str, address: &str, topic: &str, count: usize) -> Vec<Line> {
    let output = command(make, address, &["read", topic, &count.to_string()]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{make}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(Line::heard).collect()
}

/// Has a client of this make write lines.
pub(super) fn write(make: &str, address: &str, topic: &str, lines: &[String]) {
    let mut command = command(make, address, &["write", topic]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    writeln!(process.stdin.take().unwrap(), "{}", lines.join("\n")).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{make}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A member of a group.
pub(super) struct Member {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Line>,
}

impl Member {
    pub(super) fn join(make: &str, address: &str, topic: &str, group: &str, strategy: &str) -> Member {
        let mut command = command(make, address, &["member", topic, group, strategy]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(Line::heard(&line)).is_err() {
                    return;
                }
            }
        });
        Member { process, stdin, lines }
    }

    /// What it has been given since this was last asked.
    pub(super) fn given(&self) -> Vec<Line> {
        self.lines.try_iter().collect()
    }

    /// Has it leave.
    pub(super) fn leave(mut self) -> Vec<Line> {
        drop(self.stdin.take());
        assert!(self.process.wait().unwrap().success());
        // The thread that reads ends with the process's output.
        self.lines.iter().collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Gone already, where it was told to leave.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

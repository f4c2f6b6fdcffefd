//! What of answers is not compared, and why.
//!
//! * Stack traces: they are the JVM's. What is left of one is its message, unless that has been said already.
//! * Ids of topics, and the group that `kafka-consumer-perf-test.sh --help` names: both are drawn by lot.
//! * A line by which the JVM's client recommends a protocol of groups that ours does not have.
//! * Names that differ so that both sides have something of their own, and the broker's port.
//! * Where a case says so: the order of lines (a Java hash map's), numbers (times and throughput).

use serde_json::Value;

use super::SIDES;
use super::cases::Mode;
use super::jvm::Said;

const RECOMMENDATION: &str = "The consumer rebalance protocol (KIP-848) is production-ready!";

/// An answer as it is compared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Normal {
    code: i32,
    out: Vec<String>,
    err: Vec<String>,
}

pub(super) fn original(said: &Said, mode: &Mode, broker: &str) -> Normal {
    let err = without_traces(&said.err, &said.out);
    let lines = err.lines().filter(|line| !line.starts_with(RECOMMENDATION));
    let err = lines.map(|line| format!("{line}\n")).collect();
    normal(Said { err, ..said.clone() }, mode, broker)
}

pub(super) fn ours(said: &Said, mode: &Mode, broker: &str) -> Normal {
    // What lies behind an error is said here, and in the original in the trace alone.
    let lines = said.err.lines().filter(|line| !line.starts_with("Caused by: "));
    let err: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(said.code == 0 || !said.out.is_empty() || !err.is_empty(), "ours failed and did not say why");
    normal(Said { err, ..said.clone() }, mode, broker)
}

fn normal(said: Said, mode: &Mode, broker: &str) -> Normal {
    let lines = |text: &str| -> Vec<String> {
        let text =
            SIDES.iter().fold(text.replace(broker, "{broker}"), |text, side| text.replace(side, "{me}"));
        let mut lines: Vec<_> = text.trim_end_matches('\n').split('\n').map(ids_alike).collect();
        match mode {
            Mode::Sorted => lines.sort(),
            Mode::Numbers => lines = lines.iter().map(|line| numbers_alike(line)).collect(),
            Mode::Json => lines = lines.iter().map(|line| sorted_json(line)).collect(),
            _ => {}
        }
        lines
    };
    let (out, err) = (lines(&said.out), lines(&said.err));
    let something = || vec!["(something)".to_owned()];
    match mode {
        Mode::Code => Normal { code: said.code, out: something(), err: something() },
        Mode::Out => Normal { code: said.code, out, err: something() },
        _ => Normal { code: said.code, out, err },
    }
}

/// `TopicId: …` and `perf-consumer-…` without what was drawn by lot.
fn ids_alike(line: &str) -> String {
    let mut alike = String::new();
    let mut rest = line;
    while let Some((at, mark)) =
        ["TopicId: ", "perf-consumer-"].iter().filter_map(|mark| Some((rest.find(mark)?, *mark))).min()
    {
        let (before, behind) = rest.split_at(at + mark.len());
        alike.push_str(before);
        alike.push('*');
        rest =
            behind.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    }
    if alike.contains("perf-consumer-") {
        // The table is as wide as ever: only the number of digits differs.
        return format!("{alike}{}", rest.trim_end());
    }
    alike + rest
}

fn numbers_alike(line: &str) -> String {
    let mut alike = String::new();
    let mut inside = false;
    for letter in line.chars() {
        let part = letter.is_ascii_digit() || inside && ".E-".contains(letter);
        if part && !inside {
            alike.push('#');
        }
        if !part {
            alike.push(letter);
        }
        inside = part;
    }
    alike.replace("NaN", "#").replace("Infinity", "#").replace("inf", "#")
}

/// The line, with lists of JSON in the order of their elements' texts.
fn sorted_json(line: &str) -> String {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(sort);
                items.sort_by_key(Value::to_string);
            }
            Value::Object(fields) => fields.values_mut().for_each(sort),
            _ => {}
        }
    }
    match serde_json::from_str(line) {
        Ok(mut value) => {
            sort(&mut value);
            value.to_string()
        }
        Err(_) => line.to_owned(),
    }
}

/// Whether a line begins a stack trace: a class with its package, and perhaps a message. Gives the message.
fn thrown(line: &str) -> Option<&str> {
    let line = line.strip_prefix("Exception in thread \"main\" ").unwrap_or(line);
    let (class, message) = line.split_once(": ").unwrap_or((line, ""));
    let (package, name) = class.rsplit_once('.')?;
    let of_package =
        package.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '.');
    let of_class = name.starts_with(|letter: char| letter.is_ascii_uppercase()) && !name.contains(' ');
    (of_package && of_class).then_some(message)
}

/// A message without the classes of the exceptions that it was handed on in.
fn innermost(message: &str) -> &str {
    thrown(message).map_or(message, innermost)
}

fn without_traces(err: &str, out: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let lines: Vec<_> = err.lines().collect();
    let is_frame = |line: &str| {
        line.starts_with("\tat ") || line.starts_with("\t... ") || line.starts_with("Caused by: ")
    };
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        // A message may go on for a few lines before the frames.
        let frames = (at + 1..(at + 4).min(lines.len())).find(|frame| lines[*frame].starts_with("\tat "));
        // Those of Kafka's own errors have no frames.
        let bare = line.starts_with("org.apache.kafka.common.errors.").then_some(at + 1);
        let (Some(message), Some(frames)) = (thrown(line), frames.or(bare)) else {
            kept.push(line);
            at += 1;
            continue;
        };
        let message = innermost(message);
        let was_said = |text: &str| text.contains(message);
        if !message.is_empty() && !was_said(out) && !kept.last().is_some_and(|last| was_said(last)) {
            kept.push(message);
            kept.extend(&lines[at + 1..frames]);
        }
        at = frames;
        while lines.get(at).is_some_and(|line| is_frame(line)) {
            at += 1;
        }
        // Some scripts print the trace as a line of its own.
        if lines.get(at).is_some_and(|line| line.is_empty()) {
            at += 1;
        }
    }
    kept.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_stack_trace_leaves_its_message() {
    let trace = "before\njava.util.X: org.apache.kafka.Y: why\n\tat a.b\n\tat c.d\nCaused by: org.apache.kafka.Y: why\n\t... 3 more\nafter\n";
    assert_eq!(without_traces(trace, ""), "before\nwhy\nafter\n");
    assert_eq!(without_traces(trace, "it failed: why\n"), "before\nafter\n");
    assert_eq!(without_traces("why\na.B: why\n\tat x\n\n", ""), "why\n");
    assert_eq!(without_traces("Exception in thread \"main\" a.B: why\n\tat x\n", ""), "why\n");
    assert_eq!(without_traces("no.such.Class\n", ""), "no.such.Class\n");
}

#[test]
fn what_is_drawn_by_lot_is_alike() {
    assert_eq!(ids_alike("Topic: t\tTopicId: a-_9\tX"), "Topic: t\tTopicId: *\tX");
    assert_eq!(numbers_alike("10 records, 3.50 ms, 2024-01-02 1.5E-7"), "# records, # ms, # #");
    assert_eq!(sorted_json(r#"{"a":[2,1],"b":"x"}"#), r#"{"a":[1,2],"b":"x"}"#);
}

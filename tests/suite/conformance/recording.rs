//! Recordings: the steps of a scenario with what Apache Kafka answered, as text that a person can review.
//!
//! A step is a line `# name` and the lines of the answer; `=` stands for the same lines as the step before.

use std::fmt::Write;
use std::path::PathBuf;

/// What happened in one step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The request, for the report of a difference; not part of the recording.
    pub(crate) request: String,
    pub(crate) lines: Vec<String>,
}

/// Where the recording of a scenario is.
pub(crate) fn path(scenario: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suite/conformance/recorded")
        .join(format!("{scenario}.txt"))
}

/// The steps as text.
pub(crate) fn render(steps: &[Step]) -> String {
    let mut text = String::new();
    let mut before: Option<&Step> = None;
    for step in steps {
        writeln!(text, "# {}", step.name).expect("memory takes it");
        if before.is_some_and(|b| b.lines == step.lines) {
            text.push_str("=\n");
        } else {
            for line in &step.lines {
                writeln!(text, "{line}").expect("memory takes it");
            }
        }
        before = Some(step);
    }
    text
}

/// The steps of a text.
pub(crate) fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            steps.push(Step { name: name.to_string(), request: String::new(), lines: Vec::new() });
        } else if line == "=" {
            let lines = steps.iter().rev().nth(1).map(|s| s.lines.clone()).unwrap_or_default();
            steps.last_mut().expect("a step has begun").lines = lines;
        } else {
            steps.last_mut().expect("a step has begun").lines.push(line.to_string());
        }
    }
    steps
}

/// A field that differs: where, what Kafka answered, what was answered. None: it isn't there.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) step: String,
    pub(crate) request: String,
    pub(crate) field: String,
    pub(crate) kafka: Option<String>,
    pub(crate) ours: Option<String>,
}

/// Compares field by field.
pub(crate) fn compare(kafka: &[Step], ours: &[Step]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for i in 0..kafka.len().max(ours.len()) {
        let (k, o) = (kafka.get(i), ours.get(i));
        match (k, o) {
            (Some(k), Some(o)) if k.name == o.name => compare_step(k, o, &mut differences),
            (k, o) => {
                differences.push(Difference {
                    step: k.or(o).map(|s| s.name.clone()).unwrap_or_default(),
                    request: o.map(|s| s.request.clone()).unwrap_or_default(),
                    field: "(the step itself)".to_string(),
                    kafka: k.map(|s| s.name.clone()),
                    ours: o.map(|s| s.name.clone()),
                });
                break;
            }
        }
    }
    differences
}

fn compare_step(kafka: &Step, ours: &Step, differences: &mut Vec<Difference>) {
    if kafka.lines == ours.lines {
        return;
    }
    let (k, o) = (fields(&kafka.lines), fields(&ours.lines));
    let mut note = |field: &str, kafka: Option<&String>, other: Option<&String>| {
        differences.push(Difference {
            step: ours.name.clone(),
            request: ours.request.clone(),
            field: field.to_string(),
            kafka: kafka.cloned(),
            ours: other.cloned(),
        });
    };
    for (field, value) in &k {
        let other = o.iter().find(|(f, _)| f == field).map(|(_, v)| v);
        if other != Some(value) {
            note(field, Some(value), other);
        }
    }
    for (field, value) in o.iter().filter(|(f, _)| !k.iter().any(|(g, _)| f == g)) {
        note(field, None, Some(value));
    }
}

/// Lines taken apart into fields `path.name` and values.
fn fields(lines: &[String]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for line in lines {
        if line.starts_with('!') {
            fields.push(("(outcome)".to_string(), line.clone()));
            continue;
        }
        let (path, rest) = line.split_once(' ').unwrap_or((line, ""));
        for word in words(rest) {
            let (name, value) = word.split_once('=').unwrap_or(("", word));
            let name = if path == "." { name.to_string() } else { format!("{path}.{name}") };
            fields.push((name, value.to_string()));
        }
    }
    fields
}

/// Splits at spaces outside quotes.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b' ' if !quoted => {
                if start < at {
                    words.push(&line[start..at]);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < line.len() {
        words.push(&line[start..]);
    }
    words
}

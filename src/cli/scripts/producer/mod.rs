//! `kafka-console-producer.sh`: publishes lines of standard input.

mod lines;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use klamm::raw::{Producer, RecordToSend};

use super::super::data::input::{Filled, Input};
use super::super::signals::Interrupt;
use super::errors::Thrown;
use super::options::{Opt, Parsed, flag, int, long, parse, text};
use super::{Ended, Output, client, complain, usage};
use lines::{Line, LineReader};

const OPTIONS: &[Opt] = &[
    text("topic"),
    text("bootstrap-server"),
    flag("sync"),
    text("compression-codec").optional(),
    int("batch-size").or("16384"),
    int("message-send-max-retries").or("3"),
    long("retry-backoff-ms").or("100"),
    long("timeout").or("1000"),
    text("request-required-acks").or("-1"),
    int("request-timeout-ms").or("1500"),
    long("metadata-expiry-ms").or("300000"),
    long("max-block-ms").or("60000"),
    long("max-memory-bytes").or("33554432"),
    int("max-partition-memory-bytes").or("16384"),
    text("line-reader").or(LINE_READER),
    int("socket-buffer-size").or("102400"),
    text("property"),
    text("reader-property"),
    text("reader-config"),
    text("producer-property"),
    text("command-property"),
    text("producer.config"),
    text("command-config"),
];

const LINE_READER: &str = "org.apache.kafka.tools.LineMessageReader";

/// Which property an option stands for, in the order in which the original looks at them.
const MEANINGS: &[(&str, &str)] = &[
    ("linger.ms", "timeout"),
    ("acks", "request-required-acks"),
    ("request.timeout.ms", "request-timeout-ms"),
    ("retries", "message-send-max-retries"),
    ("retry.backoff.ms", "retry-backoff-ms"),
    ("send.buffer.bytes", "socket-buffer-size"),
    ("buffer.memory", "max-memory-bytes"),
    ("batch.size", "batch-size"),
    ("batch.size", "max-partition-memory-bytes"),
    ("metadata.max.age.ms", "metadata-expiry-ms"),
    ("max.block.ms", "max-block-ms"),
];

/// Options of which the second has taken the place of the first.
const REPLACED: &[(&str, &str)] = &[
    ("property", "reader-property"),
    ("producer-property", "command-property"),
    ("producer.config", "command-config"),
];

/// The longest line that is taken, in bytes.
const LONGEST_LINE: usize = 256 * 1024 * 1024;

/// How long the end waits for what is not acknowledged: longer than a record may take.
const LAST_WAIT: Duration = Duration::from_secs(300);

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments).map_err(|error| Ended::Usage(error.to_string()))?;
    parsed.help_or_version(usage::CONSOLE_PRODUCER, out)?;
    parsed.require(&["topic"])?;
    client::check_bootstrap(parsed.value("bootstrap-server")?.unwrap_or_default())?;
    check_replaced(&parsed, out)?;
    let properties = properties(&parsed)?;
    let reader = line_reader(&parsed)?;
    let servers = parsed.value("bootstrap-server")?.unwrap_or_default();
    client::check_addresses(servers, "No resolvable bootstrap urls given in bootstrap.servers")
        .map_err(Ended::Failed)?;
    let failed = |error| Ended::Failed(Thrown::from(&error).message);
    let config = client::config(servers, &properties).map_err(failed)?;
    let id = client::last(&properties, "client.id").unwrap_or("console-producer");
    let (client, options) = config.producer(id).map_err(failed)?;
    out.flush()?;
    let lost = |_: &[u64], why: &klamm::ClientError| {
        complain(format_args!("Error when sending message: {}", Thrown::from(why)))
    };
    let producer = Producer::new(&client, &options, lost).map_err(failed)?;
    let topic = Arc::from(parsed.value("topic")?.unwrap_or_default());
    let sent = Sending { producer: &producer, topic, one_by_one: parsed.has("sync") }.all(reader, out);
    // What was accepted is delivered, whatever became of the rest.
    producer.settle(LAST_WAIT);
    producer.close(LAST_WAIT).map_err(failed)?;
    sent
}

fn check_replaced(parsed: &Parsed, out: &mut Output) -> Result<(), Ended> {
    for (old, new) in REPLACED {
        if parsed.has(old) && parsed.has(new) {
            return Err(Ended::Usage(format!("Options --{new} and --{old} cannot be specified together.")));
        }
    }
    for (old, new) in REPLACED {
        if parsed.has(old) {
            out.line(format_args!(
                "Warning: --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            ))?;
        }
    }
    if parsed.has("max-partition-memory-bytes") {
        out.line(
            "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use --batch-size instead.",
        )?;
    }
    Ok(())
}

/// What the producer is told: a file's properties, those of the command line, and what options stand for.
fn properties(parsed: &Parsed) -> Result<Vec<(String, String)>, Ended> {
    let mut properties = Vec::new();
    for option in ["producer.config", "command-config"] {
        if let Some(path) = parsed.value(option)? {
            properties.extend(client::properties_of(path).map_err(Ended::Failed)?);
        }
    }
    for option in ["producer-property", "command-property"] {
        properties.extend(client::pairs(&parsed.values(option)));
    }
    let codec = match (parsed.has("compression-codec"), parsed.value("compression-codec")?) {
        (false, _) => "none",
        (true, codec) => codec.filter(|codec| !codec.is_empty()).unwrap_or("gzip"),
    };
    properties.push(("compression.type".to_owned(), codec.to_owned()));
    for (name, option) in MEANINGS {
        let value = parsed.value(option)?.unwrap_or_default();
        if parsed.has(option) || client::last(&properties, name).is_none() {
            properties.push(((*name).to_owned(), value.to_owned()));
        }
    }
    one_of("acks", &["all", "-1", "0", "1"], &properties)?;
    one_of("compression.type", &["none", "gzip", "snappy", "lz4", "zstd"], &properties)?;
    Ok(properties)
}

/// What the original says first of values that are no words of their property's.
fn one_of(name: &str, words: &[&str], properties: &[(String, String)]) -> Result<(), Ended> {
    match client::last(properties, name) {
        Some(value) if !words.contains(&value.trim()) => Err(Ended::Failed(format!(
            "Invalid value {value} for configuration {name}: String must be one of: {}",
            words.join(", ")
        ))),
        _ => Ok(()),
    }
}

fn line_reader(parsed: &Parsed) -> Result<LineReader, Ended> {
    let class = parsed.value("line-reader")?.unwrap_or(LINE_READER);
    if class != LINE_READER {
        let why = format!(
            "{class} is a class of the JVM's that this program does not have: {LINE_READER} reads lines"
        );
        return Err(Ended::Failed(why));
    }
    let mut properties = match parsed.value("reader-config")? {
        Some(path) => client::properties_of(path).map_err(Ended::Failed)?,
        None => Vec::new(),
    };
    for option in ["property", "reader-property"] {
        properties.extend(client::pairs(&parsed.values(option)));
    }
    LineReader::new(&properties).map_err(Ended::Failed)
}

struct Sending<'a> {
    producer: &'a Producer,
    topic: Arc<str>,
    one_by_one: bool,
}

impl Sending<'_> {
    /// Sends all lines, until there are no more or somebody asks for the end.
    fn all(&self, mut reader: LineReader, out: &mut Output) -> Result<(), Ended> {
        let interrupt = Interrupt::listen()?;
        let mut input = Input::stdin(b"\n", LONGEST_LINE)?;
        let prompts = input.is_terminal && std::io::stdout().is_terminal();
        loop {
            if prompts {
                out.text(">")?;
                out.flush()?;
            }
            match input.fill(&interrupt)? {
                Filled::More => {}
                Filled::End | Filled::Interrupted => return Ok(()),
                Filled::TooLong => {
                    return Err(Ended::Failed(format!(
                        "a line is longer than {LONGEST_LINE} bytes; cut it into several"
                    )));
                }
            }
            input.pieces(|line| {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let line = reader.read(line).map_err(Ended::Failed)?;
                self.one(&line).map(|()| true)
            })?;
            if self.one_by_one {
                self.producer.hurry();
            }
        }
    }

    fn one(&self, line: &Line<'_>) -> Result<(), Ended> {
        let record = RecordToSend {
            topic: &self.topic,
            partition: None,
            key: line.key.as_deref(),
            value: line.value.as_deref(),
            headers: &line.headers,
            timestamp: None,
        };
        if !self.one_by_one {
            // One that cannot be sent is said, and the others go on, as in the original.
            if let Err(error) = self.producer.send(&record, 0) {
                complain(format_args!("Error when sending message: {}", Thrown::from(error)));
            }
            return Ok(());
        }
        let (told, outcome) = mpsc::channel();
        let report = move |delivered: Result<_, _>| {
            // Nobody waits for it any more if this fails.
            let _ = told.send(delivered.map(|_: klamm::Delivered| ()));
        };
        let failed = |error: klamm::ClientError| Ended::Failed(Thrown::from(error).message);
        self.producer.send_reported(&record, report).map_err(failed)?;
        self.producer.settle(LAST_WAIT);
        match outcome.recv_timeout(LAST_WAIT) {
            Ok(delivered) => delivered.map_err(failed),
            Err(_) => Err(Ended::Failed(format!(
                "the record was neither acknowledged nor given up within {LAST_WAIT:?}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::CONSOLE_PRODUCER);
    }

    #[test]
    fn an_option_goes_before_a_property_and_that_before_a_default() {
        let told = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            let parsed = parse(OPTIONS, &arguments).unwrap();
            let Ok(properties) = properties(&parsed) else { panic!("{arguments:?} are refused") };
            let last = |name| client::last(&properties, name).unwrap().to_owned();
            (last("linger.ms"), last("batch.size"), last("compression.type"))
        };
        let told_as = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(told(&[]), told_as("1000", "16384", "none"));
        assert_eq!(
            told(&["--command-property", "linger.ms=5", "--compression-codec"]),
            told_as("5", "16384", "gzip")
        );
        let both = [
            "--command-property",
            "linger.ms=5",
            "--timeout",
            "7",
            "--batch-size",
            "9",
            "--max-partition-memory-bytes",
            "8",
        ];
        assert_eq!(told(&both), told_as("7", "8", "none"));
    }
}

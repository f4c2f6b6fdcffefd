//! `klamm produce`: lines, or records as JSON, from standard input or files, to a topic.

mod losses;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm::raw::{Producer, RecordToSend};
use klamm::{ProducerOptions, ResponseError};

use self::losses::Losses;
use self::source::{Lines, Parsed, Source};
use super::connect::{Cluster, ConnectArgs};
use super::data::delimiter;
use super::data::input::{Filled, Input};
use super::data::options::SendArgs;
use super::data::pace::Pace;
use super::error::{Failure, Usage, say};
use super::output::{bytes, count, grouped};
use super::signals::Interrupt;
use super::terminal;
use super::times;

/// Records that share a reading of the clock.
const RECORDS_PER_CLOCK: u64 = 256;

/// How long after a record's own time-out the end waits for the client to say so.
const GRACE: Duration = Duration::from_secs(5);

// What `klamm produce` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  echo hello | klamm produce greetings
  klamm produce orders orders.txt --key-separator : --compression zstd
  klamm consume orders --json --exit-eof | klamm produce orders-again --json")]
pub(crate) struct Produce {
    /// The topic.
    #[arg(value_name = "TOPIC")]
    topic: String,

    /// Files to take records from, one after the other. Without any: standard input.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Each line is a JSON object with key, value, headers, partition, timestamp, as `klamm consume --json` writes them.
    /// What a line does not say is as the options say.
    #[arg(short = 'J', long, conflicts_with_all = ["key_separator", "null"])]
    json: bool,

    /// A line is a key and a value with this between them (escapes: \t, \x00). A line without it is an error.
    #[arg(short = 'K', long, value_name = "TEXT")]
    key_separator: Option<String>,

    /// The key of records that have none.
    #[arg(short = 'k', long, value_name = "KEY")]
    key: Option<String>,

    /// A header of every record; can be given several times. NAME alone is one whose value is null.
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,

    /// What ends a record in the input (escapes: \0, \x1e). [default: \n]
    #[arg(short = 'D', long, value_name = "TEXT")]
    delimiter: Option<String>,

    /// Keys and values that are this text are null: --null '' for empty ones, --null NULL for the word.
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,

    /// Empty values and keys are null; the same as --null ''.
    #[arg(short = 'Z', long, conflicts_with = "null")]
    null_empty: bool,

    /// The partition. [default: the one of the key's hash; without a key the one whose batch is being filled]
    #[arg(short = 'p', long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,

    /// The time of the records: milliseconds since 1970, 2026-11-21T17:30:00Z, or -15m. [default: now]
    #[arg(long, value_name = "TIME", value_parser = times::moment, allow_hyphen_values = true)]
    timestamp: Option<i64>,

    /// No more than so many records a second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// Stop after so many records.
    #[arg(short = 'c', long, value_name = "N")]
    count: Option<u64>,

    /// Go on behind a line that is no record, and behind records that are not delivered; the exit code is 1 all the same.
    #[arg(long)]
    keep_going: bool,

    /// Say nothing of what was done, even where a person watches.
    #[arg(short = 'q', long)]
    quiet: bool,

    #[command(flatten)]
    sending: SendArgs,

    #[command(flatten)]
    connect: ConnectArgs,
}

/// What sending goes by, and how far it has come.
struct Run<'a> {
    told: &'a Produce,
    producer: &'a Producer,
    losses: &'a Losses,
    topic: Arc<str>,
    source: Source,
    sent: u64,
    sent_bytes: u64,
    pace: Option<Pace>,
    /// The present time, or what stands for it.
    clock: i64,
}

/// Why sending stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    EndOfInput,
    Count,
    Interrupted,
    /// A record was refused, or could not be delivered; it has been told.
    Fault,
}

impl Produce {
    /// Sends everything. The exit code is 1 where something was not delivered.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let source = self.source()?;
        let ended = match &self.delimiter {
            Some(text) => delimiter::parse(text)
                .map_err(|why| Usage::failure(format!("--delimiter '{text}' cannot be: {why}")))?,
            None => b"\n".to_vec(),
        };
        let cluster = self.connect.settle()?;
        let (client, options) = self.sending.settle(&cluster)?;
        let interrupt = Interrupt::listen()?;
        let inputs = self.inputs(&ended, &options)?;
        self.check_topic(&cluster)?;
        let losses = Arc::new(Losses::default());
        let told = Arc::clone(&losses);
        let producer = Producer::new(&client, &options, move |lines, why| told.add(lines, why))?;
        let began = Instant::now();
        let mut run = Run {
            told: &self,
            producer: &producer,
            losses: &losses,
            topic: Arc::from(self.topic.as_str()),
            source,
            sent: 0,
            sent_bytes: 0,
            pace: self.rate.map(Pace::new),
            clock: times::now_millis(),
        };
        let stop = run.all(inputs, &interrupt);
        let (sent, sent_bytes) = (run.sent, run.sent_bytes);
        // Whatever happened: what was taken in is delivered first.
        producer.settle(options.delivery_timeout.saturating_add(GRACE));
        producer.close(GRACE)?;
        losses.end();
        let stop = stop?;
        let lost = losses.count();
        if stop == Stop::Interrupted || (terminal::is_watched() && !self.quiet) {
            self.sum_up(stop, sent.saturating_sub(lost), sent_bytes, began.elapsed());
        }
        Ok(if lost > 0 || losses.has_fault() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn source(&self) -> Result<Source, Failure> {
        let mut headers = Vec::new();
        for header in &self.headers {
            let (name, value) = match header.split_once('=') {
                Some((name, value)) => (name, Some(value.as_bytes().to_vec().into())),
                None => (header.as_str(), None),
            };
            if name.is_empty() {
                return Err(Usage::failure(format!("--header takes NAME=VALUE, but got '{header}'")));
            }
            headers.push((name.to_owned(), value));
        }
        let escaped = |option: &str, text: &Option<String>| {
            let bytes = text.as_deref().map(delimiter::parse).transpose();
            bytes.map_err(|why| Usage::failure(format!("{option} cannot be: {why}")))
        };
        let null = match &self.null {
            Some(text) => Some(text.as_bytes().to_vec()),
            None => self.null_empty.then(Vec::new),
        };
        Ok(Source {
            json: self.json,
            lines: Lines {
                separator: escaped("--key-separator", &self.key_separator)?
                    .map(|bytes| memchr::memmem::Finder::new(&bytes).into_owned()),
                null,
            },
            key: self.key.as_ref().map(|key| key.as_bytes().to_vec()),
            headers,
            partition: self.partition,
            timestamp: self.timestamp,
        })
    }

    /// Opens all that is to be read before anything is sent.
    fn inputs(&self, delimiter: &[u8], options: &ProducerOptions) -> Result<Vec<Input>, Failure> {
        // Longer no record can be; JSON may take six bytes for one.
        let longest = options.max_request_size.saturating_mul(if self.json { 6 } else { 1 });
        if self.files.is_empty() {
            return Ok(vec![Input::stdin(delimiter, longest)?]);
        }
        let open = |path: &PathBuf| {
            if path.as_os_str() == "-" {
                return Ok(Input::stdin(delimiter, longest)?);
            }
            if path.is_dir() {
                return Err(format!("{} is a folder; name files", path.display()).into());
            }
            Input::open(path, delimiter, longest)
                .map_err(|error| format!("cannot read {}: {error}", path.display()).into())
        };
        self.files.iter().map(open).collect()
    }

    /// Whether there is such a topic. One that is not there yet may be made by the broker as records come.
    fn check_topic(&self, cluster: &Cluster) -> Result<(), Failure> {
        let described = cluster.wait(cluster.admin()?.describe_topics([self.topic.clone()]))?;
        for (_, topic) in described {
            match topic {
                Ok(topic) => {
                    let there = topic.partitions.len();
                    let wanted = self.partition.and_then(|partition| usize::try_from(partition).ok());
                    if let Some(wanted) = wanted.filter(|wanted| *wanted >= there) {
                        return Err(format!(
                            "there is no partition {wanted} of '{}', which has {there}; give a number from 0 to {}",
                            self.topic,
                            there.saturating_sub(1)
                        )
                        .into());
                    }
                }
                Err(error) if error.code() == Some(ResponseError::UnknownTopicOrPartition) => {}
                Err(error) => return Err(cluster.explain(error).into()),
            }
        }
        Ok(())
    }

    fn sum_up(&self, stop: Stop, delivered: u64, size: u64, took: Duration) {
        let how = if stop == Stop::Interrupted { "interrupted; " } else { "" };
        let seconds = took.as_secs_f64().max(0.001);
        say(format_args!(
            "{how}{} ({}) delivered to '{}' in {seconds:.3} s: {} records/s",
            count(delivered, "record"),
            bytes(size),
            self.topic,
            grouped((delivered as f64 / seconds) as u64)
        ));
    }
}

impl Run<'_> {
    fn all(&mut self, inputs: Vec<Input>, interrupt: &Interrupt) -> Result<Stop, Failure> {
        for input in inputs {
            self.losses.begin(&input.name);
            let stop = self.input(input, interrupt)?;
            if stop != Stop::EndOfInput {
                return Ok(stop);
            }
            // Numbers of lines are those of one file: what is lost of it is told before the next.
            if self.told.files.len() > 1 {
                self.producer.settle(self.producer.delivery_timeout().saturating_add(GRACE));
            }
        }
        Ok(Stop::EndOfInput)
    }

    fn input(&mut self, mut input: Input, interrupt: &Interrupt) -> Result<Stop, Failure> {
        if input.is_terminal && terminal::is_watched() && !self.told.quiet {
            say(format_args!("each line is a record; Ctrl-D ends"));
        }
        let mut line = 0;
        loop {
            match input.fill(interrupt) {
                Ok(Filled::More) => {}
                Ok(Filled::End) => return Ok(Stop::EndOfInput),
                Ok(Filled::Interrupted) => return Ok(Stop::Interrupted),
                Ok(Filled::TooLong) => {
                    self.losses.refused(line + 1, "it is longer than a record can be; is --delimiter right?");
                    return Ok(Stop::Fault);
                }
                Err(error) => return Err(format!("cannot read {}: {error}", input.name).into()),
            }
            self.clock = times::now_millis();
            let mut stop = None;
            input.pieces(|piece| {
                line += 1;
                stop = self.piece(piece, line, interrupt)?;
                Ok::<_, Failure>(stop.is_none())
            })?;
            if let Some(stop) = stop {
                return Ok(stop);
            }
        }
    }

    /// Sends the record of a line. Gives why to stop, if there is a reason.
    #[inline]
    fn piece(&mut self, piece: &[u8], line: u64, interrupt: &Interrupt) -> Result<Option<Stop>, Failure> {
        if self.told.count.is_some_and(|most| self.sent >= most) {
            return Ok(Some(Stop::Count));
        }
        if line.is_multiple_of(RECORDS_PER_CLOCK) {
            self.clock = times::now_millis();
            if interrupt.is_asked() {
                return Ok(Some(Stop::Interrupted));
            }
        }
        if self.losses.any() && !self.told.keep_going {
            return Ok(Some(Stop::Fault));
        }
        if let Some(pace) = &mut self.pace {
            if !pace.wait(interrupt) {
                return Ok(Some(Stop::Interrupted));
            }
            self.clock = times::now_millis();
        }
        let parsed = match self.source.parse(piece) {
            Ok(parsed) => parsed,
            Err(why) => return Ok(self.refused(line, &why)),
        };
        let record = self.record(&parsed);
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        match self.producer.send(&record, line) {
            Ok(()) => {
                self.sent += 1;
                self.sent_bytes += size as u64;
                Ok(None)
            }
            Err(error) => Ok(self.refused(line, &error.to_string())),
        }
    }

    #[inline]
    fn record<'r>(&'r self, parsed: &'r Parsed<'_>) -> RecordToSend<'r> {
        RecordToSend {
            topic: &self.topic,
            partition: parsed.partition,
            key: parsed.key.as_deref(),
            value: parsed.value.as_deref(),
            headers: &parsed.headers,
            timestamp: Some(parsed.timestamp.unwrap_or(self.clock)),
        }
    }

    #[cold]
    fn refused(&self, line: u64, why: &str) -> Option<Stop> {
        self.losses.refused(line, why);
        (!self.told.keep_going).then_some(Stop::Fault)
    }
}

//! `kafka-producer-perf-test.sh`: how fast records can be published.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use klamm::raw::{Producer, RecordToSend};

use super::super::super::signals::Interrupt;
use super::super::errors::Thrown;
use super::super::{Ended, Output, client, complain, usage};
use super::argparse::{Argument, Arguments, Kind, Refused, Takes, justified, wrong};
use super::stats::Stats;

const fn one(name: &'static str, kind: Kind) -> Argument {
    Argument { name, takes: Takes::One(kind), required: false }
}

const fn required(name: &'static str, kind: Kind) -> Argument {
    Argument { name, takes: Takes::One(kind), required: true }
}

const ARGUMENTS: &[Argument] = &[
    one("--bootstrap-server", Kind::Text),
    required("--topic", Kind::Text),
    required("--num-records", Kind::Long),
    one("--payload-delimiter", Kind::Text),
    required("--throughput", Kind::Double),
    Argument { name: "--producer-props", takes: Takes::Some, required: false },
    Argument { name: "--command-property", takes: Takes::Some, required: false },
    one("--producer.config", Kind::Text),
    one("--command-config", Kind::Text),
    Argument { name: "--print-metrics", takes: Takes::Nothing, required: false },
    one("--transactional-id", Kind::Text),
    one("--transaction-duration-ms", Kind::Long),
    one("--warmup-records", Kind::Long),
    one("--reporting-interval", Kind::Long),
    one("--record-size", Kind::Int),
    one("--payload-file", Kind::Text),
    Argument { name: "--payload-monotonic", takes: Takes::Nothing, required: false },
];

const PAYLOADS: &[&str] = &["--record-size", "--payload-file", "--payload-monotonic"];

/// Options of which the second has taken the place of the first.
const REPLACED: &[(&str, &str)] =
    &[("--producer-props", "--command-property"), ("--producer.config", "--command-config")];

const NAME: &str = "kafka-producer-perf-test";

/// The largest record that is made, in bytes.
const LARGEST_RECORD: usize = 256 * 1024 * 1024;

/// How long the end waits for what is not acknowledged.
const LAST_WAIT: Duration = Duration::from_secs(300);

pub(in super::super) fn run(line: &[String], out: &mut Output) -> Result<(), Ended> {
    if line.is_empty() {
        out.text(usage::PRODUCER_PERF.whole())?;
        return Ok(());
    }
    let read = Arguments::read(ARGUMENTS, PAYLOADS, line)
        .and_then(|arguments| check(&arguments).map(|()| arguments));
    match read {
        Ok(arguments) => Test::new(&arguments, out)?.run(out),
        Err(Refused::Help) => {
            out.text(usage::PRODUCER_PERF.whole())?;
            Err(Ended::Said(1))
        }
        Err(Refused::Wrong(why)) => {
            let usage = usage::PRODUCER_PERF.whole();
            complain(usage.split("\n\n").next().unwrap_or_default());
            Err(Ended::Failed(justified(&format!("{NAME}: error: {why}"))))
        }
    }
}

/// What must be so of numbers, and of where the cluster is.
fn check(arguments: &Arguments) -> Result<(), Refused> {
    let number = |name| arguments.number::<i64>(name);
    let refuse = |why: &str| Err(wrong(why.to_owned()));
    let records = number("--num-records").unwrap_or(0);
    if records <= 0 {
        return refuse("--num-records should be greater than zero.");
    }
    if number("--warmup-records").unwrap_or(0) >= records {
        return refuse(
            "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.",
        );
    }
    if number("--record-size").is_some_and(|size| size <= 0) {
        return refuse("--record-size should be greater than zero.");
    }
    let places = [
        "--bootstrap-server",
        "--command-property",
        "--producer-props",
        "--producer.config",
        "--command-config",
    ];
    if !places.iter().any(|place| arguments.has(place)) {
        return refuse(
            "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or \
             --command-config must be specified.",
        );
    }
    if number("--transaction-duration-ms").is_some_and(|duration| duration <= 0) {
        return refuse("--transaction-duration-ms should be greater than zero.");
    }
    if number("--reporting-interval").is_some_and(|interval| interval <= 0) {
        return refuse("--reporting-interval should be greater than zero.");
    }
    for (old, new) in REPLACED {
        if arguments.has(old) && arguments.has(new) {
            return Err(wrong(format!("{new} and {old} cannot be specified together.")));
        }
    }
    Ok(())
}

enum Payload {
    Random(usize),
    OneOf(Vec<Vec<u8>>),
    Counting,
}

struct Test {
    producer: Producer,
    topic: Arc<str>,
    records: u64,
    warmup: u64,
    /// Records a second; none: as many as can be.
    rate: Option<f64>,
    interval: u128,
    payload: Payload,
}

impl Test {
    fn new(arguments: &Arguments, out: &mut Output) -> Result<Self, Ended> {
        for (old, new) in REPLACED {
            if arguments.has(old) {
                out.line(format_args!(
                    "Option {old} has been deprecated and will be removed in a future version. Use {new} instead."
                ))?;
            }
        }
        out.flush()?;
        let payload = payload(arguments, out)?;
        let properties = properties(arguments)?;
        if ["--transactional-id", "--transaction-duration-ms"].iter().any(|option| arguments.has(option)) {
            let why = "transactions are not there in this program: take out --transactional-id and --transaction-duration-ms";
            return Err(Ended::Failed(why.to_owned()));
        }
        if arguments.has("--print-metrics") {
            complain(
                "--print-metrics: the figures are those of the JVM's client, which this program does not have; none are printed",
            );
        }
        let failed = |error: klamm::ClientError| Ended::Failed(Thrown::from(error).message);
        let servers =
            arguments.value("--bootstrap-server").or(client::last(&properties, "bootstrap.servers"));
        let servers = servers.unwrap_or_default();
        client::check_addresses(servers, "No resolvable bootstrap urls given in bootstrap.servers")
            .map_err(Ended::Failed)?;
        let config = client::config(servers, &properties).map_err(failed)?;
        let id = client::last(&properties, "client.id").unwrap_or("perf-producer-client");
        let (client, options) = config.producer(id).map_err(failed)?;
        let lost = |_: &[u64], why: &klamm::ClientError| complain(Thrown::from(why));
        let number = |name| arguments.number::<u64>(name);
        Ok(Test {
            producer: Producer::new(&client, &options, lost).map_err(failed)?,
            topic: Arc::from(arguments.value("--topic").unwrap_or_default()),
            records: number("--num-records").unwrap_or(0),
            warmup: number("--warmup-records").unwrap_or(0),
            rate: arguments.number("--throughput").filter(|rate| *rate >= 0.0),
            interval: number("--reporting-interval").unwrap_or(5000).into(),
            payload,
        })
    }

    fn run(self, out: &mut Output) -> Result<(), Ended> {
        if self.warmup > 0 {
            out.line(format_args!(
                "Warmup first {} records. Steady state results will print after the complete test summary.",
                self.warmup
            ))?;
        }
        out.flush()?;
        let all = Arc::new(Mutex::new(Stats::new(self.records, false)));
        let steady = Arc::new(Mutex::new(None::<Stats>));
        let (tell, lines) = std::sync::mpsc::channel();
        let interrupt = Interrupt::listen()?;
        let (mut random, began) = (Random(0), Instant::now());
        let mut buffer = Vec::new();
        for number in 0..self.records {
            if interrupt.is_asked() {
                break;
            }
            if self.warmup > 0 && number == self.warmup {
                *locked(&steady) = Some(Stats::new(self.records - self.warmup, true));
            }
            self.payload.fill(&mut buffer, number, &mut random);
            let (value, bytes) = (Some(buffer.as_slice()), buffer.len() as u64);
            let record = RecordToSend {
                topic: &self.topic,
                partition: None,
                key: None,
                value,
                headers: &[],
                timestamp: None,
            };
            let (sent, interval, tell) = (Instant::now(), self.interval, tell.clone());
            let (all, steady, is_steady) = (Arc::clone(&all), Arc::clone(&steady), number >= self.warmup);
            let report = move |delivered: Result<klamm::Delivered, klamm::ClientError>| match delivered {
                Err(error) => complain(Thrown::from(error)),
                Ok(_) => {
                    let latency = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let line = locked(&all).record(latency, bytes, interval);
                    let line = match locked(&steady).as_mut().filter(|_| is_steady) {
                        Some(steady) => steady.record(latency, bytes, interval),
                        None => line,
                    };
                    // Who does not listen any more needs no line.
                    let _ = line.map(|line| tell.send(line));
                }
            };
            if let Err(error) = self.producer.send_reported(&record, report) {
                complain(Thrown::from(error));
            }
            for line in lines.try_iter() {
                out.line(line)?;
                out.flush()?;
            }
            if let Some(rate) = self.rate.filter(|rate| *rate > 0.0) {
                let due = Duration::try_from_secs_f64((number + 1) as f64 / rate).unwrap_or(LAST_WAIT);
                interrupt.wait(due.saturating_sub(began.elapsed()));
            }
        }
        self.producer.settle(LAST_WAIT);
        self.producer.close(LAST_WAIT).map_err(|error| Ended::Failed(Thrown::from(error).message))?;
        for line in lines.try_iter() {
            out.line(line)?;
        }
        out.line(locked(&all).summary())?;
        if let Some(mut steady) = locked(&steady).take() {
            out.line(steady.summary())?;
        }
        Ok(())
    }
}

/// What is kept under a lock; whoever held it last may have panicked.
fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn properties(arguments: &Arguments) -> Result<Vec<(String, String)>, Ended> {
    let mut properties = Vec::new();
    for option in ["--producer.config", "--command-config"] {
        if let Some(path) = arguments.value(option) {
            properties.extend(client::properties_of(path).map_err(Ended::Failed)?);
        }
    }
    for option in ["--producer-props", "--command-property"] {
        for pair in arguments.values(option) {
            match super::super::java::split(pair, '=')[..] {
                [name, value] => properties.push((name.to_owned(), value.to_owned())),
                _ => return Err(Ended::Failed(format!("Invalid property: {pair}"))),
            }
        }
    }
    // As the JVM's client is unless it is told otherwise.
    if client::last(&properties, "acks").is_none() {
        properties.push(("acks".to_owned(), "all".to_owned()));
    }
    Ok(properties)
}

fn payload(arguments: &Arguments, out: &mut Output) -> Result<Payload, Ended> {
    if let Some(size) = arguments.number("--record-size") {
        if size > LARGEST_RECORD {
            return Err(Ended::Failed(format!(
                "--record-size is {size}, and no broker takes more than {LARGEST_RECORD} bytes"
            )));
        }
        return Ok(Payload::Random(size));
    }
    let Some(path) = arguments.value("--payload-file") else { return Ok(Payload::Counting) };
    let absolute =
        std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string());
    out.line(format_args!("Reading payloads from: {absolute}"))?;
    out.flush()?;
    let text = client::read_file(path).unwrap_or_default();
    if text.is_empty() {
        return Err(Ended::Failed("File does not exist or empty file provided.".to_owned()));
    }
    let delimiter = match arguments.value("--payload-delimiter") {
        None | Some("\\n") => "\n",
        Some(delimiter) => delimiter,
    };
    let delimiter = regex::Regex::new(delimiter)
        .map_err(|error| Ended::Failed(format!("--payload-delimiter is no regular expression: {error}")))?;
    let mut payloads: Vec<_> = delimiter.split(&text).map(|payload| payload.as_bytes().to_vec()).collect();
    if payloads.last().is_some_and(Vec::is_empty) {
        payloads.pop();
    }
    out.line(format_args!("Number of records read: {}", payloads.len()))?;
    Ok(Payload::OneOf(payloads))
}

impl Payload {
    /// Makes the payload of the record of this number.
    fn fill(&self, buffer: &mut Vec<u8>, number: u64, random: &mut Random) {
        buffer.clear();
        match self {
            Payload::Random(size) => buffer.extend((0..*size).map(|_| b'A' + random.below(26) as u8)),
            Payload::OneOf(payloads) => {
                let chosen = usize::try_from(random.below(payloads.len() as u64)).unwrap_or(0);
                buffer.extend_from_slice(payloads.get(chosen).map(Vec::as_slice).unwrap_or_default());
            }
            Payload::Counting => buffer.extend_from_slice(number.to_string().as_bytes()),
        }
    }
}

/// Numbers that look drawn by lot, the same in every run: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % limit.max(1)
    }
}

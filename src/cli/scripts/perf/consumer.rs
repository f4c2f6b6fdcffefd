//! `kafka-consumer-perf-test.sh`: how fast records can be read.

use std::time::{Duration, Instant};

use klamm::raw::{Consumer, Topics};

use super::super::super::signals::Interrupt;
use super::super::super::times::now_millis;
use super::super::errors::Thrown;
use super::super::options::{Opt, Parsed, flag, int, long, parse, text};
use super::super::{Ended, Output, client, complain, usage};
use super::{dates, decimal};

const OPTIONS: &[Opt] = &[
    text("bootstrap-server"),
    text("topic"),
    text("include"),
    text("group"),
    int("fetch-size").or("1048576"),
    flag("from-latest"),
    int("socket-buffer-size").or("2097152"),
    text("consumer.config"),
    text("command-config"),
    text("command-property"),
    flag("print-metrics"),
    flag("show-detailed-stats"),
    long("timeout").optional().or("10000"),
    long("messages"),
    long("num-records"),
    long("reporting-interval").or("5000"),
    text("date-format").or("yyyy-MM-dd HH:mm:ss:SSS"),
    flag("hide-header"),
];

/// How often it is looked whether there is an assignment: how long that took is measured.
const LOOK_FOR_ASSIGNMENT: Duration = Duration::from_millis(2);

/// How often it is looked whether somebody asks for the end.
const LOOK: Duration = Duration::from_millis(100);

/// How many records a poll of the JVM's client hands out at the most (`max.poll.records`).
const MAX_POLL_RECORDS: usize = 500;

/// How long the end may take.
const LAST_WAIT: Duration = Duration::from_secs(30);

const MEBIBYTE: f64 = 1024.0 * 1024.0;

fn failed(error: klamm::ClientError) -> Ended {
    Ended::Failed(Thrown::from(error).message)
}

pub(in super::super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments).map_err(|error| Ended::Usage(error.to_string()))?;
    parsed.help_or_version(usage::CONSUMER_PERF, out)?;
    check(&parsed, out)?;
    let detailed = parsed.has("show-detailed-stats");
    if !parsed.has("hide-header") {
        let first = if detailed { "time, threadId" } else { "start.time, end.time" };
        out.line(format_args!(
            "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
             fetch.MB.sec, fetch.nMsg.sec"
        ))?;
    }
    out.flush()?;
    let consumer = consumer(&parsed)?;
    let mut run = Run::new(&parsed)?;
    run.read(&consumer, out)?;
    let ended = now_millis();
    consumer.close(LAST_WAIT).map_err(failed)?;
    if !detailed {
        out.line(run.summary(ended))?;
    }
    if parsed.has("print-metrics") {
        complain(
            "--print-metrics: the figures are those of the JVM's client, which this program does not have; none are printed",
        );
    }
    Ok(())
}

fn check(parsed: &Parsed, out: &mut Output) -> Result<(), Ended> {
    let refuse = |why: &str| Err(Ended::Usage(why.to_owned()));
    parsed.require(&["bootstrap-server"])?;
    if parsed.count(&["messages", "num-records"]) != 1 {
        return refuse("Exactly one of the following arguments is required: [messages], [num-records]");
    }
    if parsed.count(&["topic", "include"]) != 1 {
        return refuse("Exactly one of the following arguments is required: [topic], [include]");
    }
    if parsed.count(&["consumer.config", "command-config"]) == 2 {
        return refuse("Option \"[consumer.config]\" can't be used with option \"[command-config]\"");
    }
    for (old, new) in [("messages", "num-records"), ("consumer.config", "command-config")] {
        if parsed.has(old) {
            out.line(format_args!("Warning: --{old} is deprecated. Use --{new} instead."))?;
        }
    }
    Ok(())
}

fn consumer(parsed: &Parsed) -> Result<Consumer, Ended> {
    let mut properties = Vec::new();
    for option in ["consumer.config", "command-config"] {
        if let Some(path) = parsed.value(option)? {
            properties.extend(client::properties_of(path).map_err(Ended::Failed)?);
        }
    }
    properties.extend(client::pairs(&parsed.values("command-property")));
    let group = match parsed.value("group")? {
        Some(group) => group.to_owned(),
        None => client::random_name("perf-consumer"),
    };
    let reset = if parsed.has("from-latest") { "latest" } else { "earliest" };
    let fetch = parsed.value("fetch-size")?.unwrap_or_default();
    for (name, value) in
        [("group.id", group.as_str()), ("max.partition.fetch.bytes", fetch), ("auto.offset.reset", reset)]
    {
        properties.push((name.to_owned(), value.to_owned()));
    }
    let servers = parsed.value("bootstrap-server")?.unwrap_or_default();
    client::check_addresses(servers, "No resolvable bootstrap urls given in bootstrap.servers")
        .map_err(|why| Ended::Failed(format!("Failed to construct kafka consumer\nCaused by: {why}")))?;
    let config = client::config(servers, &properties).map_err(failed)?;
    let id = client::last(&properties, "client.id").unwrap_or("perf-consumer-client");
    let (client, options) = config.consumer(id).map_err(failed)?;
    let topics = match parsed.value("topic")? {
        Some(topic) => Topics::Named(vec![topic.to_owned()]),
        None => Topics::Matching(parsed.value("include")?.unwrap_or_default().to_owned()),
    };
    Consumer::subscribe(client, options, &topics).map_err(failed)
}

/// Records and bytes that were read.
#[derive(Clone, Copy, Default)]
struct Count {
    records: i64,
    bytes: usize,
}

impl Count {
    fn since(self, before: Count) -> Count {
        Count { records: self.records - before.records, bytes: self.bytes - before.bytes }
    }

    fn mebibytes(self) -> f64 {
        self.bytes as f64 / MEBIBYTE
    }
}

struct Run {
    wanted: i64,
    timeout: i64,
    interval: Duration,
    detailed: bool,
    date_format: String,
    began: i64,
    /// How long it took until there were partitions to read; none before.
    joined_ms: Option<i64>,
    count: Count,
}

impl Run {
    fn new(parsed: &Parsed) -> Result<Self, Ended> {
        let wanted = match parsed.long("num-records")? {
            Some(wanted) => Some(wanted),
            None => parsed.long("messages")?,
        };
        let interval = parsed.long("reporting-interval")?.unwrap_or(0);
        if interval <= 0 {
            return Err(Ended::Failed("Reporting interval must be greater than 0.".to_owned()));
        }
        let date_format = parsed.value("date-format")?.unwrap_or_default().to_owned();
        if dates::format(&date_format, 0).is_none() {
            return Err(Ended::Failed(format!(
                "--date-format '{date_format}': of SimpleDateFormat's letters y, M, d, H, m, s and S are there, months as numbers"
            )));
        }
        Ok(Run {
            wanted: wanted.unwrap_or(0),
            timeout: parsed.long("timeout")?.unwrap_or(0),
            interval: Duration::from_millis(interval.unsigned_abs()),
            detailed: parsed.has("show-detailed-stats"),
            date_format,
            began: now_millis(),
            joined_ms: None,
            count: Count::default(),
        })
    }

    fn date(&self, at: i64) -> String {
        dates::format(&self.date_format, at).unwrap_or_default()
    }

    /// Reads until there are enough records, or none comes in time.
    fn read(&mut self, consumer: &Consumer, out: &mut Output) -> Result<(), Ended> {
        let interrupt = Interrupt::listen()?;
        let (mut last_record, mut reported, mut before) = (Instant::now(), Instant::now(), Count::default());
        let longest = u128::try_from(self.timeout).unwrap_or(0);
        while self.count.records < self.wanted
            && last_record.elapsed().as_millis() <= longest
            && !interrupt.is_asked()
        {
            let patience = if self.joined_ms.is_some() { LOOK } else { LOOK_FOR_ASSIGNMENT };
            let first = consumer.try_next().or_else(|| consumer.next(patience));
            self.look_for_assignment(consumer);
            // As many at a time as the JVM's client hands out: the last of them are counted too.
            let rest = std::iter::from_fn(|| consumer.try_next()).take(MAX_POLL_RECORDS - 1);
            for next in first.into_iter().chain(rest) {
                let record = match next {
                    Ok(record) => record,
                    Err(error) if error.is_retriable() => continue,
                    Err(error) => return Err(failed(error)),
                };
                last_record = Instant::now();
                self.count.records += 1;
                self.count.bytes +=
                    [record.key, record.value].iter().flatten().map(|part| part.len()).sum::<usize>();
            }
            if reported.elapsed() >= self.interval && self.count.records > before.records {
                if self.detailed {
                    let line = self.progress(before, reported.elapsed());
                    out.line(line)?;
                    out.flush()?;
                }
                (reported, before) = (Instant::now(), self.count);
            }
        }
        if self.count.records < self.wanted {
            out.line(format_args!(
                "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use \
                 the --timeout option to increase the timeout.",
                self.timeout
            ))?;
        }
        Ok(())
    }

    fn look_for_assignment(&mut self, consumer: &Consumer) {
        if self.joined_ms.is_none() && !consumer.assignment().is_empty() {
            self.joined_ms = Some(now_millis() - self.began);
        }
    }

    /// The line of an interval.
    fn progress(&self, before: Count, elapsed: Duration) -> String {
        let (read, millis) = (self.count.since(before), elapsed.as_millis().max(1) as f64);
        let rate = |amount: f64| 1000.0 * amount / millis;
        let joined = if before.records == 0 { self.joined_ms.unwrap_or(0) } else { 0 };
        let fetching = elapsed.as_millis() as i64 - joined;
        let fetch_rate = |amount: f64| if fetching <= 0 { 0.0 } else { 1000.0 * amount / fetching as f64 };
        format!(
            "{}, 0, {:.4}, {:.4}, {}, {:.4}, {joined}, {fetching}, {:.4}, {:.4}",
            self.date(now_millis()),
            self.count.mebibytes(),
            rate(read.mebibytes()),
            self.count.records,
            rate(read.records as f64),
            fetch_rate(read.mebibytes()),
            fetch_rate(read.records as f64)
        )
    }

    /// The line at the end.
    fn summary(&self, ended: i64) -> String {
        let joined = self.joined_ms.unwrap_or(0);
        let (seconds, fetching) = ((ended - self.began) as f64 / 1000.0, (ended - self.began) - joined);
        let (read, records) = (self.count.mebibytes(), self.count.records as f64);
        let fetch_seconds = fetching as f64 / 1000.0;
        format!(
            "{}, {}, {read:.4}, {}, {}, {}, {joined}, {fetching}, {}, {}",
            self.date(self.began),
            self.date(ended),
            decimal(read / seconds, 4),
            self.count.records,
            decimal(records / seconds, 4),
            decimal(read / fetch_seconds, 4),
            decimal(records / fetch_seconds, 4)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::super::options::assert_described(OPTIONS, usage::CONSUMER_PERF);
    }
}

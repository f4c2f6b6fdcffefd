//! `kafka-console-consumer.sh`: prints the records of topics.

mod formatter;

use std::io;
use std::time::{Duration, Instant};

use klamm::raw::{Begin, Consumer, Topics};
use klamm::{ClientError, Record, TopicPartition};

use super::super::signals::Interrupt;
use super::errors::Thrown;
use super::options::{Opt, OptionError, Parsed, flag, int, long, parse, text};
use super::{Ended, Output, client, complain, usage};
use formatter::Formatter;

const OPTIONS: &[Opt] = &[
    text("topic"),
    text("include"),
    int("partition"),
    text("offset").or("latest"),
    text("consumer-property"),
    text("command-property"),
    text("consumer.config"),
    text("command-config"),
    text("formatter").or(formatter::DEFAULT),
    text("property"),
    text("formatter-property"),
    text("formatter-config"),
    flag("from-beginning"),
    int("max-messages"),
    long("timeout-ms"),
    flag("skip-message-on-error"),
    text("bootstrap-server"),
    text("key-deserializer"),
    text("value-deserializer"),
    flag("enable-systest-events"),
    text("isolation-level").or("read_uncommitted"),
    text("group"),
];

/// Options of which the second has taken the place of the first.
const REPLACED: &[(&str, &str)] =
    &[("consumer-property", "command-property"), ("consumer.config", "command-config")];

/// How often it is looked whether somebody asks for the end.
const LOOK: Duration = Duration::from_millis(100);

/// How long the end may take: the last commit, and leaving the group.
const LAST_WAIT: Duration = Duration::from_secs(30);

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments).map_err(|error| Ended::Usage(error.to_string()))?;
    parsed.help_or_version(usage::CONSOLE_CONSUMER, out)?;
    check(&parsed)?;
    replaced(&parsed, out)?;
    let properties = properties(&parsed)?;
    let begin = begin(&parsed)?;
    let timeout =
        parsed.long("timeout-ms")?.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
    let formatter = Formatter::of(&parsed, out)?;
    out.flush()?;
    let consumer = consumer(&parsed, &properties, begin).map_err(|error| Ended::Failed(logged(&error)))?;
    let printing = Printing { parsed: &parsed, consumer: &consumer, formatter, timeout };
    let (count, ended) = printing.all(out);
    let closed = consumer.close(LAST_WAIT);
    complain(format_args!("Processed a total of {count} messages"));
    if let Err(error) = closed {
        complain(logged(&error));
    }
    if parsed.has("enable-systest-events") {
        out.line("shutdown_complete")?;
    }
    ended
}

/// What the original writes to its log.
fn logged(error: &ClientError) -> String {
    Thrown::from(error).to_string()
}

fn check(parsed: &Parsed) -> Result<(), Ended> {
    let refuse = |why: &str| Err(Ended::Usage(why.to_owned()));
    if parsed.count(&["topic", "include"]) != 1 {
        return refuse("Exactly one of the following arguments is required: [topic], [include]");
    }
    if parsed.int("partition")?.is_some() {
        if !parsed.has("topic") {
            return refuse("The topic is required when partition is specified.");
        }
        if parsed.has("from-beginning") && parsed.has("offset") {
            return refuse("Options from-beginning and offset cannot be specified together.");
        }
    } else if parsed.has("offset") {
        return refuse("The partition is required when offset is specified.");
    }
    parsed.require(&["bootstrap-server"])
}

fn replaced(parsed: &Parsed, out: &mut Output) -> Result<(), Ended> {
    for (old, new) in REPLACED {
        if parsed.has(old) && parsed.has(new) {
            return Err(Ended::Usage(format!("Options --{old} and --{new} cannot be specified together.")));
        }
    }
    for (old, new) in REPLACED {
        if parsed.has(old) {
            out.line(format_args!(
                "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            ))?;
        }
    }
    Ok(())
}

/// What the consumer is told: a file's properties, those of the command line, and what options stand for.
fn properties(parsed: &Parsed) -> Result<Vec<(String, String)>, Ended> {
    let (mut properties, mut groups) = (Vec::new(), Vec::new());
    groups.extend(parsed.value("group")?.map(str::to_owned));
    for option in ["consumer.config", "command-config"] {
        if let Some(path) = parsed.value(option)? {
            properties.extend(client::properties_of(path).map_err(Ended::Failed)?);
        }
    }
    groups.extend(client::last(&properties, "group.id").map(str::to_owned));
    let mut own = Vec::new();
    for option in ["consumer-property", "command-property"] {
        own.extend(client::pairs(&parsed.values(option)));
    }
    groups.extend(client::last(&own, "group.id").map(str::to_owned));
    properties.extend(own);
    groups.dedup();
    if groups.len() > 1 {
        let groups: Vec<_> = groups.iter().map(|group| format!("'{group}'")).collect();
        return Err(Ended::Usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--consumer.config') do not match. Detected group ids: {}",
            groups.join(", ")
        )));
    }
    if !groups.is_empty() && parsed.has("partition") {
        return Err(Ended::Usage("Options group and partition cannot be specified together.".to_owned()));
    }
    settle(parsed, properties, groups.pop())
}

/// Adds what options stand for, where it is not said otherwise.
fn settle(
    parsed: &Parsed,
    mut properties: Vec<(String, String)>,
    group: Option<String>,
) -> Result<Vec<(String, String)>, Ended> {
    let wanted = if parsed.has("from-beginning") { "earliest" } else { "latest" };
    match client::last(&properties, "auto.offset.reset") {
        Some(reset) if parsed.has("from-beginning") && reset != "earliest" => {
            return Err(Ended::Failed(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove one option"
            )));
        }
        Some(_) => {}
        None => properties.push(("auto.offset.reset".to_owned(), wanted.to_owned())),
    }
    if parsed.has("isolation-level") || client::last(&properties, "isolation.level").is_none() {
        let level = parsed.value("isolation-level")?.unwrap_or_default();
        properties.push(("isolation.level".to_owned(), level.to_owned()));
    }
    match group {
        Some(group) => properties.push(("group.id".to_owned(), group)),
        None => {
            properties.push(("group.id".to_owned(), client::random_name("console-consumer")));
            if client::last(&properties, "enable.auto.commit").is_none() {
                properties.push(("enable.auto.commit".to_owned(), "false".to_owned()));
            }
        }
    }
    Ok(properties)
}

/// Where reading of a partition that was named begins.
fn begin(parsed: &Parsed) -> Result<Begin, Ended> {
    if !parsed.has("offset") {
        return Ok(if parsed.has("from-beginning") { Begin::Earliest } else { Begin::Latest });
    }
    let offset = parsed.value("offset")?.unwrap_or_default();
    match offset.to_lowercase().as_str() {
        "earliest" => Ok(Begin::Earliest),
        "latest" => Ok(Begin::Latest),
        text => match text.parse().ok().filter(|offset: &i64| *offset >= 0) {
            Some(offset) => Ok(Begin::Offset(offset)),
            None => Err(Ended::Usage(format!(
                "The provided offset value '{offset}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            ))),
        },
    }
}

fn consumer(parsed: &Parsed, properties: &[(String, String)], begin: Begin) -> Result<Consumer, ClientError> {
    let of_option = |error: OptionError| {
        ClientError::new(klamm::ErrorKind::InvalidArgument, "reading the options", error.to_string())
    };
    let servers = parsed.value("bootstrap-server").map_err(of_option)?.unwrap_or_default();
    client::check_addresses(servers, "No resolvable bootstrap urls given in bootstrap.servers")
        .map_err(|why| ClientError::new(klamm::ErrorKind::Config, "making a consumer", why))?;
    let config = client::config(servers, properties)?;
    let id = client::last(properties, "client.id").unwrap_or("console-consumer");
    let (client, options) = config.consumer(id)?;
    let topic = parsed.value("topic").map_err(of_option)?;
    if let (Some(topic), Some(partition)) = (topic, parsed.int("partition").map_err(of_option)?) {
        return Consumer::assign(client, options, &[(TopicPartition::new(topic, partition), begin)]);
    }
    let topics = match topic {
        Some(topic) => Topics::Named(vec![topic.to_owned()]),
        None => Topics::Matching(parsed.value("include").map_err(of_option)?.unwrap_or_default().to_owned()),
    };
    Consumer::subscribe(client, options, &topics)
}

struct Printing<'a> {
    parsed: &'a Parsed,
    consumer: &'a Consumer,
    formatter: Formatter,
    timeout: Option<Duration>,
}

/// What waiting for a record came to.
enum Next {
    Record(Record),
    End,
}

impl Printing<'_> {
    /// Prints records until there are enough, none comes in time, or somebody asks for the end; says how many there were.
    fn all(mut self, out: &mut Output) -> (i64, Result<(), Ended>) {
        let mut count = 0;
        let ended = self.print(&mut count, out);
        let flushed = out.flush();
        let ended = match (ended, flushed) {
            (Err(Ended::Output(error)), _) | (Ok(()), Err(error)) => unwritable(&error),
            (ended, _) => ended,
        };
        (count, ended)
    }

    fn print(&mut self, count: &mut i64, out: &mut Output) -> Result<(), Ended> {
        let most = match self.parsed.int("max-messages") {
            Ok(most) => most.map(i64::from).filter(|most| *most != -1),
            // The original finds out only now.
            Err(error) => return Err(Ended::Failed(error.to_string())),
        };
        let interrupt = Interrupt::listen()?;
        while most.is_none_or(|most| *count < most) {
            let record = match self.next(&interrupt, out)? {
                Next::Record(record) => record,
                Next::End => return Ok(()),
            };
            *count += 1;
            match self.formatter.write(&record, out) {
                Ok(()) => {}
                Err(formatter::Failed::Output(error)) => return Err(Ended::Output(error)),
                Err(formatter::Failed::Value(why)) if self.parsed.has("skip-message-on-error") => {
                    complain(why)
                }
                Err(formatter::Failed::Value(why)) => return Err(Ended::Failed(why)),
            }
        }
        Ok(())
    }

    /// The next record. What was printed is seen before it is waited for.
    fn next(&self, interrupt: &Interrupt, out: &mut Output) -> Result<Next, Ended> {
        let began = Instant::now();
        loop {
            if interrupt.is_asked() {
                return Ok(Next::End);
            }
            let mut arrived = self.consumer.try_next();
            if arrived.is_none() {
                out.flush()?;
                let left = self.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
                arrived = self.consumer.next(left.unwrap_or(LOOK).min(LOOK));
            }
            match arrived {
                Some(Ok(record)) => return Ok(Next::Record(record)),
                Some(Err(error)) if error.is_retriable() => complain(logged(&error)),
                Some(Err(error)) => {
                    complain(logged(&error));
                    return Ok(Next::End);
                }
                None if self.timeout.is_some_and(|timeout| began.elapsed() >= timeout) => {
                    return Ok(Next::End);
                }
                None => {}
            }
        }
    }
}

/// Nobody reads on, or nothing can be written: the end, and no failure.
fn unwritable(_: &io::Error) -> Result<(), Ended> {
    complain("Unable to write to standard out, closing consumer.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::CONSOLE_CONSUMER);
    }
}

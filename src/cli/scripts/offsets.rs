//! `kafka-get-offsets.sh`: offsets of partitions.

use klamm::{Admin, ClientError, OffsetAt, TopicPartition};
use regex::Regex;

use super::errors::Thrown;
use super::options::{Opt, OptionError, Parsed, flag, parse, text};
use super::topics::topic_pattern;
use super::{Ended, Output, client, complain, java, usage};

const OPTIONS: &[Opt] = &[
    text("bootstrap-server"),
    text("topic-partitions"),
    text("topic"),
    text("partitions"),
    text("time").or("latest"),
    text("command-config"),
    flag("exclude-internal-topics"),
];

const TIMES: &str = "-1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / \
                     -6 or earliest-pending-upload";

/// What stands behind `Error occurred: `.
fn occurred(message: impl std::fmt::Display) -> Ended {
    Ended::Failed(format!("Error occurred: {message}"))
}

fn of_client(error: ClientError) -> Ended {
    occurred(Thrown::from(error))
}

fn of_option(error: OptionError) -> Ended {
    occurred(error)
}

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments).map_err(of_option)?;
    parsed.help_or_version(usage::OFFSETS, out)?;
    parsed.require(&["bootstrap-server"])?;
    client::check_bootstrap(parsed.value("bootstrap-server").map_err(of_option)?.unwrap_or_default())?;
    if parsed.has("topic-partitions") && parsed.count(&["topic", "partitions"]) > 0 {
        return Err(occurred("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let at = time(parsed.value("time").map_err(of_option)?.unwrap_or_default())?;
    let rules = rules(&parsed)?;
    let admin = client::admin(&parsed, "GetOffsetShell").map_err(occurred)?;
    let wanted = partitions(&admin, &rules, parsed.has("exclude-internal-topics"))?;
    if wanted.is_empty() {
        return Err(occurred("Could not match any topic-partitions with the specified filters"));
    }
    for ((partition, _), found) in
        admin.list_offsets(wanted.into_iter().map(|partition| (partition, at))).wait().map_err(of_client)?
    {
        match found {
            Ok(Some(found)) => {
                out.line(format_args!("{}:{}:{}", partition.topic, partition.partition, found.offset))?
            }
            Ok(None) => {}
            Err(error) => complain(format_args!(
                "Skip getting offsets for topic-partition {partition} due to error: {}",
                Thrown::from(error)
            )),
        }
    }
    Ok(())
}

/// Which offset `--time` asks for.
fn time(text: &str) -> Result<OffsetAt, Ended> {
    Ok(match text {
        "latest" | "-1" => OffsetAt::Latest,
        "earliest" | "-2" => OffsetAt::Earliest,
        "max-timestamp" | "-3" => OffsetAt::MaxTimestamp,
        "earliest-local" | "-4" => OffsetAt::EarliestLocal,
        "latest-tiered" | "-5" => OffsetAt::LatestTiered,
        "earliest-pending-upload" | "-6" => OffsetAt::EarliestPendingUpload,
        text => match text.parse() {
            Ok(at) => OffsetAt::Timestamp(at),
            Err(_) => {
                let why = format!(
                    "Malformed time argument {text}. Please use {TIMES}, or a specified long format timestamp"
                );
                return Err(occurred(why));
            }
        },
    })
}

/// Which partitions of which topics are meant.
struct Rule {
    topics: Regex,
    partitions: Numbers,
}

enum Numbers {
    All,
    Some(Vec<i32>),
    /// From the first on, and before the second.
    Range(i32, i32),
}

impl Rule {
    fn includes(&self, topic: &str, partition: i32) -> bool {
        let number = match &self.partitions {
            Numbers::All => true,
            Numbers::Some(numbers) => numbers.contains(&partition),
            Numbers::Range(from, before) => (*from..*before).contains(&partition),
        };
        number && self.topics.is_match(topic)
    }
}

fn rules(parsed: &Parsed) -> Result<Vec<Rule>, Ended> {
    if let Some(list) = parsed.value("topic-partitions").map_err(of_option)? {
        return java::split(list, ',').into_iter().map(rule).collect();
    }
    let topics = parsed.value("topic").map_err(of_option)?.unwrap_or(".*");
    let partitions = match parsed.value("partitions").map_err(of_option)?.filter(|list| !list.is_empty()) {
        None => Numbers::All,
        Some(list) => {
            let numbers = java::split(list, ',').into_iter().map(str::parse);
            let why = || {
                format!(
                    "--partitions expects a comma separated list of numeric partition ids, but received: {list}"
                )
            };
            Numbers::Some(numbers.collect::<Result<_, _>>().map_err(|_| occurred(why()))?)
        }
    };
    Ok(vec![Rule { topics: topic_pattern(topics).map_err(occurred)?, partitions }])
}

/// A rule of `--topic-partitions`: `TOPIC`, `TOPIC:3`, `TOPIC:2-4`, `TOPIC:2-`, `TOPIC:-4`, or these without a topic.
fn rule(text: &str) -> Result<Rule, Ended> {
    let wrong =
        || occurred(format!("org.apache.kafka.tools.TerseException: Invalid rule specification: {text}"));
    let number = |text: &str, default| match text {
        "" => Ok(default),
        text => text.parse().map_err(|_| wrong()),
    };
    let (topic, partitions) = match text.split_once(':') {
        None => (text, Numbers::All),
        Some((topic, "")) => (topic, Numbers::All),
        Some((topic, range)) => match range.split_once('-') {
            Some((from, before)) => (topic, Numbers::Range(number(from, 0)?, number(before, i32::MAX)?)),
            None => (topic, Numbers::Some(vec![number(range, 0)?])),
        },
    };
    let topics = topic_pattern(if topic.is_empty() { ".*" } else { topic }).map_err(occurred)?;
    Ok(Rule { topics, partitions })
}

/// The partitions that a rule includes, in the order of their texts, as the original has them.
fn partitions(admin: &Admin, rules: &[Rule], without_internal: bool) -> Result<Vec<TopicPartition>, Ended> {
    let topics = admin.list_topics().wait().map_err(of_client)?;
    let topics =
        topics.into_iter().filter(|topic| !(topic.internal && without_internal)).map(|topic| topic.name);
    let topics = topics.filter(|topic| rules.iter().any(|rule| rule.topics.is_match(topic)));
    let described = admin.describe_topics(topics).wait().and_then(klamm::Each::all).map_err(of_client)?;
    let all = described.into_iter().flat_map(|(name, topic)| {
        topic
            .partitions
            .into_iter()
            .map(move |partition| TopicPartition::new(name.as_str(), partition.partition))
    });
    let mut wanted: Vec<_> = all
        .filter(|partition| rules.iter().any(|rule| rule.includes(&partition.topic, partition.partition)))
        .collect();
    wanted.sort_by_cached_key(ToString::to_string);
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::OFFSETS);
    }

    #[test]
    fn a_rule_says_which_partitions_of_which_topics() {
        let includes = |text: &str, topic: &str, partition| {
            rule(text).ok().is_some_and(|rule| rule.includes(topic, partition))
        };
        assert!(includes("a:3", "a", 3) && !includes("a:3", "a", 4) && !includes("a:3", "b", 3));
        assert!(includes("a:2-4", "a", 2) && includes("a:2-4", "a", 3) && !includes("a:2-4", "a", 4));
        assert!(includes("a:2-", "a", 9) && includes("a:-2", "a", 1) && !includes("a:-2", "a", 2));
        assert!(includes(":0", "whatever", 0) && includes("a", "a", 7) && includes("a:-", "a", 7));
        assert!(rule("a:x").is_err() && rule("(").is_err());
    }
}

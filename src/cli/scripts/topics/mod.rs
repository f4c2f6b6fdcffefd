//! `kafka-topics.sh`: creating, listing, describing, altering and deleting topics.

mod describe;

use klamm::{Admin, NewTopic};
use regex::Regex;

use super::errors::Thrown;
use super::options::{Opt, OptionError, Parsed, flag, int, parse, text};
use super::{Ended, Output, client, complain, java, usage};

const OPTIONS: &[Opt] = &[
    text("bootstrap-server"),
    text("command-config"),
    flag("list"),
    flag("create"),
    flag("delete"),
    flag("alter"),
    flag("describe"),
    text("topic"),
    text("topic-id"),
    text("config"),
    text("delete-config"),
    int("partitions"),
    int("replication-factor"),
    text("replica-assignment"),
    flag("under-replicated-partitions"),
    flag("unavailable-partitions"),
    flag("under-min-isr-partitions"),
    flag("at-min-isr-partitions"),
    flag("topics-with-overrides"),
    flag("if-exists"),
    flag("if-not-exists"),
    flag("exclude-internal"),
    int("partition-size-limit-per-response"),
];

const ACTIONS: &[&str] = &["create", "list", "alter", "describe", "delete"];

/// What restricts a description to some partitions.
const REPORTS: &[&str] = &[
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

const USE_CONFIGS: &str = " (To alter topic configurations, the kafka-configs tool can be used.)";

/// Why the work was not done: what stands behind `Error while executing topic command : `.
enum Problem {
    Said(String),
    Output(std::io::Error),
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Output(error)
    }
}

impl From<klamm::ClientError> for Problem {
    fn from(error: klamm::ClientError) -> Self {
        Problem::Said(Thrown::from(error).message)
    }
}

impl From<OptionError> for Problem {
    fn from(error: OptionError) -> Self {
        Problem::Said(error.to_string())
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Problem::Said(message)
    }
}

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments)?;
    check(&parsed, out)?;
    let admin = client::admin(&parsed, "adminclient-1")?;
    let done = match () {
        () if parsed.has("create") => create(&admin, &parsed, out),
        () if parsed.has("alter") => alter(&admin, &parsed),
        () if parsed.has("list") => list(&admin, &parsed, out),
        () if parsed.has("describe") => describe::run(&admin, &parsed, out),
        () => delete(&admin, &parsed),
    };
    match done {
        Ok(()) => Ok(()),
        Err(Problem::Output(error)) => Err(Ended::Output(error)),
        Err(Problem::Said(message)) => {
            out.line(format_args!("Error while executing topic command : {message}"))?;
            Err(Ended::Said(1))
        }
    }
}

fn check(parsed: &Parsed, out: &mut Output) -> Result<(), Ended> {
    if parsed.is_empty {
        return Err(Ended::Usage("Create, delete, describe, or change a topic.".to_owned()));
    }
    parsed.help_or_version(usage::TOPICS, out)?;
    if parsed.count(ACTIONS) != 1 {
        let why =
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete";
        return Err(Ended::Usage(why.to_owned()));
    }
    if parsed.has("delete-config") {
        complain(format_args!(
            "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully \
             removed in future releases."
        ));
    }
    if !parsed.has("bootstrap-server") {
        return Err(Ended::Failed("--bootstrap-server must be specified".to_owned()));
    }
    if parsed.has("describe") && parsed.has("if-exists") {
        if parsed.count(&["topic", "topic-id"]) == 0 {
            return Err(Ended::Usage("--topic or --topic-id is required to describe a topic".to_owned()));
        }
        if parsed.count(&["topic", "topic-id"]) == 2 {
            out.line("Only topic id will be used when both --topic and --topic-id are specified and topicId is not Uuid.ZERO_UUID")?;
        }
    }
    if !parsed.has("list") && !parsed.has("describe") {
        parsed.require(&["topic"])?;
    }
    if parsed.has("alter") {
        if parsed.has("config") {
            let why =
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\"";
            return Err(Ended::Usage(format!("{why}{USE_CONFIGS}")));
        }
        parsed.require(&["partitions"])?;
    }
    check_company(parsed)
}

/// Which options go with which action.
fn check_company(parsed: &Parsed) -> Result<(), Ended> {
    let only_with = |option: &str, actions: &[&str]| {
        let others: Vec<_> = ACTIONS.iter().copied().filter(|action| !actions.contains(action)).collect();
        parsed.exclude(option, &others)
    };
    only_with("config", &["alter", "create"])?;
    only_with("partitions", &["alter", "create"])?;
    only_with("replication-factor", &["create"])?;
    only_with("replica-assignment", &["alter", "create"])?;
    if parsed.has("create") {
        parsed.exclude("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for report in REPORTS {
        only_with(report, &["describe"])?;
        parsed.exclude(report, &["topics-with-overrides"])?;
    }
    only_with("topics-with-overrides", &["describe"])?;
    parsed.exclude("topics-with-overrides", REPORTS)?;
    only_with("if-exists", &["alter", "delete", "describe"])?;
    only_with("if-not-exists", &["create"])?;
    only_with("exclude-internal", &["list", "describe"])
}

fn create(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let name = parsed.value("topic")?.unwrap_or_default();
    let (partitions, replication) = (parsed.int("partitions")?, parsed.int("replication-factor")?);
    let assignments = assignments(parsed)?;
    let mut topic = NewTopic::new(name);
    for (key, value) in configs(parsed)? {
        topic = topic.config(key, value);
    }
    if name.contains(['.', '_']) {
        out.line(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both.",
        )?;
    }
    if let Some(replication) = replication {
        let replication = i16::try_from(replication).ok().filter(|replication| *replication >= 1);
        topic = topic.replication(
            replication.ok_or("The replication factor must be between 1 and 32767 inclusive".to_owned())?,
        );
    }
    if let Some(partitions) = partitions {
        if partitions < 1 {
            return Err("The partitions must be greater than 0".to_owned().into());
        }
        topic = topic.partitions(partitions);
    }
    if !assignments.is_empty() {
        topic = topic.assignments(assignments);
    }
    for (_, created) in admin.create_topics([topic]).wait()? {
        match created {
            Ok(_) => out.line(format_args!("Created topic {name}."))?,
            Err(error) if parsed.has("if-not-exists") && Thrown::from(&error).is("TopicExistsException") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The configs of `--config`.
fn configs(parsed: &Parsed) -> Result<Vec<(&str, &str)>, Problem> {
    let pair = |text| {
        match java::split(text, '=')[..] {
        [name, value] => Ok((name.trim(), value.trim())),
        _ => Err("requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".".to_owned()),
    }
    };
    Ok(parsed.values("config").into_iter().map(pair).collect::<Result<_, _>>()?)
}

/// The brokers of each partition, of `--replica-assignment`.
fn assignments(parsed: &Parsed) -> Result<Vec<Vec<i32>>, Problem> {
    let Some(list) = parsed.value("replica-assignment")?.filter(|list| !list.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut assignments: Vec<Vec<i32>> = Vec::new();
    for (at, partition) in java::split(list, ',').into_iter().enumerate() {
        let ids = java::split(partition, ':').into_iter().map(|id| java::parse_int(id.trim()));
        let brokers = ids.collect::<Result<Vec<_>, _>>()?;
        let is_again = |at: usize, id: &i32| brokers.iter().take(at).any(|before| before == id);
        let mut again: Vec<_> =
            brokers.iter().enumerate().filter(|(at, id)| is_again(*at, id)).map(|(_, id)| id).collect();
        again.dedup();
        if !again.is_empty() {
            let again = java::joined(again, ",");
            return Err(format!("Partition replica lists may not contain duplicate entries: {again}").into());
        }
        if assignments.first().is_some_and(|first| first.len() != brokers.len()) {
            let brokers = java::joined(&brokers, ", ");
            return Err(format!("Partition {at} has different replication factor: [{brokers}]").into());
        }
        assignments.push(brokers);
    }
    Ok(assignments)
}

fn list(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    out.line(java::joined(names(admin, parsed)?, "\n"))?;
    Ok(())
}

fn alter(admin: &Admin, parsed: &Parsed) -> Result<(), Problem> {
    let assignments = assignments(parsed)?;
    let total = parsed.int("partitions")?.unwrap_or_default();
    let names = expected(names(admin, parsed)?, parsed)?;
    if assignments.is_empty() {
        admin.create_partitions(names.into_iter().map(|name| (name, total))).wait()?.all()?;
        return Ok(());
    }
    let mut totals = Vec::with_capacity(names.len());
    for (name, topic) in admin.describe_topics(names).wait()? {
        // Partitions that are there already are named too, and stay where they are.
        let added = assignments.iter().skip(topic?.partitions.len()).cloned().collect();
        totals.push((name, total, added));
    }
    admin.create_partitions_on(totals).wait()?.all()?;
    Ok(())
}

fn delete(admin: &Admin, parsed: &Parsed) -> Result<(), Problem> {
    let names = expected(names(admin, parsed)?, parsed)?;
    admin.delete_topics(names).wait()?.all()?;
    Ok(())
}

/// The names that `--topic` matches, in their order.
fn names(admin: &Admin, parsed: &Parsed) -> Result<Vec<String>, Problem> {
    let pattern = parsed.value("topic")?.map(topic_pattern).transpose()?;
    let topics = admin.list_topics().wait()?.into_iter();
    let wanted = topics.filter(|topic| {
        let excluded = topic.internal && parsed.has("exclude-internal");
        !excluded && pattern.as_ref().is_none_or(|pattern| pattern.is_match(&topic.name))
    });
    Ok(wanted.map(|topic| topic.name).collect())
}

/// Topics that `--topic` matches must be there, unless `--if-exists` says otherwise.
fn expected(names: Vec<String>, parsed: &Parsed) -> Result<Vec<String>, Problem> {
    let wanted = parsed.value("topic")?.unwrap_or_default();
    if names.is_empty() && !wanted.is_empty() && !parsed.has("if-exists") {
        return Err(format!("Topic '{wanted}' does not exist as expected").into());
    }
    Ok(names)
}

/// Of names of topics as scripts take them: a regular expression for whole names, with commas for `|`.
pub(super) fn topic_pattern(text: &str) -> Result<Regex, String> {
    let plain = text.trim().replace(',', "|").replace(['"', '\''], "");
    Regex::new(&format!("^(?:{plain})$")).map_err(|_| format!("{plain} is an invalid regex."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::TOPICS);
    }

    #[test]
    fn a_pattern_matches_whole_names_and_takes_commas() {
        let pattern = topic_pattern("'orders',pay.*").unwrap();
        for (name, matches) in [("orders", true), ("orders2", false), ("payments", true), ("repay", false)] {
            assert_eq!(pattern.is_match(name), matches, "{name}");
        }
        assert_eq!(topic_pattern("(").unwrap_err(), "( is an invalid regex.");
    }
}

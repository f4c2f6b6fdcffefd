//! `klamm topics describe`.

use std::collections::HashMap;
use std::process::ExitCode;

use klamm::{ConfigResource, ConfigSource, OffsetAt, PartitionDescription, TopicDescription, TopicPartition};
use serde_json::json;

use super::code;
use crate::cli::error::Failure;
use crate::cli::output::{Form, Output, count, grouped};
use crate::cli::session::{Named, Session};
use crate::cli::terminal::Style;

#[derive(Debug, clap::Args)]
pub(super) struct Describe {
    /// Which topics. [default: all but the brokers' own]
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
}

/// Where partitions begin and end; nothing of those that have no leader.
type Ends = HashMap<(TopicPartition, OffsetAt), i64>;

impl Describe {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let mut names = self.topics;
        if names.is_empty() {
            let listed = session.wait(session.admin.list_topics())?;
            names = listed.into_iter().filter(|topic| !topic.internal).map(|topic| topic.name).collect();
        }
        let described = session.wait(session.admin.describe_topics(names))?;
        let (topics, all) =
            session.sort(described, |session, name, error| session.explain_name(Named::Topic, name, error));
        let topics: Vec<_> = topics.into_iter().map(|(_, topic)| topic).collect();
        let ends = ends(session, &topics)?;
        let set = if form.json { HashMap::new() } else { set_for(session, &topics) };
        let mut out = Output::new();
        for (place, topic) in topics.iter().enumerate() {
            if form.json {
                write_json(&mut out, topic, &ends)?;
            } else {
                if place > 0 {
                    out.line("")?;
                }
                write_text(&mut out, topic, &ends, set.get(&topic.name).map_or(&[], Vec::as_slice))?;
            }
        }
        out.flush()?;
        Ok(code(all))
    }
}

fn ends(session: &Session, topics: &[TopicDescription]) -> Result<Ends, Failure> {
    let wanted = topics.iter().flat_map(|topic| {
        let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        led.flat_map(|partition| {
            let partition = TopicPartition::new(topic.name.as_str(), partition.partition);
            [OffsetAt::Earliest, OffsetAt::Latest].map(|at| (partition.clone(), at))
        })
    });
    let found = session.wait(session.admin.list_offsets(wanted.collect::<Vec<_>>()))?;
    Ok(found.into_iter().filter_map(|(asked, found)| Some((asked, found.ok()??.offset))).collect())
}

/// The configs that were set for the topics themselves. A broker that does not tell does not keep the rest from being shown.
fn set_for(session: &Session, topics: &[TopicDescription]) -> HashMap<String, Vec<String>> {
    let resources = topics.iter().map(|topic| ConfigResource::Topic(topic.name.clone()));
    let described = session.admin.describe_configs(resources).wait();
    let mut set: HashMap<String, Vec<String>> = HashMap::new();
    for (resource, entries) in described.into_iter().flatten() {
        let ConfigResource::Topic(topic) = resource else { continue };
        for entry in entries.unwrap_or_default() {
            if entry.source == ConfigSource::Topic {
                let value = entry.value.unwrap_or_default();
                set.entry(topic.clone()).or_default().push(format!("{}={value}", entry.name));
            }
        }
    }
    set
}

fn write_json(out: &mut Output, topic: &TopicDescription, ends: &Ends) -> Result<(), Failure> {
    for partition in &topic.partitions {
        let (start, end) = range(topic, partition, ends);
        out.json(&json!({
            "topic": topic.name,
            "id": topic.id,
            "internal": topic.internal,
            "partition": partition.partition,
            "leader": partition.leader,
            "leader_epoch": partition.leader_epoch,
            "replicas": partition.replicas,
            "in_sync": partition.in_sync,
            "offline": partition.offline,
            "log_start": start,
            "log_end": end,
        }))?;
    }
    Ok(())
}

fn range(
    topic: &TopicDescription,
    partition: &PartitionDescription,
    ends: &Ends,
) -> (Option<i64>, Option<i64>) {
    let key = TopicPartition::new(topic.name.as_str(), partition.partition);
    let end = |at| ends.get(&(key.clone(), at)).copied();
    (end(OffsetAt::Earliest), end(OffsetAt::Latest))
}

fn write_text(
    out: &mut Output,
    topic: &TopicDescription,
    ends: &Ends,
    set: &[String],
) -> Result<(), Failure> {
    let replication = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
    let partitions = count(topic.partitions.len() as u64, "partition");
    let internal = if topic.internal { ", internal" } else { "" };
    out.styled(
        Style::Strong,
        format_args!("{}: {partitions}, replication {replication}{internal}", topic.name),
    )?;
    if !set.is_empty() {
        out.line(format_args!("set: {}", set.join(", ")))?;
    }
    let rows = topic.partitions.iter().map(|partition| {
        let (start, end) = range(topic, partition, ends);
        let number = |offset: Option<i64>| offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string());
        let records = start.zip(end).and_then(|(start, end)| u64::try_from(end - start).ok());
        let row = vec![
            partition.partition.to_string(),
            partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string()),
            ids(&partition.replicas),
            ids(&partition.in_sync),
            number(start),
            number(end),
            records.map_or_else(|| "?".to_owned(), grouped),
        ];
        (health(partition), row)
    });
    let head = ["PARTITION", "LEADER", "REPLICAS", "IN SYNC", "START", "END", "OFFSETS"];
    out.styled_table(&head, &[0, 1, 4, 5, 6], rows)?;
    Ok(())
}

/// Without a leader nothing can be done with a partition; with fewer in sync than there should be it can be lost.
fn health(partition: &PartitionDescription) -> Style {
    match partition {
        PartitionDescription { leader: None, .. } => Style::Bad,
        PartitionDescription { in_sync, replicas, .. } if in_sync.len() < replicas.len() => Style::Warning,
        _ => Style::Plain,
    }
}

fn ids(brokers: &[i32]) -> String {
    brokers.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

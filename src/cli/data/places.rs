//! From topics as a person names them to partitions, and from where each is read up to where.

use std::sync::Arc;

use klamm::{Admin, ClientError, OffsetAt, ResponseError, TopicPartition};
use regex::Regex;

use crate::cli::connect::Cluster;
use crate::cli::error::{Failure, Usage};
use crate::cli::values::did_you_mean;

/// Most partitions that can be named one by one.
const MOST_NAMED: usize = 100_000;

/// Where reading of a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Beginning,
    End,
    Offset(i64),
    /// So many offsets before the end.
    Tail(i64),
    /// At the first record of this time or later.
    Time(i64),
}

impl Start {
    /// Of what kcat takes too: `beginning`, `end`, an offset, or how far before the end.
    pub(crate) fn parse(text: &str) -> Result<Start, String> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        let found = match text {
            "beginning" | "earliest" | "start" => Some(Start::Beginning),
            "end" | "latest" => Some(Start::End),
            text => match text.strip_prefix('-') {
                Some(before) => number(before).map(Start::Tail),
                None => number(text).map(Start::Offset),
            },
        };
        found.ok_or_else(|| {
            "give beginning, end, an offset, or -N for N before the end; a time goes to --since".to_owned()
        })
    }
}

/// What is to be read.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) topics: &'a [String],
    /// Whether these are regular expressions for whole names.
    pub(crate) regex: bool,
    /// The partitions; all if none are named.
    pub(crate) partitions: &'a [i32],
    pub(crate) start: Start,
    /// Up to the first record of this time or later.
    pub(crate) until: Option<i64>,
}

/// A partition that is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) partition: TopicPartition,
    /// The first offset that there is, and that behind the last.
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
    /// Where reading begins, and before which offset it ends where it has to.
    pub(crate) begin: i64,
    pub(crate) end: Option<i64>,
}

/// Partitions as `0,2,4-6`.
pub(crate) fn parse_partitions(text: &str) -> Result<Vec<i32>, String> {
    let wrong = || format!("'{text}' names no partitions; give numbers and ranges such as 0,2,4-6");
    let number = |text: &str| text.trim().parse::<i32>().ok().filter(|number| *number >= 0);
    let mut found = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
        if first > last || usize::try_from(last - first).is_ok_and(|more| found.len() + more >= MOST_NAMED) {
            return Err(wrong());
        }
        found.extend(first..=last);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Looks all of it up. Nothing is created.
pub(crate) fn find(cluster: &Cluster, admin: &Admin, wanted: &Wanted<'_>) -> Result<Vec<Place>, Failure> {
    let mut partitions = Vec::new();
    for (topic, count) in topics(cluster, admin, wanted.topics, wanted.regex)? {
        let topic: Arc<str> = topic.into();
        if let Some(missing) = wanted.partitions.iter().find(|partition| **partition >= count) {
            return Err(format!(
                "there is no partition {missing} of '{topic}', which has {count}; give a number from 0 to {}",
                count - 1
            )
            .into());
        }
        let all =
            (0..count).filter(|number| wanted.partitions.is_empty() || wanted.partitions.contains(number));
        partitions.extend(all.map(|number| TopicPartition::new(Arc::clone(&topic), number)));
    }
    places(cluster, admin, wanted, partitions)
}

/// The topics that are meant, and how many partitions each has.
pub(crate) fn topics(
    cluster: &Cluster,
    admin: &Admin,
    named: &[String],
    regex: bool,
) -> Result<Vec<(String, i32)>, Failure> {
    if regex {
        return matching(cluster, admin, named);
    }
    let mut found = Vec::new();
    for (name, described) in cluster.wait(admin.describe_topics(named.iter().cloned()))? {
        match described {
            Ok(topic) => {
                let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                if !found.iter().any(|(other, _)| *other == name) {
                    found.push((name, count));
                }
            }
            Err(error) => return Err(no_topic(cluster, admin, &name, error)),
        }
    }
    Ok(found)
}

fn matching(cluster: &Cluster, admin: &Admin, patterns: &[String]) -> Result<Vec<(String, i32)>, Failure> {
    let whole = |pattern: &String| {
        Regex::new(&format!("^(?:{pattern})$")).map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Usage::failure(format!("'{pattern}' is no regular expression: {why}"))
        })
    };
    let patterns = patterns.iter().map(whole).collect::<Result<Vec<_>, _>>()?;
    let all = cluster.wait(admin.list_topics())?;
    let found: Vec<_> = all
        .into_iter()
        .filter(|topic| !topic.internal && patterns.iter().any(|pattern| pattern.is_match(&topic.name)))
        .map(|topic| (topic.name, i32::try_from(topic.partitions).unwrap_or(i32::MAX)))
        .collect();
    if found.is_empty() {
        return Err("no topic matches; `klamm topics` lists those that there are".into());
    }
    Ok(found)
}

/// Says that there is no such topic, and which may be meant.
pub(crate) fn no_topic(cluster: &Cluster, admin: &Admin, name: &str, error: ClientError) -> Failure {
    if error.code() != Some(ResponseError::UnknownTopicOrPartition) {
        return cluster.explain(error).into();
    }
    // Who may not list topics gets no proposal.
    let others = admin.list_topics().wait().unwrap_or_default();
    let meant = did_you_mean(name, others.iter().map(|topic| topic.name.as_str()));
    let next =
        if meant.is_empty() { "; `klamm topics` lists those that there are".to_owned() } else { meant };
    format!("there is no topic '{name}' at {}{next}", cluster.servers()).into()
}

/// The first and the last offsets of partitions, in their order.
pub(crate) fn ranges(
    cluster: &Cluster,
    admin: &Admin,
    partitions: &[TopicPartition],
) -> Result<Vec<(i64, i64)>, Failure> {
    let earliest = offsets(cluster, admin, partitions, OffsetAt::Earliest)?;
    let latest = offsets(cluster, admin, partitions, OffsetAt::Latest)?;
    Ok(earliest.into_iter().zip(latest).map(|(first, end)| (first.unwrap_or(0), end.unwrap_or(0))).collect())
}

fn offsets(
    cluster: &Cluster,
    admin: &Admin,
    partitions: &[TopicPartition],
    at: OffsetAt,
) -> Result<Vec<Option<i64>>, Failure> {
    let call = admin.list_offsets(partitions.iter().map(|partition| (partition.clone(), at)));
    let found = cluster.wait(call)?.all().map_err(|error| cluster.explain(error))?;
    Ok(found.into_iter().map(|(_, found)| found.map(|found| found.offset)).collect())
}

fn places(
    cluster: &Cluster,
    admin: &Admin,
    wanted: &Wanted<'_>,
    partitions: Vec<TopicPartition>,
) -> Result<Vec<Place>, Failure> {
    let ranges = ranges(cluster, admin, &partitions)?;
    let at_time = |time: i64| offsets(cluster, admin, &partitions, OffsetAt::Timestamp(time));
    let none = || vec![None; partitions.len()];
    let since = if let Start::Time(time) = wanted.start { at_time(time)? } else { none() };
    let until = wanted.until.map_or_else(|| Ok(none()), at_time)?;
    let mut places = Vec::new();
    for (((partition, (earliest, latest)), since), until) in
        partitions.into_iter().zip(ranges).zip(since).zip(until)
    {
        let begin = match wanted.start {
            Start::Beginning => earliest,
            Start::End => latest,
            Start::Offset(offset) if offset < earliest || offset > latest => {
                return Err(out_of_range(&partition, offset, earliest, latest).into());
            }
            Start::Offset(offset) => offset,
            Start::Tail(count) => latest.saturating_sub(count).max(earliest),
            Start::Time(_) => since.unwrap_or(latest),
        };
        // Where there is no record of that time yet, all that is there now is older.
        let end = wanted.until.map(|_| until.unwrap_or(latest));
        places.push(Place { partition, earliest, latest, begin, end });
    }
    Ok(places)
}

/// Says that an offset is not there, and which are.
pub(crate) fn out_of_range(partition: &TopicPartition, offset: i64, earliest: i64, latest: i64) -> String {
    let (topic, number) = (&partition.topic, partition.partition);
    let there = if latest > earliest {
        format!("has offsets {earliest} to {}, and the next record gets {latest}", latest - 1)
    } else {
        format!("has no records, and the next one gets {latest}")
    };
    format!(
        "offset {offset} is out of range: partition {number} of '{topic}' {there}; \
         give an offset from {earliest} to {latest}, beginning, or end"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_read_as_kcat_has_them() {
        for (text, expected) in [
            ("beginning", Some(Start::Beginning)),
            ("end", Some(Start::End)),
            ("0", Some(Start::Offset(0))),
            ("17", Some(Start::Offset(17))),
            ("-5", Some(Start::Tail(5))),
            ("--5", None),
            ("", None),
            ("-", None),
            ("yesterday", None),
        ] {
            assert_eq!(Start::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn partitions_are_numbers_and_ranges() {
        assert_eq!(parse_partitions("4-6, 0,5"), Ok(vec![0, 4, 5, 6]));
        for wrong in ["", "a", "3-1", "-1", "1-", "0-2147483647"] {
            assert!(parse_partitions(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_there_is_told() {
        let partition = TopicPartition::new("orders", 1);
        let told = out_of_range(&partition, 500, 10, 20);
        assert!(told.contains("offset 500 is out of range") && told.contains("offsets 10 to 19"), "{told}");
        assert!(out_of_range(&partition, 500, 20, 20).contains("has no records"));
    }
}

//! `--delete` and `--delete-offsets`.

use std::collections::BTreeMap;

use klamm::{Admin, TopicPartition};

use super::super::errors::Thrown;
use super::super::options::Parsed;
use super::super::{Output, java};
use super::reset::named_partitions;
use super::{Problem, say_error, waited_for, wanted};

pub(super) fn groups(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let ids = wanted(admin, parsed)?;
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for (id, outcome) in admin.delete_groups(ids).wait().map_err(waited_for)? {
        match outcome {
            Ok(()) => deleted.push(id),
            Err(error) => failed.push((id, Thrown::from(error))),
        }
    }
    // As the original names them in one line.
    java::hash_order(&mut deleted, String::as_str);
    let deleted = java::joined(deleted.into_iter().map(|id| format!("'{id}'")), ", ");
    if failed.is_empty() {
        out.line(format_args!("Deletion of requested consumer groups ({deleted}) was successful."))?;
        return Ok(());
    }
    say_error("Deletion of some consumer groups failed:", out)?;
    for (id, error) in failed {
        out.line(format_args!("* Group '{id}' could not be deleted due to: {error}"))?;
    }
    if !deleted.is_empty() {
        out.line(format_args!("\nThese consumer groups were deleted successfully: {deleted}"))?;
    }
    Ok(())
}

pub(super) fn offsets(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let group = parsed.value("group")?.unwrap_or_default();
    let (named, whole): (Vec<_>, Vec<_>) =
        parsed.values("topic").into_iter().partition(|topic| topic.contains(':'));
    let mut partitions = Vec::new();
    for topic in named {
        partitions.extend(named_partitions(topic)?);
    }
    // By topic and partition, which is none where the topic could not be looked up.
    let mut outcomes: BTreeMap<String, (String, Option<i32>, Option<Thrown>)> = BTreeMap::new();
    for (topic, described) in admin.describe_topics(whole).wait().map_err(waited_for)? {
        match described {
            Ok(described) => {
                let all = described.partitions.iter();
                partitions
                    .extend(all.map(|partition| TopicPartition::new(topic.as_str(), partition.partition)));
            }
            Err(error) => {
                outcomes.insert(format!("{topic}-1"), (topic, None, Some(Thrown::from(error))));
            }
        }
    }
    partitions.sort_unstable();
    partitions.dedup();
    let mut first = None;
    for (partition, outcome) in admin.delete_offsets(group, partitions).wait().map_err(waited_for)? {
        let error = outcome.err().map(Thrown::from);
        first = first.or_else(|| error.clone());
        let (topic, number) = (partition.topic.to_string(), partition.partition);
        outcomes.insert(format!("{topic}{number}"), (topic, Some(number), error));
    }
    match &first {
        None => out.line(format_args!("Request succeeded for deleting offsets from group {group}."))?,
        Some(error) if is_of_group(error) => say_error(&error.message, out)?,
        Some(error) if is_of_partition(error) => {
            say_error("Encountered some partition-level error, see the follow-up details.", out)?;
        }
        Some(error) => say_error(&format!("Encountered some unknown error: {error}"), out)?,
    }
    let longest = outcomes.values().map(|(topic, ..)| topic.chars().count()).max().unwrap_or(0);
    let widths = [longest.max(15), 10, 15];
    out.line("")?;
    out.line(java::columns(&["TOPIC", "PARTITION", "STATUS"], &widths))?;
    for (topic, number, error) in outcomes.into_values() {
        let number = number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let status = error.map_or_else(|| "Successful".to_owned(), |error| format!("Error: {error}"));
        out.line(java::columns(&[&topic, &number, &status], &widths))?;
    }
    Ok(())
}

fn is_of_group(error: &Thrown) -> bool {
    let classes = [
        "InvalidGroupIdException",
        "GroupIdNotFoundException",
        "GroupAuthorizationException",
        "GroupNotEmptyException",
    ];
    classes.iter().any(|class| error.is(class))
}

fn is_of_partition(error: &Thrown) -> bool {
    let classes = [
        "GroupSubscribedToTopicException",
        "TopicAuthorizationException",
        "UnknownTopicOrPartitionException",
    ];
    classes.iter().any(|class| error.is(class))
}

//! `klamm topics delete-records`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use klamm::{DeleteUpTo, OffsetAt, ResponseError, TopicPartition};
use serde_json::json;

use super::code;
use crate::cli::error::{Failure, Usage};
use crate::cli::offset_file;
use crate::cli::output::{Form, Output};
use crate::cli::session::{Named, Session, TopicChoice, read_file};
use crate::cli::times::moment;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("up_to").required(true).args(["before", "before_time", "all", "file"]))]
pub(super) struct DeleteRecords {
    /// Of which topics, or of which partitions of them: orders, orders:0,2.
    #[arg(value_name = "TOPIC[:PARTITIONS]", required_unless_present = "file", conflicts_with = "file")]
    topics: Vec<TopicChoice>,

    /// Those before this offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    before: Option<i64>,

    /// Those before the first with a timestamp at or after this moment: 2026-11-21T10:30:00Z.
    #[arg(long, value_name = "MOMENT", value_parser = moment, allow_hyphen_values = true)]
    before_time: Option<i64>,

    /// All that are there now.
    #[arg(long)]
    all: bool,

    /// Those before the offsets that this file names, a line each: TOPIC,PARTITION,OFFSET. `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Only show where the partitions would begin.
    #[arg(long)]
    dry_run: bool,
}

/// Where a partition begins and ends.
type Range = (i64, i64);

impl DeleteRecords {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let (wanted, mut all) = self.wanted(session)?;
        let mut out = Output::new();
        let mut rows = Vec::new();
        let ranges = ranges(session, wanted.keys())?;
        if self.dry_run {
            for (partition, up_to) in wanted {
                let Some((first, end)) = ranges.get(&partition) else { continue };
                let to = match up_to {
                    DeleteUpTo::All => *end,
                    DeleteUpTo::Offset(offset) => offset.clamp(*first, *end),
                };
                rows.push((partition, to));
            }
        } else {
            let deleted = session.wait(session.admin.delete_records(wanted))?;
            let (done, good) = session.sort(deleted, |session, partition, error| match error.code() {
                Some(ResponseError::OffsetOutOfRange) => {
                    let range = ranges.get(partition);
                    let (first, end) = range.copied().unwrap_or_default();
                    error.remedy(format!(
                        "its records have the offsets from {first} up to, and without, {end}"
                    ))
                }
                _ => session.explain_name(Named::Topic, &partition.topic, error),
            });
            all &= good;
            rows = done;
        }
        for (partition, begins) in &rows {
            if form.json {
                let before = ranges.get(partition).map(|(first, _)| *first);
                out.json(&json!({
                    "topic": &*partition.topic,
                    "partition": partition.partition,
                    "log_start_before": before,
                    "log_start": begins,
                    "deleted": !self.dry_run,
                }))?;
            }
        }
        if !form.json {
            let line = |(partition, begins): &(TopicPartition, i64)| {
                let before = ranges.get(partition).map_or_else(String::new, |(first, _)| first.to_string());
                vec![partition.topic.to_string(), partition.partition.to_string(), before, begins.to_string()]
            };
            out.table(&["TOPIC", "PARTITION", "BEGAN AT", "BEGINS AT"], &[1, 2, 3], rows.iter().map(line))?;
            if self.dry_run {
                out.line("nothing was deleted: leave --dry-run out to do it")?;
            }
        }
        out.flush()?;
        Ok(code(all))
    }

    /// Up to where each partition is to be deleted, and whether that could be found out for all.
    fn wanted(&self, session: &Session) -> Result<(BTreeMap<TopicPartition, DeleteUpTo>, bool), Failure> {
        if let Some(file) = &self.file {
            let lines = offset_file::parse(&read_file(file)?, &file.display().to_string())?;
            return Ok((
                lines.into_iter().map(|line| (line.partition, DeleteUpTo::Offset(line.offset))).collect(),
                true,
            ));
        }
        let mut partitions = Vec::new();
        for topic in &self.topics {
            partitions.extend(session.partitions_of(topic)?);
        }
        let Some(moment) = self.before_time else {
            let up_to = match (self.before, self.all) {
                (Some(offset), _) => DeleteUpTo::Offset(offset),
                (None, true) => DeleteUpTo::All,
                (None, false) => {
                    return Err(Usage::failure("say up to where: --before, --before-time, --all or --file"));
                }
            };
            return Ok((partitions.into_iter().map(|partition| (partition, up_to)).collect(), true));
        };
        let asked = partitions.into_iter().map(|partition| (partition, OffsetAt::Timestamp(moment)));
        let found = session.wait(session.admin.list_offsets(asked.collect::<Vec<_>>()))?;
        let (found, all) = session.sort(found, |session, _, error| session.explain(error));
        let up_to = |((partition, _), found): ((TopicPartition, OffsetAt), Option<klamm::FoundOffset>)| {
            (partition, found.map_or(DeleteUpTo::All, |found| DeleteUpTo::Offset(found.offset)))
        };
        Ok((found.into_iter().map(up_to).collect(), all))
    }
}

fn ranges<'a>(
    session: &Session,
    partitions: impl Iterator<Item = &'a TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Range>, Failure> {
    let both = [OffsetAt::Earliest, OffsetAt::Latest];
    let wanted = partitions.flat_map(|partition| both.map(|at| (partition.clone(), at))).collect::<Vec<_>>();
    let mut ranges: BTreeMap<TopicPartition, Range> = BTreeMap::new();
    for ((partition, at), found) in session.wait(session.admin.list_offsets(wanted))? {
        // What went wrong is told by what is done next with the partition.
        let Ok(Some(found)) = found else { continue };
        let range = ranges.entry(partition).or_default();
        match at {
            OffsetAt::Earliest => range.0 = found.offset,
            _ => range.1 = found.offset,
        }
    }
    Ok(ranges)
}

//! `klamm groups reset`: a group goes on elsewhere. What would be done is shown; `--execute` does it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use klamm::{ClientError, ErrorKind, GroupDescription, OffsetMove, ResetTo, ResponseError, TopicPartition};
use serde_json::json;

use super::delete::explain;
use crate::cli::error::{Failure, Usage, say};
use crate::cli::offset_file;
use crate::cli::output::{Form, Output};
use crate::cli::session::{Named, Session, TopicChoice, read_file};
use crate::cli::terminal::Style;
use crate::cli::times::duration;
use crate::cli::times::moment;
use crate::cli::topics::code;

/// Behind the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  klamm groups reset billing --all-topics --to-earliest
  klamm groups reset billing --topic orders --by-duration 1h --execute
  klamm groups reset billing --topic orders:0,2 --shift-by -100 --execute
  klamm groups reset billing --all-topics --to-current --json > kept; klamm groups reset billing --from-file kept --execute";

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("to").required(true).args([
    "to_earliest", "to_latest", "to_current", "to_offset", "to_datetime", "by_duration", "shift_by", "from_file",
]))]
pub(super) struct Reset {
    /// Which group. One that does not exist comes to be.
    #[arg(value_name = "GROUP")]
    group: String,

    /// In which topics, or in which partitions of them: orders, orders:0,2; can be given several times.
    #[arg(short, long, value_name = "TOPIC[:PARTITIONS]", required_unless_present_any = ["all_topics", "from_file"])]
    topic: Vec<TopicChoice>,

    /// In all partitions in which the group has committed something.
    #[arg(long, conflicts_with = "topic")]
    all_topics: bool,

    /// To the first record that is still there.
    #[arg(long)]
    to_earliest: bool,

    /// Behind the last record.
    #[arg(long)]
    to_latest: bool,

    /// To where it stands, moved only if that is not there any more.
    #[arg(long)]
    to_current: bool,

    /// To this offset, or the nearest that is there.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,

    /// To the first record with a timestamp at or after this moment: 2026-11-21T10:30:00Z.
    #[arg(long, value_name = "MOMENT", value_parser = moment, allow_hyphen_values = true)]
    to_datetime: Option<i64>,

    /// To the first record that is not older than this: 30m, 7d, PT10M.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    by_duration: Option<Duration>,

    /// So many records further on, or back if it is negative.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,

    /// To the offsets that this file names, a line each: TOPIC,PARTITION,OFFSET. `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topic", "all_topics"])]
    from_file: Option<PathBuf>,

    /// Do it, and not only show it.
    #[arg(long)]
    execute: bool,
}

/// Where partitions go on, and whether that could be found out for all.
type Plan = (BTreeMap<TopicPartition, OffsetMove>, bool);

impl Reset {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let file = match &self.from_file {
            Some(file) => Some((file, offset_file::parse(&read_file(file)?, &file.display().to_string())?)),
            None => None,
        };
        let group = self.there(session)?;
        let (plan, mut all) = match file {
            Some((file, lines)) => self.of_file(session, &file.display().to_string(), &lines)?,
            None => self.planned(session)?,
        };
        if let Some(members) = group.as_ref().map(|group| group.members.len()).filter(|members| *members > 0)
        {
            let error = ClientError::new(
                ErrorKind::Broker,
                format!("moving the group '{}'", self.group),
                format!("it has {}", crate::cli::output::count(members as u64, "member")),
            );
            let error = error.remedy(format!(
                "stop them first; `klamm groups describe {} --members` shows them",
                self.group
            ));
            if self.execute {
                return Err(error.into());
            }
            say(error);
            all = false;
        }
        let mut done = plan.clone();
        if self.execute {
            let offsets = plan.iter().map(|(partition, planned)| (partition.clone(), planned.to));
            let set = session.wait(session.admin.set_offsets(&self.group, offsets))?;
            let (set, good) = session.sort(set, |session, _, error| explain(session, &self.group, error));
            all &= good;
            let moved: HashSet<_> = set.into_iter().map(|(partition, ())| partition).collect();
            done.retain(|partition, _| moved.contains(partition));
        }
        self.write(form, &done)?;
        Ok(code(all))
    }

    /// The group; none if there is none of this name, which is told.
    fn there(&self, session: &Session) -> Result<Option<GroupDescription>, Failure> {
        let described = session.wait(session.admin.describe_groups([&self.group]))?;
        let group = match described.into_iter().next() {
            Some((_, Ok(group))) if group.state != "Dead" => return Ok(Some(group)),
            Some((_, Err(error))) if error.code() != Some(ResponseError::GroupIdNotFound) => {
                return Err(session.explain(error).into());
            }
            _ => &self.group,
        };
        let error = ClientError::from_code(
            ResponseError::GroupIdNotFound,
            format!("moving the group '{group}'"),
            None,
        );
        let error = session.unknown(Named::Group, group, &error);
        if self.all_topics {
            return Err(error.into());
        }
        let made = if self.execute { "it comes to be" } else { "it would come to be" };
        say(format_args!("{}: {made}", error.why()));
        Ok(None)
    }

    /// Where it goes, by the options.
    fn planned(&self, session: &Session) -> Result<Plan, Failure> {
        let to = match self {
            Reset { to_earliest: true, .. } => ResetTo::Earliest,
            Reset { to_latest: true, .. } => ResetTo::Latest,
            Reset { to_current: true, .. } => ResetTo::Shift(0),
            Reset { to_offset: Some(offset), .. } => ResetTo::Offset(*offset),
            Reset { to_datetime: Some(moment), .. } => ResetTo::Timestamp(*moment),
            Reset { by_duration: Some(ago), .. } => ResetTo::Ago(*ago),
            Reset { shift_by: Some(by), .. } => ResetTo::Shift(*by),
            _ => {
                return Err(Usage::failure(
                    "say where to: --to-earliest, --to-latest, --to-offset, --to-datetime, …",
                ));
            }
        };
        let mut partitions = None;
        for topic in &self.topic {
            partitions.get_or_insert_with(Vec::new).extend(session.partitions_of(topic)?);
        }
        let planned = session.wait(session.admin.plan_offsets(&self.group, partitions, to))?;
        if planned.is_empty() {
            let why = format!(
                "the group '{}' has committed nothing that could be moved; name topics with --topic",
                self.group
            );
            return Err(why.into());
        }
        let (planned, all) = session.sort(planned, |session, partition, error| {
            session.explain_name(Named::Topic, &partition.topic, error)
        });
        Ok((planned.into_iter().collect(), all))
    }

    /// Where it goes, by a file. Offsets that are not there become the nearest that are.
    fn of_file(&self, session: &Session, origin: &str, lines: &[offset_file::Line]) -> Result<Plan, Failure> {
        let mut topics: BTreeMap<&str, HashSet<TopicPartition>> = BTreeMap::new();
        for line in lines {
            let topic = &*line.partition.topic;
            if !topics.contains_key(topic) {
                let there = session
                    .partitions(topic)
                    .map_err(|error| format!("{origin}, line {}: {error}", line.number))?;
                topics.insert(topic, there.into_iter().collect());
            }
            if !topics.get(topic).is_some_and(|there| there.contains(&line.partition)) {
                let why = format!("the topic '{topic}' has no partition {}", line.partition.partition);
                return Err(format!("{origin}, line {}: {why}", line.number).into());
            }
        }
        let named: HashMap<_, _> = lines.iter().map(|line| (&line.partition, line)).collect();
        let partitions = lines.iter().map(|line| line.partition.clone()).collect();
        let standing = session.wait(session.admin.group_offsets(&self.group, Some(partitions)))?;
        let (mut plan, mut all) = (BTreeMap::new(), true);
        for known in standing {
            let Some(line) = named.get(&known.partition) else { continue };
            match (known.log_start, known.log_end) {
                (Some(first), Some(end)) if first <= end => {
                    let to = line.offset.clamp(first, end);
                    plan.insert(known.partition, OffsetMove { from: known.offset, to });
                }
                _ => {
                    all = false;
                    say(format_args!(
                        "{origin}, line {}: {} has no leader at present",
                        line.number, known.partition
                    ));
                }
            }
        }
        Ok((plan, all))
    }

    fn write(&self, form: Form, plan: &BTreeMap<TopicPartition, OffsetMove>) -> Result<(), Failure> {
        let mut out = Output::new();
        if form.json {
            for (partition, planned) in plan {
                out.json(&json!({
                    "group": self.group,
                    "topic": &*partition.topic,
                    "partition": partition.partition,
                    "from": planned.from,
                    "to": planned.to,
                    "executed": self.execute,
                }))?;
            }
        } else {
            let rows = plan.iter().map(|(partition, planned)| {
                let change = planned
                    .from
                    .map_or_else(String::new, |from| format!("{:+}", planned.to.saturating_sub(from)));
                let from = planned.from.map_or_else(|| "none".to_owned(), |from| from.to_string());
                let style = if planned.from == Some(planned.to) { Style::Faint } else { Style::Plain };
                let number = partition.partition.to_string();
                (style, vec![partition.topic.to_string(), number, from, planned.to.to_string(), change])
            });
            out.styled_table(&["TOPIC", "PARTITION", "FROM", "TO", "CHANGE"], &[1, 2, 3, 4], rows)?;
            if !self.execute {
                out.line("nothing was changed: --execute does it")?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

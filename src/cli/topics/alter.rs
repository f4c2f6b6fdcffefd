//! `klamm topics alter` and `klamm topics add-partitions`.

use std::process::ExitCode;

use klamm::ConfigResource;
use serde_json::json;

use super::code;
use crate::cli::configs::changes::{Changes, apply};
use crate::cli::error::{Failure, Usage, say};
use crate::cli::output::{Form, Output, count};
use crate::cli::session::{Named, Session};

#[derive(Debug, clap::Args)]
pub(super) struct Alter {
    /// Which topics.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    #[command(flatten)]
    changes: Changes,

    /// Give them more partitions: so many in all.
    #[arg(short, long, value_name = "TOTAL", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,

    /// Only check whether configs could be changed so.
    #[arg(long)]
    dry_run: bool,
}

impl Alter {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        if self.changes.is_empty() && self.partitions.is_none() {
            return Err(Usage::failure(
                "nothing was said to change: give --set NAME=VALUE, --reset NAME, --append, --subtract or --partitions TOTAL",
            ));
        }
        if self.dry_run && self.partitions.is_some() {
            return Err(Usage::failure("--dry-run checks configs only; leave --partitions out"));
        }
        let (mut all, mut out) = (true, Output::new());
        if !self.changes.is_empty() {
            let resources = self.topics.iter().map(|name| ConfigResource::Topic(name.clone())).collect();
            all &= apply(session, &mut out, form, resources, &self.changes, self.dry_run)?;
        }
        if let Some(total) = self.partitions {
            all &= extend(session, &mut out, form, &self.topics, total)?;
        }
        out.flush()?;
        Ok(code(all))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct AddPartitions {
    /// Which topics.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// So many partitions in all.
    #[arg(long, value_name = "TOTAL", value_parser = clap::value_parser!(i32).range(1..), required_unless_present = "by")]
    to: Option<i32>,

    /// So many more than there are.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..), conflicts_with = "to")]
    by: Option<i32>,
}

impl AddPartitions {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let (mut all, mut out) = (true, Output::new());
        for topic in self.topics {
            let total = match (self.to, self.by) {
                (Some(total), _) => total,
                (None, by) => {
                    let there = i32::try_from(session.partitions(&topic)?.len()).unwrap_or(i32::MAX);
                    there.saturating_add(by.unwrap_or(0))
                }
            };
            all &= extend(session, &mut out, form, &[topic], total)?;
        }
        out.flush()?;
        Ok(code(all))
    }
}

/// Gives topics so many partitions; says whether all have them.
fn extend(
    session: &Session,
    out: &mut Output,
    form: Form,
    topics: &[String],
    total: i32,
) -> Result<bool, Failure> {
    let wanted = topics.iter().map(|topic| (topic.clone(), total));
    let mut all = true;
    for (topic, outcome) in session.wait(session.admin.create_partitions(wanted))? {
        match outcome {
            Ok(()) if form.json => out.json(&json!({ "topic": topic, "partitions": total }))?,
            Ok(()) => {
                let partitions = count(u64::try_from(total).unwrap_or_default(), "partition");
                out.line(format_args!(
                    "{topic} has {partitions}; records stay where they are, keys may go elsewhere from now on"
                ))?;
            }
            Err(error) => {
                all = false;
                say(session.explain_name(Named::Topic, &topic, error));
            }
        }
    }
    Ok(all)
}

//! `klamm groups delete` and `klamm groups delete-offsets`.

use std::process::ExitCode;

use klamm::{ClientError, ResponseError};
use serde_json::json;

use super::standing;
use crate::cli::error::{Failure, say};
use crate::cli::output::{Form, Output};
use crate::cli::session::{Named, Session, TopicChoice};
use crate::cli::topics::code;

#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    /// Which groups.
    #[arg(value_name = "GROUP", required = true)]
    groups: Vec<String>,

    /// Be content with groups that are not there.
    #[arg(long)]
    if_exists: bool,
}

impl Delete {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let (mut all, mut out) = (true, Output::new());
        for (id, outcome) in session.wait(session.admin.delete_groups(self.groups))? {
            let gone =
                outcome.as_ref().is_err_and(|error| error.code() == Some(ResponseError::GroupIdNotFound));
            match outcome {
                Ok(()) if form.json => out.json(&json!({ "group": id, "deleted": true }))?,
                Ok(()) => out.line(format_args!("deleted {id}"))?,
                Err(_) if gone && self.if_exists => match form.json {
                    true => out.json(&json!({ "group": id, "deleted": false }))?,
                    false => out.line(format_args!("there is no group {id}"))?,
                },
                Err(error) => {
                    all = false;
                    say(explain(session, &id, error));
                }
            }
        }
        out.flush()?;
        Ok(code(all))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct DeleteOffsets {
    /// Which group.
    #[arg(value_name = "GROUP")]
    group: String,

    /// In which topics, or in which partitions of them: orders, orders:0,2; can be given several times.
    #[arg(short, long, value_name = "TOPIC[:PARTITIONS]", required = true)]
    topic: Vec<TopicChoice>,
}

impl DeleteOffsets {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        standing::describe(session, &self.group)?;
        let mut partitions = Vec::new();
        for topic in &self.topic {
            partitions.extend(session.partitions_of(topic)?);
        }
        let deleted = session.wait(session.admin.delete_offsets(&self.group, partitions))?;
        let (deleted, all) = session.sort(deleted, |session, _, error| explain(session, &self.group, error));
        let mut out = Output::new();
        for (partition, ()) in &deleted {
            let (topic, number) = (&*partition.topic, partition.partition);
            match form.json {
                true => out.json(
                    &json!({ "group": self.group, "topic": topic, "partition": number, "deleted": true }),
                )?,
                false => out.line(format_args!("deleted the offset of {} in {partition}", self.group))?,
            }
        }
        out.flush()?;
        Ok(code(all))
    }
}

/// The same error with what to do about it.
pub(super) fn explain(session: &Session, group: &str, error: ClientError) -> ClientError {
    match error.code() {
        Some(ResponseError::NonEmptyGroup | ResponseError::UnknownMemberId) => error.remedy(format!(
            "it has members: stop them first; `klamm groups describe {group} --members` shows them"
        )),
        Some(ResponseError::GroupSubscribedToTopic) => {
            error.remedy("members of it are subscribed to the topic: stop them first")
        }
        _ => session.explain_name(Named::Group, group, error),
    }
}

//! `klamm topics create`.

use std::process::ExitCode;

use klamm::{NewTopic, ResponseError};
use serde_json::json;

use super::code;
use crate::cli::error::{Failure, say};
use crate::cli::output::{Form, Output, count};
use crate::cli::session::{Pair, Session};

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// What the topics are called.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// How many partitions each has. [default: the broker's num.partitions]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,

    /// On how many brokers each partition is. [default: the broker's default.replication.factor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..), visible_alias = "replication-factor")]
    replication: Option<i16>,

    /// Set a config of theirs: retention.ms=3600000; can be given several times.
    #[arg(short, long, value_name = "NAME=VALUE")]
    config: Vec<Pair>,

    /// Be content with topics that are there already.
    #[arg(long)]
    if_not_exists: bool,

    /// Only check whether they could be created.
    #[arg(long)]
    dry_run: bool,
}

impl Create {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let topics: Vec<_> = self.topics.iter().map(|name| self.topic(name)).collect();
        let call = match self.dry_run {
            true => session.admin.validate_topics(topics),
            false => session.admin.create_topics(topics),
        };
        let (mut all, mut out) = (true, Output::new());
        for (name, outcome) in session.wait(call)? {
            let there =
                outcome.as_ref().is_err_and(|error| error.code() == Some(ResponseError::TopicAlreadyExists));
            match outcome {
                Ok(topic) if form.json => out.json(&json!({
                    "topic": name,
                    "id": topic.id,
                    "partitions": topic.partitions,
                    "replication": topic.replication,
                    "created": !self.dry_run,
                }))?,
                Ok(topic) => {
                    let partitions = topic.partitions.and_then(|count| u64::try_from(count).ok());
                    let with =
                        partitions.map_or_else(String::new, |n| format!(" with {}", count(n, "partition")));
                    let done = if self.dry_run { "could create" } else { "created" };
                    out.line(format_args!("{done} {name}{with}"))?;
                }
                Err(_) if there && self.if_not_exists => match form.json {
                    true => out.json(&json!({ "topic": name, "created": false }))?,
                    false => out.line(format_args!("{name} is there already"))?,
                },
                Err(error) => {
                    all = false;
                    let error = session.explain(error);
                    say(if there { error.remedy("--if-not-exists is content with that") } else { error });
                }
            }
        }
        out.flush()?;
        Ok(code(all))
    }

    fn topic(&self, name: &str) -> NewTopic {
        let mut topic = NewTopic::new(name);
        if let Some(partitions) = self.partitions {
            topic = topic.partitions(partitions);
        }
        if let Some(replication) = self.replication {
            topic = topic.replication(replication);
        }
        self.config.iter().fold(topic, |topic, Pair(name, value)| topic.config(name, value))
    }
}

//! `klamm topics delete`.

use std::process::ExitCode;

use klamm::ResponseError;
use serde_json::json;

use super::code;
use crate::cli::error::{Failure, say};
use crate::cli::output::{Form, Output};
use crate::cli::session::{Named, Session};

#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    /// Which topics.
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// Be content with topics that are not there.
    #[arg(long)]
    if_exists: bool,
}

impl Delete {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let (mut all, mut out) = (true, Output::new());
        for (name, outcome) in session.wait(session.admin.delete_topics(self.topics))? {
            let gone = outcome
                .as_ref()
                .is_err_and(|error| error.code() == Some(ResponseError::UnknownTopicOrPartition));
            match outcome {
                Ok(()) if form.json => out.json(&json!({ "topic": name, "deleted": true }))?,
                Ok(()) => out.line(format_args!("deleted {name}"))?,
                Err(_) if gone && self.if_exists => match form.json {
                    true => out.json(&json!({ "topic": name, "deleted": false }))?,
                    false => out.line(format_args!("there is no topic {name}"))?,
                },
                Err(error) => {
                    all = false;
                    say(session.explain_name(Named::Topic, &name, error));
                }
            }
        }
        out.flush()?;
        Ok(code(all))
    }
}

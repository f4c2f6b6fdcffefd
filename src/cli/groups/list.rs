//! `klamm groups list`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::Failure;
use crate::cli::output::{Form, Output};
use crate::cli::session::Session;

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only groups in this state: Stable, Empty, …
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

impl List {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let groups = session.wait(session.admin.list_groups())?;
        let wanted = |state: Option<&str>| {
            self.state
                .as_deref()
                .is_none_or(|wanted| state.is_some_and(|state| state.eq_ignore_ascii_case(wanted)))
        };
        let groups: Vec<_> = groups.into_iter().filter(|group| wanted(group.state.as_deref())).collect();
        let mut out = Output::new();
        if form.json {
            for group in &groups {
                out.json(&json!({
                    "group": group.id,
                    "state": group.state,
                    "type": group.kind,
                    "protocol_type": group.protocol_type,
                    "coordinator": group.coordinator,
                }))?;
            }
        } else {
            let rows = groups.iter().map(|group| {
                let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
                let purpose = match group.protocol_type.as_str() {
                    "" => "offsets only",
                    purpose => purpose,
                };
                vec![
                    group.id.clone(),
                    text(&group.state),
                    text(&group.kind),
                    purpose.to_owned(),
                    group.coordinator.to_string(),
                ]
            });
            out.table(&["GROUP", "STATE", "TYPE", "FOR", "COORDINATOR"], &[4], rows)?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

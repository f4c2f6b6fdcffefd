//! `klamm groups describe`.

use std::process::ExitCode;

use klamm::{GroupDescription, TopicPartition};
use serde_json::json;

use super::standing::{self, Standing};
use crate::cli::error::{Failure, report};
use crate::cli::output::{Form, Output, count, grouped, printable};
use crate::cli::session::Session;
use crate::cli::terminal::Style;

#[derive(Debug, clap::Args)]
pub(super) struct Describe {
    /// Which groups. [default: all]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,

    /// Show the members instead, and what each of them reads.
    #[arg(short, long)]
    members: bool,
}

impl Describe {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let mut groups = self.groups;
        if groups.is_empty() {
            groups = session.wait(session.admin.list_groups())?.into_iter().map(|group| group.id).collect();
        }
        let (mut code, mut out) = (ExitCode::SUCCESS, Output::new());
        for (place, id) in groups.iter().enumerate() {
            if place > 0 && !form.json {
                out.line("")?;
            }
            let shown = match self.members {
                true => standing::describe(session, id).and_then(|group| members(&mut out, form, &group)),
                false => Standing::of(session, id).and_then(|standing| partitions(&mut out, form, &standing)),
            };
            // What is wrong with one group does not keep the others from being shown.
            if let Err(error) = shown {
                out.flush()?;
                code = report(&*error);
            }
        }
        out.flush()?;
        Ok(code)
    }
}

fn partitions(out: &mut Output, form: Form, standing: &Standing) -> Result<(), Failure> {
    if form.json {
        for place in &standing.partitions {
            out.json(&place.json(&standing.group))?;
        }
        return Ok(());
    }
    write_standing(out, standing)?;
    Ok(())
}

/// A line on the group, and a table of its partitions.
pub(super) fn write_standing(out: &mut Output, standing: &Standing) -> std::io::Result<()> {
    let lag = grouped(u64::try_from(standing.lag()).unwrap_or_default());
    write_head(out, &standing.group, &format!(", lag {lag}"))?;
    if standing.partitions.is_empty() {
        return out.line("it has committed nothing, and reads nothing");
    }
    let rows = standing.partitions.iter().map(standing::Place::row);
    out.styled_table(&Standing::HEAD, &Standing::NUMBERS, rows)
}

fn write_head(out: &mut Output, group: &GroupDescription, more: &str) -> std::io::Result<()> {
    let assignor = if group.assignor.is_empty() { String::new() } else { format!(", {}", group.assignor) };
    let members = count(group.members.len() as u64, "member");
    let line = format!("{}: {}, {members}{assignor}{more}", group.id, group.state);
    out.styled(Style::Strong, printable(&line))
}

fn members(out: &mut Output, form: Form, group: &GroupDescription) -> Result<(), Failure> {
    let host = |host: &str| host.trim_start_matches('/').to_owned();
    if form.json {
        for member in &group.members {
            let partition =
                |read: &TopicPartition| json!({ "topic": &*read.topic, "partition": read.partition });
            let partitions: Vec<_> = member.assignment.iter().map(partition).collect();
            out.json(&json!({
                "group": group.id,
                "state": group.state,
                "member": member.id,
                "instance_id": member.instance_id,
                "client_id": member.client_id,
                "host": host(&member.client_host),
                "partitions": partitions,
            }))?;
        }
        return Ok(());
    }
    write_head(out, group, "")?;
    let rows = group.members.iter().map(|member| {
        let instance = member.instance_id.clone().unwrap_or_default();
        vec![
            member.id.clone(),
            instance,
            member.client_id.clone(),
            host(&member.client_host),
            shares(&member.assignment),
        ]
    });
    out.table(&["MEMBER", "INSTANCE", "CLIENT", "HOST", "READS"], &[], rows)?;
    Ok(())
}

/// Partitions by their topics: `orders:0,1 payments:2`.
fn shares(partitions: &[TopicPartition]) -> String {
    let mut text = String::new();
    let mut topic: Option<&str> = None;
    for partition in partitions {
        if topic == Some(&*partition.topic) {
            text.push_str(&format!(",{}", partition.partition));
        } else {
            let space = if text.is_empty() { "" } else { " " };
            text.push_str(&format!("{space}{}:{}", partition.topic, partition.partition));
            topic = Some(&partition.topic);
        }
    }
    text
}

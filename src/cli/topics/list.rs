//! `klamm topics list`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::error::Failure;
use crate::cli::output::{Form, Output, grouped};
use crate::cli::session::Session;

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only topics whose names are like this; `*` stands for anything: 'orders*'.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,

    /// The brokers' own topics too, such as __consumer_offsets.
    #[arg(long)]
    internal: bool,
}

impl List {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let topics = session.wait(session.admin.list_topics())?;
        let wanted = |name: &str| self.pattern.as_deref().is_none_or(|pattern| is_like(name, pattern));
        let topics: Vec<_> = topics
            .into_iter()
            .filter(|topic| (self.internal || !topic.internal) && wanted(&topic.name))
            .collect();
        let mut out = Output::new();
        if form.json {
            for topic in &topics {
                out.json(&json!({
                    "topic": topic.name,
                    "id": topic.id,
                    "partitions": topic.partitions,
                    "replication": topic.replication,
                    "internal": topic.internal,
                }))?;
            }
        } else {
            let rows = topics.iter().map(|topic| {
                vec![topic.name.clone(), grouped(topic.partitions as u64), topic.replication.to_string()]
            });
            out.table(&["TOPIC", "PARTITIONS", "REPLICATION"], &[1, 2], rows)?;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a name is like a pattern in which `*` stands for any letters.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(piece) = last.replace(piece) {
            match rest.find(piece) {
                Some(at) => rest = rest.get(at + str::len(piece)..).unwrap_or_default(),
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (name, pattern) in [
            ("orders", "orders"),
            ("orders", "*"),
            ("orders", "o*s"),
            ("orders", "*der*"),
            ("orders", "orders*"),
            ("abcbc", "a*bc"),
        ] {
            assert!(is_like(name, pattern), "{name} {pattern}");
        }
        for (name, pattern) in
            [("orders", "order"), ("orders", "*x*"), ("ab", "ab*b"), ("", "a*"), ("orders", "")]
        {
            assert!(!is_like(name, pattern), "{name} {pattern}");
        }
    }
}

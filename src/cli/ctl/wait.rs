//! `klamm ctl wait`.

use std::error::Error;

use serde_json::{Value, json};

use super::Told;
use super::client::Client;
use super::time::milliseconds;

/// What to wait for.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Wait {
    /// So many records in a topic, at least, or since the wait began.
    Records {
        /// The topic; it may come to be meanwhile.
        topic: String,
        /// How many.
        count: u64,
        #[command(flatten)]
        patience: Patience,
    },
    /// A group that is stable with so many members, exactly.
    Group {
        /// The group.
        group: String,
        /// How many members.
        members: u64,
        #[command(flatten)]
        patience: Patience,
    },
    /// A group that has no more than so many records left to read.
    Lag {
        /// The group.
        group: String,
        /// How many records, all partitions together.
        #[arg(default_value_t = 0)]
        lag: u64,
        #[command(flatten)]
        patience: Patience,
    },
    /// A group that has committed an offset, or a later one.
    Commit {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
        #[command(flatten)]
        patience: Patience,
    },
    /// So many connections, at least; of 0, none.
    Connections {
        /// How many.
        count: u64,
        #[command(flatten)]
        patience: Patience,
    },
    /// A fault that has struck so often, at least.
    Hits {
        /// The rule's number.
        rule: u64,
        /// How often.
        count: u64,
        #[command(flatten)]
        patience: Patience,
    },
    /// Nothing under way but fetches that wait for records.
    Idle {
        #[command(flatten)]
        patience: Patience,
    },
}

// How long to wait.
#[derive(Debug, clap::Args)]
pub(super) struct Patience {
    /// Wait for so long at the most.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = milliseconds)]
    timeout: u64,
}

impl Wait {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        let (what, mut wanted, patience) = match self {
            Wait::Records { topic, count, patience } => {
                ("records", json!({ "topic": topic, "count": count }), patience)
            }
            Wait::Group { group, members, patience } => {
                ("group", json!({ "group": group, "members": members }), patience)
            }
            Wait::Lag { group, lag, patience } => ("lag", json!({ "group": group, "lag": lag }), patience),
            Wait::Commit { group, topic, partition, offset, patience } => (
                "commit",
                json!({ "group": group, "topic": topic, "partition": partition, "offset": offset }),
                patience,
            ),
            Wait::Connections { count, patience } => ("connections", json!({ "count": count }), patience),
            Wait::Hits { rule, count, patience } => {
                ("hits", json!({ "rule": rule, "count": count }), patience)
            }
            Wait::Idle { patience } => ("idle", json!({}), patience),
        };
        wanted["timeout_ms"] = Value::from(patience.timeout);
        let waited = client.post(&format!("/wait/{what}"), Some(&wanted))?;
        if to.form.json { Ok(to.out.json(&waited)?) } else { Ok(()) }
    }
}

//! `klamm ctl faults` and `klamm ctl disk`.

use std::error::Error;
use std::io::Read;

use serde_json::{Value, json};

use super::client::Client;
use super::{Column, Told, list};

/// What is read of a rule on standard input.
const MAX_RULE_BYTES: u64 = 1024 * 1024;

/// Rules.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Faults {
    /// All rules, and how often each was met.
    List,
    /// Have a fault happen from the next request on. Prints the rule's number.
    Add {
        /// The rule as JSON, or - to read it from standard input:
        /// '{"api":"Produce","topic":"orders","nth":2,"error":"NOT_LEADER_OR_FOLLOWER"}'
        rule: String,
    },
    /// A rule, and how often it was met.
    Show {
        /// The rule's number.
        rule: u64,
    },
    /// End a rule.
    Remove {
        /// The rule's number.
        rule: u64,
    },
    /// End all rules, and what was said of the disk.
    Clear,
}

// What the disk does.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Disk {
    /// Whether logs get no more room.
    #[arg(long, value_name = "true|false")]
    full: Option<bool>,
    /// Whether every sync of the data folder fails.
    #[arg(long, value_name = "true|false")]
    failing_syncs: Option<bool>,
}

impl Faults {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        match self {
            Faults::List => show(to, &list(&client.get("/faults")?, "rules")),
            Faults::Show { rule } => show(to, &[client.get(&format!("/faults/{rule}"))?]),
            Faults::Remove { rule } => show(to, &[client.delete(&format!("/faults/{rule}"))?]),
            Faults::Clear => client.delete("/faults").map(drop),
            Faults::Add { rule } => {
                let added = client.post("/faults", Some(&read(rule)?))?;
                if to.form.json { Ok(to.out.json(&added)?) } else { Ok(to.out.line(&added["id"])?) }
            }
        }
    }
}

impl Disk {
    pub(super) fn run(self, client: &Client) -> Result<(), Box<dyn Error>> {
        client
            .put("/disk", Some(&json!({ "full": self.full, "failing_syncs": self.failing_syncs })))
            .map(drop)
    }
}

fn read(mut rule: String) -> Result<Value, Box<dyn Error>> {
    if rule == "-" {
        rule.clear();
        std::io::stdin().take(MAX_RULE_BYTES).read_to_string(&mut rule)?;
    }
    let parsed = serde_json::from_str(&rule);
    Ok(parsed.map_err(|error| format!("the rule is no JSON: {error}; for instance {{\"api\":\"Produce\",\"nth\":1,\"close\":\"before_answer\"}}"))?)
}

fn show(to: &mut Told, rules: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::number("RULE", "id"),
        Column::number("MATCHED", "matched"),
        Column::number("HITS", "hits"),
        Column::of("FAULT", "fault"),
    ];
    to.rows(rules, &columns)
}

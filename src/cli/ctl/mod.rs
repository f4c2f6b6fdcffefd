//! `klamm ctl`: a broker's time, faults and state from the command line. A thin client of what `--control` serves: one
//! request a command, but for words and tables it knows nothing of brokers.

mod client;
mod cluster;
mod faults;
mod look;
mod state;
mod time;
mod wait;

use std::error::Error;
use std::process::ExitCode;

use client::Client;

use super::error::Usage;
use super::output::{Form, Output};

/// Where the broker is controlled, if the command line does not say.
pub(crate) const URL_VARIABLE: &str = "KLAMM_CONTROL_URL";
/// The token, if the command line does not say.
pub(crate) const TOKEN_VARIABLE: &str = "KLAMM_CONTROL_TOKEN";

// What `klamm ctl` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Ctl {
    /// Where the broker is controlled: what `klamm serve --control` says when it is ready. [default: $KLAMM_CONTROL_URL]
    #[arg(long, value_name = "URL", global = true)]
    control: Option<String>,

    /// The token, if the broker was started with one. [default: $KLAMM_CONTROL_TOKEN]
    #[arg(long, value_name = "TOKEN", global = true)]
    token: Option<String>,

    /// Not the broker that was started, but this fork of it.
    #[arg(long, value_name = "N", global = true)]
    fork: Option<u64>,

    /// Give JSON with stable field names, one object a line, instead of words and tables.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
enum Command {
    /// What the broker is: where it listens, its seed, whether its clock is a manual one.
    Info,
    /// The broker's time, and moving it.
    #[command(subcommand)]
    Time(time::Time),
    /// Do now what is done now and then: roll segments, delete what retention lets go of, sync.
    Housekeeping,
    /// Rules for what goes wrong on purpose.
    #[command(subcommand)]
    Faults(faults::Faults),
    /// Have the disk be full, or its syncs fail, or neither.
    Disk(faults::Disk),
    /// Wait for the broker to come to a state. Exits with 1 where it does not in time, and says what was seen instead.
    #[command(subcommand)]
    Wait(wait::Wait),
    /// Look at topics, records, groups, connections and requests.
    #[command(subcommand)]
    Look(look::Look),
    /// Have everything be as it was when the broker started.
    Reset,
    /// Snapshots that the broker's process keeps by name.
    #[command(subcommand)]
    Snapshot(state::Snapshots),
    /// Second brokers with the same contents, on ports of their own.
    #[command(subcommand)]
    Fork(state::Forks),
    /// The nodes that the broker stands for (klamm serve --brokers 3), and moving who leads what.
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    /// The document that describes the HTTP interface (OpenAPI 3.1).
    Openapi,
}

impl Ctl {
    /// Does what the command says. The exit code is 1 where the broker refuses it, 2 where it is not known which broker.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(url) = self.control.or_else(|| set(URL_VARIABLE)) else {
            return Err(Usage::failure(format!(
                "it is not known which broker to control: give --control URL, or set {URL_VARIABLE}; \
                 klamm serve --control 127.0.0.1:0 says the URL when it is ready"
            )));
        };
        let client = Client::new(&url, self.fork, self.token.or_else(|| set(TOKEN_VARIABLE)));
        let mut to = Told { out: Output::new(), form: Form { json: self.json } };
        match self.command {
            Command::Info => to.object(&client.get("/")?)?,
            Command::Time(time) => time.run(&client, &mut to)?,
            Command::Housekeeping => client.post("/housekeeping", None).map(drop)?,
            Command::Faults(faults) => faults.run(&client, &mut to)?,
            Command::Disk(disk) => disk.run(&client)?,
            Command::Wait(wait) => wait.run(&client, &mut to)?,
            Command::Look(look) => look.run(&client, &mut to)?,
            Command::Reset => client.post("/reset", None).map(drop)?,
            Command::Snapshot(snapshots) => snapshots.run(&client, &mut to)?,
            Command::Fork(forks) => forks.run(&client, &mut to)?,
            Command::Cluster(cluster) => cluster.run(&client, &mut to)?,
            Command::Openapi => to.out.line(client.get("/openapi.json")?)?,
        }
        to.out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where results go, and in which form.
struct Told {
    out: Output,
    form: Form,
}

impl Told {
    /// An object: as JSON, or a line for each of its fields.
    fn object(&mut self, value: &serde_json::Value) -> Result<(), Box<dyn Error>> {
        if self.form.json {
            return Ok(self.out.json(value)?);
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            self.out.line(format_args!("{name}: {}", text_of(value)))?;
        }
        Ok(())
    }

    /// The objects of a list: one a line as JSON, or a table with these columns. A column is its head, and how to get it.
    fn rows(&mut self, values: &[serde_json::Value], columns: &[Column]) -> Result<(), Box<dyn Error>> {
        if self.form.json {
            for value in values {
                self.out.json(value)?;
            }
            return Ok(());
        }
        let heads: Vec<&str> = columns.iter().map(|column| column.head).collect();
        let numbers: Vec<usize> =
            columns.iter().enumerate().filter(|(_, column)| column.number).map(|(at, _)| at).collect();
        let rows = values.iter().map(|value| columns.iter().map(|column| (column.cell)(value)).collect());
        Ok(self.out.table(&heads, &numbers, rows)?)
    }
}

/// A column of a table.
struct Column {
    head: &'static str,
    number: bool,
    cell: Box<dyn Fn(&serde_json::Value) -> String>,
}

impl Column {
    /// Of the field of this name.
    fn of(head: &'static str, field: &'static str) -> Self {
        Column { head, number: false, cell: Box::new(move |value| text_of(&value[field])) }
    }

    /// Of the field of this name, which is a number.
    fn number(head: &'static str, field: &'static str) -> Self {
        Column { number: true, ..Column::of(head, field) }
    }

    /// Of whatever is made of the object.
    fn made(head: &'static str, cell: impl Fn(&serde_json::Value) -> String + 'static) -> Self {
        Column { head, number: false, cell: Box::new(cell) }
    }

    /// A number, of whatever is made of the object.
    fn made_number(head: &'static str, cell: impl Fn(&serde_json::Value) -> String + 'static) -> Self {
        Column { number: true, ..Column::made(head, cell) }
    }
}

/// A value as a person reads it: texts without quotes, nothing for null.
fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(all) => all.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The list that an answer has under a name.
fn list(value: &serde_json::Value, name: &str) -> Vec<serde_json::Value> {
    value[name].as_array().cloned().unwrap_or_default()
}

//! `klamm ctl snapshot` and `klamm ctl fork`.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::{Client, escaped};
use super::{Column, Told, list};
use crate::cli::times;

/// Snapshots.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Snapshots {
    /// Take a snapshot of all that the broker holds, and keep it under this name.
    Take {
        /// The name; letters, digits, dots, dashes and underscores.
        name: String,
    },
    /// The snapshots that are kept.
    List,
    /// Go back to a snapshot.
    Restore {
        /// The name.
        name: String,
    },
    /// Keep a snapshot no longer.
    Delete {
        /// The name.
        name: String,
    },
    /// Write a snapshot to a file.
    Download {
        /// The name.
        name: String,
        /// The file; one that is there is replaced.
        file: PathBuf,
    },
    /// Take a snapshot from a file, and keep it under this name.
    Upload {
        /// The name.
        name: String,
        /// The file.
        file: PathBuf,
    },
}

/// Forks.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Forks {
    /// Start a second broker with the same contents.
    Start {
        /// With what this snapshot holds, instead of what the broker holds now.
        #[arg(long, value_name = "NAME")]
        snapshot: Option<String>,
    },
    /// The forks.
    List,
    /// Stop a fork.
    Stop {
        /// Its number.
        number: u64,
    },
}

impl Snapshots {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        match self {
            Snapshots::Take { name } => show(to, &[client.put(&path(&name), None)?]),
            Snapshots::List => show(to, &list(&client.get_of_server("/snapshots")?, "snapshots")),
            Snapshots::Restore { name } => client.post(&format!("{}/restore", path(&name)), None).map(drop),
            Snapshots::Delete { name } => client.delete_of_server(&path(&name)).map(drop),
            Snapshots::Download { name, file } => download(client, &name, &file),
            Snapshots::Upload { name, file } => {
                let opened =
                    File::open(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
                show(to, &[client.upload(&format!("{}/file", path(&name)), opened)?])
            }
        }
    }
}

impl Forks {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        let columns = [
            Column::number("FORK", "fork"),
            Column::of("BOOTSTRAP SERVERS", "bootstrap_servers"),
            Column::of("CONTROL", "control_url"),
        ];
        match self {
            Forks::Start { snapshot } => {
                to.rows(&[client.post("/forks", Some(&json!({ "snapshot": snapshot })))?], &columns)
            }
            Forks::List => to.rows(&list(&client.get_of_server("/forks")?, "forks"), &columns),
            Forks::Stop { number } => client.delete_of_server(&format!("/forks/{number}")).map(drop),
        }
    }
}

fn path(name: &str) -> String {
    format!("/snapshots/{}", escaped(name))
}

/// Writes a snapshot beside the file first: what there is under its name is whole at all times.
fn download(client: &Client, name: &str, file: &Path) -> Result<(), Box<dyn Error>> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", file.display());
    let mut from = client.download(&format!("{}/file", path(name)))?;
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let written = File::create(&part).and_then(|mut to| {
        std::io::copy(&mut from, &mut to)?;
        to.sync_all()?;
        std::fs::rename(&part, file)
    });
    written.map_err(|error| {
        // What there is of it is of no use; that it cannot be removed is not what went wrong.
        let _ = std::fs::remove_file(&part);
        failed(error).into()
    })
}

fn show(to: &mut Told, snapshots: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::of("SNAPSHOT", "name"),
        Column::made("TAKEN AT", |snapshot| {
            snapshot["time_ms"].as_i64().map(times::show).unwrap_or_default()
        }),
        Column::made_number("TOPICS", |snapshot| list(snapshot, "topics").len().to_string()),
    ];
    to.rows(snapshots, &columns)
}

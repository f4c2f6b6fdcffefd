//! `klamm cluster`: brokers, what they serve in which versions, and where they keep what.

use std::process::ExitCode;

use klamm::LogDir;
use serde_json::json;

use super::connect::ConnectArgs;
use super::error::{Failure, say};
use super::output::{Form, Output, bytes, grouped};
use super::session::Session;
use super::terminal::Style;
use super::topics::code;

// What `klamm cluster` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
enum Command {
    /// Show the brokers, and which is the controller.
    Brokers,
    /// Show which APIs brokers serve, in which versions.
    Apis(Apis),
    /// Show the folders that brokers keep logs in, and what is in them.
    LogDirs(LogDirs),
}

#[derive(Debug, clap::Args)]
struct Apis {
    /// Only of this broker.
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
}

#[derive(Debug, clap::Args)]
struct LogDirs {
    /// Only of this broker.
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,

    /// Each partition, not only how much there is in all.
    #[arg(short, long)]
    partitions: bool,

    /// Only partitions of this topic; each of them.
    #[arg(short, long, value_name = "TOPIC")]
    topic: Option<String>,
}

impl Cluster {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let session = Session::open(&self.connect)?;
        match self.command {
            Command::Brokers => brokers(&session, self.form),
            Command::Apis(apis) => apis.run(&session, self.form),
            Command::LogDirs(dirs) => dirs.run(&session, self.form),
        }
    }
}

fn brokers(session: &Session, form: Form) -> Result<ExitCode, Failure> {
    let cluster = session.wait(session.admin.describe_cluster())?;
    let mut out = Output::new();
    if form.json {
        for broker in &cluster.brokers {
            out.json(&json!({
                "cluster_id": cluster.cluster_id,
                "broker": broker.id,
                "host": broker.host,
                "port": broker.port,
                "rack": broker.rack,
                "controller": cluster.controller == Some(broker.id),
                "fenced": broker.fenced,
            }))?;
        }
    } else {
        if let Some(id) = &cluster.cluster_id {
            out.styled(Style::Strong, format_args!("cluster {id}"))?;
        }
        let rows = cluster.brokers.iter().map(|broker| {
            let controller = if cluster.controller == Some(broker.id) { "controller" } else { "" };
            let (style, state) =
                if broker.fenced { (Style::Warning, "fenced") } else { (Style::Plain, controller) };
            let rack = broker.rack.clone().unwrap_or_default();
            (
                style,
                vec![
                    broker.id.to_string(),
                    broker.host.clone(),
                    broker.port.to_string(),
                    rack,
                    state.to_owned(),
                ],
            )
        });
        out.styled_table(&["BROKER", "HOST", "PORT", "RACK", ""], &[0, 2], rows)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Whether a broker is wanted; and an error where one is wanted that is not there.
fn choose<T>(answers: Vec<(i32, T)>, wanted: Option<i32>) -> Result<Vec<(i32, T)>, Failure> {
    let Some(wanted) = wanted else { return Ok(answers) };
    let there: Vec<_> = answers.iter().map(|(id, _)| id.to_string()).collect();
    let chosen: Vec<_> = answers.into_iter().filter(|(id, _)| *id == wanted).collect();
    if chosen.is_empty() {
        return Err(
            format!("there is no broker {wanted}; those that answered are {}", there.join(", ")).into()
        );
    }
    Ok(chosen)
}

impl Apis {
    fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let answers = session.wait(session.admin.api_versions())?;
        let (answers, all) = session.sort(answers, |session, _, error| session.explain(error));
        let answers = choose(answers, self.broker)?;
        let mut out = Output::new();
        if form.json {
            for (broker, apis) in &answers {
                for api in apis {
                    out.json(&json!({
                        "broker": broker,
                        "key": api.key,
                        "api": api.name,
                        "min_version": api.min_version,
                        "max_version": api.max_version,
                    }))?;
                }
            }
        } else {
            let rows = answers.iter().flat_map(|(broker, apis)| {
                apis.iter().map(|api| {
                    let name = api.name.clone().unwrap_or_else(|| "(not known here)".to_owned());
                    vec![
                        broker.to_string(),
                        api.key.to_string(),
                        name,
                        api.min_version.to_string(),
                        api.max_version.to_string(),
                    ]
                })
            });
            out.table(&["BROKER", "KEY", "API", "FROM", "TO"], &[0, 1, 3, 4], rows)?;
        }
        out.flush()?;
        Ok(code(all))
    }
}

impl LogDirs {
    fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let answers = session.wait(session.admin.log_dirs())?;
        let (answers, mut all) = session.sort(answers, |session, _, error| session.explain(error));
        let mut answers = choose(answers, self.broker)?;
        if let Some(topic) = &self.topic {
            // Of a topic that is not there nothing is anywhere: that is told instead.
            session.partitions(topic)?;
            for dir in answers.iter_mut().flat_map(|(_, dirs)| dirs) {
                dir.partitions.retain(|held| *held.partition.topic == **topic);
            }
        }
        for (broker, dir) in
            answers.iter().flat_map(|(broker, dirs)| dirs.iter().map(move |dir| (broker, dir)))
        {
            if let Some(error) = &dir.error {
                all = false;
                say(format_args!("broker {broker}: {error}"));
            }
        }
        let mut out = Output::new();
        match (form.json, self.partitions || self.topic.is_some()) {
            (true, _) => write_json(&mut out, &answers)?,
            (false, true) => write_partitions(&mut out, &answers)?,
            (false, false) => write_dirs(&mut out, &answers)?,
        }
        out.flush()?;
        Ok(code(all))
    }
}

fn write_json(out: &mut Output, answers: &[(i32, Vec<LogDir>)]) -> std::io::Result<()> {
    for (broker, dir) in answers.iter().flat_map(|(broker, dirs)| dirs.iter().map(move |dir| (broker, dir))) {
        for held in &dir.partitions {
            out.json(&json!({
                "broker": broker,
                "dir": dir.path,
                "topic": &*held.partition.topic,
                "partition": held.partition.partition,
                "size": held.size,
                "offset_lag": held.offset_lag,
                "future": held.future,
            }))?;
        }
    }
    Ok(())
}

fn size(bytes_there: i64) -> String {
    u64::try_from(bytes_there).map_or_else(|_| "?".to_owned(), bytes)
}

fn write_partitions(out: &mut Output, answers: &[(i32, Vec<LogDir>)]) -> std::io::Result<()> {
    let rows = answers.iter().flat_map(|(broker, dirs)| {
        dirs.iter().flat_map(move |dir| {
            dir.partitions.iter().map(move |held| {
                let moving = if held.future { "moving here" } else { "" };
                vec![
                    broker.to_string(),
                    held.partition.topic.to_string(),
                    held.partition.partition.to_string(),
                    size(held.size),
                    held.offset_lag.to_string(),
                    dir.path.clone(),
                    moving.to_owned(),
                ]
            })
        })
    });
    out.table(&["BROKER", "TOPIC", "PARTITION", "SIZE", "LAG", "DIR", ""], &[0, 2, 3, 4], rows)
}

fn write_dirs(out: &mut Output, answers: &[(i32, Vec<LogDir>)]) -> std::io::Result<()> {
    let told = |bytes: Option<i64>| bytes.map_or_else(|| "?".to_owned(), size);
    let rows = answers.iter().flat_map(|(broker, dirs)| {
        dirs.iter().map(move |dir| {
            let held: i64 = dir.partitions.iter().map(|held| held.size.max(0)).fold(0, i64::saturating_add);
            let row = vec![
                broker.to_string(),
                dir.path.clone(),
                grouped(dir.partitions.len() as u64),
                size(held),
                told(dir.usable_bytes),
                told(dir.total_bytes),
            ];
            (if dir.error.is_some() { Style::Bad } else { Style::Plain }, row)
        })
    });
    out.styled_table(&["BROKER", "DIR", "PARTITIONS", "SIZE", "FREE", "OF"], &[0, 2, 3, 4, 5], rows)
}

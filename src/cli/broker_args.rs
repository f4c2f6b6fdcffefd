//! What every command that starts a broker takes: its data, topics and configs.

use std::error::Error;
use std::path::{Path, PathBuf};

use klamm::{Broker, BrokerBuilder, Clock, JournalOptions};

/// The most that [`klamm::MAX_BROKERS`] allows.
const MOST_BROKERS: i64 = klamm::MAX_BROKERS as i64;

// What the broker is to be like.
#[derive(Debug, clap::Args)]
pub(crate) struct BrokerArgs {
    /// Keep everything in this folder, so that it survives a restart. Without it the broker lives in memory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Create this topic unless it is there; can be given several times.
    #[arg(long, value_name = "NAME[:PARTITIONS]")]
    topic: Vec<String>,

    /// Set any broker config by Kafka's name for it; can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,

    /// Stand for this many nodes, each with ports of its own, with one log behind them.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=MOST_BROKERS))]
    brokers: u16,

    /// The racks of the nodes, with commas between them: one for each, in the order of their ids.
    #[arg(long, value_name = "RACK,...", value_delimiter = ',')]
    racks: Vec<String>,

    /// Draw every random choice (ids, chances of faults) from this seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Whose time the broker follows: the system's, or one that stands until a test moves it (see --control), from now on
    /// or from so many milliseconds since 1970 on. [default: system]
    #[arg(long, value_name = "system|manual[:MS]", value_parser = clock)]
    clock: Option<Clock>,

    /// Write the run down in this file, to have it again with `klamm replay`.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Take configs from a server.properties file; --config goes before what it says.
    #[arg(long, value_name = "FILE")]
    properties: Option<PathBuf>,
}

impl BrokerArgs {
    /// A builder of such a broker, with the listeners that a properties file names and no other.
    pub(crate) fn builder(&self) -> Result<BrokerBuilder, Box<dyn Error>> {
        let mut builder = Broker::builder().brokers(usize::from(self.brokers));
        if !self.racks.is_empty() {
            builder = builder.racks(&self.racks);
        }
        if let Some(file) = &self.properties {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read the properties file {}: {error}", file.display()))?;
            builder = builder.properties(&text)?;
        }
        for pair in &self.config {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(format!("--config takes KEY=VALUE, but got '{pair}'").into());
            };
            builder = builder.config(key.trim(), value);
        }
        for topic in &self.topic {
            builder = match topic.rsplit_once(':') {
                Some((name, partitions)) => {
                    let count = partitions.parse().map_err(|_| {
                        format!("--topic takes NAME or NAME:PARTITIONS, but '{partitions}' in '{topic}' is no number")
                    })?;
                    builder.topic(name, count)
                }
                None => builder.topic_with_default_partitions(topic),
            };
        }
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(clock) = &self.clock {
            builder = builder.clock(clock.clone());
        }
        if let Some(journal) = &self.journal {
            builder = builder.journal(JournalOptions::file(journal));
        }
        Ok(match &self.data_dir {
            Some(folder) => builder.data_dir(folder),
            None => builder,
        })
    }

    /// The names of the topics that are asked for.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topic.iter().map(|topic| topic.rsplit_once(':').map_or(topic.as_str(), |(name, _)| name))
    }

    /// The folder that everything is kept in.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }
}

/// The latest time that a manual clock may start at: the end of the year 9999. There is room for years of tests behind it.
const LATEST_START_MS: i64 = 253_402_300_799_999;

/// A clock as the command line names it.
fn clock(text: &str) -> Result<Clock, String> {
    match text.split_once(':') {
        None if text == "system" => Ok(Clock::system()),
        None if text == "manual" => Ok(Clock::manual(Clock::system().now_ms())),
        Some(("manual", start)) => match start.parse() {
            Ok(start_ms) if (0..=LATEST_START_MS).contains(&start_ms) => Ok(Clock::manual(start_ms)),
            _ => Err(format!(
                "'{start}' is no time to start at: give milliseconds since 1970, up to the year 9999"
            )),
        },
        _ => Err("give 'system', 'manual' or 'manual:MILLISECONDS'".to_owned()),
    }
}

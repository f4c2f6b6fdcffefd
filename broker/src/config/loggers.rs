//! The broker's loggers, as far as it has any: one, named `root`, at the most verbose level that the process records.
//!
//! Kafka has a logger for every class. Klamm writes through `tracing`, whose levels belong to the process that the broker
//! lives in, so the level can be read here but not changed.

use tracing::level_filters::LevelFilter;

use crate::config::change::{Change, Operation, Refused};
use crate::config::describe::{ConfigEntry, Keys};
use crate::config::layers::Source;

const ROOT: &str = "root";

const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// The level in Kafka's words.
fn level() -> &'static str {
    match LevelFilter::current() {
        LevelFilter::TRACE => "TRACE",
        LevelFilter::DEBUG => "DEBUG",
        LevelFilter::INFO => "INFO",
        LevelFilter::WARN => "WARN",
        LevelFilter::ERROR => "ERROR",
        // Nothing is recorded: the nearest that Kafka has.
        _ => "FATAL",
    }
}

/// The loggers and their levels.
pub(crate) fn describe(keys: Keys<'_>) -> Vec<ConfigEntry> {
    let root = ConfigEntry {
        name: ROOT.to_owned(),
        value: Some(level().to_owned()),
        read_only: false,
        source: Source::Logger,
        sensitive: false,
        kind: 0,
        synonyms: Vec::new(),
    };
    [root].into_iter().filter(|entry| keys.has(&entry.name)).collect()
}

/// Checks changes of levels as Kafka does; then refuses those that would change something.
pub(crate) fn check(changes: &[Change<'_>]) -> Result<(), Refused> {
    for change in changes {
        let name = change.name;
        let exists = || match name {
            ROOT => Ok(()),
            _ => Err(Refused::config(format!("Logger {name} does not exist!"))),
        };
        match change.operation {
            Operation::Set => {
                exists()?;
                let wanted = change.value.unwrap_or_default();
                if !LEVELS.contains(&wanted) {
                    return Err(Refused::config(format!(
                        "Cannot set the log level of {name} to {wanted} as it is not a supported log level. \
                         Valid log levels are {}",
                        LEVELS.join(", ")
                    )));
                }
                if wanted != level() {
                    return Err(Refused::request(
                        "The log level belongs to the process that the broker runs in; set it where that starts.",
                    ));
                }
            }
            Operation::Delete => {
                exists()?;
                return Err(Refused::request("Removing the log level of the root logger is not allowed"));
            }
            Operation::Append | Operation::Subtract => {
                let verb = change.operation.verb();
                let sentence = format!("{verb} operation is not allowed for the BROKER_LOGGER resource");
                return Err(Refused::request(sentence));
            }
            Operation::Unknown(_) => return Err(Refused::unknown()),
        }
    }
    Ok(())
}

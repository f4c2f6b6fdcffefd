//! Kafka's own scripts, under their own names: one file each. Flags, output and exit codes are those of Apache Kafka 4.3.1.
//!
//! What they share is here and in the files named after things: [`options`] reads command lines as joptsimple does,
//! [`java`] has the little that output owes to Java, [`errors`] what Java calls Kafka's errors. Where the original ends
//! with an exception and its stack trace, these say the exception's message. Nothing here knows of `klamm`'s own commands.

mod api_versions;
mod client;
mod configs;
mod consumer;
mod delete_records;
mod dump_log;
mod errors;
mod groups;
pub(crate) mod install;
mod java;
mod log_dirs;
mod offsets;
mod options;
mod perf;
mod producer;
mod topics;
mod usage;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::output::Output;
use options::OptionError;
use usage::Usage;

/// A script of Kafka's.
struct Script {
    /// Its name, without `.sh`.
    name: &'static str,
    usage: Usage,
    run: fn(&[String], &mut Output) -> Result<(), Ended>,
}

/// All of them.
const SCRIPTS: &[Script] = &[
    Script { name: "kafka-topics", usage: usage::TOPICS, run: topics::run },
    Script { name: "kafka-consumer-groups", usage: usage::GROUPS, run: groups::run },
    Script { name: "kafka-configs", usage: usage::CONFIGS, run: configs::run },
    Script { name: "kafka-get-offsets", usage: usage::OFFSETS, run: offsets::run },
    Script { name: "kafka-delete-records", usage: usage::DELETE_RECORDS, run: delete_records::run },
    Script { name: "kafka-log-dirs", usage: usage::LOG_DIRS, run: log_dirs::run },
    Script { name: "kafka-broker-api-versions", usage: usage::API_VERSIONS, run: api_versions::run },
    Script { name: "kafka-console-producer", usage: usage::CONSOLE_PRODUCER, run: producer::run },
    Script { name: "kafka-console-consumer", usage: usage::CONSOLE_CONSUMER, run: consumer::run },
    Script { name: "kafka-producer-perf-test", usage: usage::PRODUCER_PERF, run: perf::producer::run },
    Script { name: "kafka-consumer-perf-test", usage: usage::CONSUMER_PERF, run: perf::consumer::run },
    Script { name: "kafka-dump-log", usage: usage::DUMP_LOG, run: dump_log::run },
];

/// The version that `--version` tells: that of the scripts whose flags these are.
const VERSION: &str = "4.3.1";

/// Why a script ends before its work is done.
enum Ended {
    /// The command line is wrong, or help was asked for: this sentence, and the usage below it.
    Usage(String),
    /// It failed, for this reason.
    Failed(String),
    /// All that there is to say has been said.
    Said(u8),
    /// What was written could not be, or nobody reads on.
    Output(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Ended::Output(error)
    }
}

impl From<OptionError> for Ended {
    fn from(error: OptionError) -> Self {
        Ended::Failed(error.to_string())
    }
}

/// The script that a program's name calls, with or without `.sh`.
fn named(program: &OsStr) -> Option<&'static Script> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.strip_suffix(".sh").unwrap_or(name);
    SCRIPTS.iter().find(|script| script.name == name)
}

/// Where the program was called by the name of a script, runs that script to its end.
pub(crate) fn run_as_called() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let script = named(&arguments.next()?)?;
    Some(script.run(arguments))
}

/// Writes a line to stderr. Where nobody can be told, nobody is.
fn complain(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl Script {
    /// Runs it with these arguments.
    fn run(&self, arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
        let arguments: Vec<String> =
            arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
        let mut out = Output::new();
        let done = (self.run)(&arguments, &mut out);
        let flushed = out.flush().map_err(Ended::Output);
        match done.and(flushed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(Ended::Usage(message)) => {
                complain(message);
                complain(self.usage.table().trim_end_matches('\n'));
                ExitCode::FAILURE
            }
            Err(Ended::Failed(message)) => {
                complain(message);
                ExitCode::FAILURE
            }
            Err(Ended::Said(code)) => ExitCode::from(code),
            Err(Ended::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(Ended::Output(error)) => {
                complain(format_args!("{}: cannot write the output: {error}", self.name));
                ExitCode::FAILURE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_called_with_and_without_its_ending_from_any_folder() {
        for program in ["kafka-topics", "kafka-topics.sh", "/opt/kafka/bin/kafka-topics.sh", "./kafka-topics"]
        {
            assert_eq!(
                named(OsStr::new(program)).map(|script| script.name),
                Some("kafka-topics"),
                "{program}"
            );
        }
        for program in ["klamm", "kafka-topics.bat", "kafka", "", "/", "topics"] {
            assert!(named(OsStr::new(program)).is_none(), "{program}");
        }
    }
}

//! `klamm topics`: topics of any cluster, and their partitions and records.

mod alter;
mod create;
mod delete;
mod describe;
mod list;
mod records;

use std::process::ExitCode;

use super::connect::ConnectArgs;
use super::error::Failure;
use super::output::Form;
use super::session::Session;

// What `klamm topics` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Topics {
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
    /// List topics.
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Create topics: klamm topics create orders --partitions 6
    Create(create::Create),
    /// Show partitions, where they are, and what is set for a topic.
    Describe(describe::Describe),
    /// Change what is set for topics, or give them more partitions.
    Alter(alter::Alter),
    /// Delete topics, with all that is in them.
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
    /// Give a topic more partitions: klamm topics add-partitions orders --to 12
    AddPartitions(alter::AddPartitions),
    /// Delete records from the beginning of partitions.
    DeleteRecords(records::DeleteRecords),
}

impl Topics {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let session = Session::open(&self.connect)?;
        match self.command {
            Command::List(list) => list.run(&session, self.form),
            Command::Create(create) => create.run(&session, self.form),
            Command::Describe(describe) => describe.run(&session, self.form),
            Command::Alter(alter) => alter.run(&session, self.form),
            Command::Delete(delete) => delete.run(&session, self.form),
            Command::AddPartitions(add) => add.run(&session, self.form),
            Command::DeleteRecords(delete) => delete.run(&session, self.form),
        }
    }
}

/// What a command ends with that did all, or not all, of what it was asked for.
pub(super) fn code(all: bool) -> ExitCode {
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

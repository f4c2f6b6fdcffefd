//! `klamm groups`: consumer groups of any cluster, where they stand, and moving them.

mod delete;
mod describe;
mod list;
mod reset;
mod standing;
mod watch;

use std::process::ExitCode;

use super::connect::ConnectArgs;
use super::error::Failure;
use super::output::Form;
use super::session::Session;

// What `klamm groups` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Groups {
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
    /// List groups.
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show where groups stand in each partition, how far behind they are, and who reads what.
    Describe(describe::Describe),
    /// Show where a group stands again and again, until Ctrl-C.
    Watch(watch::Watch),
    /// Have a group go on elsewhere; without --execute only show where. It must have no members.
    #[command(after_help = reset::EXAMPLES)]
    Reset(reset::Reset),
    /// Delete groups, with what they have committed. They must have no members.
    #[command(visible_alias = "rm")]
    Delete(delete::Delete),
    /// Delete what a group has committed in topics that it is not subscribed to.
    DeleteOffsets(delete::DeleteOffsets),
}

impl Groups {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let session = Session::open(&self.connect)?;
        match self.command {
            Command::List(list) => list.run(&session, self.form),
            Command::Describe(describe) => describe.run(&session, self.form),
            Command::Watch(watch) => watch.run(&session, self.form),
            Command::Reset(reset) => reset.run(&session, self.form),
            Command::Delete(delete) => delete.run(&session, self.form),
            Command::DeleteOffsets(delete) => delete.run(&session, self.form),
        }
    }
}

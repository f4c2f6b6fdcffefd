//! `klamm replay`: has the run of a journal again, and shows the first answer that differs.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use klamm::Journal;

use super::output::{Form, Output};

/// What the command ends with where an answer differs. Where the journal cannot be had again it ends with 2.
const DIFFERS: u8 = 1;
const UNREADABLE: u8 = 2;

// What `klamm replay` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The journal, as `klamm serve --journal` or a test has written it.
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,

    /// Have the run again so many times.
    #[arg(long, value_name = "N", default_value_t = 1)]
    times: u32,

    #[command(flatten)]
    form: Form,
}

impl Replay {
    /// Replays the journal. The exit code is 0 where every answer is the same, 1 where one differs, 2 where the
    /// journal cannot be had again.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        match self.replay() {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Ok(ExitCode::from(DIFFERS)),
            Err(error) if super::output::is_closed_pipe(&*error) => Err(error),
            Err(error) => {
                eprintln!("klamm: {error}");
                Ok(ExitCode::from(UNREADABLE))
            }
        }
    }

    fn replay(&self) -> Result<bool, Box<dyn Error>> {
        let journal = Journal::read(&self.journal)?;
        let mut replay = journal.replay()?;
        for _ in 1..self.times {
            if !replay.is_equal() {
                break;
            }
            replay = journal.replay()?;
        }
        let mut out = Output::new();
        match &replay.difference {
            _ if self.form.json => out.json(&replay)?,
            Some(difference) => {
                let requests = journal.requests();
                out.line(format!("{} of {requests} requests ended as they did then", replay.equal))?;
                out.line(difference)?;
            }
            None => {
                let end = if replay.complete { "" } else { ", up to where the journal ends before the run" };
                out.line(format!("all {} requests ended as they did then{end}", replay.requests))?;
            }
        }
        out.flush()?;
        Ok(replay.is_equal())
    }
}

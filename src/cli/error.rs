//! How commands say that something went wrong: a sentence on stderr, and 1 for what failed, 2 for what was asked wrongly.

use std::error::Error;
use std::process::ExitCode;

use klamm::{ClientError, ErrorKind};

use super::output::is_closed_pipe;

/// What is said of any command that failed.
pub(crate) type Failure = Box<dyn Error>;

/// What a command ends with that was asked for what cannot be.
const WRONG_USAGE: u8 = 2;

/// The command line, or a file that it names, asks for what cannot be: nothing was done.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl Usage {
    /// With a sentence: what is wrong, and what to write instead.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Usage(sentence.into())
    }

    /// The same, as any failure.
    pub(crate) fn failure(sentence: impl Into<String>) -> Failure {
        Box::new(Usage::new(sentence))
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Says what went wrong, and gives the code to end with. A reader that has gone away is no reason to complain.
pub(crate) fn report(error: &(dyn Error + 'static)) -> ExitCode {
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    say(error);
    code_of(error)
}

/// Writes a sentence to stderr. Where nobody can be told, nobody is.
pub(crate) fn say(sentence: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "klamm: {sentence}");
}

fn code_of(error: &(dyn Error + 'static)) -> ExitCode {
    let of_client = error.downcast_ref::<ClientError>().map(ClientError::kind);
    let asked_wrongly =
        error.is::<Usage>() || matches!(of_client, Some(ErrorKind::Config | ErrorKind::InvalidArgument));
    if asked_wrongly { ExitCode::from(WRONG_USAGE) } else { ExitCode::FAILURE }
}

//! `klamm run`: a broker for as long as a command runs.

use std::error::Error;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;

use rustix::process::{Pid, Signal as Number};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::broker_args::BrokerArgs;
use super::control_args::{self, ControlArgs};
use super::{ctl, logging};

/// The environment variables that tell the command where the broker is.
const VARIABLES: [&str; 3] = ["KAFKA_BOOTSTRAP_SERVERS", "BOOTSTRAP_SERVERS", "KLAMM_BOOTSTRAP_SERVERS"];

/// What shells and `env` exit with if a command cannot be run, and if there is none of the name.
const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

// What `klamm run` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    broker: BrokerArgs,

    #[command(flatten)]
    control: ControlArgs,

    /// What to log to stderr: a level, or a filter such as `warn,klamm_broker=debug`. [default: $KLAMM_LOG, or warn]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,

    /// The command and its arguments. It finds the broker's address in KAFKA_BOOTSTRAP_SERVERS, BOOTSTRAP_SERVERS and
    /// KLAMM_BOOTSTRAP_SERVERS, and with --control the address of that in KLAMM_CONTROL_URL.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

impl Run {
    /// Starts a broker on a free port, runs the command, stops the broker, and gives the command's exit code: 128 and the
    /// signal's number where a signal ended it, as a shell does.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        logging::start(self.log.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // Listened to before the broker starts, so that a signal on the way stops it cleanly too.
        let signals = runtime.block_on(async { Passed::listen() })?;
        let broker = Arc::new(self.broker.builder()?.start()?);
        let control = self.control.start(&broker)?;
        let mut told: Vec<_> = VARIABLES.map(|name| (name, broker.bootstrap_servers())).into();
        if let Some(control) = &control {
            told.push((ctl::URL_VARIABLE, control.url()));
            told.extend(self.control.token().map(|token| (ctl::TOKEN_VARIABLE, token)));
        }
        let status = runtime.block_on(self.run_command(told, signals));
        drop(control);
        control_args::shut_down(broker)?;
        Ok(status?)
    }

    /// Runs the command with these environment variables.
    async fn run_command(&self, variables: Vec<(&str, String)>, signals: Passed) -> Result<ExitCode, String> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err("no command was given".to_owned());
        };
        let mut command = Command::new(program);
        command.args(arguments).envs(variables);
        let name = program.to_string_lossy();
        match command.spawn() {
            Ok(child) => {
                let status = signals.pass_to(child).await;
                Ok(code_of(status.map_err(|error| format!("cannot wait for '{name}': {error}"))?))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("klamm: there is no command '{name}'; give its path, or put its folder into PATH");
                Ok(ExitCode::from(NOT_FOUND))
            }
            Err(error) => {
                eprintln!("klamm: cannot run '{name}': {error}");
                Ok(ExitCode::from(NOT_RUNNABLE))
            }
        }
    }
}

/// The code that tells of `status`.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}

/// The signals that are passed on to the command.
struct Passed {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
}

impl Passed {
    fn listen() -> std::io::Result<Self> {
        Ok(Passed {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Passes signals on to `child` until it ends.
    async fn pass_to(mut self, mut child: Child) -> std::io::Result<ExitStatus> {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        loop {
            let (number, of_keyboard) = tokio::select! {
                status = child.wait() => return status,
                _ = self.interrupt.recv() => (Number::INT, true),
                _ = self.quit.recv() => (Number::QUIT, true),
                _ = self.terminate.recv() => (Number::TERM, false),
                _ = self.hangup.recv() => (Number::HUP, false),
            };
            // What is typed at a terminal reaches every process in the foreground: the command has it already.
            if of_keyboard && is_in_foreground() {
                continue;
            }
            if let Some(id) = id {
                // It may have ended just now; then there is nobody to tell.
                let _ = rustix::process::kill_process(id, number);
            }
        }
    }
}

/// Whether this process belongs to those that a terminal's keys send signals to.
fn is_in_foreground() -> bool {
    let stdin = std::io::stdin();
    stdin.is_terminal()
        && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp())
}

//! Whether a person watches, and what only a person is to see: colours, and how far long work has come.

use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar is drawn at most, in hertz.
const DRAWN: u8 = 10;

/// Whether colours are wanted on what is a terminal: unless `NO_COLOR` says otherwise.
fn wants_colour() -> bool {
    let says = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    says("NO_COLOR").is_none() && says("TERM").is_none_or(|kind| kind != "dumb")
}

/// Whether standard output takes colours.
pub(crate) fn colours_out() -> bool {
    std::io::stdout().is_terminal() && wants_colour()
}

/// Whether a person watches standard output.
pub(crate) fn is_out_watched() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// How a piece of text looks to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// As any text.
    Plain,
    /// Heads of tables and names.
    Strong,
    /// What matters less.
    Faint,
    /// Something wants attention.
    Warning,
    /// Something is wrong.
    Bad,
}

impl Style {
    /// The sequence that begins it; nothing for plain text.
    fn begin(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Strong => "\x1b[1m",
            Style::Faint => "\x1b[2m",
            Style::Warning => "\x1b[33m",
            Style::Bad => "\x1b[31m",
        }
    }

    /// The text in this style.
    pub(crate) fn paint(self, text: impl Display) -> String {
        match self.begin() {
            "" => text.to_string(),
            begin => format!("{begin}{text}\x1b[0m"),
        }
    }
}

/// How far long work has come, on stderr, and only where a person watches.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Of so many steps; none where it is not known how many there are. `what` is being done: `copying orders`.
    pub(crate) fn new(what: impl Into<String>, steps: Option<u64>) -> Self {
        if !is_watched() {
            return Progress(None);
        }
        let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr_with_hz(DRAWN));
        let form = match steps {
            Some(_) => "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}",
            None => "{spinner} {msg} {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.into());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress(Some(bar))
    }

    /// So many steps are done in all.
    pub(crate) fn set(&self, steps: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(steps);
        }
    }

    /// What is being done now.
    pub(crate) fn say(&self, what: impl Into<String>) {
        if let Some(bar) = &self.0 {
            bar.set_message(what.into());
        }
    }
}

/// The bar goes as it is dropped: what remains is what the command says.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// After how long it is said what is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Says what is waited for, if it takes long and a person watches, until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Option<(mpsc::Sender<()>, JoinHandle<()>)>);

impl Waiting {
    /// From now on. Where there is no thread to be had, nothing is said.
    pub(crate) fn begin(what: String) -> Self {
        if !is_watched() {
            return Waiting(None);
        }
        let (end, ended) = mpsc::channel();
        let show = move || {
            if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _shown = Progress::new(what, None);
                // It ends by its other end being dropped.
                let _ = ended.recv();
            }
        };
        let thread = std::thread::Builder::new().name("klamm-waiting".to_owned()).spawn(show);
        Waiting(thread.ok().map(|thread| (end, thread)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            // It does not panic; and if it did, there would be nothing to clear away.
            let _ = thread.join();
        }
    }
}

/// Clears the screen and begins at its top, for what is shown again and again.
pub(crate) const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

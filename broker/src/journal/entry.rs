//! The lines of a journal: what they say, and reading them.
//!
//! Knows nothing of how they come about or of what a replay makes of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::Change;
use crate::dispatch::{Outcome, Then};
use crate::faults::Fault;

/// The version of the format.
const FORMAT: u32 = 1;

/// How the broker of a journal was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) klamm_journal: u32,
    pub(crate) seed: u64,
    /// Whether the clock moved only when it was told to.
    pub(crate) manual_clock: bool,
    pub(crate) now_ms: i64,
    pub(crate) steady_ms: i64,
    /// The broker configs that were set.
    pub(crate) configs: BTreeMap<String, String>,
    /// The configs that say where it listened and where it kept its data.
    pub(crate) places: BTreeMap<String, String>,
    /// The addresses that clients were told.
    pub(crate) listeners: Vec<(String, u16)>,
    pub(crate) topics: Vec<(String, Option<i32>)>,
    /// How many nodes it stood for.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(crate) brokers: usize,
    /// Their racks, where each was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) racks: Option<Vec<String>>,
    /// Whether it had a data folder.
    pub(crate) in_folder: bool,
    /// Whether there was data from before, in that folder or of a snapshot: then the journal does not tell all.
    pub(crate) had_data: bool,
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Head {
    pub(crate) fn format() -> u32 {
        FORMAT
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The time that was written down during the step.
    pub(crate) at_ms: i64,
    /// The time that deadlines were counted by.
    pub(crate) steady_ms: i64,
    #[serde(flatten)]
    pub(crate) event: Event,
    /// How many waits of the client's own time were over in the step, of a request.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) waits_over: u32,
    /// How a request ended, if it did in this step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) outcome: Option<Ended>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What moved the broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A request came.
    Request { number: u64, connection: u64, host: String, listener: usize, frame: Frame },
    /// A request that waited went on.
    Resume { number: u64 },
    /// The client of a request that waited went away.
    Gone { number: u64 },
    /// A manual clock was moved, and what fell due on the way was done.
    Advance { to_ms: i64 },
    /// What had fallen due by the system's clock was done.
    Due,
    /// The test, or whoever has the broker in hand, had something done.
    Command { command: Command },
    /// The journal ends here, though the run does not.
    End { why: String },
}

/// What can be had done to a broker other than by requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    AddFault(Box<Fault>),
    RemoveFault(u64),
    ClearFaults,
    DiskFull(bool),
    FailingSyncs(bool),
    RunRetention,
    Cluster(Change),
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    Answer(Frame),
    Nothing,
    Close(String),
    Fault { answer: Option<Frame>, mute_ms: Option<u64> },
}

impl Ended {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Respond(frame) => Ended::Answer(Frame(frame.to_bytes())),
            Outcome::Nothing => Ended::Nothing,
            Outcome::Close(reason) => Ended::Close(reason.clone()),
            // Found out behind the dispatch, and so not by a request that is journaled.
            Outcome::Ended => Ended::Close("the broker was reset or restored".to_owned()),
            Outcome::Faulty(frame, then) => Ended::Fault {
                answer: frame.as_ref().map(|frame| Frame(frame.to_bytes())),
                mute_ms: match then {
                    Then::Close => None,
                    Then::Mute(time) => Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
                },
            },
        }
    }
}

/// Bytes that travelled: in base 64, with a checksum, so that a damaged journal is not taken for a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame(pub(crate) Bytes);

#[derive(Serialize, Deserialize)]
struct FrameText {
    base64: String,
    sum: u32,
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        FrameText { base64: STANDARD.encode(&self.0), sum: checksum(&self.0) }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = FrameText::deserialize(from)?;
        let bytes = STANDARD.decode(text.base64).map_err(D::Error::custom)?;
        if checksum(&bytes) != text.sum {
            return Err(D::Error::custom("a frame is damaged: its checksum is another"));
        }
        Ok(Frame(bytes.into()))
    }
}

/// Why a journal cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The broker was started without one.
    #[error("this broker keeps no journal; start it with BrokerBuilder::journal")]
    NotKept,
    /// A file cannot be read or written.
    #[error("the journal {} cannot be read or written: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A line is not what it should be.
    #[error("line {line} of the journal cannot be read: {why}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The journal is of another version of the format.
    #[error("the journal has format {0}; this version of Klamm reads format 1")]
    Format(u32),
    /// The run began with data, of a folder or a snapshot, which the journal does not have.
    #[error(
        "the run began with data of a folder or a snapshot, which the journal does not hold: it cannot be had again"
    )]
    HadData,
    /// A broker like that of the journal cannot be started.
    #[error("a broker like that of the journal cannot be started: {0}")]
    Start(String),
    /// Steps that cannot follow each other.
    #[error("step {step} of the journal makes no sense: {why}")]
    Step {
        /// The step, counted from 1.
        step: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// The journal of a run.
///
/// ```
/// use klamm_broker::{Broker, Clock, JournalOptions};
///
/// let broker =
///     Broker::builder().clock(Clock::manual(0)).seed(7).journal(JournalOptions::memory()).start()?;
/// // … a test …
/// let replay = broker.journal()?.replay()?;
/// assert!(replay.is_equal());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    pub(crate) head: Head,
    pub(crate) entries: Vec<Entry>,
}

impl Journal {
    /// Reads a journal from a file.
    ///
    /// # Errors
    /// If there is none, or a line of it is damaged. A last line that was cut off is left out.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        Journal::parse(&super::read_file(path.as_ref())?)
    }

    /// Reads a journal from text.
    ///
    /// # Errors
    /// If a line is damaged. A last line that was cut off is left out.
    pub fn parse(text: &str) -> Result<Self, JournalError> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let wrong = |line| move |why: serde_json::Error| JournalError::Line { line, why: why.to_string() };
        let (_, first) =
            lines.next().ok_or_else(|| JournalError::Line { line: 1, why: "it is empty".to_owned() })?;
        let head: Head = serde_json::from_str(first).map_err(wrong(1))?;
        if head.klamm_journal != FORMAT {
            return Err(JournalError::Format(head.klamm_journal));
        }
        let mut entries = Vec::new();
        let is_whole = text.ends_with('\n');
        let mut lines = lines.peekable();
        while let Some((number, line)) = lines.next() {
            match serde_json::from_str(line) {
                Ok(entry) => entries.push(entry),
                // The process was killed while it wrote.
                Err(_) if lines.peek().is_none() && !is_whole => break,
                Err(why) => return Err(wrong(number)(why)),
            }
        }
        Ok(Journal { head, entries })
    }

    /// The journal as text: what [`Journal::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut text = line(&self.head);
        self.entries.iter().for_each(|entry| _ = text.write_str(&line(entry)));
        text
    }

    /// How many requests it has.
    pub fn requests(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry.event, Event::Request { .. })).count()
    }

    /// Whether it goes up to the end of the run. It does not where it has reached its limit, or where the broker was reset or
    /// restored.
    pub fn is_complete(&self) -> bool {
        !self.entries.iter().any(|entry| matches!(entry.event, Event::End { .. }))
    }
}

/// A line of a journal, its end included.
pub(crate) fn line(of: &impl Serialize) -> String {
    // Strings, numbers and lists of them: there is nothing that JSON could not say.
    let mut line = serde_json::to_string(of).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let head = Head {
            klamm_journal: FORMAT,
            seed: 7,
            manual_clock: true,
            now_ms: 1,
            steady_ms: 1,
            configs: BTreeMap::new(),
            places: BTreeMap::new(),
            listeners: vec![("h".to_owned(), 1)],
            topics: vec![("t".to_owned(), None)],
            brokers: 3,
            racks: Some(vec!["a".to_owned(); 3]),
            in_folder: false,
            had_data: false,
        };
        let frame = Frame(Bytes::from_static(&[1, 2, 3]));
        let request = Event::Request {
            number: 1,
            connection: 1,
            host: "/h".to_owned(),
            listener: 0,
            frame: frame.clone(),
        };
        let entry = |event, outcome| Entry { at_ms: 5, steady_ms: 6, event, waits_over: 1, outcome };
        let command = Command::AddFault(Box::new(Fault::any().truncate(3).nth(2)));
        let moved = Change::MoveLeader { topic: "t".to_owned(), partition: 1, node: 2 };
        let entries = vec![
            entry(request, None),
            entry(Event::Resume { number: 1 }, Some(Ended::Answer(frame))),
            entry(Event::Advance { to_ms: 9 }, None),
            entry(Event::Due, None),
            entry(Event::Command { command }, None),
            entry(Event::Command { command: Command::ClearFaults }, None),
            entry(Event::Command { command: Command::Cluster(moved) }, None),
            entry(Event::Gone { number: 2 }, None),
            entry(Event::End { why: "a test".to_owned() }, None),
        ];
        Journal { head, entries }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Journal::parse(&journal().to_text()).unwrap(), journal());
        assert!(!journal().is_complete());
    }

    #[test]
    fn a_line_that_was_cut_off_at_the_end_is_left_out_and_damage_is_found() {
        let text = journal().to_text();
        let cut = Journal::parse(&text[..text.len() - 5]).unwrap();
        assert_eq!(cut.entries.len(), journal().entries.len() - 1);
        for (damaged, line) in [(text.replacen("AQID", "AQIE", 1), 2), (text.replacen("due", "dew", 1), 5)] {
            let error = Journal::parse(&damaged).unwrap_err();
            assert!(matches!(error, JournalError::Line { line: l, .. } if l == line), "{error}");
        }
        assert!(matches!(Journal::parse(""), Err(JournalError::Line { line: 1, .. })));
    }
}

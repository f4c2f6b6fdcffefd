//! Having a run again: a fresh broker takes the journal's steps, and its answers are compared with those of then.
//!
//! Nothing runs by itself here: requests are polled when they were, clocks move when they did, and patience runs out
//! when it had. Steps are taken on a thread of their own, in whatever runtime the caller is.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use serde::{Deserialize, Serialize};

use super::entry::{Command, Ended, Entry, Event, Journal, JournalError};
use crate::api;
use crate::context::Peer;
use crate::dispatch::{self, Outcome};
use crate::faults::RuleId;
use crate::housekeeper;
use crate::look::{Opened, TransportKind};
use crate::patience::{Patience, Replayed};
use crate::start;
use crate::state::BrokerState;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// How many requests were taken again.
    pub requests: u64,
    /// How many of them ended the same way as then.
    pub equal: u64,
    /// The first that did not, if any; the replay ends with it.
    pub difference: Option<Difference>,
    /// Whether the journal goes up to the end of the run, or ended at its limit.
    pub complete: bool,
}

/// A request that ended another way than then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The request's number in the journal, from 1.
    pub number: u64,
    /// The connection that it came on.
    pub connection: u64,
    /// The API and its version: `Produce version 9`.
    pub request: String,
    /// Where the answers part: a field's path where both can be decoded, a byte's place where not.
    pub place: String,
    /// What stood there then.
    pub recorded: String,
    /// What stands there now.
    pub replayed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "request {} ({}, connection {}) ended differently",
            self.number, self.request, self.connection
        )?;
        writeln!(f, "  at {}", self.place)?;
        writeln!(f, "  then: {}", self.recorded)?;
        write!(f, "  now:  {}", self.replayed)
    }
}

impl Replay {
    /// Whether everything came as it did then.
    pub fn is_equal(&self) -> bool {
        self.difference.is_none()
    }
}

impl Journal {
    /// Starts a broker like that of the journal, in memory and without listeners, has it take the same steps, and compares
    /// its answers byte for byte, up to the first that differs.
    ///
    /// # Errors
    /// If the run cannot be had again: it began on a folder with data, or the journal makes no sense.
    pub fn replay(&self) -> Result<Replay, JournalError> {
        if self.head.had_data {
            return Err(JournalError::HadData);
        }
        std::thread::scope(|scope| {
            let run = std::thread::Builder::new().name("klamm-replay".to_owned());
            let started = run.spawn_scoped(scope, || Player::new(self)?.play(self));
            let started = started.map_err(|error| JournalError::Start(error.to_string()))?;
            started.join().unwrap_or_else(|_| Err(JournalError::Start("the replay panicked".to_owned())))
        })
    }
}

type Serving = Pin<Box<dyn Future<Output = Outcome>>>;

/// A request that is under way in the replay.
struct Running {
    serving: Serving,
    patience: Arc<Replayed>,
    connection: u64,
    frame: Bytes,
}

struct Player {
    state: Arc<BrokerState>,
    connections: BTreeMap<u64, Opened>,
    running: HashMap<u64, Running>,
    replay: Replay,
}

impl Player {
    fn new(journal: &Journal) -> Result<Self, JournalError> {
        let state =
            start::for_replay(&journal.head).map_err(|error| JournalError::Start(error.to_string()))?;
        let replay = Replay { requests: 0, equal: 0, difference: None, complete: journal.is_complete() };
        Ok(Player { state, connections: BTreeMap::new(), running: HashMap::new(), replay })
    }

    fn play(mut self, journal: &Journal) -> Result<Replay, JournalError> {
        for (index, entry) in journal.entries.iter().enumerate() {
            let wrong = |why: String| JournalError::Step { step: index + 1, why };
            self.step(entry).map_err(wrong)?;
            if self.replay.difference.is_some() {
                break;
            }
        }
        // What still waits does so as it did then; it is given up before the broker is.
        self.running.clear();
        Ok(self.replay)
    }

    fn step(&mut self, entry: &Entry) -> Result<(), String> {
        if !matches!(entry.event, Event::End { .. }) {
            self.state.clock.place(entry.at_ms, entry.steady_ms);
        }
        match &entry.event {
            Event::Request { number, connection, host, listener, frame } => {
                self.begin(*number, *connection, host, *listener, &frame.0)?;
                self.poll(*number, entry)
            }
            Event::Resume { number } => self.poll(*number, entry),
            Event::Gone { number } => {
                self.running.remove(number);
                Ok(())
            }
            Event::Advance { to_ms } => {
                self.state.timers.advance_to(*to_ms);
                Ok(())
            }
            Event::Due => {
                self.state.timers.run_due(self.state.clock.steady_ms());
                Ok(())
            }
            Event::Command { command } => self.command(command),
            Event::End { .. } => Ok(()),
        }
    }

    fn begin(
        &mut self,
        number: u64,
        connection: u64,
        host: &str,
        listener: usize,
        frame: &Bytes,
    ) -> Result<(), String> {
        let traffic = &self.state.hand.traffic;
        let opened = self.connections.entry(connection);
        let opened = opened.or_insert_with(|| traffic.open(TransportKind::InProcess, String::new()));
        let node = self.state.cluster.layout.node_of(listener);
        let peer = Peer { host: Arc::from(host), listener, node, seen: opened.seen() };
        let patience: Arc<Replayed> = Arc::default();
        let (state, theirs, bytes) =
            (Arc::clone(&self.state), Patience::Replayed(Arc::clone(&patience)), frame.clone());
        let serving: Serving = Box::pin(async move { dispatch::serve(&state, &peer, bytes, theirs).await });
        let running = Running { serving, patience, connection, frame: frame.clone() };
        self.replay.requests += 1;
        match self.running.insert(number, running) {
            None => Ok(()),
            Some(_) => Err(format!("request {number} comes twice")),
        }
    }

    fn poll(&mut self, number: u64, entry: &Entry) -> Result<(), String> {
        let recorded = entry.outcome.as_ref();
        let running = self.running.get_mut(&number).ok_or(format!("request {number} is not under way"))?;
        running.patience.runs_out(entry.waits_over);
        let ended = match running.serving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(Ended::of(&outcome)),
            Poll::Pending => None,
        };
        if ended.as_ref() != recorded {
            self.replay.difference = Some(difference(number, running, recorded, ended.as_ref()));
        }
        if ended.is_some() {
            self.running.remove(&number);
            self.replay.equal += u64::from(self.replay.difference.is_none());
        }
        Ok(())
    }

    fn command(&self, command: &Command) -> Result<(), String> {
        let faults = &self.state.hand.faults;
        match command {
            Command::AddFault(fault) => {
                faults.add((**fault).clone()).map(drop).map_err(|error| error.to_string())?;
            }
            Command::RemoveFault(id) => drop(faults.remove(RuleId::from(*id))),
            Command::ClearFaults => faults.clear(),
            Command::DiskFull(full) => faults.set_disk_full(*full),
            Command::FailingSyncs(failing) => faults.set_failing_syncs(*failing),
            Command::RunRetention => housekeeper::run(&self.state),
            Command::Cluster(change) => {
                // What could not be done then cannot be done now.
                let _ = self.state.change_cluster(change);
            }
        }
        Ok(())
    }
}

fn difference(
    number: u64,
    running: &Running,
    recorded: Option<&Ended>,
    replayed: Option<&Ended>,
) -> Difference {
    let (key, version) = match running.frame.first_chunk() {
        Some(&[k0, k1, v0, v1]) => (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1])),
        None => (-1, -1),
    };
    let api = ApiKey::try_from(key).ok();
    let request =
        api.map_or(format!("API {key} version {version}"), |api| format!("{api:?} version {version}"));
    let (place, recorded, replayed) = match (recorded, replayed) {
        (Some(Ended::Answer(then)), Some(Ended::Answer(now))) => parting(api, version, &then.0, &now.0),
        (then, now) => ("the end of the request".to_owned(), in_words(then), in_words(now)),
    };
    Difference { number, connection: running.connection, request, place, recorded, replayed }
}

fn in_words(ended: Option<&Ended>) -> String {
    match ended {
        None => "it waited".to_owned(),
        Some(Ended::Answer(frame)) => format!("an answer of {} bytes", frame.0.len()),
        Some(Ended::Nothing) => "no answer is due".to_owned(),
        Some(Ended::Close(reason)) => format!("the connection was closed: {reason}"),
        Some(Ended::Fault { answer, mute_ms }) => {
            let bytes = answer.as_ref().map_or(0, |answer| answer.0.len());
            let then =
                mute_ms.map_or("closed the connection".to_owned(), |ms| format!("muted it for {ms} ms"));
            format!("a fault sent {bytes} bytes and {then}")
        }
    }
}

/// Where two answers part, and what stands there in each.
fn parting(api: Option<ApiKey>, version: i16, then: &Bytes, now: &Bytes) -> (String, String, String) {
    let decoded = api.and_then(|api| {
        let (then, now) =
            (api::describe_answer(api, version, then)?, api::describe_answer(api, version, now)?);
        field(&then, &now)
    });
    decoded.unwrap_or_else(|| {
        let place = then.iter().zip(now.iter()).take_while(|(a, b)| a == b).count();
        let around = |bytes: &Bytes| {
            let part = bytes.iter().skip(place.saturating_sub(4)).take(24);
            part.map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
        };
        (format!("byte {place} (shown from 4 bytes before)"), around(then), around(now))
    })
}

/// The first field that differs in two answers that are printed one field a line, and what encloses it.
fn field(then: &str, now: &str) -> Option<(String, String, String)> {
    let mut path: Vec<(usize, &str)> = Vec::new();
    let (mut ours, mut theirs) = (now.lines(), then.lines());
    loop {
        let (then, now) = match (theirs.next(), ours.next()) {
            (None, None) => return None,
            (then, now) => (then.unwrap_or("(nothing)"), now.unwrap_or("(nothing)")),
        };
        let indent = then.len() - then.trim_start().len();
        path.retain(|(depth, _)| *depth < indent);
        let name = then.trim().split([':', ' ', '{', '[', '(', ']', '}']).next().unwrap_or_default();
        if then != now {
            let names = path.iter().map(|(_, name)| *name).chain([name]);
            let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
            return Some((names.join("."), then.trim().to_owned(), now.trim().to_owned()));
        }
        path.push((indent, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_that_differs_is_named_with_its_path() {
        let text = |code| {
            format!(
                "Answer {{\n    topics: [\n        Topic {{\n            error_code: {code},\n        }},\n    ],\n}}"
            )
        };
        let (place, then, now) = field(&text(0), &text(6)).unwrap();
        assert_eq!(place, "Answer.topics.Topic.error_code");
        assert_eq!((then.as_str(), now.as_str()), ("error_code: 0,", "error_code: 6,"));
        assert_eq!(field(&text(1), &text(1)), None);
    }
}

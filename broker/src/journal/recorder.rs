//! Keeping a journal: one step at a time, under one lock, each with the clock and what came of it.
//!
//! The lock is held while a handler is polled, never across an await: what a step does is done when it is let go. Lock
//! order: this comes before all others of the broker.

use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::entry::{Command, Ended, Entry, Event, Frame, Head, Journal, JournalError, line};
use super::{JournalOptions, read_file};
use crate::clock::Clock;
use crate::context::Peer;
use crate::dispatch::{self, Outcome};
use crate::patience::Patience;
use crate::state::BrokerState;

/// Keeps the journal of a broker.
pub(crate) struct Recorder {
    clock: Clock,
    writer: Mutex<Writer>,
}

struct Writer {
    to: Sink,
    bytes: u64,
    limit: u64,
    /// Nothing more is written: the limit is reached, or the file cannot be written.
    ended: bool,
    requests: u64,
}

enum Sink {
    Memory(Vec<u8>),
    File(File, PathBuf),
}

/// One step: nothing else moves the broker while it is held, and its clock stands still.
pub(crate) struct Turn<'a> {
    writer: MutexGuard<'a, Writer>,
    at_ms: i64,
    steady_ms: i64,
}

impl Recorder {
    /// Begins a journal.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub(crate) fn new(options: JournalOptions, head: &Head, clock: Clock) -> Result<Arc<Self>, JournalError> {
        let to = match options.file {
            None => Sink::Memory(Vec::new()),
            Some(path) => match File::create(&path) {
                Ok(file) => Sink::File(file, path),
                Err(why) => return Err(JournalError::File { path, why: why.to_string() }),
            },
        };
        let mut writer = Writer { to, bytes: 0, limit: options.limit, ended: false, requests: 0 };
        writer.write(&line(head));
        Ok(Arc::new(Recorder { clock, writer: Mutex::new(writer) }))
    }

    /// Waits for a turn, and begins it: the clock has moved up to now.
    pub(crate) fn turn(&self) -> Turn<'_> {
        let writer = self.writer.lock();
        self.clock.step();
        Turn { writer, at_ms: self.clock.now_ms(), steady_ms: self.clock.steady_ms() }
    }

    /// Answers a request, and journals each step of it.
    pub(crate) async fn serve(&self, broker: &Arc<BrokerState>, peer: &Peer, frame: Bytes) -> Outcome {
        let over = Arc::new(AtomicU32::new(0));
        let patience = Patience::Noted(Arc::clone(&over));
        let mut served = pin!(dispatch::serve(broker, peer, frame.clone(), patience));
        let mut under_way = UnderWay { recorder: self, number: None };
        let mut came = Some(frame);
        poll_fn(|task| {
            let mut turn = self.turn();
            let number = *under_way.number.get_or_insert_with(|| turn.next_number());
            let polled = served.as_mut().poll(task);
            let event = match came.take() {
                Some(frame) => Event::Request {
                    number,
                    connection: peer.seen.number(),
                    host: peer.host.to_string(),
                    listener: peer.listener,
                    frame: Frame(frame),
                },
                None => Event::Resume { number },
            };
            let waits_over = over.swap(0, Ordering::Relaxed);
            match polled {
                Poll::Ready(outcome) => {
                    turn.note_step(event, waits_over, Some(Ended::of(&outcome)));
                    under_way.number = None;
                    Poll::Ready(outcome)
                }
                Poll::Pending => {
                    turn.note_step(event, waits_over, None);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Ends the journal, though the run goes on.
    pub(crate) fn end(&self, why: &str) {
        let mut writer = self.writer.lock();
        if !writer.ended {
            writer.write(&end(why));
            writer.ended = true;
        }
    }

    /// The journal so far.
    pub(super) fn read(&self) -> Result<Journal, JournalError> {
        let text = match &self.writer.lock().to {
            Sink::Memory(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Sink::File(_, path) => read_file(path)?,
        };
        Journal::parse(&text)
    }
}

/// A request that has come and is not answered. When it is given up that is journaled.
struct UnderWay<'a> {
    recorder: &'a Recorder,
    number: Option<u64>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.recorder.turn().note(Event::Gone { number });
        }
    }
}

impl Turn<'_> {
    /// Journals what happens in this turn.
    fn note(&mut self, event: Event) {
        self.note_step(event, 0, None);
    }

    /// Journals a step of a request.
    fn note_step(&mut self, event: Event, waits_over: u32, outcome: Option<Ended>) {
        let entry = Entry { at_ms: self.at_ms, steady_ms: self.steady_ms, event, waits_over, outcome };
        if !self.writer.ended {
            self.writer.write(&line(&entry));
        }
    }

    /// Journals a command.
    pub(crate) fn command(&mut self, command: Command) {
        self.note(Event::Command { command });
    }

    /// Journals that a manual clock is moved.
    pub(crate) fn advance(&mut self, to_ms: i64) {
        self.note(Event::Advance { to_ms });
    }

    /// Journals that what has fallen due is done.
    pub(crate) fn due(&mut self) {
        self.note(Event::Due);
    }

    fn next_number(&mut self) -> u64 {
        self.writer.requests += 1;
        self.writer.requests
    }
}

/// The last line of a journal that ends before its run.
fn end(why: &str) -> String {
    line(&Entry {
        at_ms: 0,
        steady_ms: 0,
        event: Event::End { why: why.to_owned() },
        waits_over: 0,
        outcome: None,
    })
}

impl Writer {
    fn write(&mut self, line: &str) {
        let mut line = line.to_owned();
        if self.bytes + line.len() as u64 > self.limit {
            line = end("it has reached its limit");
            self.ended = true;
            tracing::warn!("the journal has reached its limit of {} bytes and ends here", self.limit);
        }
        self.bytes += line.len() as u64;
        let written = match &mut self.to {
            Sink::Memory(bytes) => {
                bytes.extend_from_slice(line.as_bytes());
                Ok(())
            }
            Sink::File(file, _) => file.write_all(line.as_bytes()),
        };
        if let Err(error) = written {
            self.ended = true;
            tracing::warn!("the journal cannot be written and ends here: {error}");
        }
    }
}

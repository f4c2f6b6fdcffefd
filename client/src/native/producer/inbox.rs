//! What the sender is told by the threads that send: which partitions and topics to look at, and what is wished for.
//!
//! Its bound is the number of partitions and topics: each is told of once until the sender has looked.

use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What has been said since the sender last looked.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// Tracks of partitions that have got a first record or a full batch.
    pub(super) partitions: Vec<usize>,
    /// Topics that are new, or that records wait for.
    pub(super) topics: Vec<usize>,
    /// What waits is to go without lingering.
    pub(super) hurry: bool,
    /// Somebody found no room.
    pub(super) starved: bool,
    /// Nothing more is accepted; what is not settled at this time is given up.
    pub(super) close: Option<Instant>,
}

/// Mail, and a bell.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    mail: Mutex<Mail>,
    bell: Notify,
}

impl Inbox {
    fn say(&self, what: impl FnOnce(&mut Mail)) {
        what(&mut self.mail.lock());
        self.bell.notify_one();
    }

    pub(super) fn partition(&self, track: usize) {
        self.say(|mail| mail.partitions.push(track));
    }

    pub(super) fn topic(&self, at: usize) {
        self.say(|mail| mail.topics.push(at));
    }

    pub(super) fn hurry(&self) {
        self.say(|mail| mail.hurry = true);
    }

    pub(super) fn starved(&self) {
        self.say(|mail| mail.starved = true);
    }

    /// The earliest of the deadlines holds.
    pub(super) fn close(&self, deadline: Instant) {
        self.say(|mail| mail.close = Some(mail.close.map_or(deadline, |other| other.min(deadline))));
    }

    /// What has been said; `spare` takes its place, so that room is used again.
    pub(super) fn take(&self, spare: Mail) -> Mail {
        std::mem::replace(&mut self.mail.lock(), spare)
    }

    /// Ends when something has been said since the last time.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }
}

impl Mail {
    /// Empties it, and keeps its room.
    pub(super) fn clear(&mut self) {
        self.partitions.clear();
        self.topics.clear();
        (self.hurry, self.starved, self.close) = (false, false, None);
    }
}

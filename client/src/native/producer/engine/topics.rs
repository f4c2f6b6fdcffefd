//! What becomes known of topics: partitions, leaders, or that there is no such topic; and records that wait for it.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::super::accumulator::Accumulator;
use super::super::table::{Table, Topic, Waiting};
use super::track::Track;
use super::{Action, Due, Engine};
use crate::error::{ClientError, ErrorKind};
use crate::record::Undelivered;

/// What is known of a topic.
#[derive(Debug, Clone)]
pub(in super::super) enum News {
    /// The leader of each partition and its epoch, where there is one.
    Partitions(Vec<Option<(i32, i32)>>),
    /// It is not there, or nobody could be asked.
    Missing(ClientError),
}

/// How a topic is looked for.
#[derive(Debug, Default)]
pub(super) struct Quest {
    /// When it is looked at again.
    look_at: Option<Instant>,
    failures: u32,
    last_error: Option<ClientError>,
    /// Tracks of its partitions, by their numbers.
    tracks: Vec<usize>,
}

impl Engine {
    /// Looks for a topic that is new, or that records wait for.
    pub(super) fn seek(&mut self, topic: usize, now: Instant) {
        while self.quests.len() <= topic {
            self.quests.push(Quest::default());
        }
        let Some(quest) = self.quests.get_mut(topic) else { return };
        if quest.look_at.is_some() {
            return;
        }
        let name =
            self.accumulator.with_table(|table| table.topics.get(topic).map(|topic| Arc::clone(&topic.name)));
        self.actions.extend(name.map(Action::Want));
        self.arm_quest(topic, now);
    }

    /// Asks again after a pause, but looks no later than the first record has waited long enough.
    fn arm_quest(&mut self, topic: usize, now: Instant) {
        let settings = &self.accumulator.settings;
        let Some(quest) = self.quests.get_mut(topic) else { return };
        quest.failures = quest.failures.saturating_add(1);
        let mut time = now + settings.backoff(quest.failures, self.dice.below(1000));
        if let Some(accepted) = self.accumulator.with_table(|table| first_waiting(table, topic)) {
            time = time.min(accepted + settings.max_block).max(now);
        }
        if let Some(quest) = self.quests.get_mut(topic) {
            quest.look_at = Some(time);
        }
        self.timers.push(Reverse((time, Due::Quest(topic))));
    }

    pub(super) fn quest_due(&mut self, topic: usize, at: Instant, now: Instant) {
        let Some(quest) = self.quests.get_mut(topic) else { return };
        if quest.look_at != Some(at) {
            return;
        }
        quest.look_at = None;
        self.give_up_waiting(topic, now);
        let unknown = |table: &mut Table| {
            let found = table.topics.get(topic)?;
            (!found.waiting.lock().is_empty() || found.partitions.is_empty()).then_some(())
        };
        if self.accumulator.with_table(unknown).is_some() {
            self.seek(topic, now);
        }
    }

    /// Takes up what is known of a topic.
    pub(in super::super) fn news(&mut self, name: &str, news: &News, now: Instant) {
        let accumulator = Arc::clone(&self.accumulator);
        let Some(topic) = accumulator.with_table(|table| table.index(name)) else { return };
        while self.quests.len() <= topic {
            self.quests.push(Quest::default());
        }
        match news {
            News::Partitions(leaders) => {
                let refused = accumulator.with_table(|table| self.take_up(table, topic, leaders));
                self.refuse(topic, refused);
                if accumulator.with_table(|table| first_waiting(table, topic)).is_some() {
                    self.seek(topic, now);
                }
                let tracks = self.quests.get(topic).map(|quest| quest.tracks.clone()).unwrap_or_default();
                for track in tracks {
                    self.look(track, now);
                }
            }
            News::Missing(error) => {
                let Some(quest) = self.quests.get_mut(topic) else { return };
                quest.last_error = Some(error.clone());
                if !error.is_retriable() {
                    self.abandon(topic, error);
                }
            }
        }
    }

    /// With the table held, so that no record gets ahead of those that have waited. Comes back with those that wait in vain.
    fn take_up(
        &mut self,
        table: &mut Table,
        at: usize,
        leaders: &[Option<(i32, i32)>],
    ) -> Vec<(Waiting, ClientError)> {
        let accumulator = Arc::clone(&self.accumulator);
        let (Some(topic), Some(quest)) = (table.topics.get_mut(at), self.quests.get_mut(at)) else {
            return Vec::new();
        };
        // Whoever waits now begins anew.
        (quest.failures, quest.last_error, quest.look_at) = (0, None, None);
        let is_new = topic.partitions.is_empty();
        while topic.partitions.len() < leaders.len() {
            let track = self.tracks.len();
            let partition = topic.add_partition(track);
            self.tracks.push(Track::new(Arc::clone(&topic.name), partition));
            quest.tracks.push(track);
        }
        for (number, track) in quest.tracks.iter().enumerate() {
            let Some(track) = self.tracks.get_mut(*track) else { continue };
            match leaders.get(number).copied().flatten() {
                // An older one than a broker has named in passing is not believed.
                Some((_, epoch)) if epoch >= 0 && epoch < track.leader_epoch && track.leader.is_some() => {}
                Some((node, epoch)) => {
                    if track.leader != Some(node) {
                        // A new leader owes no pause.
                        track.not_before = None;
                    }
                    (track.leader, track.leader_epoch, track.leader_lost) = (Some(node), epoch, false);
                }
                None => (track.leader, track.leader_lost) = (None, true),
            }
        }
        let led = |(number, track): (usize, &usize)| {
            self.tracks.get(*track).filter(|track| track.leader.is_some()).map(|_| number)
        };
        topic.available = quest.tracks.iter().enumerate().filter_map(led).collect();
        let chance = self.dice.below(usize::MAX);
        if is_new {
            topic.start_sticky(chance)
        } else {
            topic.mend_sticky(chance)
        }
        let mut waiting = topic.waiting.lock();
        let (left, hopeless) = place_waiting(&accumulator, topic, std::mem::take(&mut *waiting));
        *waiting = left;
        let asked = format!("publishing to '{}'", topic.name);
        let partitions = topic.partitions.len();
        let refusal = |record: Waiting| {
            let partition = record.partition.unwrap_or(-1);
            let why = format!("there is no partition {partition}, the topic has {partitions}");
            let error = ClientError::new(ErrorKind::InvalidArgument, asked.as_str(), why);
            (record, error.remedy("name one of them, or none"))
        };
        hopeless.into_iter().map(refusal).collect()
    }

    /// Gives up records that have waited too long for their topic.
    fn give_up_waiting(&mut self, at: usize, now: Instant) {
        let max_block = self.accumulator.settings.max_block;
        let old = self.accumulator.with_table(|table| {
            let mut waiting = table.topics.get(at)?.waiting.lock();
            let old = waiting.partition_point(|waiting| waiting.accepted + max_block <= now);
            Some(waiting.drain(..old).collect::<Vec<_>>())
        });
        let last = self.quests.get(at).and_then(|quest| quest.last_error.as_ref());
        let why = match last {
            Some(last) => {
                format!("its partitions were not found within {max_block:?}; at last {}", last.why())
            }
            None => format!("its partitions were not found within {max_block:?}"),
        };
        let error = ClientError::new(ErrorKind::TimedOut, "publishing", why)
            .remedy("create the topic, see that the broker can be reached, or raise max_block_ms");
        let refused = old.unwrap_or_default().into_iter().map(|record| (record, error.clone()));
        self.refuse(at, refused.collect());
    }

    /// Gives up all records that wait for a topic.
    pub(super) fn abandon(&mut self, at: usize, error: &ClientError) {
        let waiting = self.accumulator.with_table(|table| {
            let mut waiting = table.topics.get(at)?.waiting.lock();
            Some(std::mem::take(&mut *waiting))
        });
        let refused = waiting.unwrap_or_default().into_iter().map(|record| (record, error.clone()));
        self.refuse(at, refused.collect());
    }

    /// Settles records that have waited in vain, and counts those that still wait. Nothing is locked while others are told.
    fn refuse(&mut self, at: usize, refused: Vec<(Waiting, ClientError)>) {
        let name =
            self.accumulator.with_table(|table| table.topics.get(at).map(|topic| Arc::clone(&topic.name)));
        let Some(name) = name else { return };
        let mut undelivered = Vec::new();
        for (record, error) in refused {
            self.accumulator.budget.give(record.charged);
            let error = error.asked(format!("publishing to '{name}'"));
            match (record.report, record.number) {
                (Some(report), _) => report(Err(error)),
                (None, Some(number)) => self.undelivered.lost(vec![number], &error),
                (None, None) => undelivered.push(Undelivered {
                    topic: Arc::clone(&name),
                    partition: record.partition,
                    key: record.key,
                    value: record.value,
                    headers: record.headers,
                    timestamp: record.timestamp,
                    reason: error,
                }),
            }
        }
        if !undelivered.is_empty() {
            self.undelivered.undelivered(undelivered);
        }
        self.accumulator.count_waiting(at);
    }
}

/// Puts records into their partitions. What is left waits for a partition that is not there yet; what has done so before is
/// hopeless.
fn place_waiting(
    accumulator: &Accumulator,
    topic: &Topic,
    waiting: VecDeque<Waiting>,
) -> (VecDeque<Waiting>, Vec<Waiting>) {
    let (mut left, mut hopeless) = (VecDeque::new(), Vec::new());
    for record in waiting {
        match accumulator.put_waited(topic, record) {
            None => {}
            Some(record) if record.looked_for => hopeless.push(record),
            Some(record) => left.push_back(Waiting { looked_for: true, ..record }),
        }
    }
    (left, hopeless)
}

fn first_waiting(table: &Table, at: usize) -> Option<Instant> {
    let topic = table.topics.get(at)?;
    topic.waiting.lock().front().map(|waiting| waiting.accepted)
}

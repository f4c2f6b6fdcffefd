//! A fetch session (KIP-227): what the broker remembers of the partitions that are fetched, so that only what has
//! changed is sent. Without I/O.

use std::collections::HashMap;

use uuid::Uuid;

use crate::native::consumer::shelf::ToFetch;
use crate::record::TopicPartition;

/// No session.
const NONE: i32 = 0;
/// Asks for a session.
const FIRST_EPOCH: i32 = 0;

/// What was sent of a partition last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    offset: i64,
    leader_epoch: i32,
    max_bytes: i32,
    topic_id: Uuid,
}

impl Sent {
    fn of(part: &ToFetch) -> Self {
        Sent {
            offset: part.offset,
            leader_epoch: part.leader.epoch,
            max_bytes: part.max_bytes,
            topic_id: part.leader.topic_id,
        }
    }
}

/// One broker's session.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: i32,
    epoch: i32,
    /// Whether topics are given by their ids.
    by_id: bool,
    known: HashMap<TopicPartition, Sent>,
}

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Delta {
    pub(super) session_id: i32,
    pub(super) session_epoch: i32,
    /// Partitions, by their places in what is to be fetched.
    pub(super) changed: Vec<usize>,
    pub(super) forgotten: Vec<(TopicPartition, Uuid)>,
}

impl Session {
    /// What has to be sent so that `parts` are fetched.
    pub(super) fn delta(&mut self, parts: &[ToFetch], by_id: bool) -> Delta {
        if self.by_id != by_id {
            self.start_again();
            self.by_id = by_id;
        }
        if self.epoch == FIRST_EPOCH {
            self.known = parts.iter().map(|part| (part.partition.clone(), Sent::of(part))).collect();
            return Delta {
                session_id: self.id,
                session_epoch: FIRST_EPOCH,
                changed: (0..parts.len()).collect(),
                forgotten: Vec::new(),
            };
        }
        let (mut changed, mut forgotten) = (Vec::new(), Vec::new());
        for (at, part) in parts.iter().enumerate() {
            let now = Sent::of(part);
            match self.known.get_mut(&part.partition) {
                Some(before) if *before == now => {}
                Some(before) => {
                    if before.topic_id != now.topic_id {
                        forgotten.push((part.partition.clone(), before.topic_id));
                    }
                    *before = now;
                    changed.push(at);
                }
                None => {
                    self.known.insert(part.partition.clone(), now);
                    changed.push(at);
                }
            }
        }
        if self.known.len() > parts.len() {
            let wanted: std::collections::HashSet<&TopicPartition> =
                parts.iter().map(|part| &part.partition).collect();
            let gone = self.known.extract_if(|partition, _| !wanted.contains(partition));
            forgotten.extend(gone.map(|(partition, sent)| (partition, sent.topic_id)));
        }
        Delta { session_id: self.id, session_epoch: self.epoch, changed, forgotten }
    }

    /// The broker has answered, with this session.
    pub(super) fn answered(&mut self, session_id: i32) {
        if self.epoch == FIRST_EPOCH {
            // A broker that has no room answers without a session; it is asked anew each time.
            self.id = session_id;
            self.epoch = i32::from(session_id != NONE);
        } else if session_id == self.id {
            self.epoch = self.epoch.checked_add(1).unwrap_or(FIRST_EPOCH + 1);
        } else {
            self.forget();
        }
    }

    /// What the broker knows is not what was thought, or it is not known whether it got the last request: the session is
    /// closed, and a new one is asked for.
    pub(super) fn start_again(&mut self) {
        self.epoch = FIRST_EPOCH;
        self.known.clear();
    }

    /// The broker has no such session.
    pub(super) fn forget(&mut self) {
        self.id = NONE;
        self.start_again();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::consumer::shelf::tests::to_fetch;

    #[test]
    fn only_what_has_changed_is_sent() {
        let mut session = Session::default();
        let parts = [to_fetch("t", 0, 10), to_fetch("t", 1, 20)];
        let first = session.delta(&parts, true);
        assert_eq!((first.session_id, first.session_epoch, first.changed), (0, 0, vec![0, 1]));
        session.answered(7);
        let parts = [to_fetch("t", 0, 15), to_fetch("t", 1, 20), to_fetch("t", 2, 0)];
        let second = session.delta(&parts, true);
        assert_eq!((second.session_id, second.session_epoch), (7, 1));
        assert_eq!((second.changed, second.forgotten.len()), (vec![0, 2], 0));
        session.answered(7);
        let third = session.delta(&parts[1..], true);
        assert_eq!((third.session_epoch, third.changed), (2, Vec::new()));
        assert_eq!(third.forgotten[0].0, parts[0].partition);
    }

    #[test]
    fn a_new_id_of_a_topic_is_forgotten_and_sent_anew() {
        let mut session = Session::default();
        let mut parts = [to_fetch("t", 0, 10)];
        session.delta(&parts, true);
        session.answered(7);
        let before = parts[0].leader.topic_id;
        parts[0].leader.topic_id = Uuid::from_u128(99);
        let delta = session.delta(&parts, true);
        assert_eq!((delta.changed, delta.forgotten), (vec![0], vec![(parts[0].partition.clone(), before)]));
    }

    #[test]
    fn without_a_session_everything_is_sent_each_time() {
        let mut session = Session::default();
        let parts = [to_fetch("t", 0, 10)];
        for _ in 0..2 {
            let delta = session.delta(&parts, true);
            assert_eq!((delta.session_id, delta.session_epoch, delta.changed.len()), (0, 0, 1));
            session.answered(0);
        }
    }

    #[test]
    fn a_failed_request_ends_the_session_and_a_lost_one_is_forgotten() {
        let mut session = Session::default();
        let parts = [to_fetch("t", 0, 10)];
        session.delta(&parts, true);
        session.answered(7);
        session.start_again();
        let delta = session.delta(&parts, true);
        assert_eq!((delta.session_id, delta.session_epoch, delta.changed.len()), (7, 0, 1));
        session.answered(8);
        session.forget();
        let delta = session.delta(&parts, true);
        assert_eq!((delta.session_id, delta.session_epoch), (0, 0));
        // Names instead of ids: another session.
        session.answered(9);
        let delta = session.delta(&parts, false);
        assert_eq!((delta.session_id, delta.session_epoch, delta.changed.len()), (9, 0, 1));
    }

    #[test]
    fn epochs_go_from_the_last_to_1() {
        let mut session = Session { id: 7, epoch: i32::MAX, by_id: true, known: HashMap::new() };
        session.answered(7);
        assert_eq!(session.epoch, 1);
    }
}

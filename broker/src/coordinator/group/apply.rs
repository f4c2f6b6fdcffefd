//! What records do to a group: the same whether they were just appended or are read again after a restart.
//!
//! Knows nothing of requests or logs.

use kafka_protocol::error::ResponseError;

use super::classic::ClassicGroup;
use super::event::{Append, Cx, Joined, Reply, Step, Then};
use super::member::Member;
use super::record::{GroupRecord, GroupValue, OffsetValue};
use super::state::GroupState;

/// Whether a record is applied to a group at work, or to one that is being rebuilt from its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Live { now: i64 },
    Replay,
}

impl ClassicGroup {
    /// The append that a step asked for has been made, or has failed: the group goes on.
    pub(crate) fn appended(&mut self, cx: Cx<'_>, append: Append, result: Result<(), ResponseError>) -> Step {
        let mut step = Step::default();
        let leader_before = self.leader.clone();
        match result {
            Ok(()) => {
                for record in &append.records {
                    self.apply(record, Mode::Live { now: cx.now }, &mut step.replies);
                }
            }
            Err(error) => return self.append_failed(cx, append, error),
        }
        match append.then {
            Then::Join(join) => return self.join_remembered(cx, *join),
            Then::Assign => self.hand_out_assignments(cx.steady, &mut step.replies),
            Then::Rejoin(join) => self.finish_rejoin(cx, &join, leader_before, &mut step.replies),
            Then::Empty | Then::Nothing => {}
        }
        step
    }

    fn append_failed(&mut self, cx: Cx<'_>, append: Append, error: ResponseError) -> Step {
        let mut step = Step::default();
        match append.then {
            Then::Join(join) => step.replies.push(Reply::Join(join.ticket, Joined::refused(error, ""))),
            Then::Rejoin(join) => {
                let answer = Joined {
                    error: Some(error),
                    leader: self.leader.clone().unwrap_or_default(),
                    generation: self.generation,
                    protocol_type: self.protocol_type.clone(),
                    protocol_name: self.protocol.clone(),
                    ..Joined::refused(error, "")
                };
                step.replies.push(Reply::Join(join.ticket, answer));
            }
            Then::Assign => {
                self.call_off_sync(cx.steady, error, &mut step.replies);
                step.append = self.rebalance_or_complete(cx, &mut step.replies);
            }
            Then::Empty => {
                // An empty generation has nobody to lose: after a restart the last one comes back and times out.
                for record in &append.records {
                    self.apply(record, Mode::Live { now: cx.now }, &mut step.replies);
                }
            }
            Then::Nothing => {}
        }
        step
    }

    /// Takes up a record read from the log.
    pub(crate) fn replay(&mut self, record: &GroupRecord) {
        self.apply(record, Mode::Replay, &mut Vec::new());
    }

    /// All records are read: sessions start now, and a group that is too big by now rebalances.
    pub(crate) fn loaded(&mut self, cx: Cx<'_>) -> Step {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            self.renew_session(&id, cx.steady);
        }
        let mut step = Step::default();
        if self.members.len() > cx.settings.max_size {
            step.append = self.prepare_rebalance(cx, &mut step.replies);
        }
        step
    }

    fn apply(&mut self, record: &GroupRecord, mode: Mode, replies: &mut Vec<Reply>) {
        match (record, mode) {
            (GroupRecord::Offset { topic, partition, value, .. }, _) => {
                self.apply_offset(topic, *partition, value.as_ref());
            }
            (GroupRecord::Group { value: Some(value), .. }, Mode::Live { now }) => {
                self.apply_live(value, now, replies);
            }
            (GroupRecord::Group { value: Some(value), .. }, Mode::Replay) => self.apply_replayed(value),
            (GroupRecord::Group { value: None, .. }, Mode::Live { now }) => {
                self.move_to(GroupState::Dead, now);
            }
            (GroupRecord::Group { value: None, .. }, Mode::Replay) => {
                // Its offsets have tombstones of their own.
                let offsets = std::mem::take(&mut self.offsets);
                let remembered = !offsets.is_empty();
                *self = ClassicGroup { offsets, remembered, ..ClassicGroup::new(&self.id) };
            }
        }
    }

    fn apply_offset(&mut self, topic: &str, partition: i32, value: Option<&OffsetValue>) {
        match value {
            Some(value) => {
                // A group that nobody joins, for the sake of offsets alone, has no other record.
                self.remembered = true;
                self.offsets.set(topic, partition, value.clone());
            }
            None => self.offsets.remove(topic, partition),
        }
    }

    /// The members are there already: only what the record adds is new.
    fn apply_live(&mut self, value: &GroupValue, now: i64, replies: &mut Vec<Reply>) {
        for known in &value.members {
            let current = known.instance_id.as_ref().and_then(|instance| self.static_members.get(instance));
            if let Some(old_id) = current.filter(|current| **current != known.member_id).cloned() {
                self.rename_static(&old_id, &known.member_id, replies);
            }
            if let Some(member) = self.members.get_mut(&known.member_id) {
                member.assignment = known.assignment.clone();
            }
        }
        self.take_over(value);
        self.refresh_subscriptions();
        match self.state {
            GroupState::PreparingRebalance if value.members.is_empty() => {
                self.move_to(GroupState::Empty, now)
            }
            GroupState::CompletingRebalance => self.move_to(GroupState::Stable, now),
            GroupState::Empty => self.state_since = Some(now),
            _ => {}
        }
    }

    /// Nothing is there yet: the record is all there is.
    fn apply_replayed(&mut self, value: &GroupValue) {
        let offsets = std::mem::take(&mut self.offsets);
        *self = ClassicGroup { offsets, ..ClassicGroup::new(&self.id) };
        let protocol = value.protocol.as_deref().unwrap_or_default();
        for member in &value.members {
            self.add_member(Member::remembered(member, protocol), &value.protocol_type);
        }
        self.take_over(value);
        self.state = if value.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        self.previous = self.state;
        self.state_since = Some(value.state_timestamp).filter(|at| *at != -1);
        self.refresh_subscriptions();
    }

    fn take_over(&mut self, value: &GroupValue) {
        self.remembered = true;
        self.last_value = Some(value.clone());
        self.generation = value.generation;
        self.protocol_type = Some(value.protocol_type.clone()).filter(|name| !name.is_empty());
        self.protocol = value.protocol.clone();
        self.leader = value.leader.clone();
    }
}

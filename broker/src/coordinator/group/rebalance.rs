//! How a generation ends and the next one begins: the join phase, the sync phase, and their time-outs.
//!
//! Knows nothing of requests. Kafka's names: prepare rebalance, complete join, expire pending sync, expire heartbeat.

use kafka_protocol::error::ResponseError;

use super::classic::{ClassicGroup, JoinPhase, JoinTimer};
use super::event::{Append, Cx, Joined, Reply, Step, Synced, Then};
use super::record::{GroupRecord, GroupValue};
use super::state::GroupState;

/// A group whose members are all away looks again after this time at the earliest, whatever their rebalance time-outs:
/// one of 0 would have it look without end.
const SHORTEST_REJOIN_WAIT_MS: i64 = 1000;

/// What falls due in a group.
enum Due {
    Join(JoinTimer),
    Sync,
    Pending(String),
    Session(String),
}

impl ClassicGroup {
    /// When something falls due next.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let sessions = self.members.values().filter_map(|member| member.session_ends);
        let pending = self.pending.values().copied();
        let timers = self.join_timer.map(|timer| timer.at).into_iter().chain(self.sync_ends);
        sessions.chain(pending).chain(timers).min()
    }

    /// Does what fell due first, if anything did. To be called until nothing is left.
    pub(crate) fn expire(&mut self, cx: Cx<'_>) -> Option<Step> {
        let mut step = Step::default();
        step.append = match self.take_due(cx.steady)? {
            Due::Join(JoinTimer { phase: JoinPhase::Initial { delay_ms, left_ms }, .. }) => {
                self.end_initial_delay(cx, delay_ms, left_ms, &mut step.replies)
            }
            Due::Join(_) => self.complete_join(cx, &mut step.replies),
            Due::Sync => self.expire_unsynced(cx, &mut step.replies),
            Due::Pending(id) => {
                self.remove_member(&id);
                self.complete_join_if_all_joined(cx, &mut step.replies)
            }
            Due::Session(id) => self.expire_session(cx, &id, &mut step.replies),
        };
        Some(step)
    }

    /// Takes the timer that is due, the earliest first. The session of a member that was excused is gone from it: it
    /// begins anew when the member is answered.
    fn take_due(&mut self, now: i64) -> Option<Due> {
        let due_at = self.next_deadline().filter(|at| *at <= now)?;
        if let Some(timer) = self.join_timer.filter(|timer| timer.at == due_at) {
            self.join_timer = None;
            return Some(Due::Join(timer));
        }
        if self.sync_ends == Some(due_at) {
            self.sync_ends = None;
            return Some(Due::Sync);
        }
        if let Some((id, _)) = self.pending.iter().find(|(_, at)| **at == due_at) {
            return Some(Due::Pending(id.clone()));
        }
        let member = self.members.values_mut().find(|member| member.session_ends == Some(due_at))?;
        member.session_ends = None;
        Some(Due::Session(member.id.clone()))
    }

    /// The session of a member has ended without a sign of life from it.
    fn expire_session(&mut self, cx: Cx<'_>, member_id: &str, replies: &mut Vec<Reply>) -> Option<Append> {
        if self.members.get(member_id).is_none_or(|member| member.is_excused()) {
            return None;
        }
        tracing::debug!(group = %self.id, member = member_id, "a member is gone: its session timed out");
        // A new member can be given up while it still waits: it is told, so that it comes again if it lives.
        self.answer_join(member_id, Joined::refused(ResponseError::UnknownMemberId, ""), replies);
        self.remove_member(member_id);
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.rebalance_or_complete(cx, replies),
            _ => self.complete_join_if_all_joined(cx, replies),
        }
    }

    fn complete_join_if_all_joined(&mut self, cx: Cx<'_>, replies: &mut Vec<Reply>) -> Option<Append> {
        if self.is(GroupState::PreparingRebalance) && self.all_joined() {
            return self.complete_join(cx, replies);
        }
        None
    }

    /// Begins a rebalance where one can begin; where one is under way, ends its join phase if all are there.
    pub(super) fn rebalance_or_complete(&mut self, cx: Cx<'_>, replies: &mut Vec<Reply>) -> Option<Append> {
        if self.state.may_become(GroupState::PreparingRebalance) {
            self.prepare_rebalance(cx, replies)
        } else {
            self.maybe_complete_join(cx, replies)
        }
    }

    /// Begins a rebalance.
    pub(super) fn prepare_rebalance(&mut self, cx: Cx<'_>, replies: &mut Vec<Reply>) -> Option<Append> {
        if self.is(GroupState::CompletingRebalance) {
            self.call_off_sync(cx.steady, ResponseError::RebalanceInProgress, replies);
        }
        self.unsynced.clear();
        self.sync_ends = None;
        let initial = self.is(GroupState::Empty);
        self.move_to(GroupState::PreparingRebalance, cx.now);
        if initial {
            let delay_ms = cx.settings.initial_rebalance_delay_ms;
            let left_ms = self.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.start_initial_delay(cx.steady, delay_ms, left_ms);
            return None;
        }
        if self.all_joined() {
            return self.complete_join(cx, replies);
        }
        self.wait_for_joins(cx.steady);
        None
    }

    fn start_initial_delay(&mut self, now: i64, delay_ms: i64, left_ms: i64) {
        let at = now.saturating_add(delay_ms);
        self.join_timer = Some(JoinTimer { at, phase: JoinPhase::Initial { delay_ms, left_ms } });
    }

    fn wait_for_joins(&mut self, now: i64) {
        let at = now.saturating_add(self.rebalance_timeout_ms());
        self.join_timer = Some(JoinTimer { at, phase: JoinPhase::Later });
    }

    fn end_initial_delay(
        &mut self,
        cx: Cx<'_>,
        delay_ms: i64,
        left_ms: i64,
        replies: &mut Vec<Reply>,
    ) -> Option<Append> {
        if self.new_member_added && left_ms != 0 {
            self.new_member_added = false;
            let next_ms = cx.settings.initial_rebalance_delay_ms.min(left_ms);
            self.start_initial_delay(cx.steady, next_ms, left_ms.saturating_sub(delay_ms).max(0));
            return None;
        }
        self.complete_join(cx, replies)
    }

    /// Ends the join phase if all are there. That of an initial rebalance ends by its timer alone.
    pub(super) fn maybe_complete_join(&mut self, cx: Cx<'_>, replies: &mut Vec<Reply>) -> Option<Append> {
        let may = self.is(GroupState::PreparingRebalance) && self.previous != GroupState::Empty;
        if may && self.all_joined() { self.complete_join(cx, replies) } else { None }
    }

    /// Ends the join phase: dynamic members that did not come are out, the rest are the next generation.
    fn complete_join(&mut self, cx: Cx<'_>, replies: &mut Vec<Reply>) -> Option<Append> {
        self.join_timer = None;
        let absent = self.members.values().filter(|member| member.joining.is_none() && !member.is_static());
        let absent: Vec<String> = absent.map(|member| member.id.clone()).collect();
        for id in &absent {
            self.remove_member(id);
        }
        if !self.elect_leader() && !self.members.is_empty() {
            // Static members alone, and none of them is back: wait on, until their sessions end.
            let at = cx.steady.saturating_add(self.rebalance_timeout_ms().max(SHORTEST_REJOIN_WAIT_MS));
            self.join_timer = Some(JoinTimer { at, phase: JoinPhase::Later });
            return None;
        }
        self.unsynced.clear();
        if self.members.is_empty() {
            return Some(Append { records: vec![self.empty_record(cx.now)], then: Then::Empty });
        }
        self.generation = self.generation.wrapping_add(1);
        self.protocol = self.choose_protocol();
        self.refresh_subscriptions();
        self.move_to(GroupState::CompletingRebalance, cx.now);
        tracing::debug!(group = %self.id, generation = self.generation, members = self.members.len(), "all joined");
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.joined(&id);
            self.answer_join(&id, answer, replies);
            self.renew_session(&id, cx.steady);
            if let Some(member) = self.members.get_mut(&id) {
                member.is_new = false;
            }
            self.unsynced.insert(id);
        }
        self.sync_ends = Some(cx.steady.saturating_add(self.rebalance_timeout_ms()));
        None
    }

    /// Makes sure that one who is there leads. False: there is nobody.
    fn elect_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_ref().and_then(|id| self.members.get(id)) else { return false };
        if leader.joining.is_some() {
            return true;
        }
        let present = self.members.values().find(|member| member.joining.is_some());
        let Some(next) = present.map(|member| member.id.clone()) else { return false };
        self.leader = Some(next);
        true
    }

    /// How the group is remembered once its last member is gone.
    fn empty_record(&self, now: i64) -> GroupRecord {
        let value = GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation.wrapping_add(1),
            state_timestamp: now,
            ..GroupValue::default()
        };
        GroupRecord::Group { group: self.id.clone(), value: Some(value) }
    }

    /// Those who did not ask for their assignment in time are out.
    fn expire_unsynced(&mut self, cx: Cx<'_>, replies: &mut Vec<Reply>) -> Option<Append> {
        let syncing = self.is(GroupState::CompletingRebalance) || self.is(GroupState::Stable);
        if !syncing || self.unsynced.is_empty() {
            return None;
        }
        for id in std::mem::take(&mut self.unsynced) {
            self.remove_member(&id);
        }
        self.prepare_rebalance(cx, replies)
    }

    /// Tells all who wait for an assignment that there is none in this generation.
    pub(super) fn call_off_sync(&mut self, now: i64, error: ResponseError, replies: &mut Vec<Reply>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment.clear();
            }
            if self.answer_sync(&id, Synced::refused(error), replies) {
                self.renew_session(&id, now);
            }
        }
    }

    /// Gives all who wait their assignment.
    pub(super) fn hand_out_assignments(&mut self, now: i64, replies: &mut Vec<Reply>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.synced(&id);
            if self.answer_sync(&id, answer, replies) {
                // A session that ended while the member waited was forgiven: it starts again here.
                self.renew_session(&id, now);
            }
        }
    }

    /// The answer that gives a member its assignment.
    pub(super) fn synced(&self, member_id: &str) -> Synced {
        Synced {
            error: None,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            assignment: self.members.get(member_id).map(|m| m.assignment.clone()).unwrap_or_default(),
        }
    }
}

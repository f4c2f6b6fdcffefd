//! JoinGroup, as the group sees it: new members, members that come again, static members that come back.
//!
//! Knows nothing of versions on the wire. KIP-62 (rebalance time-out), KIP-345 (static members), KIP-394 (member ids).

use kafka_protocol::error::ResponseError;

use super::bounds::{MAX_MEMBERS_PER_GROUP, MAX_PROTOCOL_BYTES_PER_GROUP, NEW_MEMBER_JOIN_TIMEOUT_MS};
use super::classic::ClassicGroup;
use super::event::{Cx, Join, Joined, Reply, Step, Synced, Then};
use super::member::{Member, protocol_bytes};
use super::record::{GroupRecord, GroupValue};
use super::state::GroupState;

impl ClassicGroup {
    /// A member joins, for the first time or again. Its answer may come with a later event.
    pub(crate) fn join(&mut self, cx: Cx<'_>, join: Join) -> Step {
        if self.remembered {
            return self.join_remembered(cx, join);
        }
        // As with Kafka a group is remembered from the first attempt to join it, even one that fails.
        let value = GroupValue { state_timestamp: cx.now, ..GroupValue::default() };
        let record = GroupRecord::Group { group: self.id.clone(), value: Some(value) };
        Step::append(vec![record], Then::Join(Box::new(join)))
    }

    /// The join goes on in a group that is remembered.
    pub(super) fn join_remembered(&mut self, cx: Cx<'_>, join: Join) -> Step {
        if !self.takes_another(cx, &join) {
            return self.turn_away(cx, &join);
        }
        if !self.supports(&join.protocol_type, &join.protocols) {
            let refused = Joined::refused(ResponseError::InconsistentGroupProtocol, &join.member_id);
            return Step::joined(join.ticket, refused);
        }
        if !join.member_id.is_empty() {
            return self.join_again(cx, &join);
        }
        let known = join.instance_id.as_ref().and_then(|instance| self.static_members.get(instance).cloned());
        if let Some(old_id) = known {
            return self.rejoin_static(cx, &old_id, join);
        }
        if join.member_id_required && join.instance_id.is_none() {
            let until = cx.steady.saturating_add(i64::from(join.session_timeout_ms));
            self.pending.insert(join.new_member_id.clone(), until);
            let refused = Joined::refused(ResponseError::MemberIdRequired, &join.new_member_id);
            return Step::joined(join.ticket, refused);
        }
        let id = join.new_member_id.clone();
        self.admit(cx, &id, &join)
    }

    /// There is no room for the one who joins. If it is a member it is one no longer: whatever it still waits in is
    /// answered, and the others share the work without it.
    fn turn_away(&mut self, cx: Cx<'_>, join: &Join) -> Step {
        let full = ResponseError::GroupMaxSizeReached;
        let mut step = Step::joined(join.ticket, Joined::refused(full, ""));
        let id = join.member_id.as_str();
        self.answer_join(id, Joined::refused(full, ""), &mut step.replies);
        self.answer_sync(id, Synced::refused(full), &mut step.replies);
        let was_member = self.members.contains_key(id);
        self.remove_member(id);
        if was_member {
            step.append = self.rebalance_or_complete(cx, &mut step.replies);
        }
        step
    }

    /// Whether there is room for the one who joins. In the join phase those count who are back, so that the last to
    /// come are the ones turned away if the group is too big by now.
    fn takes_another(&self, cx: Cx<'_>, join: &Join) -> bool {
        let max = cx.settings.max_size;
        let member = self.members.get(&join.member_id);
        let fits = match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some()) || self.joining < max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                member.is_some() || self.members.len() < max
            }
        };
        let known = member.is_some() || self.pending.contains_key(&join.member_id);
        let before = member.map_or(0, Member::protocol_bytes);
        let bytes = self.protocol_bytes - before + protocol_bytes(&join.protocols);
        fits && (known || self.members.len() + self.pending.len() < MAX_MEMBERS_PER_GROUP)
            && bytes <= MAX_PROTOCOL_BYTES_PER_GROUP
    }

    /// One who has an id joins.
    fn join_again(&mut self, cx: Cx<'_>, join: &Join) -> Step {
        let id = join.member_id.as_str();
        if self.pending.contains_key(id) {
            if join.instance_id.is_some() {
                // Ids are handed out to dynamic members alone. Kafka fails on it with the same code.
                return Step::joined(join.ticket, Joined::refused(ResponseError::UnknownServerError, ""));
            }
            return self.admit(cx, id, join);
        }
        if let Err(error) = self.check_member(id, join.instance_id.as_deref()) {
            return Step::joined(join.ticket, Joined::refused(error, id));
        }
        let same = self.members.get(id).is_some_and(|member| member.protocols == join.protocols);
        match self.state {
            // The answer to its last join may have got lost: here it is again.
            GroupState::CompletingRebalance if same => Step::joined(join.ticket, self.joined(id)),
            GroupState::Stable if same && !self.is_leader(id) => {
                Step::joined(join.ticket, Joined { members: Vec::new(), ..self.joined(id) })
            }
            // A leader asks for a new generation by joining: what it knows of topics may have changed.
            GroupState::PreparingRebalance | GroupState::CompletingRebalance | GroupState::Stable => {
                let mut replies: Vec<Reply> = self.update_member(id, join).into_iter().collect();
                let append = self.rebalance_or_complete(cx, &mut replies);
                Step { replies, append }
            }
            GroupState::Empty | GroupState::Dead => {
                Step::joined(join.ticket, Joined::refused(ResponseError::UnknownMemberId, id))
            }
        }
    }

    /// A new member is in.
    fn admit(&mut self, cx: Cx<'_>, id: &str, join: &Join) -> Step {
        if self.is(GroupState::PreparingRebalance) && self.previous == GroupState::Empty {
            self.new_member_added = true;
        }
        let mut member = Member::joining(id, join);
        member.session_ends = Some(cx.steady.saturating_add(NEW_MEMBER_JOIN_TIMEOUT_MS));
        self.add_member(member, &join.protocol_type);
        let mut replies = Vec::new();
        let append = self.rebalance_or_complete(cx, &mut replies);
        Step { replies, append }
    }

    /// A static member is back without its id: it gets a new one and takes its old place.
    fn rejoin_static(&mut self, cx: Cx<'_>, old_id: &str, join: Join) -> Step {
        if self.is(GroupState::Stable) && self.keeps_protocol(old_id, &join) {
            let record = self.rejoin_record(old_id, &join);
            return Step::append(vec![record], Then::Rejoin(Box::new(join)));
        }
        let mut replies = Vec::new();
        self.replace_static(cx, old_id, &join, &mut replies);
        let append = match self.state {
            // In the sync phase the leader may already assign to the old id: the generation cannot be kept.
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(cx, &mut replies),
            _ => self.maybe_complete_join(cx, &mut replies),
        };
        Step { replies, append }
    }

    /// Whether the group would choose its protocol again if `old_id` had joined like this.
    fn keeps_protocol(&mut self, old_id: &str, join: &Join) -> bool {
        let Some(before) = self.members.get(old_id).map(|member| member.protocols.clone()) else {
            return false;
        };
        self.swap_protocols(old_id, join.protocols.clone());
        let choice = self.choose_protocol();
        self.swap_protocols(old_id, before);
        choice.is_some() && choice == self.protocol
    }

    /// The group with the new id in the old one's place.
    fn rejoin_record(&self, old_id: &str, join: &Join) -> GroupRecord {
        let mut value = self.to_value();
        if value.leader.as_deref() == Some(old_id) {
            value.leader = Some(join.new_member_id.clone());
        }
        if let Some(member) = value.members.iter_mut().find(|member| member.member_id == old_id) {
            let subscription = join.protocols.iter().find(|p| Some(&p.name) == self.protocol.as_ref());
            member.member_id = join.new_member_id.clone();
            member.session_timeout_ms = join.session_timeout_ms;
            member.rebalance_timeout_ms = join.rebalance_timeout_ms;
            member.subscription = subscription.map(|p| p.metadata.clone()).unwrap_or_default();
        }
        GroupRecord::Group { group: self.id.clone(), value: Some(value) }
    }

    /// Puts the new id in the old one's place, and has it wait for the generation.
    fn replace_static(&mut self, cx: Cx<'_>, old_id: &str, join: &Join, replies: &mut Vec<Reply>) {
        self.rename_static(old_id, &join.new_member_id, replies);
        // Kafka counts the new session by the old member's time-out, and by the new one from the next heartbeat on.
        self.renew_session(&join.new_member_id, cx.steady);
        replies.extend(self.update_member(&join.new_member_id, join));
    }

    /// Gives a static member a new id. Who still waits under the old one is fenced.
    pub(super) fn rename_static(&mut self, old_id: &str, new_id: &str, replies: &mut Vec<Reply>) {
        self.answer_join(old_id, Joined::refused(ResponseError::FencedInstanceId, old_id), replies);
        self.answer_sync(old_id, Synced::refused(ResponseError::FencedInstanceId), replies);
        let Some(mut member) = self.members.shift_remove(old_id) else { return };
        member.id = new_id.to_owned();
        member.is_new = false;
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), new_id.to_owned());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        self.members.insert(new_id.to_owned(), member);
    }

    /// A static member's new id is remembered: it goes on where the old one stopped, without a rebalance.
    pub(super) fn finish_rejoin(
        &mut self,
        cx: Cx<'_>,
        join: &Join,
        leader_before: Option<String>,
        replies: &mut Vec<Reply>,
    ) {
        let id = join.new_member_id.as_str();
        self.renew_session(id, cx.steady);
        replies.extend(self.update_member(id, join));
        let mut answer = self.joined(id);
        if join.may_skip_assignment {
            answer.skip_assignment = self.is_leader(id);
        } else {
            // Before version 9 a leader cannot be told to keep the assignment. Shown the old leader's id it takes
            // itself for a follower, and asks for what it had.
            answer.leader = leader_before.unwrap_or_default();
            answer.members = Vec::new();
        }
        self.answer_join(id, answer, replies);
    }
}

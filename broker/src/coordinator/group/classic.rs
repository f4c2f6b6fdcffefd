//! A classic group: who is in it, which generation it has reached, what it has committed.
//!
//! Here are its parts and the small changes to them; `join`, `sync`, `leave` and `rebalance` say when they happen,
//! `apply` what records do to it. Knows nothing of requests, channels, logs or locks.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};
use kafka_protocol::error::ResponseError;

use super::event::{Join, Joined, JoinedMember, Protocol, Reply, Synced};
use super::hash::java_map_order;
use super::member::Member;
use super::offsets::Offsets;
use super::record::GroupValue;
use super::state::GroupState;
use super::subscription;

/// The protocol type of consumers: the coordinator understands what they subscribe to.
const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// When the join phase ends at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinTimer {
    pub(crate) at: i64,
    pub(crate) phase: JoinPhase,
}

/// Which rule ends the join phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinPhase {
    /// The first rebalance of an empty group waits for more members to come, as long as they do.
    Initial { delay_ms: i64, left_ms: i64 },
    /// Any other waits for the members it has.
    Later,
}

/// A classic group.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    pub(super) id: String,
    pub(super) state: GroupState,
    pub(super) previous: GroupState,
    /// When it came to its state; unknown for a group that never had members.
    pub(super) state_since: Option<i64>,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: IndexMap<String, Member>,
    /// Member ids by instance id.
    pub(super) static_members: HashMap<String, String>,
    /// Ids that were handed out to members that have yet to come back with them, and until when they may.
    pub(super) pending: IndexMap<String, i64>,
    /// Members of this generation that have yet to ask for their assignment.
    pub(super) unsynced: IndexSet<String>,
    /// How many members wait in the join phase.
    pub(super) joining: usize,
    /// How many members support each protocol.
    pub(super) supported: HashMap<String, usize>,
    pub(super) protocol_bytes: usize,
    pub(super) new_member_added: bool,
    /// What all members subscribe to; none if that is unknown.
    pub(super) subscribed: Option<HashSet<String>>,
    pub(super) join_timer: Option<JoinTimer>,
    pub(super) sync_ends: Option<i64>,
    /// Whether a record tells of this group.
    pub(super) remembered: bool,
    /// What the last record of its members says: what a restart brings back, whatever has begun since.
    pub(super) last_value: Option<GroupValue>,
    pub(super) offsets: Offsets,
}

impl ClassicGroup {
    pub(crate) fn new(id: &str) -> Self {
        ClassicGroup {
            id: id.to_owned(),
            state: GroupState::Empty,
            previous: GroupState::Empty,
            state_since: None,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: IndexMap::new(),
            static_members: HashMap::new(),
            pending: IndexMap::new(),
            unsynced: IndexSet::new(),
            joining: 0,
            supported: HashMap::new(),
            protocol_bytes: 0,
            new_member_added: false,
            subscribed: None,
            join_timer: None,
            sync_ends: None,
            remembered: false,
            last_value: None,
            offsets: Offsets::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    pub(crate) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    pub(crate) fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// Whether records tell of this group: one that was never remembered is forgotten with its last user.
    pub(crate) fn is_remembered(&self) -> bool {
        self.remembered
    }

    pub(super) fn is(&self, state: GroupState) -> bool {
        self.state == state
    }

    pub(super) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// Moves to another state, if that is legal. An illegal move is a defect of the state machine: it is reported, and
    /// stopped in debug builds, but takes no host process down.
    pub(super) fn move_to(&mut self, to: GroupState, now: i64) {
        if !self.state.may_become(to) {
            debug_assert!(false, "group {} may not go from {:?} to {to:?}", self.id, self.state);
            tracing::error!(group = %self.id, from = self.state.name(), to = to.name(), "illegal move of a group");
        }
        self.previous = self.state;
        self.state = to;
        self.state_since = Some(now);
    }

    pub(super) fn add_member(&mut self, member: Member, protocol_type: &str) {
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.count_protocols(&member.protocols);
        self.joining += usize::from(member.joining.is_some());
        self.pending.shift_remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out, pending or not. The next in line leads if it was the leader.
    pub(super) fn remove_member(&mut self, member_id: &str) {
        if let Some(member) = self.members.shift_remove(member_id) {
            self.discount_protocols(&member.protocols);
            self.joining -= usize::from(member.joining.is_some());
            if let Some(instance) = &member.instance_id {
                self.static_members.remove(instance);
            }
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending.shift_remove(member_id);
        self.unsynced.shift_remove(member_id);
    }

    /// Gives a member what its new join says.
    pub(super) fn update_member(&mut self, member_id: &str, join: &Join) -> Option<Reply> {
        self.swap_protocols(member_id, join.protocols.clone());
        let member = self.members.get_mut(member_id)?;
        member.rebalance_timeout_ms = join.rebalance_timeout_ms;
        member.session_timeout_ms = join.session_timeout_ms;
        let superseded = member.joining.replace(join.ticket);
        self.joining += usize::from(superseded.is_none());
        // The same member asked twice: only the newer request is still listened to.
        superseded.map(|old| Reply::Join(old, Joined::refused(ResponseError::RebalanceInProgress, member_id)))
    }

    /// Gives a member other protocols.
    pub(super) fn swap_protocols(&mut self, member_id: &str, protocols: Vec<Protocol>) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        let before = std::mem::replace(&mut member.protocols, protocols.clone());
        self.discount_protocols(&before);
        self.count_protocols(&protocols);
    }

    fn count_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            *self.supported.entry(protocol.name.clone()).or_default() += 1;
            self.protocol_bytes += protocol.name.len() + protocol.metadata.len();
        }
    }

    fn discount_protocols(&mut self, protocols: &[Protocol]) {
        for protocol in protocols {
            if let Some(count) = self.supported.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supported.remove(&protocol.name);
                }
            }
            self.protocol_bytes -= protocol.name.len() + protocol.metadata.len();
        }
    }

    /// Answers the join that a member waits in, if it does.
    pub(super) fn answer_join(&mut self, member_id: &str, answer: Joined, replies: &mut Vec<Reply>) {
        let waiting = self.members.get_mut(member_id).and_then(|member| member.joining.take());
        if let Some(ticket) = waiting {
            self.joining -= 1;
            replies.push(Reply::Join(ticket, answer));
        }
    }

    /// Answers the sync that a member waits in. False: it does not.
    pub(super) fn answer_sync(&mut self, member_id: &str, answer: Synced, replies: &mut Vec<Reply>) -> bool {
        let waiting = self.members.get_mut(member_id).and_then(|member| member.syncing.take());
        let Some(ticket) = waiting else { return false };
        replies.push(Reply::Sync(ticket, answer));
        true
    }

    /// A member has shown that it lives.
    pub(super) fn renew_session(&mut self, member_id: &str, now: i64) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.session_ends = Some(now.saturating_add(i64::from(member.session_timeout_ms)));
        }
    }

    pub(super) fn all_joined(&self) -> bool {
        self.members.len() == self.joining && self.pending.is_empty()
    }

    /// The longest that any member may take for a rebalance.
    pub(super) fn rebalance_timeout_ms(&self) -> i64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0);
        i64::from(longest.max(0))
    }

    /// Whether `member_id` is a member, and the one that its instance id stands for.
    pub(super) fn check_member(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ResponseError> {
        if let Some(instance) = instance_id {
            match self.static_members.get(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if current != member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    /// Whether the group could go on with one more member that supports these protocols.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.is(GroupState::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let everyone = self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|p| self.supported.get(&p.name).copied().unwrap_or(0) == everyone)
    }

    /// The protocol that most members like best, of those that all of them support.
    pub(super) fn choose_protocol(&self) -> Option<String> {
        let everyone = self.members.len();
        let mut votes: IndexMap<&str, usize> = IndexMap::new();
        for member in self.members.values() {
            let shared = |p: &&Protocol| self.supported.get(&p.name) == Some(&everyone);
            let vote = member.protocols.iter().find(shared)?;
            *votes.entry(vote.name.as_str()).or_default() += 1;
        }
        let names: Vec<&str> = votes.keys().copied().collect();
        let most = votes.values().copied().max()?;
        let winner = java_map_order(&names).into_iter().find(|name| votes.get(name) == Some(&most));
        winner.map(str::to_owned)
    }

    /// All members, as the leader is told of them.
    pub(super) fn member_list(&self) -> Vec<JoinedMember> {
        let describe = |member: &Member| JoinedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(self.protocol.as_deref()),
        };
        self.members.values().map(describe).collect()
    }

    /// The answer that tells a member of the generation as it stands.
    pub(super) fn joined(&self, member_id: &str) -> Joined {
        Joined {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: if self.is_leader(member_id) { self.member_list() } else { Vec::new() },
        }
    }

    pub(super) fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Works out what the members subscribe to, where it can be read.
    pub(super) fn refresh_subscriptions(&mut self) {
        self.subscribed = if !self.is_consumer_group() {
            None
        } else if self.members.is_empty() {
            Some(HashSet::new())
        } else if let Some(protocol) = self.protocol.as_deref() {
            self.members.values().map(|m| subscription::topics(&m.metadata(Some(protocol)))).try_fold(
                HashSet::new(),
                |mut all, topics| {
                    all.extend(topics?);
                    Some(all)
                },
            )
        } else {
            None
        };
    }

    /// Whether offsets of `topic` are in use by the members.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or_else(|| self.is_consumer_group(), |topics| topics.contains(topic))
    }
}

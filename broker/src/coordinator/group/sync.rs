//! SyncGroup and Heartbeat, as the group sees them.
//!
//! Knows nothing of versions on the wire.

use std::collections::HashMap;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::classic::ClassicGroup;
use super::event::{Cx, Reply, Step, Sync, Synced, Then};
use super::record::{GroupRecord, GroupValue};
use super::state::GroupState;

impl ClassicGroup {
    /// A member asks for its assignment; the leader brings everybody's. The answer may come with a later event.
    pub(crate) fn sync(&mut self, sync: Sync) -> Step {
        if let Err(error) = self.check_sync(&sync) {
            return Step::synced(sync.ticket, Synced::refused(error));
        }
        match self.state {
            GroupState::CompletingRebalance => self.sync_completing(sync),
            GroupState::Stable => {
                self.has_synced(&sync.member_id);
                Step::synced(sync.ticket, self.synced(&sync.member_id))
            }
            GroupState::PreparingRebalance => {
                Step::synced(sync.ticket, Synced::refused(ResponseError::RebalanceInProgress))
            }
            GroupState::Empty | GroupState::Dead => {
                Step::synced(sync.ticket, Synced::refused(ResponseError::UnknownMemberId))
            }
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ResponseError> {
        self.check_member(&sync.member_id, sync.instance_id.as_deref())?;
        if sync.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        let other = |asked: &Option<String>, ours: &Option<String>| asked.is_some() && asked != ours;
        if other(&sync.protocol_type, &self.protocol_type) || other(&sync.protocol_name, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn sync_completing(&mut self, sync: Sync) -> Step {
        let id = sync.member_id.as_str();
        let superseded = self.members.get_mut(id).and_then(|member| member.syncing.replace(sync.ticket));
        // The same member asked twice: only the newer request is still listened to.
        let refuse = |old| Reply::Sync(old, Synced::refused(ResponseError::RebalanceInProgress));
        let replies = superseded.map(refuse).into_iter().collect();
        self.has_synced(id);
        if !self.is_leader(id) {
            return Step { replies, append: None };
        }
        let assigned: HashMap<String, Bytes> = sync.assignments.into_iter().collect();
        let mut value = self.to_value();
        for member in &mut value.members {
            member.assignment = assigned.get(&member.member_id).cloned().unwrap_or_default();
        }
        let record = GroupRecord::Group { group: self.id.clone(), value: Some(value) };
        Step { replies, ..Step::append(vec![record], Then::Assign) }
    }

    /// A member need not be waited for any longer.
    fn has_synced(&mut self, member_id: &str) {
        self.unsynced.shift_remove(member_id);
        if self.unsynced.is_empty() {
            self.sync_ends = None;
        }
    }

    /// How the group is remembered as it stands.
    pub(super) fn to_value(&self) -> GroupValue {
        let protocol = self.protocol.as_deref();
        GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_timestamp: self.state_since.unwrap_or(-1),
            members: self.members.values().map(|member| member.to_value(protocol)).collect(),
        }
    }

    /// A member lives.
    ///
    /// # Errors
    /// What it has to do: join again, or ask for another generation.
    pub(crate) fn heartbeat(
        &mut self,
        cx: Cx<'_>,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check_member(member_id, instance_id)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => Err(ResponseError::UnknownMemberId),
            GroupState::PreparingRebalance => {
                self.renew_session(member_id, cx.steady);
                Err(ResponseError::RebalanceInProgress)
            }
            // Heartbeats may begin before the assignment is there.
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.renew_session(member_id, cx.steady);
                Ok(())
            }
        }
    }
}

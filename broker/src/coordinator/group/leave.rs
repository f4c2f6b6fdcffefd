//! LeaveGroup, as the group sees it: members that go, or are sent away by their instance id (KIP-345).
//!
//! Knows nothing of versions on the wire.

use kafka_protocol::error::ResponseError;

use super::classic::ClassicGroup;
use super::event::{Cx, Joined, Leaving, Reply, Step};
use super::state::GroupState;

impl ClassicGroup {
    /// Members leave. Each comes back with what became of it.
    pub(crate) fn leave(&mut self, cx: Cx<'_>, leaving: Vec<Leaving>) -> (Vec<Leaving>, Step) {
        let mut step = Step::default();
        let left: Vec<Leaving> = leaving
            .into_iter()
            .map(|one| Leaving { error: self.leave_one(&one, &mut step.replies).err(), ..one })
            .collect();
        if left.iter().any(|one| one.error.is_none()) {
            step.append = match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => {
                    self.rebalance_or_complete(cx, &mut step.replies)
                }
                _ => self.maybe_complete_join(cx, &mut step.replies),
            };
        }
        (left, step)
    }

    fn leave_one(&mut self, one: &Leaving, replies: &mut Vec<Reply>) -> Result<(), ResponseError> {
        let id = if one.member_id.is_empty() {
            // Administrators know static members by their instance id alone.
            let known = one.instance_id.as_ref().and_then(|instance| self.static_members.get(instance));
            known.cloned().ok_or(ResponseError::UnknownMemberId)?
        } else if self.pending.contains_key(&one.member_id) {
            one.member_id.clone()
        } else {
            self.check_member(&one.member_id, one.instance_id.as_deref())?;
            one.member_id.clone()
        };
        self.answer_join(&id, Joined::refused(ResponseError::UnknownMemberId, ""), replies);
        self.remove_member(&id);
        Ok(())
    }
}

//! Groups as values, to be looked at: for answers to administrators, and for tests of those who use the broker.
//!
//! Knows nothing of requests and their versions.

use bytes::Bytes;

use super::classic::ClassicGroup;
use super::member::Member;
use super::service::GroupCoordinator;
use super::state::GroupState;

/// The only type of group there is so far, as ListGroups calls it.
pub(crate) const GROUP_TYPE_CLASSIC: &str = "classic";

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupView {
    pub(crate) id: String,
    /// What kind of group it is.
    pub(crate) group_type: &'static str,
    pub(crate) state: GroupState,
    pub(crate) generation: i32,
    /// `consumer` for consumers; empty for a group that never had members.
    pub(crate) protocol_type: String,
    /// The chosen protocol, while the group is stable.
    pub(crate) protocol: String,
    pub(crate) leader: Option<String>,
    pub(crate) members: Vec<MemberView>,
}

/// A member as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberView {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// What it told the chosen protocol, while the group is stable.
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl GroupView {
    /// A group as it stands.
    pub(crate) fn of(group: &ClassicGroup) -> Self {
        let protocol = group.protocol().filter(|_| group.state() == GroupState::Stable);
        let member = |member: &Member| MemberView {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(protocol),
            assignment: member.assignment.clone(),
        };
        GroupView {
            id: group.id().to_owned(),
            group_type: GROUP_TYPE_CLASSIC,
            state: group.state(),
            generation: group.generation(),
            protocol_type: group.protocol_type().to_owned(),
            protocol: protocol.unwrap_or_default().to_owned(),
            leader: group.leader().map(str::to_owned),
            members: group.members().map(member).collect(),
        }
    }
}

impl GroupCoordinator {
    /// Looks at a group, if it is there.
    pub(crate) fn look<T>(&self, group_id: &str, at: impl FnOnce(&ClassicGroup) -> T) -> Option<T> {
        let cell = self.find(group_id)?;
        let held = cell.held.lock();
        (!held.gone).then(|| at(&held.group))
    }

    /// A group as it stands, if it is there.
    pub(crate) fn describe(&self, group_id: &str) -> Option<GroupView> {
        self.look(group_id, GroupView::of)
    }

    /// All groups, by id, and what `at` says of each.
    pub(crate) fn list<T>(&self, at: impl Fn(&ClassicGroup) -> Option<T>) -> Vec<T> {
        let look = |held: &super::service::Held| if held.gone { None } else { at(&held.group) };
        self.cells().iter().filter_map(|cell| look(&cell.held.lock())).collect()
    }
}

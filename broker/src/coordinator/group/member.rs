//! A member of a classic group.
//!
//! Knows nothing of the group around it.

use bytes::Bytes;

use super::event::{Join, Protocol, Ticket};
use super::record::MemberValue;

/// One consumer, or whatever else shares work through a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// The name that outlives a restart of the process (`group.instance.id`): what makes a member static.
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    /// In the order of its preference.
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// Who waits for the end of the join phase.
    pub(crate) joining: Option<Ticket>,
    /// Who waits for the assignment.
    pub(crate) syncing: Option<Ticket>,
    /// In its first join, which has a time-out of its own: it cannot send heartbeats yet.
    pub(crate) is_new: bool,
    /// When the session ends. None once it has passed while the member was waiting for the others.
    pub(crate) session_ends: Option<i64>,
}

impl Member {
    /// A member as its first join makes it.
    pub(crate) fn joining(id: &str, join: &Join) -> Self {
        Member {
            id: id.to_owned(),
            instance_id: join.instance_id.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            session_timeout_ms: join.session_timeout_ms,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            protocols: join.protocols.clone(),
            assignment: Bytes::new(),
            joining: Some(join.ticket),
            syncing: None,
            is_new: true,
            session_ends: None,
        }
    }

    /// A member as it was remembered; of its protocols, the one that the group had chosen.
    pub(crate) fn remembered(value: &MemberValue, protocol: &str) -> Self {
        Member {
            id: value.member_id.clone(),
            instance_id: value.instance_id.clone(),
            client_id: value.client_id.clone(),
            client_host: value.client_host.clone(),
            session_timeout_ms: value.session_timeout_ms,
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            protocols: vec![Protocol { name: protocol.to_owned(), metadata: value.subscription.clone() }],
            assignment: value.assignment.clone(),
            joining: None,
            syncing: None,
            is_new: false,
            session_ends: None,
        }
    }

    /// How the member is remembered under `protocol`.
    pub(crate) fn to_value(&self, protocol: Option<&str>) -> MemberValue {
        MemberValue {
            member_id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment: self.assignment.clone(),
        }
    }

    /// What the member says of itself to `protocol`.
    pub(crate) fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let found = protocol.and_then(|name| self.protocols.iter().find(|known| known.name == name));
        found.map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }

    /// Whether it may be silent: it waits for the others, and they may take their time.
    pub(crate) fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }

    pub(crate) fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// The bytes that its protocols take.
    pub(crate) fn protocol_bytes(&self) -> usize {
        protocol_bytes(&self.protocols)
    }
}

/// The bytes that a list of protocols takes.
pub(crate) fn protocol_bytes(protocols: &[Protocol]) -> usize {
    protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum()
}

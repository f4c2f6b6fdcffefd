//! What happens to a group, and what comes of it: the language between the state machine and its shell.
//!
//! Knows nothing of requests' versions on the wire, of channels or of logs. Errors are Kafka's; none is success.

use bytes::Bytes;
use kafka_protocol::error::ResponseError;

use super::record::GroupRecord;
use crate::config::BrokerSettings;

/// Names a request that waits for its answer. The shell hands them out and keeps who waits.
pub(crate) type Ticket = u64;

/// When something happens, and under which settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cx<'a> {
    /// What is written down.
    pub(crate) now: i64,
    /// What deadlines are counted by: the same as `now` but where somebody sets the system's clock.
    pub(crate) steady: i64,
    pub(crate) settings: &'a GroupSettings,
}

/// The broker configs that groups follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupSettings {
    /// `group.max.size`
    pub(crate) max_size: usize,
    /// `group.initial.rebalance.delay.ms`
    pub(crate) initial_rebalance_delay_ms: i64,
    /// `group.min.session.timeout.ms`
    pub(crate) min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub(crate) max_session_timeout_ms: i32,
    /// `offset.metadata.max.bytes`
    pub(crate) offset_metadata_max: usize,
    /// `offsets.retention.minutes`, in milliseconds
    pub(crate) offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub(crate) offsets_check_interval_ms: i64,
}

impl GroupSettings {
    /// What the broker's configs say.
    pub(crate) fn of(settings: &BrokerSettings) -> Self {
        GroupSettings {
            max_size: usize::try_from(settings.group_max_size).unwrap_or(0),
            initial_rebalance_delay_ms: i64::from(settings.group_initial_rebalance_delay_ms.max(0)),
            min_session_timeout_ms: settings.group_min_session_timeout_ms,
            max_session_timeout_ms: settings.group_max_session_timeout_ms,
            offset_metadata_max: usize::try_from(settings.offset_metadata_max_bytes).unwrap_or(0),
            offsets_retention_ms: i64::from(settings.offsets_retention_minutes) * 60_000,
            offsets_check_interval_ms: settings.offsets_retention_check_interval_ms,
        }
    }
}

/// A way of assigning partitions that a member supports, with what it says about itself to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

/// A JoinGroup request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Join {
    pub(crate) ticket: Ticket,
    /// Empty for one that is not a member yet.
    pub(crate) member_id: String,
    /// The id that it gets if it has none.
    pub(crate) new_member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<Protocol>,
    /// Whether a new dynamic member is sent away once to come back with its id (version 4 on).
    pub(crate) member_id_required: bool,
    /// Whether the answer can tell the leader to keep the assignment (version 9 on).
    pub(crate) may_skip_assignment: bool,
}

/// The answer to a [`Join`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) error: Option<ResponseError>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) leader: String,
    pub(crate) skip_assignment: bool,
    pub(crate) member_id: String,
    /// All members, for the leader alone.
    pub(crate) members: Vec<JoinedMember>,
}

/// A member as the leader is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

impl Joined {
    pub(crate) fn refused(error: ResponseError, member_id: &str) -> Self {
        Joined {
            error: Some(error),
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        }
    }
}

/// A SyncGroup request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sync {
    pub(crate) ticket: Ticket,
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    /// By member; from the leader alone.
    pub(crate) assignments: Vec<(String, Bytes)>,
}

/// The answer to a [`Sync`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Synced {
    pub(crate) error: Option<ResponseError>,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) assignment: Bytes,
}

impl Synced {
    pub(crate) fn refused(error: ResponseError) -> Self {
        Synced { error: Some(error), ..Synced::default() }
    }
}

/// One member of a LeaveGroup request, and of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaving {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) error: Option<ResponseError>,
}

/// An answer for one who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Join(Ticket, Joined),
    Sync(Ticket, Synced),
}

/// What comes of an event: answers that can go out, and records that have to be in the log before it goes on.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) replies: Vec<Reply>,
    pub(crate) append: Option<Append>,
}

/// Records to append, and how to go on then.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) records: Vec<GroupRecord>,
    pub(crate) then: Then,
}

/// What a group was about to do when it asked for an append.
#[derive(Debug)]
pub(crate) enum Then {
    /// The group is new, and remembered: the join that made it goes on.
    Join(Box<Join>),
    /// The leader's assignment is remembered: all members get theirs.
    Assign,
    /// A static member's new id is remembered: its join is answered.
    Rejoin(Box<Join>),
    /// The last member is gone, and that is remembered.
    Empty,
    /// Offsets were committed, or are gone; or the group itself is.
    Nothing,
}

impl Step {
    pub(crate) fn append(records: Vec<GroupRecord>, then: Then) -> Self {
        Step { replies: Vec::new(), append: Some(Append { records, then }) }
    }

    pub(crate) fn joined(ticket: Ticket, answer: Joined) -> Self {
        Step { replies: vec![Reply::Join(ticket, answer)], append: None }
    }

    pub(crate) fn synced(ticket: Ticket, answer: Synced) -> Self {
        Step { replies: vec![Reply::Sync(ticket, answer)], append: None }
    }
}

//! Groups: who shares the work, and how far they have come.
//!
//! The state machine of a classic group (`classic` and its verbs) knows nothing of sockets, clocks, logs or locks:
//! an event and the time go in, records and answers come out. `service` is the shell around it.

mod apply;
mod bounds;
mod classic;
mod event;
mod hash;
mod image;
mod join;
mod leave;
mod member;
mod offsets;
mod rebalance;
mod record;
mod service;
mod state;
mod store;
mod subscription;
mod sync;
mod view;

pub(crate) use classic::ClassicGroup;
pub(crate) use event::{GroupSettings, Join, Joined, JoinedMember, Leaving, Protocol, Sync, Synced};
pub(crate) use hash::partition_for;
pub(crate) use image::{Generation, GroupImage};
pub(crate) use offsets::{Commit, Committer, Offsets};
pub(crate) use record::OffsetValue;
pub(crate) use service::GroupCoordinator;
pub(crate) use state::GroupState;
pub(crate) use subscription::topics as subscribed_topics;
pub(crate) use view::{GROUP_TYPE_CLASSIC, GroupView, MemberView};

#[cfg(test)]
mod tests;

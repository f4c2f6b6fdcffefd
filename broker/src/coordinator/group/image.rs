//! What is remembered of a group at one moment, and the group that is made of it.
//!
//! A group comes out of a snapshot as it would out of its records, but for its members: they are gone, as if they had left
//! in the moment before. Who was a member learns that it is none any more, joins again, and reads on from the committed
//! offsets, as far as the snapshot has them; and nobody waits for members that never come back.

use std::sync::Arc;

use super::classic::ClassicGroup;
use super::offsets::Offsets;
use super::record::{GroupRecord, GroupValue, OffsetValue};
use super::service::GroupCoordinator;
use super::store::Store;
use crate::coordinator::journal::{JournalError, JournalLog};

/// What is remembered of a group.
#[derive(Debug, Clone)]
pub(crate) struct GroupImage {
    pub(crate) id: String,
    /// The group's last generation, if it had any. Its members are left out.
    value: Option<GroupValue>,
    had_members: bool,
    offsets: Offsets,
}

/// A group without members as it is told to others, and read from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: i32,
    pub(crate) protocol_type: String,
    pub(crate) since_ms: i64,
    pub(crate) had_members: bool,
}

impl GroupImage {
    fn of(group: &ClassicGroup) -> Option<Self> {
        let value = group.last_value.as_ref().map(|value| GroupValue {
            protocol_type: value.protocol_type.clone(),
            generation: value.generation,
            state_timestamp: value.state_timestamp,
            ..GroupValue::default()
        });
        let had_members = group.last_value.as_ref().is_some_and(|value| !value.members.is_empty());
        let (id, offsets) = (group.id().to_owned(), group.offsets.clone());
        group.is_remembered().then_some(GroupImage { id, value, had_members, offsets })
    }

    /// An image from elsewhere.
    pub(crate) fn new(
        id: String,
        generation: Option<Generation>,
        offsets: impl IntoIterator<Item = (String, i32, OffsetValue)>,
    ) -> Self {
        let had_members = generation.as_ref().is_some_and(|generation| generation.had_members);
        let value = generation.map(|generation| GroupValue {
            protocol_type: generation.protocol_type,
            generation: generation.number,
            state_timestamp: generation.since_ms,
            ..GroupValue::default()
        });
        let mut committed = Offsets::default();
        for (topic, partition, value) in offsets {
            committed.set(&topic, partition, value);
        }
        GroupImage { id, value, had_members, offsets: committed }
    }

    pub(crate) fn generation(&self) -> Option<Generation> {
        self.value.as_ref().map(|value| Generation {
            number: value.generation,
            protocol_type: value.protocol_type.clone(),
            since_ms: value.state_timestamp,
            had_members: self.had_members,
        })
    }

    pub(crate) fn offsets(&self) -> impl Iterator<Item = (&str, i32, &OffsetValue)> {
        self.offsets.all()
    }

    /// The group, and what its journal has to be told because its members are gone.
    fn to_group(&self, now: i64) -> (ClassicGroup, Option<GroupRecord>) {
        let mut value = self.value.clone();
        if let Some(value) = value.as_mut().filter(|_| self.had_members) {
            (value.generation, value.state_timestamp) = (value.generation.wrapping_add(1), now);
        }
        let mut group = ClassicGroup::new(&self.id);
        (group.offsets, group.remembered) = (self.offsets.clone(), true);
        let record = value.map(|value| GroupRecord::Group { group: self.id.clone(), value: Some(value) });
        if let Some(record) = &record {
            group.replay(record);
        }
        (group, record.filter(|_| self.had_members))
    }
}

impl GroupCoordinator {
    /// What is remembered of all groups, by id. The caller [holds](GroupCoordinator::hold) them.
    pub(crate) fn freeze(&self) -> Vec<GroupImage> {
        self.cells().iter().filter_map(|cell| GroupImage::of(&cell.held.lock().group)).collect()
    }

    /// Takes up the groups of a snapshot, and their journals. For a coordinator that has none yet.
    pub(crate) fn thaw(
        self: &Arc<Self>,
        logs: Vec<Box<dyn JournalLog>>,
        groups: &[GroupImage],
        now: i64,
    ) -> Result<(), JournalError> {
        let store = Store::new(logs);
        for image in groups {
            let (group, record) = image.to_group(now);
            if let Some(record) = record {
                store.append(&image.id, &[record], now)?;
            }
            self.insert_loaded(group);
        }
        *self.store.write() = Some(Arc::new(store));
        self.schedule_expiry(self.clock.steady_at(now));
        Ok(())
    }
}

//! The offsets that a group has committed: committing, deleting and expiring them.
//!
//! Knows nothing of topics that exist, of requests or logs. Offsets of transactions that are not decided yet will be
//! kept beside the committed ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use uuid::Uuid;

use super::bounds::MAX_OFFSETS_PER_GROUP;
use super::classic::ClassicGroup;
use super::event::{Cx, Step, Then};
use super::record::{GroupRecord, OffsetValue};
use super::state::GroupState;

/// Committed offsets by partition.
type Partitions = Arc<BTreeMap<i32, OffsetValue>>;

/// Committed offsets by topic and partition. A clone costs nothing: what one of the two changes is copied then, topic by
/// topic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offsets {
    by_topic: Arc<BTreeMap<String, Partitions>>,
    count: usize,
}

impl Offsets {
    pub(super) fn set(&mut self, topic: &str, partition: i32, value: OffsetValue) {
        let by_topic = Arc::make_mut(&mut self.by_topic);
        if let Some(partitions) = by_topic.get_mut(topic) {
            self.count += usize::from(Arc::make_mut(partitions).insert(partition, value).is_none());
        } else {
            by_topic.insert(topic.to_owned(), Arc::new(BTreeMap::from([(partition, value)])));
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, topic: &str, partition: i32) {
        let by_topic = Arc::make_mut(&mut self.by_topic);
        let Some(partitions) = by_topic.get_mut(topic) else { return };
        self.count -= usize::from(Arc::make_mut(partitions).remove(&partition).is_some());
        if partitions.is_empty() {
            by_topic.remove(topic);
        }
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&OffsetValue> {
        self.by_topic.get(topic)?.get(&partition)
    }

    /// All offsets, topic by topic.
    pub(crate) fn by_topic(&self) -> &BTreeMap<String, Partitions> {
        &self.by_topic
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, i32, &OffsetValue)> {
        self.by_topic
            .iter()
            .flat_map(|(topic, all)| all.iter().map(move |(p, value)| (topic.as_str(), *p, value)))
    }
}

/// Who commits, and as part of what.
#[derive(Debug, Clone)]
pub(crate) struct Committer {
    /// Empty for one that is no member.
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    /// Negative for one that is no member.
    pub(crate) generation: i32,
    /// How long the offsets are kept, if the request says so (versions 2 to 4); -1 if the broker decides.
    pub(crate) retention_ms: i64,
}

/// An offset to commit, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) topic: String,
    /// The topic that has the name now.
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    pub(crate) error: Option<ResponseError>,
}

impl ClassicGroup {
    /// Whether `by` may commit now.
    pub(crate) fn check_commit(&self, by: &Committer) -> Result<(), ResponseError> {
        if by.generation < 0 && self.is(GroupState::Empty) {
            // An administrator, or a consumer that assigns partitions to itself.
            return Ok(());
        }
        if by.generation < 0 && by.member_id.is_empty() && by.instance_id.is_none() {
            return Err(ResponseError::UnknownMemberId);
        }
        self.check_member(&by.member_id, by.instance_id.as_deref())?;
        if by.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        if self.is(GroupState::CompletingRebalance) {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Commits offsets; those that cannot be are marked with their error.
    pub(crate) fn commit(
        &mut self,
        cx: Cx<'_>,
        by: &Committer,
        commits: &mut [Commit],
    ) -> Result<Step, ResponseError> {
        self.check_commit(by)?;
        if matches!(self.state, GroupState::Stable | GroupState::PreparingRebalance) {
            self.renew_session(&by.member_id, cx.steady);
        }
        let expire_timestamp = (by.retention_ms != -1).then(|| cx.now.saturating_add(by.retention_ms));
        let mut room = MAX_OFFSETS_PER_GROUP.saturating_sub(self.offsets.len());
        let mut records = Vec::with_capacity(commits.len());
        for commit in commits {
            if commit.metadata.encode_utf16().count() > cx.settings.offset_metadata_max {
                commit.error = Some(ResponseError::OffsetMetadataTooLarge);
                continue;
            }
            let known = self.offsets.get(&commit.topic, commit.partition).is_some();
            if !known && room == 0 {
                commit.error = Some(ResponseError::InvalidCommitOffsetSize);
                continue;
            }
            room -= usize::from(!known);
            let value = OffsetValue {
                offset: commit.offset,
                leader_epoch: commit.leader_epoch,
                metadata: commit.metadata.clone(),
                commit_timestamp: cx.now,
                expire_timestamp,
                topic_id: commit.topic_id,
            };
            records.push(self.offset_record(&commit.topic, commit.partition, Some(value)));
        }
        Ok(offsets_step(records))
    }

    /// Whether offsets may be deleted now.
    fn check_delete_offsets(&self) -> Result<(), ResponseError> {
        match self.state {
            GroupState::Dead => Err(ResponseError::GroupIdNotFound),
            GroupState::Empty => Ok(()),
            // Of consumers it is known what they subscribe to.
            _ if self.is_consumer_group() => Ok(()),
            _ => Err(ResponseError::NonEmptyGroup),
        }
    }

    /// Forgets offsets, as far as no member subscribes to their topics: each comes back with what became of it.
    pub(crate) fn delete_offsets(
        &mut self,
        partitions: &[(&str, i32)],
    ) -> Result<(Vec<Option<ResponseError>>, Step), ResponseError> {
        self.check_delete_offsets()?;
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let in_use = self.is_subscribed_to(topic);
            results.push(in_use.then_some(ResponseError::GroupSubscribedToTopic));
            if !in_use && self.offsets.get(topic, *partition).is_some() {
                records.push(self.offset_record(topic, *partition, None));
            }
        }
        Ok((results, offsets_step(records)))
    }

    /// A topic is gone: so are its offsets.
    pub(crate) fn forget_topic(&mut self, topic: &str) -> Step {
        let partitions =
            self.offsets.by_topic.get(topic).into_iter().flat_map(|partitions| partitions.keys());
        offsets_step(partitions.map(|partition| self.offset_record(topic, *partition, None)).collect())
    }

    /// Forgets what has expired; and the group itself once it has neither members nor offsets.
    pub(crate) fn expire_offsets(&mut self, cx: Cx<'_>) -> Step {
        let expired: Vec<(String, i32)> = self.expired_offsets(cx);
        let mut records: Vec<GroupRecord> =
            expired.iter().map(|(topic, partition)| self.offset_record(topic, *partition, None)).collect();
        if expired.len() == self.offsets.len() && self.is(GroupState::Empty) {
            records.push(GroupRecord::Group { group: self.id.clone(), value: None });
        }
        offsets_step(records)
    }

    fn expired_offsets(&self, cx: Cx<'_>) -> Vec<(String, i32)> {
        let has_members = !self.is(GroupState::Empty);
        // While members share work, only those offsets expire of which it is known that nobody needs them.
        let knows_topics =
            self.is(GroupState::Stable) && self.is_consumer_group() && self.subscribed.is_some();
        if self.protocol_type.is_some() && has_members && !knows_topics {
            return Vec::new();
        }
        // A group that had members keeps its offsets for as long after they went; others count from the commit.
        let since_empty = self.state_since.filter(|_| self.protocol_type.is_some() && !has_members);
        let is_expired = |value: &OffsetValue| match value.expire_timestamp {
            Some(at) => cx.now >= at,
            None => {
                let since = since_empty.unwrap_or(value.commit_timestamp);
                cx.now.saturating_sub(since) >= cx.settings.offsets_retention_ms
            }
        };
        self.offsets
            .all()
            .filter(|(topic, _, value)| !self.is_subscribed_to(topic) && is_expired(value))
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect()
    }

    /// Deletes the group and its offsets.
    ///
    /// # Errors
    /// NON_EMPTY_GROUP while it has members.
    pub(crate) fn delete(&mut self) -> Result<Step, ResponseError> {
        match self.state {
            GroupState::Empty => {}
            GroupState::Dead => return Err(ResponseError::GroupIdNotFound),
            _ => return Err(ResponseError::NonEmptyGroup),
        }
        let offsets = self.offsets.all();
        let mut records: Vec<GroupRecord> =
            offsets.map(|(topic, partition, _)| self.offset_record(topic, partition, None)).collect();
        records.push(GroupRecord::Group { group: self.id.clone(), value: None });
        Ok(offsets_step(records))
    }

    /// The records that tell all there is to tell of the group.
    pub(crate) fn live_records(&self) -> Vec<GroupRecord> {
        let offsets = self.offsets.all();
        let mut records: Vec<GroupRecord> = offsets
            .map(|(topic, partition, value)| self.offset_record(topic, partition, Some(value.clone())))
            .collect();
        let group = self.id.clone();
        records.extend(self.last_value.clone().map(|value| GroupRecord::Group { group, value: Some(value) }));
        records
    }

    fn offset_record(&self, topic: &str, partition: i32, value: Option<OffsetValue>) -> GroupRecord {
        GroupRecord::Offset { group: self.id.clone(), topic: topic.to_owned(), partition, value }
    }
}

fn offsets_step(records: Vec<GroupRecord>) -> Step {
    if records.is_empty() { Step::default() } else { Step::append(records, Then::Nothing) }
}

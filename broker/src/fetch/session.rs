//! Fetch sessions (KIP-227): the broker remembers which partitions a reader follows, so that a request names only what
//! has changed and an answer only what is new.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use kafka_protocol::error::ResponseError;
use parking_lot::Mutex;
use uuid::Uuid;

use super::answer::FetchedPartition;
use super::reader::Target;

/// The epoch of a request that wants everything, and a new session.
const INITIAL_EPOCH: i32 = 0;

/// The epoch of a request that wants everything, and no session.
const FINAL_EPOCH: i32 = -1;

/// A session that has been used within this time is not given up for another.
const SHORTEST_LIFE_MS: i64 = 120_000;

/// Partitions that all sessions together may remember: at about 150 bytes each this is 150 MB. A reader that would go
/// past it gets its answer, but no session.
const MOST_REMEMBERED_PARTITIONS: usize = 1_000_000;

/// A session's name for a partition: by topic id if the reader uses ids, else by name.
pub(crate) type PartitionKey = (Arc<str>, Uuid, i32);

/// Why a request cannot go on in its session.
pub(crate) type SessionError = ResponseError;

/// What a request asks of its session.
pub(crate) struct SessionRequest {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
    pub(crate) uses_topic_ids: bool,
    /// The partitions named, in order.
    pub(crate) named: Vec<(PartitionKey, Target)>,
    pub(crate) forgotten: Vec<PartitionKey>,
}

/// How a request is to be answered.
pub(crate) enum Plan {
    /// All partitions, and no session.
    Sessionless(Vec<(PartitionKey, Target)>),
    /// All partitions, and a new session for them.
    Full { named: Vec<(PartitionKey, Target)>, uses_topic_ids: bool },
    /// The session's partitions; the answer leaves out those with nothing new.
    Incremental { session: Arc<Mutex<Session>>, targets: Vec<(PartitionKey, Target)> },
}

/// What a reader follows, and what it was told last.
pub(crate) struct Session {
    id: i32,
    epoch: i32,
    uses_topic_ids: bool,
    partitions: IndexMap<PartitionKey, Followed>,
}

struct Followed {
    target: Target,
    high_watermark: i64,
    log_start_offset: i64,
}

/// The sessions of a broker: at most as many as `max.incremental.fetch.session.cache.slots`.
#[derive(Default)]
pub(crate) struct FetchSessions {
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    sessions: HashMap<i32, Slot>,
    partitions: usize,
}

struct Slot {
    session: Arc<Mutex<Session>>,
    last_used_ms: i64,
    partitions: usize,
}

impl FetchSessions {
    /// Finds out how `request` is to be answered.
    pub(crate) fn plan(&self, request: SessionRequest, now_ms: i64) -> Result<Plan, SessionError> {
        if matches!(request.epoch, INITIAL_EPOCH | FINAL_EPOCH) {
            self.cache.lock().remove(request.id);
            return Ok(match request.epoch {
                FINAL_EPOCH => Plan::Sessionless(request.named),
                _ => Plan::Full { named: request.named, uses_topic_ids: request.uses_topic_ids },
            });
        }
        let mut cache = self.cache.lock();
        let slot = cache.sessions.get(&request.id).ok_or(ResponseError::FetchSessionIdNotFound)?;
        let session = Arc::clone(&slot.session);
        let mut open = session.lock();
        if open.uses_topic_ids != request.uses_topic_ids {
            return Err(ResponseError::FetchSessionTopicIdError);
        }
        if open.epoch != request.epoch {
            return Err(ResponseError::InvalidFetchSessionEpoch);
        }
        if cache.partitions.saturating_add(request.named.len()) > MOST_REMEMBERED_PARTITIONS {
            // The reader begins anew, and is served without a session if there is still no room.
            drop(open);
            cache.remove(request.id);
            return Err(ResponseError::FetchSessionIdNotFound);
        }
        open.update(request.named, &request.forgotten);
        let after = open.partitions.len();
        cache.used(request.id, after, now_ms);
        if after == 0 {
            cache.remove(request.id);
            return Ok(Plan::Sessionless(Vec::new()));
        }
        open.epoch = next_epoch(open.epoch);
        let targets =
            open.partitions.iter().map(|(key, followed)| (key.clone(), followed.target.clone())).collect();
        drop(open);
        Ok(Plan::Incremental { session, targets })
    }

    /// The partitions that a session remembers; none if there is no such session.
    pub(crate) fn followed(&self, id: i32) -> Vec<PartitionKey> {
        let session = self.cache.lock().sessions.get(&id).map(|slot| Arc::clone(&slot.session));
        session.map_or_else(Vec::new, |session| session.lock().partitions.keys().cloned().collect())
    }

    /// Remembers a new session for a reader that has just been told `answered`, and gives its id; 0 if none is free.
    pub(crate) fn create(
        &self,
        followed: Vec<(PartitionKey, Target)>,
        answered: &[(PartitionKey, FetchedPartition)],
        uses_topic_ids: bool,
        slots: usize,
        now_ms: i64,
        mut draw: impl FnMut() -> i32,
    ) -> i32 {
        let mut cache = self.cache.lock();
        if !cache.make_room(slots, followed.len(), now_ms) {
            return 0;
        }
        let mut id = draw();
        while cache.sessions.contains_key(&id) {
            id = draw();
        }
        let partitions = followed.into_iter().map(|(key, target)| (key, Followed::new(target)));
        let mut session = Session {
            id,
            epoch: next_epoch(INITIAL_EPOCH),
            uses_topic_ids,
            partitions: partitions.collect(),
        };
        for (key, partition) in answered {
            session.is_news(key, partition);
        }
        let partitions = session.partitions.len();
        cache.partitions += partitions;
        let session = Arc::new(Mutex::new(session));
        cache.sessions.insert(id, Slot { session, last_used_ms: now_ms, partitions });
        id
    }
}

impl Cache {
    fn remove(&mut self, id: i32) {
        if let Some(slot) = self.sessions.remove(&id) {
            self.partitions = self.partitions.saturating_sub(slot.partitions);
        }
    }

    /// A session has been used, and remembers as many partitions now.
    fn used(&mut self, id: i32, partitions: usize, now_ms: i64) {
        if let Some(slot) = self.sessions.get_mut(&id) {
            self.partitions = self.partitions.saturating_sub(slot.partitions) + partitions;
            (slot.partitions, slot.last_used_ms) = (partitions, now_ms);
        }
    }

    fn make_room(&mut self, slots: usize, partitions: usize, now_ms: i64) -> bool {
        if self.sessions.len() >= slots {
            let oldest = self.sessions.iter().min_by_key(|(id, slot)| (slot.last_used_ms, **id));
            let Some((id, slot)) = oldest else { return false };
            if now_ms - slot.last_used_ms <= SHORTEST_LIFE_MS {
                return false;
            }
            self.remove(*id);
        }
        self.partitions + partitions <= MOST_REMEMBERED_PARTITIONS
    }
}

impl Session {
    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// Takes over what a request says of its partitions.
    fn update(&mut self, named: Vec<(PartitionKey, Target)>, forgotten: &[PartitionKey]) {
        for (key, target) in named {
            match self.partitions.get_mut(&key) {
                Some(followed) => followed.target = target,
                None => drop(self.partitions.insert(key, Followed::new(target))),
            }
        }
        for key in forgotten {
            self.partitions.shift_remove(key);
        }
    }

    /// Whether the reader has to be told of `partition`; remembers that it is.
    ///
    /// A partition that gave records goes to the end of the line, so that one that never runs dry does not starve the
    /// others.
    pub(crate) fn is_news(&mut self, key: &PartitionKey, partition: &FetchedPartition) -> bool {
        let Some(index) = self.partitions.get_index_of(key) else { return true };
        let last = self.partitions.len() - 1;
        let Some((_, followed)) = self.partitions.get_index_mut(index) else { return true };
        let failed = partition.error_code != 0;
        let moved = followed.high_watermark != partition.high_watermark
            || followed.log_start_offset != partition.log_start_offset;
        followed.log_start_offset = partition.log_start_offset;
        // An error is told again every time.
        followed.high_watermark = if failed { -1 } else { partition.high_watermark };
        let has_records = !partition.records.is_empty();
        if has_records {
            self.partitions.move_index(index, last);
        }
        let is_sent_on = partition.diverging_epoch.is_some() || partition.preferred_read_replica.is_some();
        failed || moved || has_records || is_sent_on
    }
}

impl Followed {
    fn new(target: Target) -> Self {
        Followed { target, high_watermark: -1, log_start_offset: -1 }
    }
}

/// Epochs go round from the largest to 1: 0 and -1 mean something else.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

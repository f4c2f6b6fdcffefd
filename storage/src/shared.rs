//! What the logs of a manager share.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::fs::Disk;
use crate::options::ManagerSettings;
use crate::populate::Populate;
use crate::segment::cache::MapCache;

/// What the logs of a manager share.
pub(crate) struct Shared {
    pub(crate) settings: ManagerSettings,
    pub(crate) disk: Disk,
    pub(crate) cache: MapCache,
    pub(crate) populate: Populate,
    /// The logs that have changed since the last snapshot. Taken by who holds a log's `state`, if that log is not in it yet;
    /// and before the `state` of logs that are in it, by who takes a snapshot.
    pub(crate) changed: Mutex<HashSet<(Arc<str>, i32)>>,
}

impl Shared {
    pub(crate) fn new(settings: ManagerSettings) -> Self {
        Shared {
            disk: Disk::new(settings.faults.clone()),
            cache: MapCache::new(settings.max_mapped_segments),
            populate: Populate::default(),
            changed: Mutex::default(),
            settings,
        }
    }
}

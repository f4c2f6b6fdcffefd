//! What the logs of a manager share.

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
}

impl Shared {
    pub(crate) fn new(settings: ManagerSettings) -> Self {
        Shared {
            disk: Disk::new(settings.faults.clone()),
            cache: MapCache::new(settings.max_mapped_segments),
            populate: Populate::default(),
            settings,
        }
    }
}

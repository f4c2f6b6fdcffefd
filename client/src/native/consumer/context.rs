//! What all parts of a consumer have in common.

use std::sync::Arc;

use super::shelf::Shelf;
use crate::native::cluster::Cluster;
use crate::options::ConsumerOptions;

/// A consumer's cluster, options and partitions.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) cluster: Arc<Cluster>,
    pub(super) options: Arc<ConsumerOptions>,
    pub(super) shelf: Arc<Shelf>,
}

impl Context {
    /// Whether there is a group to commit to.
    pub(super) fn has_group(&self) -> bool {
        !self.options.group_id.is_empty()
    }
}

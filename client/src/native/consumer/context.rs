//! What all parts of a consumer have in common.

use std::sync::Arc;

use super::shelf::Shelf;
use crate::error::{ClientError, ErrorKind};
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
    /// Has an error told if the task panics that holds what this gives: its consumer would wait for ever otherwise.
    pub(super) fn tell_if_it_panics(&self) -> TellIfItPanics {
        TellIfItPanics(Arc::clone(&self.shelf))
    }

    /// Whether there is a group to commit to.
    pub(super) fn has_group(&self) -> bool {
        !self.options.group_id.is_empty()
    }
}

/// Tells an error when it is dropped by a panic.
#[derive(Debug)]
pub(super) struct TellIfItPanics(Arc<Shelf>);

impl Drop for TellIfItPanics {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "a task of the consumer's panicked";
            self.0.tell(
                ClientError::new(ErrorKind::System, "reading", why).remedy("report this; start another"),
            );
        }
    }
}

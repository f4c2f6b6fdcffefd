//! Commits of a subscriber with dead letters: the library would commit what was taken; only what has arrived somewhere may be.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::core::WeakBackend;
use crate::backend::{Commit, RebalanceListener};
use crate::dead_letter::Letters;
use crate::record::TopicPartition;
use crate::runtime;

/// Commits, as far as there is something to commit.
#[derive(Debug, Clone)]
pub(crate) struct Committer {
    backend: WeakBackend,
    letters: Weak<Letters>,
    automatic: bool,
}

impl Committer {
    pub(super) fn new(backend: WeakBackend, letters: Weak<Letters>, automatic: bool) -> Self {
        Committer { backend, letters, automatic }
    }

    /// Commits every so often, for as long as the run lasts.
    pub(super) async fn run(self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if self.letters.strong_count() == 0 {
                return;
            }
            self.commit(None).await;
        }
    }

    /// Commits what is new, of these partitions or of all.
    async fn commit(&self, of: Option<&[TopicPartition]>) {
        let (Some(backend), Some(letters)) = (self.backend.upgrade(), self.letters.upgrade()) else { return };
        let mut offsets = letters.uncommitted();
        offsets.retain(|(place, _)| of.is_none_or(|of| of.contains(place)));
        if offsets.is_empty() {
            return;
        }
        match backend.commit(Commit::Offsets(offsets.clone())).await {
            Ok(()) => letters.committed(&offsets),
            // The next one commits as much and more.
            Err(error) => tracing::warn!(%error, "offsets were not committed"),
        }
    }
}

/// Listens to rebalances for a subscriber with dead letters, and passes them on.
#[derive(Debug)]
pub(super) struct Rebalances {
    own: Option<Arc<dyn RebalanceListener>>,
    committer: OnceLock<Committer>,
}

impl Rebalances {
    pub(super) fn new(own: Option<Arc<dyn RebalanceListener>>) -> Self {
        Rebalances { own, committer: OnceLock::new() }
    }

    /// Tells it what there is to commit. Before that there is nothing.
    pub(super) fn connect(&self, committer: Committer) {
        // It is connected once, by whoever has made it.
        let _ = self.committer.set(committer);
    }

    fn forget(&self, partitions: &[TopicPartition]) {
        if let Some(letters) = self.committer.get().and_then(|committer| committer.letters.upgrade()) {
            letters.forget(partitions);
        }
    }
}

impl RebalanceListener for Rebalances {
    fn assigned(&self, partitions: &[TopicPartition]) {
        self.forget(partitions);
        if let Some(own) = &self.own {
            own.assigned(partitions);
        }
    }

    fn revoked(&self, partitions: &[TopicPartition]) {
        if let Some(own) = &self.own {
            own.revoked(partitions);
        }
        if let Some(committer) = self.committer.get().filter(|committer| committer.automatic)
            && let Err(error) = runtime::block_on(committer.commit(Some(partitions)))
        {
            tracing::warn!(%error, "offsets were not committed before a rebalance");
        }
        self.forget(partitions);
    }

    fn lost(&self, partitions: &[TopicPartition]) {
        if let Some(own) = &self.own {
            own.lost(partitions);
        }
        self.forget(partitions);
    }
}

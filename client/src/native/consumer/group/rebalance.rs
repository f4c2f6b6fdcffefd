//! Taking and giving up partitions, with the listener told and what was handed out committed at the right moments.
//!
//! A partition that goes is no longer handed out before its position is committed; the listener is told, and may commit
//! itself; then it is forgotten. One that comes is read from after the listener has been told.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::Member;
use crate::backend::RebalanceListener;
use crate::native::consumer::shelf::Begin;
use crate::record::TopicPartition;

impl Member {
    /// Gives up before a rebalance what has to be: everything, or only what is not subscribed to any more.
    pub(super) async fn give_up_before_joining(&mut self) {
        if self.owned.is_empty() {
            return;
        }
        if !self.membership.is_known() {
            return self.lose().await;
        }
        let goes = if self.cooperative {
            let topics: HashSet<&Arc<str>> = self.topics.iter().collect();
            self.owned.iter().filter(|owned| !topics.contains(&owned.topic)).cloned().collect()
        } else {
            self.owned.clone()
        };
        self.revoke(goes, self.commit_by()).await;
    }

    /// Until when a commit is tried before partitions go: others wait for that no longer than `max_poll_interval`, and
    /// the listener is to have its time too.
    fn commit_by(&self) -> Instant {
        let half = self.context.options.max_poll_interval / 2;
        Instant::now() + half.min(self.context.cluster.options().request_timeout)
    }

    /// Takes what this member is given. Says whether it had to give something up for that, which others wait for.
    pub(super) async fn take(&mut self, given: Vec<TopicPartition>) -> bool {
        let keeps: HashSet<&TopicPartition> = given.iter().collect();
        let goes: Vec<_> = self.owned.iter().filter(|owned| !keeps.contains(owned)).cloned().collect();
        let again = !goes.is_empty();
        self.revoke(goes, self.commit_by()).await;
        let owned: HashSet<&TopicPartition> = self.owned.iter().collect();
        let comes: Vec<_> = given.iter().filter(|given| !owned.contains(given)).cloned().collect();
        for partition in &comes {
            self.context.cluster.want(&partition.topic);
        }
        self.owned = given;
        let listener = self.listener.clone();
        self.context.shelf.add(&comes, Begin::Committed, listener.is_some());
        if let Some(listener) = listener {
            self.attended(tell(listener, move |listener| listener.assigned(&comes))).await;
            self.context.shelf.release();
        }
        again
    }

    /// Gives up partitions while they are still this member's.
    async fn revoke(&mut self, goes: Vec<TopicPartition>, commit_by: Instant) {
        if goes.is_empty() {
            return;
        }
        let gone: HashSet<&TopicPartition> = goes.iter().collect();
        self.owned.retain(|owned| !gone.contains(owned));
        self.context.shelf.stop(&goes);
        let (commits, listener) = (Arc::clone(&self.commits), self.listener.clone());
        let auto_commit = self.context.options.enable_auto_commit;
        let told = goes.clone();
        self.attended(async move {
            if auto_commit && let Err(error) = commits.last_of(&told, commit_by).await {
                tracing::warn!(%error, "what was handed out could not be committed before it was revoked");
            }
            if let Some(listener) = listener {
                tell(listener, move |listener| listener.revoked(&told)).await;
            }
        })
        .await;
        self.context.shelf.remove(&goes);
    }

    /// Gives up everything that the group has taken away already.
    pub(super) async fn lose(&mut self) {
        self.commits.set_identity(None);
        let gone = std::mem::take(&mut self.owned);
        self.context.shelf.remove(&gone);
        if let Some(listener) = self.listener.clone().filter(|_| !gone.is_empty()) {
            tell(listener, move |listener| listener.lost(&gone)).await;
        }
    }

    /// Gives up everything and leaves, unless it is a static member, whose partitions stay its own.
    pub(super) async fn leave(&mut self, deadline: Instant) {
        let leaving = async {
            let goes = self.owned.clone();
            if self.membership.is_known() {
                // The listener is to be told even where the commit gets no answer.
                let now = Instant::now();
                let half = deadline.saturating_duration_since(now) / 2;
                self.revoke(goes, now + half).await;
            } else {
                self.lose().await;
            }
            if !self.membership.identity().member_id.is_empty()
                && self.context.options.group_instance_id.is_none()
            {
                self.send_leave().await;
            }
        };
        if tokio::time::timeout_at(deadline.into(), leaving).await.is_err() {
            tracing::warn!(group = self.group_id(), "there was no time to leave the group");
        }
        self.commits.end();
    }

    /// Does something while heartbeats go on. What they are answered is found out afterwards.
    async fn attended<T>(&mut self, work: impl Future<Output = T>) -> T {
        let beats = async {
            let interval = self.context.options.heartbeat_interval;
            loop {
                tokio::time::sleep(interval).await;
                if self.membership.is_known()
                    && let Err(error) = self.beat().await
                {
                    tracing::debug!(%error, "no answer to a heartbeat");
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = beats => unreachable!("heartbeats do not end by themselves"),
        }
    }
}

/// Tells the listener on a thread that it may block.
async fn tell(
    listener: Arc<dyn RebalanceListener>,
    what: impl FnOnce(&dyn RebalanceListener) + Send + 'static,
) {
    let told = tokio::task::spawn_blocking(move || what(&*listener)).await;
    if told.is_err() {
        tracing::error!("the listener of rebalances panicked");
    }
}

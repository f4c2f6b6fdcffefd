//! A member of a consumer group by the classic protocol: joins, shares out where it leads, keeps alive, and leaves.
//!
//! It is one task, and the only one that changes the shelf's assignment. What it hands out and commits are others'
//! affairs. A protocol of another kind (KIP-848) would stand beside it: it needs [`Commits::set_identity`] and the
//! shelf's `add`, `stop` and `remove`, and nothing of this module but [`rebalance`].

mod join;
mod lead;
mod rebalance;
mod state;
mod stay;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

pub(super) use state::Identity;
use state::Membership;

use super::assignors::{self, PartitionCounts};
use super::commits::Commits;
use super::context::Context;
use super::protocol::NO_GENERATION;
use super::subscription::Subscription;
use crate::backend::RebalanceListener;
use crate::error::ClientError;
use crate::native::retry::Backoff;
use crate::record::TopicPartition;

/// Why a member is not one for the time being.
#[derive(Debug)]
enum Trouble {
    /// It joins again, at once or after a pause.
    Again { pause: bool },
    /// It cannot be one.
    Fatal(ClientError),
}

/// A consumer's part in its group.
#[derive(Debug)]
pub(super) struct Member {
    context: Context,
    subscription: Subscription,
    listener: Option<Arc<dyn RebalanceListener>>,
    commits: Arc<Commits>,
    membership: Membership,
    /// Whether only what moves is given up in a rebalance.
    cooperative: bool,
    /// The topics that are subscribed to: the pattern's, where it is one.
    topics: Vec<Arc<str>>,
    owned: Vec<TopicPartition>,
    /// What it was given last, and in which generation: the sticky assignor's user data.
    last: (Vec<TopicPartition>, i32),
    /// Where it leads: the partitions that were there when they were shared out.
    led: Option<PartitionCounts>,
    backoff: Backoff,
    /// Since when the coordinator cannot be asked, and whether that has been told.
    unanswered: Option<(Instant, bool)>,
}

impl Member {
    pub(super) fn new(
        context: Context,
        subscription: Subscription,
        listener: Option<Arc<dyn RebalanceListener>>,
        commits: Arc<Commits>,
    ) -> Self {
        let cooperative = assignors::cooperative(&context.options.assignors);
        let backoff = context.cluster.retry_backoff();
        Member {
            context,
            subscription,
            listener,
            commits,
            membership: Membership::new(),
            cooperative,
            topics: Vec::new(),
            owned: Vec::new(),
            last: (Vec::new(), NO_GENERATION),
            led: None,
            backoff,
            unanswered: None,
        }
    }

    /// Is a member until it is told to leave, by a deadline, or cannot be one any more.
    pub(super) async fn run(mut self, mut leave: watch::Receiver<Option<Instant>>) {
        let _told = self.context.tell_if_it_panics();
        let leaves = async {
            // Whoever could tell it to leave has gone: so does it.
            let told = leave.wait_for(Option::is_some).await.ok();
            told.and_then(|deadline| *deadline).unwrap_or_else(Instant::now)
        };
        let deadline = tokio::select! {
            deadline = leaves => deadline,
            fatal = self.live() => {
                self.lose().await;
                self.commits.end();
                self.context.shelf.tell(fatal);
                return;
            }
        };
        self.leave(deadline).await;
    }

    /// Joins again and again. Gives why it cannot any more.
    async fn live(&mut self) -> ClientError {
        loop {
            let trouble = match self.join_and_stay().await {
                Ok(trouble) | Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Again { pause: false } => {}
                Trouble::Again { pause: true } => tokio::time::sleep(self.backoff.next()).await,
                Trouble::Fatal(error) => return error,
            }
        }
    }

    async fn join_and_stay(&mut self) -> Result<Trouble, Trouble> {
        self.find_topics().await?;
        self.give_up_before_joining().await;
        let again = self.join().await?;
        self.backoff.reset();
        self.unanswered = None;
        if again {
            self.membership.rejoin();
            return Ok(Trouble::Again { pause: false });
        }
        Ok(self.stay().await)
    }

    /// Finds out which topics are subscribed to now, and has them kept up to date.
    async fn find_topics(&mut self) -> Result<(), Trouble> {
        let cluster = &self.context.cluster;
        match &self.subscription {
            Subscription::Topics(topics) => {
                topics.iter().for_each(|topic| cluster.want(topic));
                self.topics.clone_from(topics);
            }
            Subscription::Pattern(_) => {
                cluster.want_all();
                if let Err(error) = cluster.fresh(self.deadline()).await {
                    return Err(self.no_answer(error));
                }
                self.topics = self.matching();
            }
        }
        Ok(())
    }

    /// The topics that match the subscription and exist.
    fn matching(&self) -> Vec<Arc<str>> {
        let exclude = self.context.options.exclude_internal_topics;
        let metadata = self.context.cluster.metadata();
        let matches =
            metadata.topics().filter(|topic| self.subscription.matches(&topic.name, topic.internal, exclude));
        let mut matching: Vec<_> = matches.map(|topic| Arc::clone(&topic.name)).collect();
        matching.sort();
        matching
    }

    fn group_id(&self) -> &str {
        &self.context.options.group_id
    }

    /// How long a request may take that the coordinator answers at once: no longer than the session.
    fn patience(&self) -> Duration {
        self.context.cluster.options().request_timeout.min(self.context.options.session_timeout)
    }

    fn asked(&self, what: &str) -> String {
        format!("{what} the group '{}'", self.group_id())
    }
}

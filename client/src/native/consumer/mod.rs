//! The native consumer: a member of a group, or a reader of partitions that are given by hand.
//!
//! Three things work side by side on the [`Shelf`], which has the assigned partitions and the records that wait: the
//! [`group`] says which partitions they are, [`fetch`] brings their records, and the subscriber takes these. [`Commits`]
//! says to the group what was taken.

mod assignors;
mod commits;
mod context;
mod fetch;
mod group;
mod offsets;
mod protocol;
mod shelf;
mod subscription;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use commits::Commits;
use context::Context;
use group::Member;
use shelf::{Begin, Shelf};
pub(crate) use subscription::{Assigned, Start, Subscription};

use super::cluster::Cluster;
use crate::backend::{
    BoxFuture, Commit, ConsumerBackend, OffsetSpec, Offsets, Position, RebalanceListener, SeekTo,
};
use crate::error::{ClientError, ErrorKind};
use crate::options::{ClientOptions, ConsumerOptions};
use crate::record::{Record, TopicPartition};
use crate::signal::Signal;

/// A consumer over the protocol itself. Ends, without a word to its group, when it is dropped.
#[derive(Debug)]
pub(crate) struct NativeConsumer {
    context: Context,
    commits: Arc<Commits>,
    /// Tells the member to leave, by then.
    leave: watch::Sender<Option<Instant>>,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    /// The member, which ends by itself when it has left.
    member: Option<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

impl NativeConsumer {
    /// A member of the group that the options name, which subscribes to topics.
    ///
    /// # Errors
    /// If the options cannot be, or no group is named.
    pub(crate) fn subscribe(
        client: ClientOptions,
        options: ConsumerOptions,
        subscription: Subscription,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<Self, ClientError> {
        if options.group_id.is_empty() {
            let (asked, why) = ("subscribing", "there is no group_id");
            return Err(ClientError::new(ErrorKind::Config, asked, why).remedy("give one"));
        }
        if options.assignors.is_empty() {
            let (asked, why) = ("subscribing", "partition_assignment_strategy names no strategy");
            return Err(ClientError::new(ErrorKind::Config, asked, why).remedy("name one"));
        }
        let consumer = Self::new(client, options, true)?;
        let member =
            Member::new(consumer.context.clone(), subscription, listener, Arc::clone(&consumer.commits));
        let handle = crate::runtime::handle()?.spawn(member.run(consumer.leave.subscribe()));
        consumer.tasks.lock().member = Some(handle);
        Ok(consumer)
    }

    /// A reader of these partitions, and no member of any group. Where the options name a group, its committed offsets
    /// are begun from and can be committed.
    ///
    /// # Errors
    /// If the options cannot be.
    pub(crate) fn assign(
        client: ClientOptions,
        options: ConsumerOptions,
        partitions: &[Assigned],
    ) -> Result<Self, ClientError> {
        let consumer = Self::new(client, options, false)?;
        for (partition, start) in partitions {
            consumer.context.cluster.want(&partition.topic);
            let begin = match start {
                Start::Committed if consumer.context.has_group() => Begin::Committed,
                Start::Committed => Begin::Reset,
                Start::At(to) => Begin::At(*to),
            };
            consumer.context.shelf.add(std::slice::from_ref(partition), begin, false);
        }
        Ok(consumer)
    }

    fn new(client: ClientOptions, options: ConsumerOptions, is_member: bool) -> Result<Self, ClientError> {
        let runtime = crate::runtime::handle()?;
        let cluster = Cluster::new(client, options.allow_auto_create_topics)?;
        let shelf = Arc::new(Shelf::new(&options));
        let context = Context { cluster, options: Arc::new(options), shelf };
        let commits = Arc::new(Commits::new(context.clone(), is_member));
        let mut others = vec![runtime.spawn(fetch::run(context.clone()))];
        if context.options.enable_auto_commit && context.has_group() {
            others.push(runtime.spawn(auto_commit(context.clone(), Arc::clone(&commits))));
        }
        let tasks = Mutex::new(Tasks { member: None, others });
        Ok(NativeConsumer { context, commits, leave: watch::Sender::new(None), tasks })
    }

    /// Why the cluster cannot be asked, where the last attempt to has failed.
    pub(crate) fn trouble(&self) -> Option<ClientError> {
        self.context.cluster.watch().borrow().error().cloned()
    }

    /// Whether an error that has been told still keeps records from coming.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.context.shelf.is_in_trouble()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.context.cluster.options().request_timeout
    }

    fn without_group(&self, asked: &str) -> Result<(), ClientError> {
        if self.context.has_group() {
            return Ok(());
        }
        Err(ClientError::new(ErrorKind::InvalidArgument, asked, "this consumer has no group")
            .remedy("give a group_id"))
    }
}

/// Commits every so often what was handed out.
async fn auto_commit(context: Context, commits: Arc<Commits>) {
    loop {
        tokio::time::sleep(context.options.auto_commit_interval).await;
        let deadline = Instant::now() + context.cluster.options().request_timeout;
        if commits.may_commit()
            && let Err(error) = commits.handed_out(None, deadline).await
        {
            tracing::warn!(%error, "an automatic commit failed");
        }
    }
}

/// Runs on the client's runtime, whatever awaits it.
async fn on_runtime<T: Send + 'static>(
    asked: &'static str,
    work: impl Future<Output = Result<T, ClientError>> + Send + 'static,
) -> Result<T, ClientError> {
    match crate::runtime::handle()?.spawn(work).await {
        Ok(done) => done,
        Err(error) => Err(ClientError::new(ErrorKind::System, asked, error.to_string())),
    }
}

impl ConsumerBackend for NativeConsumer {
    #[inline]
    fn try_next(&self) -> Option<Result<Record, ClientError>> {
        self.context.shelf.try_next()
    }

    fn arrived(&self) -> &Signal {
        &self.context.shelf.arrived
    }

    fn depth(&self) -> usize {
        self.context.shelf.depth()
    }

    fn commit(&self, what: Commit) -> BoxFuture<'_, Result<(), ClientError>> {
        Box::pin(async move {
            self.without_group("committing")?;
            let (commits, deadline) = (Arc::clone(&self.commits), self.deadline());
            let committing = async move {
                match what {
                    Commit::HandedOut => commits.handed_out(None, deadline).await,
                    Commit::Offsets(offsets) => commits.offsets(&offsets, deadline).await,
                }
            };
            on_runtime("committing", committing).await
        })
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.context.shelf.assignment()
    }

    fn assigned(&self) -> &Signal {
        &self.context.shelf.assigned
    }

    fn positions(&self) -> Vec<(TopicPartition, Position)> {
        self.context.shelf.positions()
    }

    fn seek(
        &self,
        partitions: Option<Vec<TopicPartition>>,
        to: SeekTo,
    ) -> BoxFuture<'_, Result<(), ClientError>> {
        let deadline = self.deadline();
        // At once, not when somebody awaits it.
        let sought = self.context.shelf.seek(partitions.as_deref(), to);
        let shelf = Arc::clone(&self.context.shelf);
        Box::pin(async move {
            let keys = sought?;
            let placed = async move {
                let placed =
                    shelf.placed.wait_async(Some(deadline), || shelf.are_placed(&keys).then_some(())).await;
                placed.ok_or_else(|| {
                    let why = "the offset was not found in time";
                    ClientError::new(ErrorKind::TimedOut, "seeking", why)
                })
            };
            on_runtime("seeking", placed).await
        })
    }

    fn pause(&self, partitions: Option<&[TopicPartition]>) {
        self.context.shelf.pause(partitions);
    }

    fn resume(&self, partitions: Option<&[TopicPartition]>) {
        self.context.shelf.resume(partitions);
    }

    fn committed(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'_, Result<Offsets, ClientError>> {
        Box::pin(async move {
            self.without_group("asking for committed offsets")?;
            let (context, deadline) = (self.context.clone(), self.deadline());
            let asking = async move { offsets::committed(&context, &partitions, deadline).await };
            on_runtime("asking for committed offsets", asking).await
        })
    }

    fn offsets(
        &self,
        partitions: Vec<TopicPartition>,
        spec: OffsetSpec,
    ) -> BoxFuture<'_, Result<Offsets, ClientError>> {
        let (context, deadline) = (self.context.clone(), self.deadline());
        let asking = async move { offsets::find(&context, &partitions, spec, deadline).await };
        Box::pin(on_runtime("asking for offsets", asking))
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, Result<(), ClientError>> {
        let Tasks { member, others } = std::mem::take(&mut *self.tasks.lock());
        self.leave.send_replace(Some(deadline));
        let (context, commits) = (self.context.clone(), Arc::clone(&self.commits));
        let closing = async move {
            let mut outcome = Ok(());
            let commits_itself = !others.is_empty();
            // Nothing more is fetched, and no commit is under way that the last one would have to wait for.
            for task in others {
                task.abort();
            }
            if let Some(mut member) = member {
                // It gives up by the deadline itself.
                if tokio::time::timeout_at((deadline + LAST_MOMENT).into(), &mut member).await.is_err() {
                    member.abort();
                }
            } else if context.has_group() && context.options.enable_auto_commit && commits_itself {
                outcome = commits.handed_out(None, deadline).await;
            }
            commits.end();
            context.shelf.end();
            context.cluster.close();
            outcome
        };
        Box::pin(on_runtime("closing", closing))
    }
}

/// What the member may take beyond the deadline before it is ended.
const LAST_MOMENT: std::time::Duration = std::time::Duration::from_millis(100);

impl Drop for NativeConsumer {
    fn drop(&mut self) {
        let Tasks { member, others } = std::mem::take(self.tasks.get_mut());
        for task in member.into_iter().chain(others) {
            task.abort();
        }
    }
}

//! Committing offsets to the group: one commit after the other, so that none is overtaken by an older one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest};
use tokio::sync::watch;

use super::context::Context;
use super::group::Identity;
use super::offsets::passes;
use super::protocol::NO_GENERATION;
use super::shelf::ToCommit;
use super::wire;
use crate::error::{ClientError, ErrorKind};
use crate::native::retry::{Remedy, remedy};
use crate::record::TopicPartition;

const OFFSET_COMMIT_MOST: i16 = 9;
const WITH_EPOCHS: i16 = 6;
const WITH_INSTANCES: i16 = 7;

/// Commits for a consumer.
#[derive(Debug)]
pub(super) struct Commits {
    context: Context,
    identity: watch::Sender<Who>,
    /// Held during an attempt.
    turn: tokio::sync::Mutex<()>,
}

/// Who commits.
#[derive(Debug, Clone)]
enum Who {
    /// Nobody at present: this is no member of its group.
    Nobody,
    Member(Identity),
    /// Nobody any more.
    Ended,
}

/// What is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Positions as they are at the attempt.
    Positions,
    /// The same, before a rebalance: there is no time to wait for its end.
    LastPositions,
    /// Offsets that were given.
    Offsets,
}

/// What became of an attempt.
enum Attempt {
    Done,
    /// Some are to be tried again, after a pause.
    Again(Vec<ToCommit>, ClientError),
    /// The group is being rebalanced: to be tried by the member that this will be, of what it still has.
    Rebalance(Vec<ToCommit>, ClientError),
    Failed(ClientError),
}

impl Commits {
    /// For a consumer. Without a member the group takes commits of anybody.
    pub(super) fn new(context: Context, is_member: bool) -> Self {
        let anybody = Identity { member_id: String::new(), generation: NO_GENERATION };
        let identity = watch::Sender::new(if is_member { Who::Nobody } else { Who::Member(anybody) });
        Commits { context, identity, turn: tokio::sync::Mutex::default() }
    }

    /// From now on this member commits; none if this is not a member any more.
    pub(super) fn set_identity(&self, identity: Option<Identity>) {
        self.identity.send_replace(identity.map_or(Who::Nobody, Who::Member));
    }

    /// Nothing is committed any more.
    pub(super) fn end(&self) {
        self.identity.send_replace(Who::Ended);
    }

    /// Whether somebody is there who commits.
    pub(super) fn may_commit(&self) -> bool {
        matches!(*self.identity.borrow(), Who::Member(_))
    }

    /// Commits what was handed out, of these partitions or of all.
    pub(super) async fn handed_out(
        &self,
        of: Option<&[TopicPartition]>,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        self.until(|| self.context.shelf.to_commit(of), Kind::Positions, deadline).await
    }

    /// Commits what was handed out of partitions that are about to be given up: as the member that this is now.
    pub(super) async fn last_of(&self, of: &[TopicPartition], deadline: Instant) -> Result<(), ClientError> {
        self.until(|| self.context.shelf.to_commit(Some(of)), Kind::LastPositions, deadline).await
    }

    /// Commits these offsets.
    pub(super) async fn offsets(
        &self,
        offsets: &[(TopicPartition, i64)],
        deadline: Instant,
    ) -> Result<(), ClientError> {
        if let Some((partition, offset)) = offsets.iter().find(|(_, offset)| *offset < 0) {
            let (asked, why) = (format!("committing {offset} for {partition}"), "an offset is not negative");
            return Err(ClientError::new(ErrorKind::InvalidArgument, asked, why));
        }
        self.until(|| self.context.shelf.commit_of(offsets), Kind::Offsets, deadline).await
    }

    async fn until(
        &self,
        what: impl Fn() -> Vec<ToCommit>,
        kind: Kind,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let mut backoff = self.context.cluster.retry_backoff();
        let mut left: Option<(Vec<ToCommit>, ClientError)> = None;
        loop {
            let mut identity = self.identity.subscribe();
            let attempt = {
                let turn = tokio::time::timeout_at(deadline.into(), self.turn.lock()).await;
                let Ok(_turn) = turn else { return Err(self.too_late()) };
                // Who commits is looked at before what: what goes to another member afterwards is refused to this one.
                let who = identity.borrow_and_update().clone();
                let what = match left.take() {
                    // Taken within the turn, so that a later commit is never of an earlier position.
                    None => what(),
                    // Another member may have committed for it meanwhile.
                    Some((left, error)) if !self.context.shelf.still_here(&left) => return Err(error),
                    Some((left, _)) if kind == Kind::Offsets => left,
                    Some(_) => what(),
                };
                self.attempt(what, who, deadline).await
            };
            let error = match attempt {
                Attempt::Done => return Ok(()),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(_, error) if kind == Kind::LastPositions && is_gone(&error) => {
                    return Err(error);
                }
                Attempt::Again(what, error) => {
                    left = Some((what, error.clone()));
                    error
                }
                Attempt::Rebalance(_, error) if kind == Kind::LastPositions => return Err(error),
                Attempt::Rebalance(what, error) => {
                    let changed = tokio::time::timeout_at(deadline.into(), identity.changed()).await;
                    if !matches!(changed, Ok(Ok(()))) {
                        return Err(error);
                    }
                    left = Some((what, error));
                    continue;
                }
            };
            let pause = Instant::now() + backoff.next();
            if pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep_until(pause.into()).await;
        }
    }

    fn too_late(&self) -> ClientError {
        let asked = format!("committing for the group '{}'", self.context.options.group_id);
        ClientError::new(ErrorKind::TimedOut, asked, "another commit is still under way")
    }

    async fn attempt(&self, what: Vec<ToCommit>, who: Who, deadline: Instant) -> Attempt {
        if what.is_empty() {
            return Attempt::Done;
        }
        let Context { cluster, options, shelf } = &self.context;
        let asked = || format!("committing for the group '{}'", options.group_id);
        let who = match who {
            Who::Member(identity) => identity,
            Who::Nobody => {
                let why = "this consumer is not a member of it at present";
                return Attempt::Rebalance(what, ClientError::new(ErrorKind::NotRunning, asked(), why));
            }
            Who::Ended => {
                let why = "this consumer is not a member of it any more";
                return Attempt::Failed(ClientError::new(ErrorKind::NotRunning, asked(), why));
            }
        };
        let build = |version| self.request(&what, &who, version);
        let patience = cluster.patience(deadline);
        let answer = wire::call_coordinator::<OffsetCommitRequest>(
            cluster,
            &options.group_id,
            wire::COORDINATOR,
            OFFSET_COMMIT_MOST,
            patience,
            build,
        )
        .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if passes(&error) => return Attempt::Again(what, error.asked(asked())),
            Err(error) => return Attempt::Failed(error.asked(asked())),
        };
        let mut codes: BTreeMap<TopicPartition, ResponseError> = BTreeMap::new();
        for topic in &answer.topics {
            let name: Arc<str> = Arc::from(topic.name.as_str());
            for p in &topic.partitions {
                if let Some(code) = ResponseError::try_from_code(p.error_code) {
                    codes.insert(
                        TopicPartition { topic: Arc::clone(&name), partition: p.partition_index },
                        code,
                    );
                }
            }
        }
        let (failed, done): (Vec<_>, Vec<_>) =
            what.into_iter().partition(|commit| codes.contains_key(&commit.partition));
        for commit in done {
            shelf.set_committed(&commit.partition, commit.offset);
        }
        let worst = codes.into_values().max_by_key(|code| severity(*code));
        let Some(code) = worst else { return Attempt::Done };
        let error = ClientError::from_code(code, asked(), None);
        match (code, remedy(code)) {
            (ResponseError::RebalanceInProgress | ResponseError::IllegalGeneration, _) => {
                Attempt::Rebalance(failed, error)
            }
            (_, Remedy::None) => Attempt::Failed(error),
            (_, remedy) => {
                if remedy == Remedy::FindCoordinator {
                    wire::forget_coordinator(cluster, &options.group_id);
                }
                Attempt::Again(failed, error)
            }
        }
    }

    fn request(&self, what: &[ToCommit], who: &Identity, version: i16) -> OffsetCommitRequest {
        let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for commit in what {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(commit.partition.partition)
                .with_committed_offset(commit.offset)
                .with_committed_metadata(Some(wire::text("")));
            let partition = if version >= WITH_EPOCHS {
                partition.with_committed_leader_epoch(commit.epoch)
            } else {
                partition
            };
            topics.entry(&commit.partition.topic).or_default().push(partition);
        }
        let of = |(topic, partitions): (&str, Vec<OffsetCommitRequestPartition>)| {
            OffsetCommitRequestTopic::default().with_name(wire::topic_name(topic)).with_partitions(partitions)
        };
        let options = &self.context.options;
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(wire::text(&options.group_id)))
            .with_member_id(wire::text(&who.member_id))
            .with_generation_id_or_member_epoch(who.generation)
            .with_topics(topics.into_iter().map(of).collect());
        // Only a member has an instance's id.
        match &options.group_instance_id {
            Some(instance) if version >= WITH_INSTANCES && who.generation != NO_GENERATION => {
                request.with_group_instance_id(Some(wire::text(instance)))
            }
            _ => request,
        }
    }
}

/// Whether it is about a topic that may have been deleted.
fn is_gone(error: &ClientError) -> bool {
    error.code() == Some(ResponseError::UnknownTopicOrPartition)
}

/// Which of several errors decides what is done: one that nothing helps against, then a rebalance.
fn severity(code: ResponseError) -> u8 {
    match (code, remedy(code)) {
        (ResponseError::RebalanceInProgress | ResponseError::IllegalGeneration, _) => 1,
        (_, Remedy::None) => 2,
        _ => 0,
    }
}

//! Being a member: heartbeats, watching for changes that call for a rebalance, and leaving when nothing is taken.

use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{GroupId, HeartbeatRequest, LeaveGroupRequest};

use super::state::Asked;
use super::{Member, Trouble};
use crate::error::ClientError;
use crate::native::consumer::offsets::passes;
use crate::native::consumer::subscription::Subscription;
use crate::native::consumer::wire;

const HEARTBEAT_MOST: i16 = 4;
const HEARTBEAT_WITH_INSTANCES: i16 = 3;
const LEAVE_MOST: i16 = 5;
const LEAVE_IN_BATCHES: i16 = 3;

/// How long a topic that was shared out has to be unknown before it counts as deleted: a broker that has just been started
/// may not know it yet.
const GONE_AFTER: Duration = Duration::from_secs(3);

/// How soon topics that are subscribed to and do not exist are looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Whether records are taken.
struct Taking {
    taken: u64,
    since: Instant,
}

impl Member {
    /// Stays a member until something calls for joining again.
    pub(super) async fn stay(&mut self) -> Trouble {
        let options = std::sync::Arc::clone(&self.context.options);
        let mut known = self.context.cluster.watch();
        let mut beat_at = Instant::now() + options.heartbeat_interval;
        let mut look_at = Instant::now() + LOOK_AGAIN;
        let mut taking = Taking { taken: self.context.shelf.taken().0, since: Instant::now() };
        let mut gone_since = None;
        loop {
            let gone = self.lacks_what_was_shared_out();
            gone_since = gone.then(|| gone_since.unwrap_or_else(Instant::now));
            let has_gone = gone_since.is_some_and(|since: Instant| since.elapsed() >= GONE_AFTER);
            if self.has_changed() || has_gone {
                self.membership.rejoin();
                return Trouble::Again { pause: false };
            }
            let idle_at = taking.since + options.max_poll_interval;
            tokio::select! {
                () = tokio::time::sleep_until(beat_at.into()) => {
                    let pause = match self.beat().await {
                        Ok(None) => options.heartbeat_interval,
                        Ok(Some(code)) => {
                            let trouble = self.refused(Asked::Heartbeat, code, "");
                            if !self.membership.is_stable() {
                                return trouble;
                            }
                            self.backoff.next()
                        }
                        Err(error) if passes(&error) => self.backoff.next(),
                        Err(error) => return Trouble::Fatal(error.asked(self.asked("staying in"))),
                    };
                    beat_at = Instant::now() + pause;
                }
                () = tokio::time::sleep_until(look_at.into()) => {
                    if gone || self.lacks_topics() {
                        self.context.cluster.refresh();
                    }
                    look_at = Instant::now() + LOOK_AGAIN;
                }
                () = tokio::time::sleep_until(idle_at.into()) => {}
                // The sender lives as long as the cluster.
                _ = known.changed() => {}
            }
            let (taken, waits) = self.context.shelf.taken();
            if taken != taking.taken || !waits {
                taking = Taking { taken, since: Instant::now() };
            } else if Instant::now() >= idle_at {
                self.sit_out().await;
                return Trouble::Again { pause: false };
            }
        }
    }

    /// Leaves the group, as nobody takes what it is given, and waits until somebody does.
    async fn sit_out(&mut self) {
        let interval = self.context.options.max_poll_interval;
        tracing::warn!(
            group = self.group_id(),
            ?interval,
            "nothing was taken for max_poll_interval_ms: the consumer leaves its group until something is"
        );
        self.context.shelf.fall_asleep();
        if self.context.options.group_instance_id.is_none() {
            self.send_leave().await;
        }
        self.membership.left();
        self.lose().await;
        let shelf = &self.context.shelf;
        shelf.work.wait_async(None, || (!shelf.is_asleep()).then_some(())).await;
    }

    /// Whether the subscription comes to other topics, or those that were shared out have other partitions.
    fn has_changed(&self) -> bool {
        if matches!(self.subscription, Subscription::Pattern(_)) && self.matching() != self.topics {
            return true;
        }
        let Some(led) = &self.led else { return false };
        // A topic that is not known for the moment is not one that has gone.
        let now = self.counts(led.keys().chain(self.topics.iter()));
        now.iter().any(|(topic, count)| led.get(topic) != Some(count))
    }

    /// Whether a broker has said that a topic that was shared out does not exist.
    fn lacks_what_was_shared_out(&self) -> bool {
        let metadata = self.context.cluster.metadata();
        let is_gone = |topic: &str| metadata.failure(topic) == Some(ResponseError::UnknownTopicOrPartition);
        self.led.as_ref().is_some_and(|led| led.keys().any(|topic| is_gone(topic)))
    }

    fn lacks_topics(&self) -> bool {
        let metadata = self.context.cluster.metadata();
        self.topics.iter().any(|topic| metadata.topic(topic).is_none())
    }

    /// A heartbeat. Gives the error that it is answered with.
    pub(super) async fn beat(&self) -> Result<Option<ResponseError>, ClientError> {
        let options = &self.context.options;
        let build = |version| {
            let identity = self.membership.identity();
            let request = HeartbeatRequest::default()
                .with_group_id(GroupId(wire::text(&options.group_id)))
                .with_generation_id(identity.generation)
                .with_member_id(wire::text(&identity.member_id));
            match &options.group_instance_id {
                Some(instance) if version >= HEARTBEAT_WITH_INSTANCES => {
                    request.with_group_instance_id(Some(wire::text(instance)))
                }
                _ => request,
            }
        };
        let answer = wire::call_coordinator::<HeartbeatRequest>(
            &self.context.cluster,
            self.group_id(),
            wire::COORDINATOR,
            HEARTBEAT_MOST,
            self.patience(),
            build,
        )
        .await?;
        Ok(ResponseError::try_from_code(answer.error_code))
    }

    /// Leaves the group: one attempt, as the session's end does the same later.
    pub(super) async fn send_leave(&self) {
        let options = &self.context.options;
        let member = wire::text(&self.membership.identity().member_id);
        let build = |version| {
            let request = LeaveGroupRequest::default().with_group_id(GroupId(wire::text(&options.group_id)));
            if version >= LEAVE_IN_BATCHES {
                request.with_members(vec![MemberIdentity::default().with_member_id(member)])
            } else {
                request.with_member_id(member)
            }
        };
        let answer = wire::call_coordinator::<LeaveGroupRequest>(
            &self.context.cluster,
            self.group_id(),
            wire::COORDINATOR,
            LEAVE_MOST,
            self.patience(),
            build,
        )
        .await;
        if let Err(error) = answer {
            tracing::debug!(%error, "leaving the group without its coordinator");
        }
    }
}

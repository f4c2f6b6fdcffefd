//! The lane to one broker: one fetch after the other, each waiting at the broker for records.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use super::session::Session;
use super::{answer, request};
use crate::error::{ClientError, ErrorKind};
use crate::native::cluster::{Lane, Node};
use crate::native::connection::Connection;
use crate::native::consumer::context::Context;
use crate::native::consumer::offsets::passes;
use crate::native::consumer::shelf::{Key, Plan, rest_until};
use crate::native::retry::Backoff;

/// How long a broker may wait for records while partitions are held back for want of room: when there is room again they
/// are not to wait for others.
const SHORT_WAIT: Duration = Duration::from_millis(20);

/// The connection to go on with when a fetch was abandoned that still waits at the broker.
const OTHER: Lane = Lane::Own(1);

/// How often in a row a refused session is asked for anew without a pause.
const MOST_REFUSALS: u32 = 3;

struct State {
    context: Context,
    node: i32,
    lane: Lane,
    session: Session,
    /// The connection on which an abandoned fetch waits, until then.
    abandoned: Option<(Connection, Instant)>,
    backoff: Backoff,
    /// Since when no fetch was answered, and whether that has been told.
    failing: Option<(Instant, bool)>,
    /// How often in a row the broker has refused the session.
    refusals: u32,
}

/// What a fetch came to.
enum Outcome {
    Answered(FetchResponse, i16),
    /// There is something more urgent to be fetched than what waits on this connection until then.
    Abandoned(Connection, Instant),
}

/// Fetches from a broker until it is dropped.
pub(super) async fn run(context: Context, node: i32) {
    let _told = context.tell_if_it_panics();
    let backoff = context.cluster.retry_backoff();
    let mut state = State {
        context,
        node,
        lane: Lane::Fetch,
        session: Session::default(),
        abandoned: None,
        backoff,
        failing: None,
        refusals: 0,
    };
    loop {
        let plan = state.next_plan().await;
        match state.fetch(&plan).await {
            Ok(Outcome::Answered(answer, version)) => state.take_in(&plan, answer, version),
            Ok(Outcome::Abandoned(connection, until)) => state.go_over(connection, until),
            Err(error) => state.failed(&plan, &error),
        }
    }
}

impl State {
    async fn next_plan(&self) -> Plan {
        let shelf = &self.context.shelf;
        loop {
            let plan = shelf.plan(self.node, Instant::now());
            if !plan.parts.is_empty() {
                return plan;
            }
            let look = || {
                let plan = shelf.plan(self.node, Instant::now());
                (!plan.parts.is_empty()).then_some(plan)
            };
            if let Some(plan) = shelf.work.wait_async(plan.again_at, look).await {
                return plan;
            }
        }
    }

    async fn fetch(&mut self, plan: &Plan) -> Result<Outcome, ClientError> {
        let Context { cluster, options, shelf } = &self.context;
        let timeout = cluster.options().request_timeout;
        let connection = cluster.connection(Node::Id(self.node), self.lane, Instant::now() + timeout).await?;
        let ids = plan.parts.iter().all(|part| !part.leader.topic_id.is_nil());
        let most = if ids { request::MOST } else { request::MOST_BY_NAME };
        let version = connection.version::<FetchRequest>(most)?;
        let delta = self.session.delta(&plan.parts, request::is_by_id(version));
        let wait =
            if plan.held_back { options.fetch_max_wait.min(SHORT_WAIT) } else { options.fetch_max_wait };
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let most_bytes =
            i32::try_from(plan.max_bytes).unwrap_or(i32::MAX).clamp(1, options.fetch_max_bytes.max(1));
        let request = request::build(options, version, &plan.parts, &delta, (wait_ms, most_bytes));
        let answer = connection.send(&request, version, timeout.saturating_add(wait))?;
        let under_way: HashSet<Key> =
            plan.parts.iter().map(|part| part.key).chain(plan.left_out.iter().copied()).collect();
        tokio::select! {
            biased;
            answer = answer.response::<FetchRequest>() => Ok(Outcome::Answered(answer?, version)),
            _ = shelf.work.wait_async(None, || shelf.has_others(self.node, &under_way).then_some(())) => {
                Ok(Outcome::Abandoned(connection.clone(), Instant::now() + wait))
            }
        }
    }

    /// Goes on over the other connection, as a broker answers the requests of one in their order.
    fn go_over(&mut self, connection: Connection, until: Instant) {
        if let Some((before, waits_until)) = self.abandoned.replace((connection, until))
            && Instant::now() < waits_until
        {
            let (asked, why) = (format!("fetching from broker {}", self.node), "nobody waits for the answer");
            before.close(ClientError::new(ErrorKind::Disconnected, asked, why));
        }
        self.session.start_again();
        self.lane = if self.lane == Lane::Fetch { OTHER } else { Lane::Fetch };
    }

    fn take_in(&mut self, plan: &Plan, answer: FetchResponse, version: i16) {
        match ResponseError::try_from_code(answer.error_code) {
            None => {
                self.backoff.reset();
                (self.failing, self.refusals) = (None, 0);
                if version >= request::SESSIONS {
                    self.session.answered(answer.session_id);
                } else {
                    self.session.forget();
                }
                answer::take_in(&self.context, &plan.parts, answer, version);
            }
            // The next request asks for another session.
            Some(ResponseError::FetchSessionIdNotFound) if self.refusals < MOST_REFUSALS => {
                self.refusals += 1;
                self.session.forget();
            }
            Some(ResponseError::InvalidFetchSessionEpoch | ResponseError::FetchSessionTopicIdError)
                if self.refusals < MOST_REFUSALS =>
            {
                self.refusals += 1;
                self.session.start_again();
            }
            Some(code) => {
                let error = ClientError::from_code(code, format!("fetching from broker {}", self.node), None);
                self.failed(plan, &error);
            }
        }
    }

    /// Leaves what was to be fetched alone for a while, as its broker cannot be asked.
    fn failed(&mut self, plan: &Plan, error: &ClientError) {
        let Context { cluster, shelf, .. } = &self.context;
        tracing::debug!(node = self.node, %error, "a fetch failed");
        self.session.start_again();
        self.refusals = 0;
        let now = Instant::now();
        let until = rest_until(now, self.backoff.next());
        let lasting = !passes(error) && error.kind() != ErrorKind::NotRunning;
        for part in &plan.parts {
            shelf.rest(part.key, until);
            if lasting {
                shelf.tell_of(part.key, error.clone().asked(format!("reading {}", part.partition)));
            }
        }
        // What passes is told once it has lasted as long as a request may.
        let (since, told) = self.failing.get_or_insert((now, lasting));
        if !*told && now.duration_since(*since) >= cluster.options().request_timeout {
            *told = true;
            shelf.tell(error.clone());
        }
        cluster.refresh();
    }
}

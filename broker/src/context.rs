//! What a handler knows of the request it answers, and the ways in which it can end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use kafka_protocol::error::ResponseError;

use crate::faults::Verdict;
use crate::limits::MAX_ANSWER_BYTES;
use crate::look::Seen;
use crate::partition::Partition;
use crate::patience::Patience;
use crate::state::BrokerState;

/// The connection that a request came on.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The client's host as Kafka prints it, with a leading slash: `/127.0.0.1`.
    pub(crate) host: Arc<str>,
    /// Which of the broker's listeners it connected to: answers name the advertised address of the same one.
    pub(crate) listener: usize,
    /// The node that it connected to.
    pub(crate) node: i32,
    /// What has been seen of the connection.
    pub(crate) seen: Arc<Seen>,
}

/// One request on its way: who sent it, in which version, and the broker that answers.
#[derive(Clone)]
pub(crate) struct RequestContext {
    pub(crate) broker: Arc<BrokerState>,
    pub(crate) peer: Peer,
    pub(crate) version: i16,
    pub(crate) client_id: Option<Arc<str>>,
    /// What the answer takes so far, as far as its handler counts it.
    pub(crate) answer_bytes: Arc<AtomicUsize>,
    /// How the client's own time passes.
    pub(crate) patience: Patience,
    /// What the faults do to the request, once that is known; none where there are no faults.
    pub(crate) verdict: Option<Arc<OnceLock<Verdict>>>,
}

impl RequestContext {
    /// Counts `bytes` that the answer is about to take. A short request can name the same thing ten thousand times, and
    /// ask for a kilobyte about it each time: handlers of such requests come by here before they make each part.
    pub(crate) fn spend(&self, bytes: usize) -> Answer<()> {
        let before = self.answer_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > MAX_ANSWER_BYTES {
            return Err(Refusal::Close(format!(
                "the answer to its request would take over {MAX_ANSWER_BYTES} bytes"
            )));
        }
        Ok(())
    }

    /// The node that is asked.
    pub(crate) fn node(&self) -> i32 {
        self.peer.node
    }

    /// The address of `node` that this client is told.
    pub(crate) fn endpoint(&self, node: i32) -> (String, u16) {
        self.broker.endpoint(node, self.peer.listener)
    }

    /// Whether the node that is asked leads `partition`, and in the epoch that the client takes for the current one; -1
    /// stands for no opinion.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER if another does, or none; the epoch's error first where it keeps a replica.
    pub(crate) fn check_leads(&self, partition: &Partition, epoch: i32) -> Result<(), ResponseError> {
        if partition.leadership().leader == Some(self.peer.node) {
            return partition.check_leader_epoch(epoch);
        }
        if partition.placement().replicas.contains(&self.peer.node) {
            partition.check_leader_epoch(epoch)?;
        }
        Err(ResponseError::NotLeaderOrFollower)
    }

    /// Whether the node that is asked coordinates `group`.
    ///
    /// # Errors
    /// NOT_COORDINATOR if another does.
    pub(crate) fn check_coordinates(&self, group: &str) -> Result<(), ResponseError> {
        self.broker.check_coordinator(self.peer.node, group, false)
    }

    /// Whether the node that is asked coordinates `group`, and can remember something of it.
    ///
    /// # Errors
    /// NOT_COORDINATOR if another does; COORDINATOR_NOT_AVAILABLE if too few replicas are in sync.
    pub(crate) fn check_remembers(&self, group: &str) -> Result<(), ResponseError> {
        self.broker.check_coordinator(self.peer.node, group, true)
    }

    /// What the faults do to the request, if they do anything.
    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()?.get()
    }

    /// Notes what the faults do to the request.
    pub(crate) fn note_verdict(&self, verdict: Verdict) -> Option<&Verdict> {
        self.verdict.as_ref().map(|place| place.get_or_init(|| verdict))
    }

    /// The version in which the request was sent; its answer has the same.
    pub(crate) fn version(&self) -> i16 {
        self.version
    }

    /// The client's name for itself; empty if it gave none.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// The client's host as Kafka prints it in group descriptions: `/127.0.0.1`.
    pub(crate) fn client_host(&self) -> &str {
        &self.peer.host
    }
}

/// An answer, or why there is none.
pub(crate) type Answer<T> = Result<T, Refusal>;

/// Why a request gets no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The connection is closed, for the reason given.
    Close(String),
    /// Nothing is sent, and the connection goes on.
    NoAnswer,
    /// A fault closes the connection before the request is worked on.
    Fault,
}

/// The code of `error`, or 0 where there is none.
pub(crate) fn code(error: Option<ResponseError>) -> i16 {
    error.map_or(0, |error| error.code())
}

//! A cluster: its brokers, who leads which partition, who coordinates which group, and connections to all of them.
//!
//! Nothing is asked for before somebody needs it. One task in the background keeps what is known up to date: on demand
//! ([`Cluster::refresh`]) and by age. Knows nothing of records, groups or what requests mean.

mod coordinators;
mod keeper;
mod lanes;
mod metadata;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::protocol::Request;
use parking_lot::{Mutex, RwLock};
use rand::seq::SliceRandom;
use tokio::sync::{Notify, watch};

pub(crate) use keeper::topic as topic_request;
pub(crate) use lanes::Lane;
pub(crate) use metadata::{Leader, Metadata, Partition, Topic};

use super::connection::{Connection, RequestError, Target};
use super::retry::{Backoff, Remedy, remedy};
use crate::embedded::{EmbeddedBroker, embedded_broker};
use crate::error::{ClientError, ErrorKind};
use crate::options::{Bootstrap, ClientOptions};
use lanes::Lanes;

/// The port of an address that is given without one.
const DEFAULT_PORT: u16 = 9092;

/// Which broker a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// The one with this id.
    Id(i32),
    /// Any that can be reached.
    Any,
    /// The controller, or who answers for it.
    Controller,
}

/// What is known of a cluster. To be shared by all that a client does in it.
#[derive(Debug)]
pub(crate) struct Cluster {
    options: Arc<ClientOptions>,
    /// Whether asking for a topic may create it.
    auto_create: bool,
    lanes: Lanes,
    /// The broker of this process that all connections go to. Kept alive until the cluster is closed.
    embedded: Mutex<Option<EmbeddedBroker>>,
    /// The addresses that were given. Their nodes have the ids from -1 downwards.
    bootstrap: Vec<(Arc<str>, u16)>,
    /// Where brokers are, by their ids.
    addresses: RwLock<HashMap<i32, (Arc<str>, u16)>>,
    known: watch::Sender<Known>,
    interest: Mutex<Interest>,
    ask: Arc<Notify>,
    coordinators: Mutex<HashMap<Arc<str>, i32>>,
    closed: watch::Sender<bool>,
}

/// What was learnt last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The cluster at that moment.
    pub(crate) metadata: Arc<Metadata>,
    /// The number of the last call of [`Cluster::refresh`] that this answers.
    answered: u64,
    /// When that answer came.
    learnt: Option<Instant>,
    /// Why nothing newer is known, where asking failed.
    error: Option<ClientError>,
}

impl Known {
    /// Why nothing newer is known, where asking failed.
    pub(crate) fn error(&self) -> Option<&ClientError> {
        self.error.as_ref()
    }
}

/// What is to be asked for.
#[derive(Debug, Default)]
struct Interest {
    topics: HashSet<Arc<str>>,
    all: bool,
    asked: u64,
    /// The value of `asked` at which topics were added that have not been asked for yet.
    added: u64,
}

impl Cluster {
    /// Of these options, on the client's runtime. Nothing is connected to before it is needed; an embedded broker is
    /// started.
    ///
    /// # Errors
    /// If the options cannot be: an address without a host, a certificate that cannot be read.
    pub(crate) fn new(options: ClientOptions, auto_create: bool) -> Result<Arc<Cluster>, ClientError> {
        let runtime = crate::runtime::handle()?;
        let (embedded, bootstrap) = match &options.bootstrap {
            Bootstrap::Embedded { name, data_dir } => {
                (Some(embedded_broker(name, data_dir.as_deref())?), Vec::new())
            }
            Bootstrap::Servers(servers) => {
                (None, servers.iter().map(|server| address(server)).collect::<Result<Vec<_>, _>>()?)
            }
        };
        if embedded.is_none() && bootstrap.is_empty() {
            return Err(bad_address("bootstrap_servers names no server".to_owned()));
        }
        let options = Arc::new(options);
        let cluster = Arc::new(Cluster {
            auto_create,
            lanes: Lanes::new(Arc::clone(&options))?,
            options,
            embedded: Mutex::new(embedded),
            bootstrap,
            addresses: RwLock::default(),
            known: watch::Sender::default(),
            interest: Mutex::default(),
            ask: Arc::default(),
            coordinators: Mutex::default(),
            closed: watch::Sender::new(false),
        });
        runtime.spawn(keeper::keep(Arc::downgrade(&cluster), &cluster));
        Ok(cluster)
    }

    /// The options that it was made of.
    pub(crate) fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Closes all connections and lets go of an embedded broker. Whoever waits is told.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
        self.ask.notify_one();
        self.lanes.close();
        let embedded = self.embedded.lock().take();
        drop(embedded);
    }

    /// What is known now.
    pub(crate) fn metadata(&self) -> Arc<Metadata> {
        Arc::clone(&self.known.borrow().metadata)
    }

    /// Tells of every change of what is known.
    pub(crate) fn watch(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// Who leads a partition, where that is known.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<Leader> {
        self.known.borrow().metadata.leader(topic, partition)
    }

    /// Adds a topic to those that are kept up to date, and has it asked for if it is new.
    pub(crate) fn want(&self, topic: &Arc<str>) {
        let mut interest = self.interest.lock();
        if interest.topics.insert(Arc::clone(topic)) {
            interest.asked += 1;
            interest.added = interest.asked;
            drop(interest);
            self.ask.notify_one();
        }
    }

    /// Keeps all topics up to date, now and those to come: for subscriptions by pattern.
    pub(crate) fn want_all(&self) {
        let mut interest = self.interest.lock();
        if !interest.all {
            interest.all = true;
            interest.asked += 1;
            interest.added = interest.asked;
            drop(interest);
            self.ask.notify_one();
        }
    }

    /// Has everything asked for anew, soon. Many who ask at about the same time are answered by one request.
    pub(crate) fn refresh(&self) -> u64 {
        let mut interest = self.interest.lock();
        interest.asked += 1;
        let number = interest.asked;
        drop(interest);
        self.ask.notify_one();
        number
    }

    /// Has everything asked for anew, and waits for that.
    pub(crate) async fn refreshed(&self, deadline: Instant) -> Result<Arc<Metadata>, ClientError> {
        let number = self.refresh();
        if self.answered(number, deadline).await {
            return Ok(self.metadata());
        }
        Err(self.silence("asking for the cluster's metadata"))
    }

    /// Waits until all that is wanted is known as it was not longer ago than the pause between attempts. What has just
    /// been learnt is not asked for again.
    pub(crate) async fn fresh(&self, deadline: Instant) -> Result<Arc<Metadata>, ClientError> {
        let added = self.interest.lock().added;
        let known = self.known.borrow().clone();
        let young = known.learnt.is_some_and(|learnt| learnt.elapsed() < self.options.retry_backoff);
        if young && known.answered >= added {
            return Ok(known.metadata);
        }
        self.refreshed(deadline).await
    }

    /// Waits for the answer to a call of [`refresh`](Cluster::refresh).
    async fn answered(&self, number: u64, deadline: Instant) -> bool {
        let mut known = self.known.subscribe();
        let answered = known.wait_for(|known| known.answered >= number);
        matches!(tokio::time::timeout_at(deadline.into(), answered).await, Ok(Ok(_)))
    }

    /// Why nobody answers.
    fn silence(&self, asked: &str) -> ClientError {
        match &self.known.borrow().error {
            Some(error) => error.clone().asked(asked),
            None => ClientError::new(ErrorKind::TimedOut, asked, "no answer came in time"),
        }
    }

    /// Waits until a partition has a leader that is not `but`. Asks as often as that takes.
    pub(crate) async fn partition_leader(
        &self,
        topic: &Arc<str>,
        partition: i32,
        but: Option<Leader>,
        deadline: Instant,
    ) -> Result<Leader, ClientError> {
        self.want(topic);
        self.until(topic, deadline, |metadata| {
            metadata.leader(topic, partition).filter(|leader| Some(*leader) != but)
        })
        .await
    }

    async fn until<T>(
        &self,
        topic: &str,
        deadline: Instant,
        look: impl Fn(&Metadata) -> Option<T>,
    ) -> Result<T, ClientError> {
        let mut backoff = self.retry_backoff();
        loop {
            // What is known may be old; an error counts only once it has been asked for anew.
            let metadata = self.metadata();
            if let Some(found) = look(&metadata) {
                return Ok(found);
            }
            let asked = self.refresh();
            if !self.answered(asked, deadline).await {
                return Err(self.missing(topic));
            }
            let metadata = self.metadata();
            if let Some(found) = look(&metadata) {
                return Ok(found);
            }
            let failure = metadata.failure(topic);
            let hopeless = failure.is_some_and(|error| remedy(error) == Remedy::None);
            let pause = Instant::now() + backoff.next();
            if hopeless || pause >= deadline || *self.closed.borrow() {
                return Err(self.missing(topic));
            }
            tokio::time::sleep_until(pause.into()).await;
        }
    }

    /// Why a topic is not there.
    fn missing(&self, topic: &str) -> ClientError {
        let asked = format!("looking for the topic '{topic}'");
        let known = self.known.borrow();
        match (&known.error, known.metadata.failure(topic)) {
            (Some(error), _) => error.clone().asked(asked),
            (None, Some(error @ ResponseError::UnknownTopicOrPartition)) => {
                ClientError::from_code(error, asked, None).remedy("create it, or correct its name")
            }
            (None, Some(error)) => ClientError::from_code(error, asked, None),
            (None, None) => {
                ClientError::new(ErrorKind::TimedOut, asked, "none of its partitions has a leader")
            }
        }
    }

    /// Notes a leader that a broker has named in passing (an answer to Produce or Fetch), and where it is.
    pub(crate) fn note_leader(&self, topic: &str, partition: i32, leader: Leader) {
        self.known.send_if_modified(|known| match known.metadata.with_leader(topic, partition, leader) {
            Some(next) => {
                known.metadata = Arc::new(next);
                true
            }
            None => false,
        });
    }

    /// Notes where a broker is.
    pub(crate) fn note_address(&self, node: i32, host: &str, port: i32) {
        if let (true, false, Ok(port)) = (node >= 0, host.is_empty(), u16::try_from(port)) {
            self.addresses.write().insert(node, (Arc::from(host), port));
        }
    }

    /// Pauses between attempts at a request.
    pub(crate) fn retry_backoff(&self) -> Backoff {
        Backoff::new(self.options.retry_backoff, self.options.retry_backoff_max)
    }

    /// The open connection to a broker, if there is one.
    pub(crate) fn open_connection(&self, node: i32, lane: Lane) -> Option<Connection> {
        self.lanes.open(node, lane, &self.target(node).ok()?)
    }

    /// A connection to a broker: the open one, or one that is opened now. One attempt, for [`Node::Any`] one at each
    /// broker after the other until the deadline.
    pub(crate) async fn connection(
        &self,
        node: Node,
        lane: Lane,
        deadline: Instant,
    ) -> Result<Connection, ClientError> {
        match node {
            Node::Id(node) => self.lanes.get(node, lane, &self.target(node)?, deadline).await,
            Node::Any => self.any(lane, deadline).await,
            Node::Controller => match self.controller(deadline).await? {
                Some(node) => self.lanes.get(node, lane, &self.target(node)?, deadline).await,
                None => self.any(lane, deadline).await,
            },
        }
    }

    async fn controller(&self, deadline: Instant) -> Result<Option<i32>, ClientError> {
        match self.metadata().controller {
            Some(node) => Ok(Some(node)),
            None => Ok(self.refreshed(deadline).await?.controller),
        }
    }

    fn target(&self, node: i32) -> Result<Target, ClientError> {
        let asked = || format!("connecting to broker {node}");
        self.running(&asked())?;
        let place = usize::try_from(-1 - i64::from(node));
        if let Some(broker) = self.embedded.lock().as_ref() {
            let nodes = broker.node_ids();
            let node = place.map_or(Some(node), |place| nodes.get(place).copied());
            let node = node.filter(|node| nodes.contains(node)).ok_or_else(|| unknown(asked()))?;
            return Ok(Target::InProcess(broker.clone(), node));
        }
        let known = match place {
            Ok(place) => self.bootstrap.get(place).cloned(),
            Err(_) => self.addresses.read().get(&node).cloned(),
        };
        let (host, port) = known.ok_or_else(|| unknown(asked()))?;
        Ok(Target::Address { host, port })
    }

    fn running(&self, asked: &str) -> Result<(), ClientError> {
        if *self.closed.borrow() {
            return Err(ClientError::new(ErrorKind::NotRunning, asked, "this client has been stopped"));
        }
        Ok(())
    }

    /// Every broker that might be reached: those that are known, and those that were given.
    fn candidates(&self) -> Vec<i32> {
        let given =
            |count: usize| (0..count).filter_map(|place| i32::try_from(place).ok()).map(|place| -1 - place);
        if let Some(broker) = self.embedded.lock().as_ref() {
            return given(broker.node_ids().len()).collect();
        }
        let mut known: Vec<i32> = self.addresses.read().keys().copied().collect();
        known.shuffle(&mut rand::rng());
        known.extend(given(self.bootstrap.len()));
        known
    }

    async fn any(&self, lane: Lane, deadline: Instant) -> Result<Connection, ClientError> {
        loop {
            self.running("connecting to a broker")?;
            let candidates = self.candidates();
            if let Some(open) = candidates.iter().find_map(|node| self.open_connection(*node, lane)) {
                return Ok(open);
            }
            let now = Instant::now();
            let waits = |node: &i32| self.lanes.not_before(*node, lane).filter(|at| *at > now);
            let mut ready: Vec<i32> =
                candidates.iter().copied().filter(|node| waits(node).is_none()).collect();
            if ready.is_empty() {
                // All have failed not long ago: the one that failed first is tried first.
                ready.extend(candidates.iter().copied().min_by_key(waits));
            }
            for node in ready {
                let target = self.target(node)?;
                match self.lanes.get(node, lane, &target, deadline).await {
                    Ok(connection) => return Ok(connection),
                    // Wherever it is tried, it fails for the same reason.
                    Err(error) if !error.is_retriable() => return Err(error),
                    Err(error) => {
                        let last = Instant::now() >= deadline;
                        self.known.send_if_modified(|known| {
                            known.error = Some(error.clone());
                            false
                        });
                        if last {
                            return Err(error);
                        }
                    }
                }
            }
        }
    }

    /// Connects to the first broker that can be reached, and tries all again for so long. The connection is kept for what is
    /// asked next. Somebody who waits for an answer learns soon this way that there will be none.
    pub(crate) async fn reach(&self, patience: Duration, deadline: Instant) -> Result<(), ClientError> {
        let give_up = deadline.min(Instant::now() + patience);
        let mut backoff = self.retry_backoff();
        loop {
            let candidates = self.candidates();
            let mut failure = None;
            for (left, node) in
                (1..=u32::try_from(candidates.len()).unwrap_or(u32::MAX)).rev().zip(&candidates)
            {
                // Who does not answer at all leaves the others their share of the time.
                let now = Instant::now();
                let share = now + deadline.saturating_duration_since(now) / left;
                match self.connection(Node::Id(*node), Lane::Control, share).await {
                    Ok(_) => return Ok(()),
                    Err(error) if !error.is_retriable() => return Err(error),
                    Err(error) => failure = Some(error),
                }
            }
            let pause = Instant::now() + backoff.next();
            if pause >= give_up {
                return Err(failure.unwrap_or_else(|| self.silence("connecting to a broker")));
            }
            tokio::time::sleep_until(pause.into()).await;
        }
    }

    /// Sends a request to a broker and waits for the answer: one attempt, in the newest version up to `most` that the
    /// broker knows too.
    pub(crate) async fn call<R: Request>(
        &self,
        node: Node,
        lane: Lane,
        request: &R,
        most: i16,
        deadline: Instant,
    ) -> Result<R::Response, RequestError> {
        let connection = self.connection(node, lane, deadline).await.map_err(RequestError::unsent)?;
        let version = connection.version::<R>(most)?;
        connection.call(request, version, self.patience(deadline)).await
    }

    /// How long an answer may be waited for, with so much time left.
    pub(crate) fn patience(&self, deadline: Instant) -> Duration {
        self.options.request_timeout.min(deadline.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.close();
    }
}

fn unknown(asked: String) -> ClientError {
    ClientError::new(ErrorKind::Unreachable, asked, "the cluster has no such broker at present")
}

fn bad_address(why: String) -> ClientError {
    ClientError::new(ErrorKind::Config, "reading bootstrap_servers", why)
        .remedy("give HOST:PORT, as localhost:9092")
}

/// `HOST:PORT`, `HOST`, `[ADDRESS]:PORT`, with or without a security protocol and `://` in front, as Kafka's listeners have
/// it.
fn address(server: &str) -> Result<(Arc<str>, u16), ClientError> {
    let server = server.trim();
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        // What is not a colon and a number is no port either.
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or_default())),
        None => match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (rest, None),
        },
    };
    let port = port.map_or(Ok(DEFAULT_PORT), str::parse).ok().filter(|port| *port > 0);
    match port {
        Some(port) if !host.is_empty() => Ok((Arc::from(host), port)),
        _ => Err(bad_address(format!("'{server}' is no address"))),
    }
}

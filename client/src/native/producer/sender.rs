//! The task that runs the [`engine`](super::engine): carries mail, answers and news to it, and does what it asks for.
//!
//! Knows nothing of order, retries and epochs.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiKey, InitProducerIdRequest, ProduceRequest};
use klamm_protocol::batch::Codec;
use tokio::sync::watch;

use super::accumulator::Accumulator;
use super::engine::{Action, Engine, Lost, News, Outcome, Part};
use super::inbox::Mail;
use super::request;
use crate::error::{ClientError, ErrorKind};
use crate::native::cluster::{Known, Leader, Topic};
use crate::native::connection::{Connection, RequestError};
use crate::native::{Cluster, Lane, Node};
use crate::options::Acks;
use crate::signal::Signal;

/// The newest version of InitProducerId that is sent: the last before two-phase commits.
const INIT_PRODUCER_ID: i16 = 5;

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A request that has no connection yet.
type Queued = (u64, Vec<Part>);

/// What goes to a broker.
#[derive(Default)]
struct Wire {
    /// A connection is being opened.
    connecting: Option<Pending<Result<Connection, ClientError>>>,
    /// What goes out once it is open.
    queued: VecDeque<Queued>,
    /// What is under way, in order.
    flying: VecDeque<(u64, Pending<Outcome>)>,
}

/// The task.
pub(super) struct Sender {
    engine: Engine,
    accumulator: Arc<Accumulator>,
    cluster: Arc<Cluster>,
    known: watch::Receiver<Known>,
    wires: HashMap<i32, Wire>,
    identifying: Option<Pending<Result<(i64, i16), ClientError>>>,
    /// Topics that the cluster has been told to look for, and what was told of them last.
    wanted: HashMap<Arc<str>, Option<Arc<Topic>>>,
    ended: Arc<Ended>,
}

/// Raised when the sender has ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) signal: Signal,
    pub(super) done: std::sync::atomic::AtomicBool,
}

/// What has happened on the wires.
#[derive(Default)]
struct Happened {
    connected: Vec<(i32, Result<Connection, ClientError>)>,
    answered: Vec<(u64, Outcome)>,
    identified: Option<Result<(i64, i16), ClientError>>,
}

impl Sender {
    pub(super) fn new(
        engine: Engine,
        accumulator: Arc<Accumulator>,
        cluster: Arc<Cluster>,
        ended: Arc<Ended>,
    ) -> Self {
        Sender {
            engine,
            accumulator,
            known: cluster.watch(),
            cluster,
            wires: HashMap::new(),
            identifying: None,
            wanted: HashMap::new(),
            ended,
        }
    }

    /// Runs until the producer has been closed and everything is settled.
    pub(super) async fn run(mut self) {
        let mut mail = Mail::default();
        loop {
            mail.clear();
            mail = self.accumulator.inbox.take(mail);
            let now = Instant::now();
            self.engine.deliver(&mail, now);
            for action in self.engine.run(now) {
                self.act(action);
            }
            if self.engine.has_ended() {
                break;
            }
            let (news, happened) = self.wait().await;
            let now = Instant::now();
            self.take_up(happened, now);
            if news {
                self.tell_news(now);
            }
        }
        self.cluster.close();
    }

    /// Waits until something happens. True if there is news of the cluster.
    async fn wait(&mut self) -> (bool, Happened) {
        let due = self.engine.next_due();
        let Sender { accumulator, known, wires, identifying, .. } = self;
        let wires = poll_fn(|context| look_at_wires(wires, identifying, context));
        tokio::select! {
            biased;
            happened = wires => (false, happened),
            () = accumulator.inbox.rung() => (false, Happened::default()),
            // An error would mean that the cluster is gone, which this keeps alive.
            _ = known.changed() => (true, Happened::default()),
            () = until(due) => (false, Happened::default()),
        }
    }

    fn take_up(&mut self, happened: Happened, now: Instant) {
        for (broker, connected) in happened.connected {
            let queued = self.wires.get_mut(&broker).map(|wire| std::mem::take(&mut wire.queued));
            for (request, parts) in queued.unwrap_or_default() {
                match &connected {
                    Ok(connection) => self.send(broker, request, parts, connection),
                    Err(error) => {
                        let lost = Lost { error: error.clone(), sent: false };
                        self.engine.answered(request, Err(lost), now);
                    }
                }
            }
        }
        for (request, outcome) in happened.answered {
            self.engine.answered(request, outcome, now);
        }
        if let Some(identified) = happened.identified {
            self.engine.identified(identified, now);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Produce { broker, request, parts } => self.produce(broker, request, parts),
            Action::Want(topic) => {
                if self.wanted.contains_key(&topic) {
                    self.cluster.refresh();
                } else {
                    self.cluster.want(&topic);
                    self.wanted.insert(topic, None);
                }
            }
            Action::Refresh => {
                self.cluster.refresh();
            }
            Action::Identify => self.identifying = Some(Box::pin(identify(Arc::clone(&self.cluster)))),
            Action::Leader { topic, partition, node, epoch, endpoint } => {
                if let Some(endpoint) = endpoint {
                    self.cluster.note_address(node, &endpoint.host, endpoint.port);
                }
                self.cluster.note_leader(&topic, partition, Leader { node, epoch });
            }
        }
    }

    /// Sends a request over the open connection, or has one opened. What comes later waits its turn.
    fn produce(&mut self, broker: i32, request: u64, parts: Vec<Part>) {
        let wire = self.wires.entry(broker).or_default();
        if wire.connecting.is_none()
            && let Some(connection) = self.cluster.open_connection(broker, Lane::Produce)
        {
            return self.send(broker, request, parts, &connection);
        }
        wire.queued.push_back((request, parts));
        let (cluster, patience) = (Arc::clone(&self.cluster), self.accumulator.settings.request_timeout);
        wire.connecting.get_or_insert_with(|| {
            Box::pin(async move {
                let deadline = Instant::now() + patience;
                cluster.connection(Node::Id(broker), Lane::Produce, deadline).await
            })
        });
    }

    fn send(&mut self, broker: i32, request: u64, parts: Vec<Part>, connection: &Connection) {
        let outcome = self.encode_and_send(parts, connection);
        let outcome = outcome.unwrap_or_else(|lost| Box::pin(std::future::ready(Err(lost))));
        self.wires.entry(broker).or_default().flying.push_back((request, outcome));
    }

    fn encode_and_send(&self, parts: Vec<Part>, connection: &Connection) -> Result<Pending<Outcome>, Lost> {
        let settings = &self.accumulator.settings;
        let version = connection.version::<ProduceRequest>(request::NEWEST)?;
        if settings.codec == Codec::Zstd && version < request::ZSTD {
            let why = format!("{} is too old for compression with zstd", connection.to());
            let error = ClientError::new(ErrorKind::Unsupported, "publishing", why);
            return Err(RequestError::unsent(error.remedy("choose another compression_type")).into());
        }
        let timeout_ms = i32::try_from(settings.request_timeout.as_millis()).unwrap_or(i32::MAX);
        let encoded = connection.encode(ApiKey::Produce, version, request::capacity(&parts), |out| {
            request::write(out, version, settings.acks, timeout_ms, &parts)
        })?;
        drop(parts);
        if settings.acks == Acks::None {
            let connection = connection.clone();
            return Ok(Box::pin(
                async move { Ok(connection.send_unanswered(encoded).await.map(|()| None)?) },
            ));
        }
        let answer = connection.send_encoded(encoded, settings.request_timeout)?;
        Ok(Box::pin(async move { Ok(Some(answer.response::<ProduceRequest>().await?)) }))
    }

    /// Tells the engine what has become known of its topics.
    fn tell_news(&mut self, now: Instant) {
        let known = self.known.borrow_and_update().clone();
        for (name, told) in &mut self.wanted {
            let news = match known.metadata.topic(name) {
                Some(topic) => {
                    if told.as_ref().is_some_and(|told| Arc::ptr_eq(told, topic)) {
                        continue;
                    }
                    *told = Some(Arc::clone(topic));
                    let leader = |partition: &crate::native::cluster::Partition| {
                        partition.leader.map(|leader| (leader.node, leader.epoch))
                    };
                    News::Partitions(topic.partitions.iter().map(leader).collect())
                }
                None => {
                    *told = None;
                    let asked = || format!("looking for the topic '{name}'");
                    match (known.error(), known.metadata.failure(name)) {
                        (Some(error), _) => News::Missing(error.clone()),
                        (None, Some(error @ ResponseError::UnknownTopicOrPartition)) => News::Missing(
                            ClientError::from_code(error, asked(), None)
                                .remedy("create it, or correct its name"),
                        ),
                        (None, Some(error)) => News::Missing(ClientError::from_code(error, asked(), None)),
                        (None, None) => continue,
                    }
                }
            };
            self.engine.news(name, &news, now);
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        // The engine gives up what is left before anybody is told of the end.
        self.engine.end();
        self.ended.done.store(true, std::sync::atomic::Ordering::SeqCst);
        self.ended.signal.raise();
    }
}

impl From<RequestError> for Lost {
    fn from(error: RequestError) -> Self {
        Lost { error: error.error, sent: error.sent }
    }
}

/// Everything that has happened; pending if nothing has.
fn look_at_wires(
    wires: &mut HashMap<i32, Wire>,
    identifying: &mut Option<Pending<Result<(i64, i16), ClientError>>>,
    context: &mut Context<'_>,
) -> Poll<Happened> {
    let mut happened = Happened::default();
    for (broker, wire) in wires {
        if let Some(connecting) = &mut wire.connecting
            && let Poll::Ready(connected) = connecting.as_mut().poll(context)
        {
            wire.connecting = None;
            happened.connected.push((*broker, connected));
        }
        while let Some((request, flying)) = wire.flying.front_mut()
            && let Poll::Ready(outcome) = flying.as_mut().poll(context)
        {
            happened.answered.push((*request, outcome));
            wire.flying.pop_front();
        }
    }
    if let Some(pending) = identifying
        && let Poll::Ready(identified) = pending.as_mut().poll(context)
    {
        *identifying = None;
        happened.identified = Some(identified);
    }
    let nothing =
        happened.connected.is_empty() && happened.answered.is_empty() && happened.identified.is_none();
    if nothing { Poll::Pending } else { Poll::Ready(happened) }
}

/// Asks any broker for a producer id.
async fn identify(cluster: Arc<Cluster>) -> Result<(i64, i16), ClientError> {
    let asked = "asking for a producer id";
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let deadline = Instant::now() + cluster.options().request_timeout.min(Duration::from_secs(3600));
    let answer = cluster.call(Node::Any, Lane::Control, &request, INIT_PRODUCER_ID, deadline).await?;
    match ResponseError::try_from_code(answer.error_code) {
        Some(error) => Err(ClientError::from_code(error, asked, None)),
        None if answer.producer_id.0 < 0 || answer.producer_epoch < 0 => {
            Err(ClientError::new(ErrorKind::MalformedAnswer, asked, "the broker gave none"))
        }
        None => Ok((answer.producer_id.0, answer.producer_epoch)),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

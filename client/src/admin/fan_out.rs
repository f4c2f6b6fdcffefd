//! Many things asked of a cluster at once: each goes to the broker that is in charge of it, together with the others that
//! do; what fails for a while is asked again.
//!
//! Knows nothing of what is asked; that says an [`Errand`].

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use tokio::task::JoinSet;

use crate::error::{ClientError, ErrorKind};
use crate::native::connection::{Connection, RequestError};
use crate::native::retry::{Remedy, remedy};
use crate::native::{Cluster, Lane, Node};
use crate::record::TopicPartition;

/// Which broker is in charge of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Charge {
    /// Any.
    Any,
    /// The controller.
    Controller,
    /// This one.
    Broker(i32),
    /// The leader of a partition.
    Leader(TopicPartition),
    /// The coordinator of a group.
    Coordinator(Arc<str>),
}

/// What became of some items.
pub(super) type Outcomes<I, T> = Vec<(I, Result<T, ClientError>)>;

/// Something to be asked of brokers, for many items in one request.
pub(super) trait Errand: Send + Sync + 'static {
    /// What it is asked for.
    type Item: Clone + Eq + Hash + Send + 'static;
    /// What is answered for an item.
    type Answer: Send + 'static;

    /// What is being done, for sentences: `creating the topic 'orders'`.
    fn asked(&self, item: &Self::Item) -> String;

    /// Who is in charge of an item.
    fn charge(&self, item: &Self::Item) -> Charge;

    /// Whether it may be done twice: then it is asked again when the answer is lost.
    fn may_repeat(&self) -> bool {
        true
    }

    /// Asks a broker for some items. An item that the outcomes lack counts as not answered.
    fn ask(
        &self,
        connection: Connection,
        items: Vec<Self::Item>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Outcomes<Self::Item, Self::Answer>, RequestError>> + Send;
}

/// Runs an errand for all items, and says what became of each, in their order.
pub(super) async fn run<E: Errand>(
    cluster: &Arc<Cluster>,
    errand: E,
    items: Vec<E::Item>,
    deadline: Instant,
) -> Outcomes<E::Item, E::Answer> {
    let errand = Arc::new(errand);
    let mut done: HashMap<E::Item, Result<E::Answer, ClientError>> = HashMap::new();
    let mut left = items.clone();
    let mut backoff = cluster.retry_backoff();
    while !left.is_empty() {
        let asked = ask_all(cluster, &errand, std::mem::take(&mut left), deadline).await;
        let pause = Instant::now() + backoff.next();
        for (item, outcome, again) in asked {
            match outcome {
                Err(_) if again && pause < deadline => {
                    look_again(cluster, &errand.charge(&item));
                    left.push(item);
                }
                outcome => {
                    done.insert(item, outcome);
                }
            }
        }
        if !left.is_empty() {
            tokio::time::sleep_until(pause.into()).await;
        }
    }
    let lost = |item: &E::Item| {
        ClientError::new(ErrorKind::MalformedAnswer, errand.asked(item), "it was not answered")
    };
    items
        .into_iter()
        .map(|item| {
            let outcome = done.remove(&item).unwrap_or_else(|| Err(lost(&item)));
            (item, outcome)
        })
        .collect()
}

/// Has who is in charge looked for anew.
fn look_again(cluster: &Cluster, charge: &Charge) {
    match charge {
        Charge::Coordinator(group) => cluster.forget_coordinator(group),
        Charge::Any | Charge::Controller | Charge::Broker(_) | Charge::Leader(_) => {
            cluster.refresh();
        }
    }
}

/// An item, what became of it, and whether an error may pass.
type Asked<I, T> = Vec<(I, Result<T, ClientError>, bool)>;

async fn ask_all<E: Errand>(
    cluster: &Arc<Cluster>,
    errand: &Arc<E>,
    items: Vec<E::Item>,
    deadline: Instant,
) -> Asked<E::Item, E::Answer> {
    let mut asked = Vec::with_capacity(items.len());
    let mut by_node: Vec<(Node, Vec<E::Item>)> = Vec::new();
    let mut fresh = false;
    for item in &items {
        // Of all of them before the first is looked for: what is known is asked for anew once, for all.
        if let Charge::Leader(partition) = errand.charge(item) {
            cluster.want(&partition.topic);
        }
    }
    for item in items {
        match in_charge(cluster, &errand.charge(&item), &mut fresh, deadline).await {
            Ok(node) => match by_node.iter_mut().find(|(known, _)| *known == node) {
                Some((_, items)) => items.push(item),
                None => by_node.push((node, vec![item])),
            },
            Err((error, again)) => {
                let error = error.asked(errand.asked(&item));
                asked.push((item, Err(error), again));
            }
        }
    }
    let mut requests = JoinSet::new();
    for (node, items) in by_node {
        let (cluster, errand) = (Arc::clone(cluster), Arc::clone(errand));
        requests.spawn(async move { ask_one(&cluster, &*errand, node, items, deadline).await });
    }
    while let Some(answered) = requests.join_next().await {
        // Only a panic ends a request without an outcome, and then its items count as not answered.
        asked.extend(answered.unwrap_or_default());
    }
    asked
}

async fn ask_one<E: Errand>(
    cluster: &Cluster,
    errand: &E,
    node: Node,
    items: Vec<E::Item>,
    deadline: Instant,
) -> Asked<E::Item, E::Answer> {
    let answered = match cluster.connection(node, Lane::Control, deadline).await {
        Ok(connection) => {
            let attempt = deadline.min(Instant::now() + cluster.options().request_timeout);
            errand.ask(connection, items.clone(), attempt).await
        }
        Err(error) => Err(RequestError::unsent(error)),
    };
    match answered {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|(item, outcome)| {
                let code = outcome.as_ref().err().and_then(ClientError::code);
                let again = code.is_some_and(|code| passes(code, &errand.charge(&item)));
                (item, outcome, again)
            })
            .collect(),
        Err(RequestError { error, sent }) => {
            let again = error.is_retriable() && (!sent || errand.may_repeat());
            items
                .into_iter()
                .map(|item| {
                    let mut error = error.clone().asked(errand.asked(&item));
                    if sent && !errand.may_repeat() {
                        error =
                            error.remedy("look whether it has been done all the same before trying again");
                    }
                    (item, Err(error), again)
                })
                .collect()
        }
    }
}

/// Whether the same may be answered otherwise later.
fn passes(code: ResponseError, charge: &Charge) -> bool {
    match code {
        // A leader may not have heard of its topic yet; who is asked about all topics knows.
        ResponseError::UnknownTopicOrPartition | ResponseError::UnknownTopicId => {
            matches!(charge, Charge::Leader(_))
        }
        code => remedy(code) != Remedy::None,
    }
}

/// Which node is in charge. An error comes with whether it may pass. What is known is asked for anew at most once.
async fn in_charge(
    cluster: &Cluster,
    charge: &Charge,
    fresh: &mut bool,
    deadline: Instant,
) -> Result<Node, (ClientError, bool)> {
    match charge {
        Charge::Any => Ok(Node::Any),
        Charge::Controller => Ok(Node::Controller),
        Charge::Broker(id) => {
            if !cluster.metadata().brokers.contains_key(id) && !*fresh {
                *fresh = true;
                cluster.refreshed(deadline).await.map_err(|error| (error, false))?;
            }
            Ok(Node::Id(*id))
        }
        Charge::Leader(partition) => {
            if cluster.leader(&partition.topic, partition.partition).is_none() && !*fresh {
                *fresh = true;
                cluster.refreshed(deadline).await.map_err(|error| (error, false))?;
            }
            let metadata = cluster.metadata();
            if let Some(leader) = metadata.leader(&partition.topic, partition.partition) {
                return Ok(Node::Id(leader.node));
            }
            Err(leaderless(&metadata, partition))
        }
        Charge::Coordinator(group) => {
            let node = cluster.coordinator(group, deadline).await;
            node.map(Node::Id).map_err(|error| (error, false))
        }
    }
}

fn leaderless(
    metadata: &crate::native::cluster::Metadata,
    partition: &TopicPartition,
) -> (ClientError, bool) {
    use ResponseError::{LeaderNotAvailable, UnknownTopicOrPartition};
    let asked = format!("looking for the leader of {partition}");
    let exists =
        metadata.topic(&partition.topic).is_some_and(|topic| topic.partition(partition.partition).is_some());
    match metadata.failure(&partition.topic) {
        Some(error) => (ClientError::from_code(error, asked, None), error == LeaderNotAvailable),
        None if exists => (ClientError::from_code(LeaderNotAvailable, asked, None), true),
        None => (ClientError::from_code(UnknownTopicOrPartition, asked, None), false),
    }
}

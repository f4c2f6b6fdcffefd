//! The task that keeps what is known of a cluster up to date.
//!
//! It holds the cluster only while it asks, so that a cluster that nobody uses any more ends.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::{Cluster, Lane, Node};
use crate::error::{ClientError, ErrorKind};

/// Runs until the cluster is closed or dropped.
pub(super) fn keep(cluster: Weak<Cluster>, of: &Cluster) -> impl Future<Output = ()> + Send + use<> {
    let (ask, mut closed) = (Arc::clone(&of.ask), of.closed.subscribe());
    let (max_age, pause) = (of.options.metadata_max_age, of.options.retry_backoff);
    let mut backoff = of.retry_backoff();
    async move {
        // The next time at which a request may go out, and at which one has to.
        let mut not_before = Instant::now();
        let mut due: Option<Instant> = None;
        loop {
            let oldest = due;
            tokio::select! {
                () = ask.notified() => {}
                () = until(oldest) => {
                    let Some(cluster) = cluster.upgrade() else { return };
                    cluster.interest.lock().asked += 1;
                }
                _ = closed.wait_for(|closed| *closed) => return,
            }
            let Some(wanted) = cluster.upgrade().map(|cluster| cluster.is_new()) else { return };
            if !wanted {
                // New topics are asked for at once; the rest not more often than errors are retried.
                tokio::select! {
                    () = until(Some(not_before)) => {}
                    _ = closed.wait_for(|closed| *closed) => return,
                }
            }
            loop {
                let Some(cluster) = cluster.upgrade() else { return };
                let done = tokio::select! {
                    done = cluster.ask_for_metadata() => done,
                    _ = closed.wait_for(|closed| *closed) => return,
                };
                not_before = Instant::now() + pause;
                due = Some(Instant::now() + max_age);
                match done {
                    Ok(()) => {
                        backoff.reset();
                        break;
                    }
                    Err(error) => {
                        tracing::debug!("{error}");
                        cluster.known.send_modify(|known| known.error = Some(error));
                    }
                }
                drop(cluster);
                tokio::select! {
                    () = tokio::time::sleep(backoff.next()) => {}
                    _ = closed.wait_for(|closed| *closed) => return,
                }
            }
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// How long one attempt may take, whatever the request's time-out: somebody else may answer sooner.
const ATTEMPT: Duration = Duration::from_secs(10);

impl Cluster {
    /// Whether topics were added that have not been asked for.
    fn is_new(&self) -> bool {
        self.interest.lock().added > self.known.borrow().answered
    }

    /// Asks any broker for all that somebody wants to know.
    async fn ask_for_metadata(&self) -> Result<(), ClientError> {
        let (number, all, names) = {
            let interest = self.interest.lock();
            let names: Vec<_> = interest.topics.iter().cloned().collect();
            (interest.asked, interest.all, names)
        };
        let wanted = (!all).then(|| names.iter().map(|name| topic(name)).collect());
        let answer = self.metadata_of(wanted, self.auto_create, Instant::now() + ATTEMPT).await?;
        for broker in &answer.brokers {
            self.note_address(broker.node_id.0, &broker.host, broker.port);
        }
        let ids: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id.0).collect();
        self.addresses.write().retain(|id, _| ids.contains(id));
        self.lanes.forget_all_but(&ids);
        self.known.send_modify(|known| {
            let next = known.metadata.with(&answer, all);
            let next =
                if all { next } else { next.keeping(|name| names.iter().any(|wanted| **wanted == *name)) };
            known.metadata = Arc::new(next);
            known.answered = number;
            known.learnt = Some(Instant::now());
            known.error = None;
        });
        Ok(())
    }

    /// One request for metadata, to any broker: of these topics, or of all. Nothing is remembered of the answer.
    pub(crate) async fn metadata_of(
        &self,
        topics: Option<Vec<MetadataRequestTopic>>,
        auto_create: bool,
        deadline: Instant,
    ) -> Result<MetadataResponse, ClientError> {
        let asked = "asking for the cluster's metadata";
        let request =
            MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(auto_create);
        let connection = self.connection(Node::Any, Lane::Control, deadline).await?;
        let version = connection.version::<MetadataRequest>(i16::MAX)?;
        if version < 4 && !auto_create || version < 1 {
            let why = format!("{} is older than Kafka 0.11", connection.to());
            return Err(ClientError::new(ErrorKind::Unsupported, asked, why));
        }
        let answer = connection.call(&request, version, self.patience(deadline)).await?;
        match ResponseError::try_from_code(answer.error_code) {
            Some(error) => Err(ClientError::from_code(error, asked, None)),
            None => Ok(answer),
        }
    }
}

/// A topic by its name, in a request for metadata.
pub(crate) fn topic(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
}

//! Clients for tests that are about what is published, and not about the client.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::json;

use crate::{ClientError, Delivered, Publisher, Subscriber, create_publisher, create_subscriber};

use super::broker::TestBroker;

/// The group of [`TestBroker::subscriber`].
const GROUP: &str = "test";

/// How long these clients wait before they try again. Kafka's 100 ms spare a cluster that is in trouble; here the trouble is
/// the test's own.
const RETRY_BACKOFF_MS: u64 = 2;

/// Publishers that [`TestBroker::publish`] has made, by topic.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<String, Publisher>>);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}

impl TestBroker {
    /// A publisher to a topic of this broker: JSON, or text and bytes as they are, acknowledged by all replicas, and
    /// tried again after 2 ms. For any other config take [`create_publisher`] with
    /// [`bootstrap_servers`](crate::Broker::bootstrap_servers).
    ///
    /// # Panics
    /// If the topic's name cannot be one.
    #[track_caller]
    pub fn publisher(&self, topic: &str) -> Publisher {
        self.try_publisher(topic)
            .unwrap_or_else(|error| panic!("there is no publisher to '{topic}': {error}"))
    }

    fn try_publisher(&self, topic: &str) -> Result<Publisher, ClientError> {
        create_publisher(
            "test-publisher",
            json!({
                "destination": format!("kafka://topic/{topic}"),
                "bootstrap_servers": self.bootstrap_servers(),
                "producer_config": { "acks": "all", "retry_backoff_ms": RETRY_BACKOFF_MS },
            }),
        )
    }

    /// A subscriber to a topic of this broker, from the first record on, in the group `test`. It has been started.
    ///
    /// # Panics
    /// As [`publisher`](TestBroker::publisher).
    #[track_caller]
    pub fn subscriber(&self, topic: &str) -> Subscriber {
        self.subscriber_in(GROUP, topic)
    }

    /// A subscriber to a topic of this broker, in a group of this name. What the group has not committed is read from the first
    /// record on; what fails is tried again after 2 ms. It has been started:
    /// [`wait_for_group`](TestBroker::wait_for_group) waits until it is in.
    ///
    /// # Panics
    /// As [`publisher`](TestBroker::publisher).
    #[track_caller]
    pub fn subscriber_in(&self, group: &str, topic: &str) -> Subscriber {
        let subscriber = create_subscriber(
            "test-subscriber",
            json!({
                "source": format!("kafka://topic/{topic}"),
                "bootstrap_servers": self.bootstrap_servers(),
                "group_id": group,
                "consumer_config": { "auto_offset_reset": "earliest", "retry_backoff_ms": RETRY_BACKOFF_MS },
            }),
        );
        let started = subscriber.and_then(|subscriber| subscriber.start().map(|()| subscriber));
        started.unwrap_or_else(|error| panic!("there is no subscriber to '{topic}': {error}"))
    }

    /// The publisher that [`publish`](TestBroker::publish) keeps for a topic.
    #[track_caller]
    pub(super) fn kept_publisher(&self, topic: &str) -> Publisher {
        let mut kept = self.held().clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = kept.get(topic) {
            return publisher.clone();
        }
        let publisher = self.publisher(topic);
        kept.insert(topic.to_owned(), publisher.clone());
        publisher
    }

    /// Publishes a value and waits until it is in the topic: a text as it is, everything else as JSON.
    ///
    /// # Panics
    /// If it is not acknowledged.
    #[track_caller]
    pub fn publish<T: Serialize + ?Sized>(&self, topic: &str, value: &T) -> Delivered {
        let published = self.kept_publisher(topic).publish_acknowledged(value);
        published.unwrap_or_else(|error| panic!("nothing was published to '{topic}': {error}"))
    }
}

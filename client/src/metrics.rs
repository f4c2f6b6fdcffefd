//! Figures for whoever installs a recorder of the `metrics` crate.
//!
//! Handles are taken when a publisher or a subscriber is made: install the recorder before.

use std::sync::{Arc, Weak};
use std::time::Duration;

use metrics::{Counter, Gauge, SharedString, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::error::ClientError;
use crate::factory::Library;
use crate::runtime;

/// How often gauges are set.
const SAMPLED_EVERY: Duration = Duration::from_secs(1);

/// The counters and gauges that this client keeps: name, unit, what it says. Each has the labels `name` (of the publisher or
/// the subscriber), `topic` and `library`.
///
/// | name | kind | unit | what it says |
/// |---|---|---|---|
/// | `klamm_publisher_records_total` | counter | records | accepted for publishing |
/// | `klamm_publisher_bytes_total` | counter | bytes | keys and values of those |
/// | `klamm_publisher_failed_total` | counter | records | accepted, and given up |
/// | `klamm_publisher_queue_depth` | gauge | records | accepted, and neither acknowledged nor given up |
/// | `klamm_subscriber_records_total` | counter | records | handed out |
/// | `klamm_subscriber_bytes_total` | counter | bytes | keys and values of those |
/// | `klamm_subscriber_undecodable_total` | counter | records | whose payload did not decode |
/// | `klamm_subscriber_dead_letters_total` | counter | records | acknowledged by the dead-letter topic |
/// | `klamm_subscriber_commits_total` | counter | commits | asked for by the program and done |
/// | `klamm_subscriber_commit_failures_total` | counter | commits | asked for by the program and failed |
/// | `klamm_subscriber_queue_depth` | gauge | records | fetched, and waiting to be handed out |
/// | `klamm_subscriber_lag` | gauge | records | written, and not handed out yet |
///
/// Gauges are set every second.
pub const METRICS: &[(&str, Unit, &str)] = &[
    ("klamm_publisher_records_total", Unit::Count, "Records accepted for publishing"),
    ("klamm_publisher_bytes_total", Unit::Bytes, "Bytes of keys and values accepted for publishing"),
    ("klamm_publisher_failed_total", Unit::Count, "Records accepted for publishing and given up"),
    ("klamm_publisher_queue_depth", Unit::Count, "Records accepted and neither acknowledged nor given up"),
    ("klamm_subscriber_records_total", Unit::Count, "Records handed out"),
    ("klamm_subscriber_bytes_total", Unit::Bytes, "Bytes of keys and values handed out"),
    ("klamm_subscriber_undecodable_total", Unit::Count, "Records whose payload did not decode"),
    ("klamm_subscriber_dead_letters_total", Unit::Count, "Records acknowledged by the dead-letter topic"),
    ("klamm_subscriber_commits_total", Unit::Count, "Commits asked for by the program and done"),
    ("klamm_subscriber_commit_failures_total", Unit::Count, "Commits asked for by the program and failed"),
    ("klamm_subscriber_queue_depth", Unit::Count, "Records fetched and waiting to be handed out"),
    ("klamm_subscriber_lag", Unit::Count, "Records written and not handed out yet"),
];

/// Tells the recorder what the figures are. Repeating it changes nothing.
fn describe() {
    for (name, unit, what) in METRICS {
        if name.ends_with("_total") {
            describe_counter!(*name, *unit, *what);
        } else {
            describe_gauge!(*name, *unit, *what);
        }
    }
}

type Labels = [(&'static str, SharedString); 3];

fn labels(name: &str, topic: &Arc<str>, library: Library) -> Labels {
    [
        ("name", SharedString::from(name.to_owned())),
        ("topic", SharedString::from(topic.to_string())),
        ("library", SharedString::const_str(library.name())),
    ]
}

/// A publisher's figures.
#[derive(Clone)]
pub(crate) struct PublisherMeters {
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
    pub(crate) failed: Counter,
    pub(crate) queue_depth: Gauge,
}

impl PublisherMeters {
    pub(crate) fn new(name: &str, topic: &Arc<str>, library: Library) -> Self {
        describe();
        let labels = labels(name, topic, library);
        PublisherMeters {
            records: counter!("klamm_publisher_records_total", &labels),
            bytes: counter!("klamm_publisher_bytes_total", &labels),
            failed: counter!("klamm_publisher_failed_total", &labels),
            queue_depth: gauge!("klamm_publisher_queue_depth", &labels),
        }
    }
}

/// A subscriber's figures.
#[derive(Clone)]
pub(crate) struct SubscriberMeters {
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
    pub(crate) undecodable: Counter,
    pub(crate) dead_letters: Counter,
    pub(crate) commits: Counter,
    pub(crate) commit_failures: Counter,
    pub(crate) queue_depth: Gauge,
    pub(crate) lag: Gauge,
}

impl SubscriberMeters {
    pub(crate) fn new(name: &str, topic: &Arc<str>, library: Library) -> Self {
        describe();
        let labels = labels(name, topic, library);
        SubscriberMeters {
            records: counter!("klamm_subscriber_records_total", &labels),
            bytes: counter!("klamm_subscriber_bytes_total", &labels),
            undecodable: counter!("klamm_subscriber_undecodable_total", &labels),
            dead_letters: counter!("klamm_subscriber_dead_letters_total", &labels),
            commits: counter!("klamm_subscriber_commits_total", &labels),
            commit_failures: counter!("klamm_subscriber_commit_failures_total", &labels),
            queue_depth: gauge!("klamm_subscriber_queue_depth", &labels),
            lag: gauge!("klamm_subscriber_lag", &labels),
        }
    }
}

impl std::fmt::Debug for PublisherMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PublisherMeters")
    }
}

impl std::fmt::Debug for SubscriberMeters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubscriberMeters")
    }
}

/// Has something's gauges set every second, for as long as it lives.
pub(crate) fn sample<T: Send + Sync + 'static>(what: Weak<T>, set: fn(&T)) -> Result<(), ClientError> {
    runtime::handle()?.spawn(async move {
        loop {
            tokio::time::sleep(SAMPLED_EVERY).await;
            match what.upgrade() {
                Some(what) => set(&what),
                None => return,
            }
        }
    });
    Ok(())
}

/// A count as a gauge takes it: exact up to 2^53.
pub(crate) fn as_gauge(count: usize) -> f64 {
    count as f64
}

//! What a program sees of its publishers and subscribers: figures, spans, and traces that are passed on. In a process of
//! its own, because recorders and subscribers are the process's.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use klamm_client::{METRICS, create_publisher, create_subscriber};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::{Value, json};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

const DEADLINE: Duration = Duration::from_secs(30);

/// The spans that were opened: their names, and the API where they have one.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, span: &tracing::span::Attributes<'_>, _: &tracing::span::Id, _: Context<'_, S>) {
        let mut text = span.metadata().name().to_owned();
        span.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "api" {
                text.push_str(&format!(" {value:?}"));
            }
        });
        self.0.lock().unwrap().push(text);
    }
}

/// Figures by the name of the publisher or subscriber and their own.
#[derive(Debug, Default)]
struct Figures(BTreeMap<(String, String), f64>);

impl Figures {
    /// Adds what has come since the last time. A gauge that is 0 may be one that was not set.
    fn read(&mut self, snapshotter: &Snapshotter) {
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            let labels = key.key().labels();
            let of = labels.filter(|label| label.key() == "name").map(|label| label.value()).next().unwrap();
            let figure = self.0.entry((of.to_owned(), key.key().name().to_owned())).or_default();
            match value {
                DebugValue::Counter(more) => *figure += more as f64,
                DebugValue::Gauge(now) if now.into_inner() != 0.0 => *figure = now.into_inner(),
                DebugValue::Gauge(_) => {}
                DebugValue::Histogram(_) => panic!("there are no histograms"),
            }
        }
    }

    fn of(&self, whose: &str, name: &str) -> f64 {
        assert!(METRICS.iter().any(|(known, ..)| *known == name), "{name} is not documented");
        self.0[&(whose.to_owned(), name.to_owned())]
    }
}

#[test]
fn figures_spans_and_traces() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    let spans = Spans::default();
    let subscriber = tracing_subscriber::registry().with(spans.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let broker = "embedded://observed";
    let publisher = create_publisher(
        "seen-publisher",
        json!({ "destination": "kafka://topic/seen", "bootstrap_servers": broker, "trace_headers": true }),
    )
    .unwrap();
    for number in 0..3 {
        publisher.publish_acknowledged(&json!({ "number": number })).unwrap();
    }
    publisher.publish_bytes(b"no json").unwrap();
    publisher.flush().unwrap();

    let subscriber = create_subscriber(
        "seen-subscriber",
        json!({
            "source": "kafka://topic/seen",
            "bootstrap_servers": broker,
            "consumer_config": { "auto_offset_reset": "earliest", "enable_auto_commit": false },
        }),
    )
    .unwrap();
    subscriber.start().unwrap();
    let first = subscriber.get_record(DEADLINE).unwrap().unwrap();
    let parent = first.headers.iter().find(|(name, _)| name == "traceparent");
    let parent = String::from_utf8(parent.unwrap().1.clone().unwrap().to_vec()).unwrap();
    assert!(parent.starts_with("00-") && parent.len() == 55, "{parent}");
    let mut figures = Figures::default();
    let began = Instant::now();
    // Gauges are set in the background, every second.
    while figures.0.get(&("seen-subscriber".to_owned(), "klamm_subscriber_lag".to_owned())) != Some(&3.0) {
        assert!(began.elapsed() < DEADLINE, "{figures:?}");
        std::thread::park_timeout(Duration::from_millis(20));
        figures.read(&snapshotter);
    }
    for _ in 0..2 {
        assert!(subscriber.get_data::<Value>(DEADLINE).unwrap().is_some());
    }
    subscriber.get_data::<Value>(DEADLINE).unwrap_err();
    subscriber.commit().unwrap();
    figures.read(&snapshotter);
    assert_eq!(figures.of("seen-publisher", "klamm_publisher_records_total"), 4.0);
    assert_eq!(figures.of("seen-publisher", "klamm_publisher_failed_total"), 0.0);
    assert_eq!(figures.of("seen-subscriber", "klamm_subscriber_records_total"), 4.0);
    assert_eq!(figures.of("seen-subscriber", "klamm_subscriber_undecodable_total"), 1.0);
    assert_eq!(figures.of("seen-subscriber", "klamm_subscriber_commits_total"), 1.0);
    assert!(figures.of("seen-subscriber", "klamm_subscriber_bytes_total") >= 7.0);
    for (_, name) in figures.0.keys() {
        assert!(METRICS.iter().any(|(known, ..)| known == name), "{name} is not documented");
    }

    subscriber.stop().unwrap();
    publisher.stop().unwrap();
    let spans = spans.0.lock().unwrap();
    for wanted in
        ["publish", "commit", "request Produce", "request Fetch", "request OffsetCommit", "request JoinGroup"]
    {
        assert!(spans.iter().any(|span| span == wanted), "no {wanted} in {spans:?}");
    }
}

//! Topic and broker configs that change what is accepted and how it is stored.

use crate::conformance::batch::{Batch, CODECS, Record, T0};
use crate::conformance::request::{
    Topic, create, fetch, fetch_partition, list_offsets, produce, store, text,
};
use crate::conformance::session::Session;
use kafka_protocol::messages::IncrementalAlterConfigsRequest;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use std::time::{Duration, Instant};

/// Sets a config (or deletes it) of a topic (2) or of brokers (4).
fn set(s: &mut Session<'_>, kind: i8, of: &str, name: &str, value: Option<&str>) {
    let config = AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(i8::from(value.is_none()))
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(of))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    s.call(format!("{name} of {of:?} becomes {value:?}"), 1, request);
    s.settle();
}

fn attempt(s: &mut Session<'_>, topic: &Topic) {
    let plain = Batch::of(vec![Record::keyed("k", "v")]);
    let late = Batch { base_timestamp: 4_000_000_000_000, ..plain.clone() };
    let large = Batch::of(vec![Record::keyed("k", &"x".repeat(400))]);
    let two_keys = Batch::of(vec![Record::keyed("k", "v"), Record::value("no key")]);
    for (what, batch) in
        [("plain", plain), ("in the future", late), ("large", large), ("without a key", two_keys)]
    {
        s.call(what, 9, produce(9, -1, &[(topic, 0, Some(batch.bytes()))]));
    }
}

pub(crate) fn of_topics(s: &mut Session<'_>) {
    let t = create(s, "rules-change", 1, &[]);
    attempt(s, &t);
    for (name, value) in [
        ("max.message.bytes", "300"),
        ("cleanup.policy", "compact"),
        ("message.timestamp.after.max.ms", "1000"),
        ("message.timestamp.type", "LogAppendTime"),
    ] {
        set(s, 2, &t.name, name, Some(value));
        attempt(s, &t);
        set(s, 2, &t.name, name, None);
        attempt(s, &t);
    }
    s.call("what is stored", 12, fetch(12, &[(&t, vec![fetch_partition(0, 0)])]));
}

pub(crate) fn of_brokers(s: &mut Session<'_>) {
    let t = create(s, "rules-broker", 1, &[]);
    let own =
        create(s, "rules-own", 1, &[("max.message.bytes", "1000"), ("message.timestamp.type", "CreateTime")]);
    for (name, value) in [
        ("message.max.bytes", "300"),
        ("log.cleanup.policy", "compact"),
        ("log.message.timestamp.after.max.ms", "1000"),
        ("log.message.timestamp.type", "LogAppendTime"),
    ] {
        for of in ["", "1"] {
            set(s, 4, of, name, Some(value));
            attempt(s, &t);
            attempt(s, &own);
            set(s, 4, of, name, None);
            attempt(s, &t);
        }
    }
    s.call("what is stored", 12, fetch(12, &[(&t, vec![fetch_partition(0, 0)])]));
}

/// Timestamps inside of compressed batches, and fetches that begin inside of them.
pub(crate) fn inside_batches(s: &mut Session<'_>) {
    for (codec, number) in CODECS {
        let t = create(s, &format!("inside-{codec}"), 1, &[]);
        let deltas = [[0, 10, 20], [5, 40, 30], [25, 25, 60]];
        for deltas in deltas {
            let records = deltas.map(|delta| Record::value("v").at(delta)).to_vec();
            store(s, &t, 0, Batch::of(records).attributes(number).bytes());
        }
        for delta in [-1, 0, 1, 5, 6, 10, 11, 20, 21, 25, 26, 30, 31, 40, 41, 60, 61] {
            for v in [1, 4, 10] {
                let request = list_offsets(&[(&t.name, &[(0, T0 + delta)])]);
                s.call(format!("{codec}: T0{delta:+}"), v, request);
            }
        }
        s.call(format!("{codec}: the greatest"), 7, list_offsets(&[(&t.name, &[(0, -3)])]));
        for offset in [1, 4, 5, 8] {
            s.call(
                format!("{codec}: from {offset}"),
                12,
                fetch(12, &[(&t, vec![fetch_partition(0, offset)])]),
            );
        }
    }
}

/// The same with the time of the append.
pub(crate) fn append_time(s: &mut Session<'_>) {
    for (codec, number) in CODECS {
        let configs = [("message.timestamp.type", "LogAppendTime")];
        let t = create(s, &format!("append-time-{codec}"), 1, &configs);
        for _ in 0..2 {
            store(s, &t, 0, Batch::counted(3).attributes(number).bytes());
            let stored = Instant::now();
            s.until("the clock moves on", |_| stored.elapsed() > Duration::from_millis(2));
        }
        for timestamp in [0, T0, T0 + 1_000_000, i64::MAX, -1, -2, -3] {
            s.call(format!("{codec}: {timestamp}"), 8, list_offsets(&[(&t.name, &[(0, timestamp)])]));
        }
        s.call(format!("{codec}: from 2"), 12, fetch(12, &[(&t, vec![fetch_partition(0, 2)])]));
    }
}

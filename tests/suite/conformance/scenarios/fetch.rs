//! Fetch without sessions: what is read, limits, refusals, waiting.

use crate::conformance::batch::{Batch, Record, T0};
use crate::conformance::request::{
    Topic, create, delete_topics, fetch, fetch_partition, list_offsets, produce, store, text,
};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::{BrokerId, DeleteRecordsRequest, FetchRequest};

/// A topic of two partitions: four batches in the first, one in the second.
fn filled(s: &mut Session<'_>, name: &str) -> Topic {
    let t = create(s, name, 2, &[]);
    for count in [1, 2, 3, 4] {
        store(s, &t, 0, Batch::counted(count).bytes());
    }
    store(s, &t, 1, Batch::values(&["elsewhere"]).bytes());
    t
}

pub(crate) fn reads(s: &mut Session<'_>) {
    let t = filled(s, "fetch-reads");
    for offset in [0, 1, 2, 5, 6, 9, 10] {
        s.each(&format!("from {offset}"), |v| fetch(v, &[(&t, vec![fetch_partition(0, offset)])]));
    }
    for offset in [11, -1, -2, i64::MAX, i64::MIN] {
        s.each(&format!("out of range: {offset}"), |v| fetch(v, &[(&t, vec![fetch_partition(0, offset)])]));
    }
    s.each("both partitions", |v| fetch(v, &[(&t, vec![fetch_partition(0, 0), fetch_partition(1, 0)])]));
    s.each("the second one first", |v| fetch(v, &[(&t, vec![fetch_partition(1, 0), fetch_partition(0, 6)])]));
    s.each("a partition twice", |v| fetch(v, &[(&t, vec![fetch_partition(0, 6), fetch_partition(0, 0)])]));
    s.each("a topic twice", |v| {
        fetch(v, &[(&t, vec![fetch_partition(0, 6)]), (&t, vec![fetch_partition(1, 0)])])
    });
    for level in [1, 2, -1] {
        s.each(&format!("isolation level {level}"), |v| {
            fetch(v, &[(&t, vec![fetch_partition(0, 3), fetch_partition(1, 0), fetch_partition(5, 0)])])
                .with_isolation_level(level)
        });
    }
    s.each("no topic", |v| fetch(v, &[]));
    s.each("no partition", |v| fetch(v, &[(&t, vec![])]));
}

pub(crate) fn limits(s: &mut Session<'_>) {
    let t = filled(s, "fetch-limits");
    for bytes in [0, 1, 60, 79, 80, 175, 300, -1] {
        s.each(&format!("{bytes} bytes of the partition"), |v| {
            let mut first = fetch_partition(0, 0);
            first.partition_max_bytes = bytes;
            fetch(v, &[(&t, vec![first, fetch_partition(1, 0)])])
        });
        s.each(&format!("{bytes} bytes in all"), |v| {
            fetch(v, &[(&t, vec![fetch_partition(0, 0), fetch_partition(1, 0)])]).with_max_bytes(bytes)
        });
    }
    s.each("few bytes, the first partition at its end", |v| {
        fetch(v, &[(&t, vec![fetch_partition(0, 10), fetch_partition(1, 0)])]).with_max_bytes(1)
    });
    s.each("few bytes in the middle of a batch", |v| {
        fetch(v, &[(&t, vec![fetch_partition(0, 8)])]).with_max_bytes(1)
    });
    s.each("a negative wait", |v| fetch(v, &[(&t, vec![fetch_partition(0, 10)])]).with_max_wait_ms(-5));
    s.each("negative minimal bytes", |v| {
        fetch(v, &[(&t, vec![fetch_partition(0, 10)])]).with_min_bytes(-5).with_max_wait_ms(10_000)
    });
    s.each("huge minimal bytes, no wait", |v| {
        fetch(v, &[(&t, vec![fetch_partition(0, 0)])]).with_min_bytes(i32::MAX)
    });
}

pub(crate) fn refused(s: &mut Session<'_>) {
    let t = filled(s, "fetch-refused");
    let none = Topic::unknown();
    s.each("an unknown topic", |v| fetch(v, &[(&none, vec![fetch_partition(0, 0)])]));
    s.each("known and unknown topics", |v| {
        fetch(v, &[(&none, vec![fetch_partition(0, 0)]), (&t, vec![fetch_partition(1, 0)])])
    });
    s.each("an unknown partition", |v| fetch(v, &[(&t, vec![fetch_partition(2, 0), fetch_partition(1, 0)])]));
    s.each("a negative partition", |v| fetch(v, &[(&t, vec![fetch_partition(-1, 0)])]));
    for name in ["", "a b", "."] {
        let topic = Topic::new(name, uuid::Uuid::nil());
        s.each(&format!("the name {name:?} or a zero id"), |v| {
            fetch(v, &[(&topic, vec![fetch_partition(0, 0)])])
        });
    }
    for epoch in [0, 1, 5, -2, i32::MIN] {
        s.each(&format!("leader epoch {epoch}"), |v| {
            let mut partition = fetch_partition(0, 6);
            partition.current_leader_epoch = if v >= 9 { epoch } else { -1 };
            fetch(v, &[(&t, vec![partition])])
        });
    }
    for (epoch, offset) in [(0, 6), (0, 10), (0, 11), (0, 99), (1, 6), (7, 0), (-2, 6)] {
        s.each(&format!("last fetched epoch {epoch} at {offset}"), |v| {
            let mut partition = fetch_partition(0, offset);
            partition.last_fetched_epoch = if v >= 12 { epoch } else { -1 };
            fetch(v, &[(&t, vec![partition])])
        });
    }
    for v in 12..=*versions::<FetchRequest>().end() {
        let request = fetch(v, &[(&t, vec![fetch_partition(0, 6)])]).with_cluster_id(Some(text("nonsense")));
        s.call("a wrong cluster id", v, request);
    }
    s.each("a rack", |v| {
        let request = fetch(v, &[(&t, vec![fetch_partition(0, 6)])]);
        if v >= 11 { request.with_rack_id(text("rack")) } else { request }
    });
    s.each("a log start offset", |v| {
        let mut partition = fetch_partition(0, 6);
        partition.log_start_offset = if v >= 5 { 3 } else { -1 };
        fetch(v, &[(&t, vec![partition])])
    });
}

/// As a follower would. (Consumers' replica ids are negative.)
pub(crate) fn as_replica(s: &mut Session<'_>) {
    let t = filled(s, "fetch-replica");
    for id in [-2, -3, 5] {
        for v in versions::<FetchRequest>() {
            let request = fetch(v, &[(&t, vec![fetch_partition(0, 6)])]);
            let request = if v >= 15 {
                let mut request = request;
                request.replica_state.replica_id = BrokerId(id);
                request
            } else {
                request.with_replica_id(BrokerId(id))
            };
            s.call(format!("replica {id}"), v, request);
        }
    }
}

pub(crate) fn waits(s: &mut Session<'_>) {
    let t = create(s, "fetch-waits", 2, &[]);
    let none = Topic::unknown();
    let wait = |v: i16, partitions: &[i32]| {
        let partitions = partitions.iter().map(|p| fetch_partition(*p, 0)).collect();
        fetch(v, &[(&t, partitions)]).with_min_bytes(1)
    };
    s.each("nothing within the wait", |v| wait(v, &[0, 1]).with_max_wait_ms(30));
    s.each("no partition does not wait", |v| fetch(v, &[]).with_min_bytes(1).with_max_wait_ms(10_000));
    s.each("an unknown topic does not end the wait", |v| {
        let mut request = wait(v, &[0]).with_max_wait_ms(50);
        let unknown = fetch(v, &[(&none, vec![fetch_partition(0, 0)])]);
        request.topics.extend(unknown.topics);
        request
    });
    s.each("an offset out of range ends the wait", |v| {
        fetch(v, &[(&t, vec![fetch_partition(0, 0), fetch_partition(1, 99)])])
            .with_min_bytes(1)
            .with_max_wait_ms(10_000)
    });
    for v in versions::<FetchRequest>() {
        let topic = create(s, &format!("fetch-wakes-{v}"), 2, &[]);
        let partitions = vec![fetch_partition(0, 0), fetch_partition(1, 0)];
        let request = fetch(v, &[(&topic, partitions)]).with_min_bytes(1).with_max_wait_ms(11_000);
        let pending = s.on("waiting").begin(v, request);
        store(s, &topic, 1, Batch::counted(2).bytes());
        s.finish("data arrives", pending);
        let request =
            fetch(v, &[(&topic, vec![fetch_partition(0, 0)])]).with_min_bytes(200).with_max_wait_ms(11_000);
        let pending = s.begin(v, request);
        for _ in 0..3 {
            store(s, &topic, 0, Batch::counted(2).bytes());
        }
        s.finish("enough data arrives", pending);
        s.on("main");
    }
}

pub(crate) fn after_deletion_of_records(s: &mut Session<'_>) {
    use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let t = filled(s, "fetch-deleted");
    let partition = DeleteRecordsPartition::default().with_partition_index(0).with_offset(4);
    let topic = DeleteRecordsTopic::default()
        .with_name(crate::conformance::request::topic_name(&t.name))
        .with_partitions(vec![partition]);
    s.quietly(2, DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000));
    for offset in [0, 3, 4, 6] {
        s.each(&format!("from {offset}"), |v| fetch(v, &[(&t, vec![fetch_partition(0, offset)])]));
    }
}

/// Segments of 1 MiB, the smallest that Kafka allows, of batches of a quarter of that.
pub(crate) fn across_segments(s: &mut Session<'_>) {
    let t = create(s, "fetch-segments", 1, &[("segment.bytes", "1048576")]);
    for batch in 0..14 {
        let value = format!("{batch}").repeat(250_000 / format!("{batch}").len());
        let record = Record::value(&value).at(i64::from(batch) * 1000);
        store(s, &t, 0, Batch::of(vec![record]).bytes());
    }
    for offset in [0, 2, 3, 4, 7, 13] {
        for bytes in [1, 300_000, 600_000, 1_200_000, 5_000_000] {
            let mut partition = fetch_partition(0, offset);
            partition.partition_max_bytes = bytes;
            for v in [4, 12, 18] {
                let request = fetch(v, &[(&t, vec![partition.clone()])]);
                s.call(format!("{bytes} bytes from {offset}"), v, request);
            }
        }
    }
    for timestamp in [T0 - 1, T0, T0 + 1, T0 + 3000, T0 + 6500, T0 + 13_000, T0 + 13_001, -1, -2, -3, -4] {
        let request = list_offsets(&[(&t.name, &[(0, timestamp)])]);
        s.call(format!("the offset of {timestamp}"), 8, request);
    }
}

/// A topic that goes while a fetch waits for it, and a partition that comes.
pub(crate) fn changes_meanwhile(s: &mut Session<'_>) {
    for v in [4, 7, 12, 13, 18] {
        let name = format!("fetch-goes-{v}");
        let t = create(s, &name, 1, &[]);
        let request = fetch(v, &[(&t, vec![fetch_partition(0, 0)])]).with_min_bytes(1).with_max_wait_ms(50);
        s.on("waiting").call("before", v, fetch(v, &[(&t, vec![fetch_partition(0, 0)])]));
        s.on("main").call("deleted", 5, delete_topics(5, &[&name]));
        s.settle();
        s.on("waiting").call("after", v, request);
        let again = create(s, &name, 1, &[]);
        store(s, &again, 0, Batch::counted(1).bytes());
        s.call("made again, by the old id or name", v, fetch(v, &[(&t, vec![fetch_partition(0, 0)])]));
        s.call("by the new one", v, fetch(v, &[(&again, vec![fetch_partition(0, 0)])]));
        s.on("main");
    }
}

/// Several requests on their way at once are answered in order, also behind one that waits.
pub(crate) fn in_order(s: &mut Session<'_>) {
    let t = create(s, "fetch-in-order", 1, &[]);
    for v in versions::<FetchRequest>() {
        let waits = fetch(v, &[(&t, vec![fetch_partition(0, 1000)])]);
        let first = s.begin(v, waits.clone());
        let patient =
            fetch(v, &[(&t, vec![fetch_partition(0, 0)])]).with_min_bytes(1_000_000).with_max_wait_ms(40);
        let second = s.begin(v, patient);
        let third = s.begin(7, list_offsets(&[(&t.name, &[(0, -1)])]));
        let fourth = s.begin(9, produce(9, 1, &[(&t, 0, Some(Batch::counted(1).bytes()))]));
        let fifth = s.begin(7, list_offsets(&[(&t.name, &[(0, -1)])]));
        s.finish("first, out of range", first);
        s.finish("second, which waits", second);
        s.finish("third", third);
        s.finish("fourth, which appends", fourth);
        s.finish("fifth, which sees it", fifth);
    }
}

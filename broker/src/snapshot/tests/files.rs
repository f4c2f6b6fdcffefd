//! Snapshots in files: what is written is read, and what is damaged is refused.

use super::client::*;
use super::{builder, contents, ids};
use crate::{Snapshot, SnapshotError};

fn a_snapshot() -> (crate::Broker, Snapshot) {
    let broker = builder().topic("t", 2).start().unwrap();
    let mut client = Client::new(&broker);
    let id = client.producer_id();
    for sequence in 0..7 {
        client.produce("t", 0, &record("idempotent", Some((id, sequence))));
        client.produce("t", 1, &record(&"plain".repeat(50), None));
    }
    client.delete_records("t", 1, 3);
    client.set(Some("t"), "retention.ms", "123456");
    assert_eq!(client.set(None, "message.max.bytes", "2000000"), 0);
    client.join_alone("g");
    client.commit("h", "t", 0, 5);
    let snapshot = broker.snapshot().unwrap();
    (broker, snapshot)
}

#[test]
fn what_is_written_is_read() {
    let (broker, snapshot) = a_snapshot();
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    snapshot.save(&one).unwrap();
    let loaded = Snapshot::load(&one).unwrap();
    loaded.save(&two).unwrap();
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let started = builder().from_snapshot(&loaded).start().unwrap();
    assert_eq!((contents(&started), ids(&started)), (contents(&broker), ids(&broker)));
    assert_eq!(Client::new(&started).committed("h"), [("t".to_owned(), 0, 5)]);
    assert_eq!(started.state().config.layers().cluster["message.max.bytes"], "2000000");
    let topic = started.state().topics.get("t").unwrap();
    assert_eq!(topic.partition(0).unwrap().log().options().retention_ms, 123_456);
    // Nothing is left beside it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let other = builder().config("log.segment.bytes", "2000000").from_snapshot(&loaded).start().unwrap();
    let topic = other.state().topics.get("t").unwrap();
    assert_eq!(topic.partition(0).unwrap().log().options().segment_bytes, 2_000_000, "its own configs count");
}

#[test]
fn a_damaged_file_is_refused() {
    let (_, snapshot) = a_snapshot();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    snapshot.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        match Snapshot::load(&path) {
            Err(SnapshotError::Read { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    for at in (0..whole.len()).step_by(11) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x21;
        refused(&damaged);
        refused(&whole[..at]);
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(refused(&longer), "it goes on behind its end");
    assert_eq!(refused(b"PK\x03\x04 something else"), "it does not begin as one does");
    let mut later = whole.clone();
    later[11] = 2;
    assert_eq!(refused(&later), "it has the format 2, and this Klamm reads the format 1");
    assert!(Snapshot::load(folder.path().join("missing")).is_err());
    assert!(snapshot.save(folder.path().join("missing/s")).is_err());
}

use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::batch::{self, BuildOptions, Codec, RecordToWrite, build};
use uuid::Uuid;

use super::*;
use crate::backend::{OffsetSpec, SeekTo};
use crate::error::ErrorKind;
use crate::options::{IsolationLevel, OffsetReset};

const NODE: i32 = 1;

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn one(partition: &TopicPartition) -> &[TopicPartition] {
    std::slice::from_ref(partition)
}

fn leader(epoch: i32) -> Leader {
    Leader { node: NODE, epoch, topic_id: Uuid::from_u128(7) }
}

/// A partition to be fetched, for tests of what fetches.
pub(in crate::native::consumer) fn to_fetch(topic: &str, partition: i32, offset: i64) -> ToFetch {
    let key = Key { slot: 0, version: 1 };
    ToFetch { key, partition: tp(topic, partition), leader: leader(0), offset, max_bytes: 1000 }
}

fn options() -> ConsumerOptions {
    ConsumerOptions { auto_offset_reset: OffsetReset::Earliest, ..ConsumerOptions::default() }
}

/// A shelf that reads these partitions from offset 0 on.
fn reading(options: &ConsumerOptions, partitions: &[TopicPartition]) -> Shelf {
    let shelf = Shelf::new(options);
    shelf.add(partitions, Begin::Committed, false);
    shelf.set_leaders(|_| Some(leader(0)));
    for lookup in shelf.questions(Instant::now()) {
        assert_eq!(lookup.question, Question::Committed);
        shelf.found_committed(lookup.key, Some((0, NO_EPOCH)));
    }
    shelf
}

fn plan(shelf: &Shelf) -> Plan {
    shelf.plan(NODE, Instant::now())
}

/// A batch of `count` records from `base` on, each saying its offset.
fn bytes_of(base: i64, count: i64, codec: Codec) -> Bytes {
    let record = |offset: i64| RecordToWrite {
        key: Some(Bytes::from_static(b"k")),
        value: Some(Bytes::from(format!("value {offset}"))),
        headers: Vec::new(),
        timestamp: 1,
    };
    build(
        (base..base + count).map(record),
        &BuildOptions { base_offset: base, codec, ..BuildOptions::default() },
    )
}

fn chunk(base: i64, count: i64) -> Chunk {
    Chunk::of(batch::batches(&bytes_of(base, count, Codec::None)).next().unwrap(), true)
}

fn nothing(base: i64, count: i64) -> Chunk {
    Chunk::nothing(&batch::batches(&bytes_of(base, count, Codec::None)).next().unwrap())
}

fn fetched(from: i64, chunks: Vec<Chunk>) -> Fetched {
    Fetched { from, high_watermark: 100, last_stable_offset: 90, chunks }
}

/// Answers the fetch of a partition.
fn deliver(shelf: &Shelf, partition: &TopicPartition, chunks: Vec<Chunk>) {
    let plan = plan(shelf);
    let part = plan.parts.iter().find(|part| part.partition == *partition).expect("it is to be fetched");
    shelf.deliver(part.key, fetched(part.offset, chunks));
}

fn take_all(shelf: &Shelf) -> Vec<(TopicPartition, i64)> {
    let next = || shelf.try_next().map(|record| record.unwrap());
    std::iter::from_fn(next)
        .map(|record| (TopicPartition::new(record.topic, record.partition), record.offset))
        .collect()
}

fn next_of(shelf: &Shelf, partition: &TopicPartition) -> i64 {
    shelf.positions().iter().find(|(known, _)| known == partition).unwrap().1.next
}

#[test]
fn records_come_in_order_and_move_the_position() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    deliver(&shelf, &t, vec![chunk(0, 3), nothing(3, 2), chunk(5, 1), nothing(6, 1)]);
    assert_eq!(shelf.depth(), 4);
    assert_eq!(plan(&shelf).parts[0].offset, 7);
    let first = shelf.try_next().unwrap().unwrap();
    assert_eq!((first.offset, first.value.as_deref()), (0, Some(&b"value 0"[..])));
    assert_eq!((next_of(&shelf, &t), shelf.depth()), (1, 3));
    assert_eq!(take_all(&shelf).iter().map(|record| record.1).collect::<Vec<_>>(), [1, 2, 5]);
    // What has nothing for a reader counts as read.
    assert_eq!((next_of(&shelf, &t), shelf.depth()), (7, 0));
    let position = shelf.positions()[0].1;
    assert_eq!(position.lag, Some(93));
    let commits = shelf.to_commit(None);
    assert_eq!(
        (commits.len(), &commits[0].partition, commits[0].offset, commits[0].epoch),
        (1, &t, 7, NO_EPOCH)
    );
    assert!(shelf.still_here(&commits));
}

#[test]
fn what_was_fetched_before_a_seek_is_never_handed_out() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    deliver(&shelf, &t, vec![chunk(0, 3)]);
    let under_way = plan(&shelf).parts.remove(0);
    shelf.try_next().unwrap().unwrap();
    shelf.seek(None, SeekTo::Offset(1)).unwrap();
    assert!(shelf.try_next().is_none());
    shelf.deliver(under_way.key, fetched(3, vec![chunk(3, 3)]));
    assert!(shelf.try_next().is_none());
    // From the middle of a batch.
    deliver(&shelf, &t, vec![chunk(0, 3)]);
    assert_eq!(take_all(&shelf), [(t.clone(), 1), (t.clone(), 2)]);
    let error = shelf.seek(Some(&[tp("other", 0)]), SeekTo::Offset(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    // A seek that has to be looked up.
    let keys = shelf.seek(Some(one(&t)), SeekTo::Found(OffsetSpec::Latest)).unwrap();
    assert!(!shelf.are_placed(&keys) && plan(&shelf).parts.is_empty());
    let questions = shelf.questions(Instant::now());
    assert_eq!(questions[0].question, Question::Offset(OffsetSpec::Latest));
    assert!(shelf.questions(Instant::now()).is_empty(), "it is asked once");
    shelf.found_offset(questions[0].key, 50);
    assert!(shelf.are_placed(&keys));
    assert_eq!(next_of(&shelf, &t), 50);
}

#[test]
fn nothing_of_revoked_partitions_is_handed_out() {
    let (a, b) = (tp("t", 0), tp("t", 1));
    let shelf = reading(&options(), &[a.clone(), b.clone()]);
    deliver(&shelf, &a, vec![chunk(0, 3)]);
    deliver(&shelf, &b, vec![chunk(0, 1)]);
    let first = shelf.try_next().unwrap().unwrap();
    assert_eq!(first.partition, 0);
    shelf.stop(one(&a));
    assert_eq!(take_all(&shelf), [(b.clone(), 0)]);
    // Its position is there to be committed until it is removed.
    assert_eq!(shelf.to_commit(Some(one(&a)))[0].offset, 1);
    shelf.remove(one(&a));
    assert_eq!(shelf.assignment(), [b]);
    // It comes back: what was asked for before is not taken in.
    shelf.add(one(&a), Begin::Committed, true);
    assert!(shelf.questions(Instant::now()).is_empty(), "the listener comes first");
    shelf.release();
    assert_eq!(shelf.questions(Instant::now()).len(), 1);
}

#[test]
fn a_paused_partition_keeps_what_it_has() {
    let (a, b) = (tp("t", 0), tp("t", 1));
    let shelf = reading(&options(), &[a.clone(), b.clone()]);
    deliver(&shelf, &a, vec![chunk(0, 2)]);
    deliver(&shelf, &b, vec![chunk(0, 1)]);
    shelf.pause(Some(one(&a)));
    assert_eq!(take_all(&shelf), [(b.clone(), 0)]);
    assert_eq!(plan(&shelf).parts.iter().map(|part| part.partition.partition).collect::<Vec<_>>(), [1]);
    shelf.resume(None);
    assert_eq!(take_all(&shelf), [(a.clone(), 0), (a, 1)]);
    shelf.pause(None);
    shelf.add(&[tp("t", 2)], Begin::Reset, false);
    assert!(plan(&shelf).parts.is_empty());
    assert!(!shelf.taken().1);
}

#[test]
fn partitions_take_turns() {
    let (a, b) = (tp("t", 0), tp("t", 1));
    let shelf = reading(&options(), &[a.clone(), b.clone()]);
    deliver(&shelf, &a, vec![chunk(0, 2), chunk(2, 2)]);
    deliver(&shelf, &b, vec![chunk(0, 2), chunk(2, 2)]);
    let order: Vec<i32> = take_all(&shelf).iter().map(|(partition, _)| partition.partition).collect();
    assert_eq!(order, [0, 0, 1, 1, 0, 0, 1, 1]);
}

#[test]
fn a_full_partition_is_not_fetched_and_holds_up_nobody() {
    let (a, b) = (tp("t", 0), tp("t", 1));
    let options = ConsumerOptions { max_depth: 20, ..options() };
    let shelf = reading(&options, &[a.clone(), b.clone()]);
    deliver(&shelf, &a, vec![chunk(0, 8), chunk(8, 8), chunk(16, 8)]);
    // The third would have been too much: it is fetched again later.
    assert_eq!(shelf.depth(), 16);
    let now = plan(&shelf);
    assert!(now.held_back);
    assert_eq!(now.parts.iter().map(|part| part.partition.partition).collect::<Vec<_>>(), [1]);
    deliver(&shelf, &b, vec![chunk(0, 1)]);
    let taken = take_all(&shelf);
    assert_eq!(taken.len(), 17);
    assert_eq!(plan(&shelf).parts.iter().map(|part| part.offset).collect::<Vec<_>>(), [16, 1]);
}

#[test]
fn bytes_are_bounded_and_less_is_asked_for_as_they_fill_up() {
    let t = tp("t", 0);
    let options = ConsumerOptions { max_fetched_bytes: 1000, max_partition_fetch_bytes: 600, ..options() };
    let shelf = reading(&options, one(&t));
    let part = plan(&shelf).parts.remove(0);
    assert_eq!(part.max_bytes, 600);
    shelf.deliver(part.key, fetched(0, vec![chunk(0, 40)]));
    assert!(plan(&shelf).parts[0].max_bytes < 500);
    deliver(&shelf, &t, vec![chunk(40, 40), chunk(80, 40)]);
    assert_eq!(shelf.depth(), 80);
    assert!(plan(&shelf).parts.is_empty());
    assert_eq!(take_all(&shelf).len(), 80);
    assert_eq!(plan(&shelf).parts[0].offset, 80);
}

#[test]
fn compressed_batches_are_opened_when_they_are_reached() {
    let t = tp("t", 0);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let shelf = reading(&options(), one(&t));
        let packed = |ahead| Chunk::of(batch::batches(&bytes_of(0, 50, codec)).next().unwrap(), ahead);
        assert!(packed(false).size() < packed(true).size());
        deliver(&shelf, &t, vec![packed(false)]);
        assert_eq!(take_all(&shelf).len(), 50);
    }
}

#[test]
fn what_cannot_be_read_is_told_once_and_a_seek_goes_past_it() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    let mut bad = bytes_of(2, 3, Codec::None).to_vec();
    // The first record's length.
    bad[61] = 0x7f;
    let bad = Chunk::of(batch::batches(&bad.into()).next().unwrap(), true);
    deliver(&shelf, &t, vec![chunk(0, 2), bad, chunk(5, 1)]);
    assert_eq!(shelf.try_next().unwrap().unwrap().offset, 0);
    assert_eq!(shelf.try_next().unwrap().unwrap().offset, 1);
    let error = shelf.try_next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MalformedAnswer);
    assert!(error.to_string().contains("t-0 at offset 2"), "{error}");
    assert!(shelf.try_next().is_none() && plan(&shelf).parts.is_empty());
    assert_eq!(next_of(&shelf, &t), 2);
    shelf.seek(Some(one(&t)), SeekTo::Offset(5)).unwrap();
    deliver(&shelf, &t, vec![chunk(5, 1)]);
    assert_eq!(take_all(&shelf), [(t, 5)]);
}

#[test]
fn an_offset_that_is_gone_is_looked_up_once_all_before_it_has_been_handed_out() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    deliver(&shelf, &t, vec![chunk(0, 2)]);
    let part = plan(&shelf).parts.remove(0);
    let now = Instant::now();
    shelf.out_of_range(part.key, part.offset, now);
    assert_eq!(take_all(&shelf).len(), 2);
    shelf.out_of_range(part.key, part.offset, now);
    let questions = shelf.questions(now);
    assert_eq!(questions[0].question, Question::Offset(OffsetSpec::Earliest));
    shelf.found_offset(questions[0].key, 30);
    assert_eq!(plan(&shelf).parts[0].offset, 30);
}

#[test]
fn without_a_reset_it_is_an_error_told_once() {
    let t = tp("t", 0);
    let options = ConsumerOptions { auto_offset_reset: OffsetReset::None, ..options() };
    let shelf = reading(&options, one(&t));
    let part = plan(&shelf).parts.remove(0);
    shelf.out_of_range(part.key, 0, Instant::now());
    shelf.out_of_range(part.key, 0, Instant::now());
    assert_eq!(shelf.try_next().unwrap().unwrap_err().kind(), ErrorKind::OffsetOutOfRange);
    assert!(shelf.try_next().is_none());
    let fresh = Shelf::new(&options);
    fresh.add(&[t], Begin::Committed, false);
    let questions = fresh.questions(Instant::now());
    fresh.found_committed(questions[0].key, None);
    assert_eq!(fresh.try_next().unwrap().unwrap_err().kind(), ErrorKind::OffsetOutOfRange);
}

#[test]
fn a_new_leader_is_asked_whether_it_has_what_was_read() {
    let t = tp("t", 0);
    let epoch_3 = |base, count| {
        let options = BuildOptions { base_offset: base, leader_epoch: 3, ..BuildOptions::default() };
        let record = RecordToWrite { key: None, value: None, headers: Vec::new(), timestamp: 0 };
        let bytes = build(std::iter::repeat_n(record, count), &options);
        Chunk::of(batch::batches(&bytes).next().unwrap(), true)
    };
    let changed = || {
        let shelf = reading(&options(), one(&t));
        deliver(&shelf, &t, vec![epoch_3(0, 4)]);
        assert!(shelf.try_next().unwrap().is_ok());
        shelf.set_leaders(|_| Some(leader(4)));
        let mut questions = shelf.questions(Instant::now());
        let lookup = questions.remove(0);
        assert_eq!(lookup.question, Question::EndOfEpoch(3));
        assert!(plan(&shelf).parts.is_empty());
        (shelf, lookup.key)
    };
    let (shelf, key) = changed();
    shelf.found_end_of_epoch(key, Some(4));
    assert_eq!((plan(&shelf).parts[0].offset, shelf.depth()), (4, 3));
    // Part of what waits was cut.
    let (shelf, key) = changed();
    shelf.found_end_of_epoch(key, Some(2));
    assert_eq!((plan(&shelf).parts[0].offset, shelf.depth()), (1, 0));
    // What was handed out was cut.
    let (shelf, key) = changed();
    shelf.found_end_of_epoch(key, Some(0));
    assert_eq!(plan(&shelf).parts[0].offset, 0);
    let (shelf, key) = changed();
    shelf.found_end_of_epoch(key, None);
    assert_eq!(shelf.questions(Instant::now())[0].question, Question::Offset(OffsetSpec::Earliest));
}

#[test]
fn a_replica_near_by_is_fetched_from_until_it_fails() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    let (part, now) = (plan(&shelf).parts.remove(0), Instant::now());
    shelf.prefer(part.key, 9, now + Duration::from_secs(60));
    assert!(plan(&shelf).parts.is_empty());
    assert_eq!(shelf.nodes(now).into_iter().collect::<Vec<_>>(), [9]);
    // It is behind: the leader is asked.
    shelf.out_of_range(part.key, 0, now);
    assert_eq!(plan(&shelf).parts.len(), 1);
    shelf.prefer(part.key, 9, now);
    assert_eq!(plan(&shelf).parts.len(), 1, "its time is over");
}

#[test]
fn lag_counts_up_to_what_a_reader_may_see() {
    let t = tp("t", 0);
    let options = ConsumerOptions { isolation_level: IsolationLevel::ReadCommitted, ..options() };
    let shelf = reading(&options, one(&t));
    assert_eq!(shelf.positions()[0].1.lag, None);
    deliver(&shelf, &t, Vec::new());
    assert_eq!(shelf.positions()[0].1.lag, Some(90));
}

#[test]
fn what_is_committed_is_not_committed_again() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    assert!(shelf.to_commit(None).is_empty());
    deliver(&shelf, &t, vec![chunk(0, 2)]);
    assert!(shelf.to_commit(None).is_empty(), "nothing was handed out");
    take_all(&shelf);
    assert_eq!(shelf.to_commit(None)[0].offset, 2);
    shelf.set_committed(&t, 2);
    assert!(shelf.to_commit(None).is_empty());
}

#[test]
fn a_partition_that_rests_is_left_alone() {
    let t = tp("t", 0);
    let shelf = reading(&options(), one(&t));
    let (part, now) = (plan(&shelf).parts.remove(0), Instant::now());
    shelf.rest(part.key, now + Duration::from_secs(1));
    let resting = shelf.plan(NODE, now);
    assert!(resting.parts.is_empty() && resting.again_at.is_some());
    assert_eq!(shelf.plan(NODE, now + Duration::from_secs(2)).parts.len(), 1);
}

use super::*;
use crate::backend::{OffsetSpec, SeekTo};
use crate::error::ErrorKind;

#[test]
fn seeking_takes_effect_at_once_and_does_not_wait_for_a_fetch_under_way() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(10));
    let lazy = ConsumerOptions { fetch_max_wait: PATIENCE, ..manual("g") };
    let consumer = bed.member(lazy, &["t"], None);
    take(&consumer, 10);
    block_on(consumer.seek(None, SeekTo::Offset(4))).unwrap();
    assert_eq!(take(&consumer, 6)[0].offset, 4);
    block_on(consumer.seek(Some(vec![tp("t", 0)]), SeekTo::Found(OffsetSpec::Earliest))).unwrap();
    assert_eq!(next(&consumer).unwrap().offset, 0);
    drop(consumer.seek(None, SeekTo::Found(OffsetSpec::Latest)));
    assert!(consumer.try_next().is_none());
    wait_until("it stands at the end", || consumer.positions().first().is_some_and(|(_, at)| at.next == 10));
    let error = block_on(consumer.seek(Some(vec![tp("t", 7)]), SeekTo::Offset(0))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn offsets_are_found_by_time_and_at_the_ends() {
    let bed = Bed::new(&[("t", 2)]);
    bed.produce("t", 0, &values(5));
    let consumer = bed.member(manual("g"), &["t"], None);
    let both = || vec![tp("t", 0), tp("t", 1)];
    let found = |spec| {
        let found = block_on(consumer.offsets(both(), spec)).unwrap();
        found.into_iter().map(|(_, offset)| offset).collect::<Vec<_>>()
    };
    assert_eq!(found(OffsetSpec::Earliest), [Some(0), Some(0)]);
    assert_eq!(found(OffsetSpec::Latest), [Some(5), Some(0)]);
    assert_eq!(found(OffsetSpec::AtTime(900)), [Some(0), None]);
    assert_eq!(found(OffsetSpec::AtTime(2000)), [None, None]);
    close(&consumer);
}

#[test]
fn a_seek_to_a_time_behind_all_records_waits_for_what_comes() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(5));
    let consumer = bed.member(manual("g"), &["t"], None);
    take(&consumer, 1);
    block_on(consumer.seek(None, SeekTo::Found(OffsetSpec::AtTime(5000)))).unwrap();
    assert_eq!(consumer.positions()[0].1.next, 5);
    close(&consumer);
}

#[test]
fn a_paused_partition_hands_out_nothing_until_it_is_resumed() {
    let bed = Bed::new(&[("t", 2)]);
    bed.produce("t", 0, &values(3));
    let consumer = bed.member(manual("g"), &["t"], None);
    take(&consumer, 3);
    consumer.pause(Some(&[tp("t", 0)]));
    bed.produce("t", 0, &values(1));
    bed.produce("t", 1, &values(1));
    assert_eq!(next(&consumer).unwrap().partition, 1);
    assert!(consumer.try_next().is_none());
    consumer.resume(None);
    assert_eq!(next(&consumer).unwrap().offset, 3);
    close(&consumer);
}

#[test]
fn lag_is_known() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(5));
    let consumer = bed.member(manual("g"), &["t"], None);
    take(&consumer, 2);
    let (partition, position) = consumer.positions().remove(0);
    assert_eq!((partition, position.next, position.lag), (tp("t", 0), 2, Some(3)));
    close(&consumer);
}

#[test]
fn an_offset_that_does_not_exist_is_reset() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(5));
    let consumer = bed.member(manual("g"), &["t"], None);
    take(&consumer, 5);
    block_on(consumer.seek(None, SeekTo::Offset(100))).unwrap();
    assert_eq!(next(&consumer).unwrap().offset, 0);
    close(&consumer);
    let none = ConsumerOptions { auto_offset_reset: OffsetReset::None, ..manual("other") };
    let consumer = bed.member(none, &["t"], None);
    assert_eq!(next(&consumer).unwrap_err().kind(), ErrorKind::OffsetOutOfRange);
    assert!(consumer.try_next().is_none());
    block_on(consumer.seek(None, SeekTo::Offset(2))).unwrap();
    assert_eq!(next(&consumer).unwrap().offset, 2);
    close(&consumer);
}

#[test]
fn who_begins_at_the_end_sees_only_what_comes() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(5));
    let latest = ConsumerOptions { auto_offset_reset: OffsetReset::Latest, ..options("g") };
    let consumer = bed.member(latest, &["t"], None);
    wait_until("it has a position", || consumer.positions().len() == 1);
    bed.produce("t", 0, &values(1));
    assert_eq!(next(&consumer).unwrap().offset, 5);
    close(&consumer);
}

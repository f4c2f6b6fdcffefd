//! The records' bytes, against Kafka's schemas, and against lies.

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::record::{GroupRecord, GroupValue, MemberValue, OffsetValue, RecordError};
use super::{Bench, join};
use crate::coordinator::journal::JournalRecord;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn offset(expire_timestamp: Option<i64>) -> GroupRecord {
    let value = OffsetValue {
        offset: 5,
        leader_epoch: if expire_timestamp.is_some() { -1 } else { 7 },
        metadata: "md".to_owned(),
        commit_timestamp: 9,
        expire_timestamp,
        topic_id: if expire_timestamp.is_some() { Uuid::nil() } else { Uuid::from_u128(0xab) },
    };
    GroupRecord::Offset { group: "g".to_owned(), topic: "tt".to_owned(), partition: 3, value: Some(value) }
}

#[test]
fn a_committed_offset_is_key_1_and_value_4() {
    let record = offset(None).encode().unwrap();
    assert_eq!(hex(&record.key), "0001000167000274740000 0003".replace(' ', ""));
    assert_eq!(
        hex(&record.value.clone().unwrap()),
        "0004 0000000000000005 00000007 036d64 0000000000000009 01 00 10 000000000000000000000000000000ab"
            .replace(' ', "")
    );
    assert_eq!(GroupRecord::decode(&record), Ok(offset(None)));
}

#[test]
fn offsets_that_older_brokers_wrote_are_read() {
    let key = offset(None).encode().unwrap().key;
    let value = Bytes::from_static(b"\0\x03\0\0\0\0\0\0\0\x05\0\0\0\x07\0\x02md\0\0\0\0\0\0\0\x09");
    let Ok(GroupRecord::Offset { value: Some(value), .. }) =
        GroupRecord::decode(&JournalRecord { key, value: Some(value) })
    else {
        panic!("not an offset")
    };
    assert_eq!((value.offset, value.leader_epoch, value.metadata.as_str()), (5, 7, "md"));
    assert!(value.topic_id.is_nil());
}

#[test]
fn one_with_an_expiry_of_its_own_is_value_1() {
    let record = offset(Some(11)).encode().unwrap();
    assert_eq!(
        hex(&record.value.clone().unwrap()),
        "0001 0000000000000005 00026d64 0000000000000009 000000000000000b".replace(' ', "")
    );
    assert_eq!(GroupRecord::decode(&record), Ok(offset(Some(11))));
}

fn group() -> GroupRecord {
    let member = MemberValue {
        member_id: "m".to_owned(),
        instance_id: None,
        client_id: "c".to_owned(),
        client_host: "/h".to_owned(),
        rebalance_timeout_ms: 2,
        session_timeout_ms: 1,
        subscription: Bytes::from("s"),
        assignment: Bytes::from("aa"),
    };
    let value = GroupValue {
        protocol_type: "consumer".to_owned(),
        generation: 4,
        protocol: Some("range".to_owned()),
        leader: Some("m".to_owned()),
        state_timestamp: 6,
        members: vec![member],
    };
    GroupRecord::Group { group: "g".to_owned(), value: Some(value) }
}

#[test]
fn group_metadata_is_key_2_and_value_3() {
    let record = group().encode().unwrap();
    assert_eq!(hex(&record.key), "0002000167");
    let expected = "0003 0008636f6e73756d6572 00000004 000572616e6765 00016d 0000000000000006 00000001 \
                    00016d ffff 000163 00022f68 00000002 00000001 0000000173 000000026161";
    assert_eq!(hex(&record.value.clone().unwrap()), expected.replace(' ', ""));
    assert_eq!(GroupRecord::decode(&record), Ok(group()));
}

#[test]
fn flexible_values_of_later_versions_are_read() {
    // Version 4: compact strings and arrays, tagged fields behind each structure.
    let value = "0004 09636f6e73756d6572 00000004 0672616e6765 026d 0000000000000006 02 \
                 026d 00 0263 032f68 00000002 00000001 0273 036161 00 00";
    let value: String = value.split_whitespace().collect();
    let bytes: Vec<u8> =
        (0..value.len()).step_by(2).map(|i| u8::from_str_radix(&value[i..i + 2], 16).unwrap()).collect();
    let key = group().encode().unwrap().key;
    let record = JournalRecord { key, value: Some(Bytes::from(bytes)) };
    assert_eq!(GroupRecord::decode(&record), Ok(group()));
}

#[test]
fn unknown_kinds_are_told_from_broken_ones() {
    let decode = |key: &'static [u8]| {
        GroupRecord::decode(&JournalRecord { key: Bytes::from_static(key), value: None })
    };
    assert_eq!(decode(b"\0\x03\0\x01g"), Err(RecordError::Unknown));
    assert_eq!(decode(b"\0\x02\0\x09g"), Err(RecordError::Malformed));
    assert_eq!(decode(b""), Err(RecordError::Malformed));
    let long = GroupRecord::Group { group: "x".repeat(40_000), value: None };
    assert_eq!(long.encode(), Err(RecordError::TooLong));
}

#[test]
fn a_restart_brings_back_the_last_stable_generation() {
    let mut bench = Bench::new();
    let (id, generation) = bench.stable_alone();
    bench.start_join(join(""));
    let restarted = bench.restarted();
    assert_eq!(restarted.state().name(), "Stable");
    assert_eq!((restarted.generation(), restarted.leader()), (generation, Some(id.as_str())));
    assert_eq!(restarted.protocol(), Some("range"));
    assert_eq!(restarted.members().next().unwrap().assignment, Bytes::from("all"));
    assert!(restarted.is_subscribed_to("t") && !restarted.is_subscribed_to("u"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_fall_over(key in prop::collection::vec(any::<u8>(), 0..64),
                                           value in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = GroupRecord::decode(&JournalRecord { key: key.into(), value: Some(value.into()) });
    }

    #[test]
    fn no_damage_to_a_value_makes_the_decoder_fall_over(at in 0usize..80, to in any::<u8>()) {
        let mut record = group().encode().unwrap();
        let mut value = record.value.take().unwrap().to_vec();
        if let Some(byte) = value.get_mut(at) { *byte = to; }
        record.value = Some(value.into());
        let _ = GroupRecord::decode(&record);
    }

    #[test]
    fn what_is_written_is_read(group in ".{0,20}", topic in "[a-z]{1,9}", partition in any::<i32>(),
                               offset in any::<i64>(), metadata in ".{0,40}", expire in prop::option::of(0i64..)) {
        let value = OffsetValue {
            offset, metadata, commit_timestamp: 1, expire_timestamp: expire, topic_id: Uuid::nil(),
            leader_epoch: if expire.is_some() { -1 } else { 5 },
        };
        let record = GroupRecord::Offset { group, topic, partition, value: Some(value) };
        prop_assert_eq!(GroupRecord::decode(&record.encode().unwrap()), Ok(record));
    }
}

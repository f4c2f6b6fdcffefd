//! What members of a group tell each other through JoinGroup and SyncGroup: the `consumer` protocol, versions 0 to 3.
//!
//! A subscription is a version (i16), topics, user data, and from version 1 on the partitions that are owned, from 2 on the
//! generation that they are owned in, from 3 on a rack. An assignment is a version, partitions by topic, and user data.
//! The sticky assignors keep in their user data what older versions have no fields for.
//!
//! What is read here was written by other members, through whatever library: no count and no length is believed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::record::TopicPartition;

/// The version that is written. Readers of older versions ignore what follows the fields that they know.
const SUBSCRIPTION_VERSION: i16 = 3;
const ASSIGNMENT_VERSION: i16 = 3;

/// Stands for no generation.
pub(super) const NO_GENERATION: i32 = -1;

/// What a member asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topics: Vec<Arc<str>>,
    pub(super) user_data: Option<Bytes>,
    pub(super) owned: Vec<TopicPartition>,
    pub(super) generation: i32,
    pub(super) rack: Option<String>,
}

impl Subscription {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_i16(SUBSCRIPTION_VERSION);
        put_count(&mut out, self.topics.len());
        for topic in &self.topics {
            put_string(&mut out, topic);
        }
        put_nullable_bytes(&mut out, self.user_data.as_deref());
        put_partitions(&mut out, &self.owned);
        out.put_i32(self.generation);
        match &self.rack {
            Some(rack) => put_string(&mut out, rack),
            None => out.put_i16(-1),
        }
        out.freeze()
    }

    /// None if the bytes are no subscription.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let mut from = bytes.clone();
        let version = from.try_get_i16().ok().filter(|version| *version >= 0)?;
        let topics = take_many(&mut from, 2, take_string)?;
        let user_data = take_nullable_bytes(&mut from)?;
        let owned = if version >= 1 { take_partitions(&mut from)? } else { Vec::new() };
        let generation = if version >= 2 { from.try_get_i32().ok()? } else { NO_GENERATION };
        let rack = if version >= 3 { take_nullable_string(&mut from)? } else { None };
        let rack = rack.map(|rack| rack.to_string());
        Some(Subscription { topics, user_data, owned, generation, rack })
    }
}

/// What a member gets.
pub(super) fn encode_assignment(partitions: &[TopicPartition]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(ASSIGNMENT_VERSION);
    put_partitions(&mut out, partitions);
    put_nullable_bytes(&mut out, None);
    out.freeze()
}

/// None if the bytes are no assignment. No bytes at all are an assignment of nothing.
pub(super) fn decode_assignment(bytes: &Bytes) -> Option<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let mut from = bytes.clone();
    from.try_get_i16().ok().filter(|version| *version >= 0)?;
    take_partitions(&mut from)
}

/// The sticky assignor's user data: what the member had last, and in which generation.
pub(super) fn encode_sticky(last: &[TopicPartition], generation: i32) -> Bytes {
    let mut out = BytesMut::new();
    put_partitions(&mut out, last);
    out.put_i32(generation);
    out.freeze()
}

/// Reads the sticky assignor's user data, with or without a generation. None if it is neither.
pub(super) fn decode_sticky(bytes: &Bytes) -> Option<(Vec<TopicPartition>, i32)> {
    let mut from = bytes.clone();
    let last = take_partitions(&mut from)?;
    Some((last, from.try_get_i32().unwrap_or(NO_GENERATION)))
}

/// The cooperative sticky assignor's user data: the generation.
pub(super) fn encode_cooperative(generation: i32) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

/// The generation in a cooperative sticky assignor's user data; librdkafka writes the sticky assignor's.
pub(super) fn decode_cooperative(bytes: &Bytes) -> i32 {
    match <[u8; 4]>::try_from(&**bytes) {
        Ok(generation) => i32::from_be_bytes(generation),
        Err(_) => decode_sticky(bytes).map_or(NO_GENERATION, |(_, generation)| generation),
    }
}

/// A count of what this client holds in memory.
fn put_count(out: &mut BytesMut, count: usize) {
    out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

/// Names of topics are of at most 249 bytes; racks come from the config.
fn put_string(out: &mut BytesMut, text: &str) {
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    out.put_i16(length);
    out.put_slice(text.as_bytes().get(..length as usize).unwrap_or_default());
}

fn put_nullable_bytes(out: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_count(out, bytes.len());
            out.put_slice(bytes);
        }
        None => out.put_i32(-1),
    }
}

/// Partitions by topic: topics in the order of their names, partitions in the order that they come in.
fn put_partitions(out: &mut BytesMut, partitions: &[TopicPartition]) {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().push(partition.partition);
    }
    put_count(out, by_topic.len());
    for (topic, partitions) in by_topic {
        put_string(out, topic);
        put_count(out, partitions.len());
        for partition in partitions {
            out.put_i32(partition);
        }
    }
}

/// A counted list, of elements that take at least `least` bytes.
fn take_many<T>(from: &mut Bytes, least: usize, take: impl Fn(&mut Bytes) -> Option<T>) -> Option<Vec<T>> {
    let count = from.try_get_i32().ok()?;
    // A null list is an empty one.
    let count = usize::try_from(count.max(0)).ok()?;
    if count > from.len() / least {
        return None;
    }
    (0..count).map(|_| take(from)).collect()
}

fn take_string(from: &mut Bytes) -> Option<Arc<str>> {
    take_nullable_string(from)?
}

fn take_nullable_string(from: &mut Bytes) -> Option<Option<Arc<str>>> {
    let Ok(length) = usize::try_from(from.try_get_i16().ok()?) else { return Some(None) };
    if length > from.len() {
        return None;
    }
    let text = from.split_to(length);
    Some(Some(Arc::from(std::str::from_utf8(&text).ok()?)))
}

fn take_nullable_bytes(from: &mut Bytes) -> Option<Option<Bytes>> {
    let Ok(length) = usize::try_from(from.try_get_i32().ok()?) else { return Some(None) };
    (length <= from.len()).then(|| Some(from.split_to(length)))
}

fn take_partitions(from: &mut Bytes) -> Option<Vec<TopicPartition>> {
    let topics = take_many(from, 6, |from| {
        let topic = take_string(from)?;
        let numbers = take_many(from, 4, |from| from.try_get_i32().ok())?;
        Some((topic, numbers))
    })?;
    let of = |(topic, numbers): (Arc<str>, Vec<i32>)| {
        numbers.into_iter().map(move |number| TopicPartition { topic: Arc::clone(&topic), partition: number })
    };
    Some(topics.into_iter().flat_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(topic: &str, number: i32) -> TopicPartition {
        TopicPartition::new(topic, number)
    }

    #[test]
    fn a_subscription_is_written_byte_by_byte_as_java_does() {
        let subscription = Subscription {
            topics: vec![Arc::from("a"), Arc::from("bc")],
            user_data: Some(Bytes::from_static(b"xy")),
            owned: vec![partition("a", 0), partition("bc", 1), partition("a", 2)],
            generation: 7,
            rack: Some("r".to_owned()),
        };
        let bytes = subscription.encode();
        let expected: &[u8] = &[
            0, 3, // version
            0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c', // topics
            0, 0, 0, 2, b'x', b'y', // user data
            0, 0, 0, 2, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, // owned of a
            0, 2, b'b', b'c', 0, 0, 0, 1, 0, 0, 0, 1, // owned of bc
            0, 0, 0, 7, // generation
            0, 1, b'r', // rack
        ];
        assert_eq!(&bytes[..], expected);
        let mut read = Subscription::decode(&bytes).unwrap();
        read.owned.sort();
        let mut written = subscription;
        written.owned.sort();
        assert_eq!(read, written);
    }

    #[test]
    fn older_versions_are_read() {
        let version_0 = Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff]);
        let read = Subscription::decode(&version_0).unwrap();
        assert_eq!(read.topics, [Arc::from("a")]);
        assert_eq!((read.user_data, read.generation, read.rack), (None, NO_GENERATION, None));
        let version_1 = Bytes::from_static(&[
            0, 1, 0, 0, 0, 1, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff, // as before
            0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 5,
        ]);
        assert_eq!(Subscription::decode(&version_1).unwrap().owned, [partition("a", 5)]);
        let mut version_2 = version_1.to_vec();
        version_2[1] = 2;
        version_2.extend([0, 0, 0, 9]);
        assert_eq!(Subscription::decode(&version_2.into()).unwrap().generation, 9);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let mut bytes = Subscription {
            topics: vec![Arc::from("a")],
            user_data: None,
            owned: Vec::new(),
            generation: 3,
            rack: None,
        }
        .encode()
        .to_vec();
        bytes[1] = 9;
        bytes.extend(b"what comes later");
        assert_eq!(Subscription::decode(&bytes.into()).unwrap().generation, 3);
    }

    #[test]
    fn counts_that_lie_are_not_believed() {
        for bytes in [
            &[0, 3, 0x7f, 0xff, 0xff, 0xff][..],
            &[0, 3, 0, 0, 0, 1, 0x7f, 0xff, b'a'],
            &[0, 3, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
            &[0, 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x10, 0, 0, 0],
            &[0xff, 0xff, 0, 0],
            &[0],
        ] {
            assert_eq!(Subscription::decode(&Bytes::copy_from_slice(bytes)), None, "{bytes:?}");
        }
        assert_eq!(decode_assignment(&Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff])), None);
        assert_eq!(decode_sticky(&Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0])), None);
    }

    #[test]
    fn an_assignment_is_written_byte_by_byte_as_java_does() {
        let bytes = encode_assignment(&[partition("t", 1), partition("t", 0)]);
        let expected: &[u8] =
            &[0, 3, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(&bytes[..], expected);
        assert_eq!(decode_assignment(&bytes).unwrap(), [partition("t", 1), partition("t", 0)]);
        assert_eq!(decode_assignment(&Bytes::new()), Some(Vec::new()));
    }

    #[test]
    fn user_data_of_the_sticky_assignors() {
        let bytes = encode_sticky(&[partition("t", 4)], 6);
        assert_eq!(&bytes[..], [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 6]);
        assert_eq!(decode_sticky(&bytes), Some((vec![partition("t", 4)], 6)));
        // The first version had no generation.
        assert_eq!(decode_sticky(&bytes.slice(..15)), Some((vec![partition("t", 4)], NO_GENERATION)));
        assert_eq!(decode_cooperative(&encode_cooperative(8)), 8);
        assert_eq!(decode_cooperative(&bytes), 6);
        assert_eq!(decode_cooperative(&Bytes::new()), NO_GENERATION);
    }
}

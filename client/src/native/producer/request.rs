//! Produce requests as bytes: the batches are copied once, straight behind their heads.

use bytes::{BufMut, BytesMut};

use super::engine::Part;
use crate::options::Acks;

/// The newest version that is sent: the last that names topics by their names.
pub(super) const NEWEST: i16 = 12;

/// From this version on lengths are variable and fields may be tagged.
const FLEXIBLE: i16 = 9;

/// From this version on batches may be compressed with Zstandard.
pub(super) const ZSTD: i16 = 7;

/// Bytes around a batch, beside its topic's name.
const AROUND: usize = 32;

/// How many bytes the body has at the most.
pub(super) fn capacity(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.bytes.len() + part.topic.len() + AROUND).sum::<usize>() + AROUND
}

/// Writes the body of a request. Parts of a topic stand together.
pub(super) fn write(
    out: &mut BytesMut,
    version: i16,
    acks: Acks,
    timeout_ms: i32,
    parts: &[Part],
) -> Result<(), String> {
    let flexible = version >= FLEXIBLE;
    // No transactional id.
    if flexible {
        out.put_u8(0)
    } else {
        out.put_i16(-1)
    }
    out.put_i16(match acks {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => -1,
    });
    out.put_i32(timeout_ms);
    let topics = || parts.chunk_by(|one, next| one.topic == next.topic);
    put_count(out, flexible, topics().count())?;
    for of_topic in topics() {
        let name = of_topic.first().map_or("", |part| &part.topic);
        match i16::try_from(name.len()) {
            Ok(_) if flexible => put_unsigned(out, name.len() + 1)?,
            Ok(length) => out.put_i16(length),
            Err(_) => return Err(format!("a topic's name has {} bytes", name.len())),
        }
        out.put_slice(name.as_bytes());
        put_count(out, flexible, of_topic.len())?;
        for part in of_topic {
            out.put_i32(part.partition);
            put_count(out, flexible, part.bytes.len())?;
            out.put_slice(&part.bytes);
            put_no_tags(out, flexible);
        }
        put_no_tags(out, flexible);
    }
    put_no_tags(out, flexible);
    Ok(())
}

fn put_no_tags(out: &mut BytesMut, flexible: bool) {
    if flexible {
        out.put_u8(0);
    }
}

/// A count of elements or bytes.
fn put_count(out: &mut BytesMut, flexible: bool, count: usize) -> Result<(), String> {
    if flexible {
        return put_unsigned(out, count + 1);
    }
    out.put_i32(i32::try_from(count).map_err(|_| too_many(count))?);
    Ok(())
}

fn put_unsigned(out: &mut BytesMut, value: usize) -> Result<(), String> {
    let mut value = u32::try_from(value).map_err(|_| too_many(value))?;
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
    Ok(())
}

fn too_many(count: usize) -> String {
    format!("{count} does not fit into a request")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    use kafka_protocol::messages::{ProduceRequest, TopicName};
    use kafka_protocol::protocol::{Encodable, StrBytes};

    use super::*;

    #[test]
    fn it_is_what_the_schema_says() {
        let part = |topic: &str, partition, size| Part {
            topic: Arc::from(topic),
            partition,
            bytes: Bytes::from(vec![7; size]),
        };
        let parts = [part("a", 0, 3), part("a", 9, 0), part("some topic", 1, 300), part("z", 2, 20_000)];
        for version in 3..=NEWEST {
            let mut topics: Vec<TopicProduceData> = Vec::new();
            for part in &parts {
                let name = TopicName(StrBytes::from_string(part.topic.to_string()));
                if topics.last().is_none_or(|topic| topic.name != name) {
                    topics.push(TopicProduceData::default().with_name(name));
                }
                let data = PartitionProduceData::default()
                    .with_index(part.partition)
                    .with_records(Some(part.bytes.clone()));
                topics.last_mut().unwrap().partition_data.push(data);
            }
            let expected =
                ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(topics);
            let (mut told, mut written) = (BytesMut::new(), BytesMut::new());
            expected.encode(&mut told, version).unwrap();
            write(&mut written, version, Acks::All, 30_000, &parts).unwrap();
            assert_eq!(written, told, "version {version}");
            assert!(capacity(&parts) >= written.len());
        }
    }
}

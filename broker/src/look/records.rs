//! Records of a topic, decoded from its log.

use bytes::Bytes;
use klamm_storage::batch::{self, Batch};
use klamm_storage::{Log, ReadUpTo};
use serde::{Deserialize, Serialize};

use crate::state::BrokerState;

/// What records may take that are looked at in one call, keys, values and headers together.
pub const MAX_LOOKED_BYTES: usize = 256 * 1024 * 1024;

/// How much of a log is read in one step.
const STEP_BYTES: usize = 1024 * 1024;

/// A record as it lies in its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Record {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since 1970, or -1.
    pub timestamp_ms: i64,
    /// Its key, where it has one. In JSON a string, or `{"base64": …}` where the bytes are no text.
    #[serde(with = "text::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<text::Text>"))]
    pub key: Option<Bytes>,
    /// Its value; none in a tombstone. In JSON as the key.
    #[serde(with = "text::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<text::Text>"))]
    pub value: Option<Bytes>,
    /// Its headers, in order.
    #[serde(with = "text::headers")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<(String, Option<text::Text>)>"))]
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// The key as text, where it has one that is text.
    pub fn key_text(&self) -> Option<&str> {
        self.key.as_deref().and_then(|key| std::str::from_utf8(key).ok())
    }

    /// The value as text, where it has one that is text.
    pub fn value_text(&self) -> Option<&str> {
        self.value.as_deref().and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// Why records cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// There is no such topic.
    #[error("there is no topic '{0}'")]
    NoTopic(String),
    /// The topic has no such partition.
    #[error("the topic '{0}' has no partition {1}")]
    NoPartition(String, i32),
    /// What is there cannot be read.
    #[error("{topic}-{partition} cannot be read at offset {offset}: {why}")]
    Unreadable {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Where.
        offset: i64,
        /// What was found.
        why: String,
    },
    /// There is too much to be looked at at once.
    #[error(
        "the records of '{0}' take more than {MAX_LOOKED_BYTES} bytes; look at them in parts with records_from"
    )]
    TooMuch(String),
}

/// All records of a topic.
pub(super) fn all(state: &BrokerState, name: &str) -> Result<Vec<Record>, LookError> {
    let topic = state.topics.get(name).ok_or_else(|| LookError::NoTopic(name.to_owned()))?;
    let mut reading = Reading { records: Vec::new(), count: usize::MAX, bytes: 0 };
    for partition in topic.partitions() {
        reading.read(partition.log(), 0)?;
    }
    Ok(reading.records)
}

/// Records of a partition.
pub(super) fn from(
    state: &BrokerState,
    name: &str,
    index: i32,
    offset: i64,
    count: usize,
) -> Result<Vec<Record>, LookError> {
    let topic = state.topics.get(name).ok_or_else(|| LookError::NoTopic(name.to_owned()))?;
    let partition = topic.partition(index).ok_or_else(|| LookError::NoPartition(name.to_owned(), index))?;
    let mut reading = Reading { records: Vec::new(), count, bytes: 0 };
    reading.read(partition.log(), offset)?;
    Ok(reading.records)
}

struct Reading {
    records: Vec<Record>,
    count: usize,
    bytes: usize,
}

impl Reading {
    fn read(&mut self, log: &Log, from: i64) -> Result<(), LookError> {
        let mut offset = from.max(log.log_start_offset());
        while offset < log.high_watermark() && self.records.len() < self.count {
            let before = offset;
            let unreadable = |why: String| {
                let (topic, partition) = (log.topic().to_owned(), log.partition());
                LookError::Unreadable { topic, partition, offset: before, why }
            };
            let read = log.read(offset, STEP_BYTES, true, ReadUpTo::HighWatermark);
            let read = read.map_err(|error| unreadable(error.to_string()))?;
            for batch in batch::batches(&read.records) {
                if !batch.header.is_control() {
                    self.take(log, &batch, before).map_err(unreadable)?;
                }
                offset = offset.max(batch.header.last_offset().saturating_add(1));
            }
            if self.bytes > MAX_LOOKED_BYTES {
                return Err(LookError::TooMuch(log.topic().to_owned()));
            }
            if offset == before {
                return Err(unreadable("there is no whole batch".to_owned()));
            }
        }
        Ok(())
    }

    /// The batch that holds an offset may begin before it.
    fn take(&mut self, log: &Log, batch: &Batch, from: i64) -> Result<(), String> {
        for record in batch::records(batch).map_err(|error| error.to_string())? {
            if record.offset < from || self.records.len() >= self.count {
                continue;
            }
            let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
            let headers: usize = record.headers.iter().map(|(name, value)| name.len() + length(value)).sum();
            self.bytes += size_of::<Record>() + length(&record.key) + length(&record.value) + headers;
            self.records.push(Record {
                partition: log.partition(),
                offset: record.offset,
                timestamp_ms: record.timestamp,
                key: record.key,
                value: record.value,
                headers: record.headers,
            });
        }
        Ok(())
    }
}

/// Bytes in JSON: text as a string, and what is no text as `{"base64": …}`.
mod text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[serde(untagged)]
    pub(super) enum Text {
        Plain(String),
        Encoded { base64: String },
    }

    fn to_text(bytes: &Bytes) -> Text {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Plain(text.to_owned()),
            Err(_) => Text::Encoded { base64: STANDARD.encode(bytes) },
        }
    }

    fn from_text<E: serde::de::Error>(text: Text) -> Result<Bytes, E> {
        match text {
            Text::Plain(text) => Ok(Bytes::from(text)),
            Text::Encoded { base64 } => STANDARD.decode(base64).map(Bytes::from).map_err(E::custom),
        }
    }

    /// Bytes that may be missing.
    pub(super) mod optional {
        use super::*;

        pub(in crate::look) fn serialize<S: Serializer>(
            bytes: &Option<Bytes>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            bytes.as_ref().map(to_text).serialize(to)
        }

        pub(in crate::look) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Bytes>, D::Error> {
            Option::<Text>::deserialize(from)?.map(from_text).transpose()
        }
    }

    /// Headers: a list of pairs.
    pub(super) mod headers {
        use super::*;

        type Headers = Vec<(String, Option<Bytes>)>;

        pub(in crate::look) fn serialize<S: Serializer>(headers: &Headers, to: S) -> Result<S::Ok, S::Error> {
            let pairs = headers.iter().map(|(name, value)| (name, value.as_ref().map(to_text)));
            to.collect_seq(pairs)
        }

        pub(in crate::look) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Headers, D::Error> {
            let pairs = Vec::<(String, Option<Text>)>::deserialize(from)?;
            pairs.into_iter().map(|(name, value)| Ok((name, value.map(from_text).transpose()?))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_same_after_json() {
        let record = Record {
            partition: 1,
            offset: 2,
            timestamp_ms: 3,
            key: Some(Bytes::from_static(b"\xff\x00")),
            value: Some(Bytes::from_static(b"text")),
            headers: vec![("h".to_owned(), None), ("i".to_owned(), Some(Bytes::from_static(b"\xfe")))],
        };
        let json = serde_json::to_string(&record).unwrap();
        assert!(json.contains(r#""value":"text""#) && json.contains(r#"{"base64":"/wA="}"#), "{json}");
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
    }
}

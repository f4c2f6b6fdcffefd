//! The records of `__consumer_offsets`, byte for byte as Apache Kafka writes them, so that its tools read ours and we
//! read its.
//!
//! Knows nothing of groups at work: only how their offsets and metadata look at rest. Written are the versions that
//! Kafka 4.3 writes (offset values 4, or 1 with an explicit expiry; group metadata 3); read are all that it reads.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::coordinator::journal::JournalRecord;

/// The version in the key that marks a committed offset. Version 0 differs by nothing and is read as well.
const OFFSET_KEY: i16 = 1;
/// The version in the key that marks a group's metadata.
const GROUP_KEY: i16 = 2;
/// An offset's value without an expiry of its own.
const OFFSET_VALUE: i16 = 4;
/// An offset's value with an expiry of its own: the only version that has one.
const OFFSET_VALUE_WITH_EXPIRY: i16 = 1;
/// A group's metadata.
const GROUP_VALUE: i16 = 3;
/// From here on, values have compact strings and tagged fields.
const FLEXIBLE_VALUE: i16 = 4;
/// The tagged field of an offset's value that has the topic's id.
const TOPIC_ID_TAG: u32 = 0;

/// One fact about a group; without a value it says that the fact is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupRecord {
    /// What a group committed for a partition.
    Offset { group: String, topic: String, partition: i32, value: Option<OffsetValue> },
    /// Who is in a group, and what each member was assigned.
    Group { group: String, value: Option<GroupValue> },
}

/// A committed offset, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OffsetValue {
    pub(crate) offset: i64,
    /// The epoch of the leader that the consumer read from, -1 if it did not say.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    pub(crate) commit_timestamp: i64,
    /// When the offset expires whatever the group does: requests of versions 2 to 4 can say so.
    pub(crate) expire_timestamp: Option<i64>,
    /// The topic that was meant, or nil: of the same name there may be another by now. Not kept beside an expiry.
    pub(crate) topic_id: Uuid,
}

/// A group's metadata, as it is stored once a generation is stable, or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GroupValue {
    /// Empty if the group never had a member.
    pub(crate) protocol_type: String,
    pub(crate) generation: i32,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: Option<String>,
    /// When the group came to its state; -1 if unknown.
    pub(crate) state_timestamp: i64,
    pub(crate) members: Vec<MemberValue>,
}

/// One member in a group's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberValue {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) subscription: Bytes,
    pub(crate) assignment: Bytes,
}

/// Why bytes are not a record of a group, or a record cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the record ends early or a length in it is wrong")]
    Malformed,
    #[error("the record is of a kind or version that is not known here")]
    Unknown,
    #[error("a name is longer than the 32,767 bytes that the format has room for")]
    TooLong,
}

impl GroupRecord {
    /// The record as it is written.
    ///
    /// # Errors
    /// [`RecordError::TooLong`] for a string that the format cannot hold.
    pub(crate) fn encode(&self) -> Result<JournalRecord, RecordError> {
        let mut key = BytesMut::new();
        let value = match self {
            GroupRecord::Offset { group, topic, partition, value } => {
                key.put_i16(OFFSET_KEY);
                put_string(&mut key, group)?;
                put_string(&mut key, topic)?;
                key.put_i32(*partition);
                value.as_ref().map(encode_offset).transpose()?
            }
            GroupRecord::Group { group, value } => {
                key.put_i16(GROUP_KEY);
                put_string(&mut key, group)?;
                value.as_ref().map(encode_group).transpose()?
            }
        };
        Ok(JournalRecord { key: key.freeze(), value })
    }

    /// Reads a record that was written by us or by Kafka.
    ///
    /// # Errors
    /// [`RecordError::Unknown`] for kinds and versions of other times, [`RecordError::Malformed`] for the rest.
    pub(crate) fn decode(record: &JournalRecord) -> Result<Self, RecordError> {
        let mut key = Reader::new(&record.key);
        match key.i16()? {
            0 | OFFSET_KEY => Ok(GroupRecord::Offset {
                group: key.string()?,
                topic: key.string()?,
                partition: key.i32()?,
                value: record.value.as_ref().map(decode_offset).transpose()?,
            }),
            GROUP_KEY => Ok(GroupRecord::Group {
                group: key.string()?,
                value: record.value.as_ref().map(decode_group).transpose()?,
            }),
            _ => Err(RecordError::Unknown),
        }
    }

    /// The group that the record is about.
    pub(crate) fn group(&self) -> &str {
        match self {
            GroupRecord::Offset { group, .. } | GroupRecord::Group { group, .. } => group,
        }
    }
}

fn encode_offset(value: &OffsetValue) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::with_capacity(48 + value.metadata.len());
    if let Some(expire) = value.expire_timestamp {
        out.put_i16(OFFSET_VALUE_WITH_EXPIRY);
        out.put_i64(value.offset);
        put_string(&mut out, &value.metadata)?;
        out.put_i64(value.commit_timestamp);
        out.put_i64(expire);
        return Ok(out.freeze());
    }
    out.put_i16(OFFSET_VALUE);
    out.put_i64(value.offset);
    out.put_i32(value.leader_epoch);
    put_compact_string(&mut out, &value.metadata)?;
    out.put_i64(value.commit_timestamp);
    if value.topic_id.is_nil() {
        put_unsigned_varint(&mut out, 0);
    } else {
        for number in [1, TOPIC_ID_TAG, 16] {
            put_unsigned_varint(&mut out, number);
        }
        out.put_slice(value.topic_id.as_bytes());
    }
    Ok(out.freeze())
}

fn decode_offset(value: &Bytes) -> Result<OffsetValue, RecordError> {
    let mut from = Reader::new(value);
    let version = from.version(FLEXIBLE_VALUE)?;
    let mut value = OffsetValue {
        offset: from.i64()?,
        leader_epoch: if version >= 3 { from.i32()? } else { -1 },
        metadata: from.string()?,
        commit_timestamp: from.i64()?,
        expire_timestamp: if version == 1 { Some(from.i64()?).filter(|at| *at != -1) } else { None },
        topic_id: Uuid::nil(),
    };
    from.tags(|tag, bytes| {
        if tag == TOPIC_ID_TAG {
            value.topic_id = Uuid::from_slice(bytes).map_err(|_| RecordError::Malformed)?;
        }
        Ok(())
    })?;
    Ok(value)
}

fn encode_group(value: &GroupValue) -> Result<Bytes, RecordError> {
    let mut out = BytesMut::new();
    out.put_i16(GROUP_VALUE);
    put_string(&mut out, &value.protocol_type)?;
    out.put_i32(value.generation);
    put_nullable(&mut out, value.protocol.as_deref())?;
    put_nullable(&mut out, value.leader.as_deref())?;
    out.put_i64(value.state_timestamp);
    put_length(&mut out, value.members.len())?;
    for member in &value.members {
        put_string(&mut out, &member.member_id)?;
        put_nullable(&mut out, member.instance_id.as_deref())?;
        put_string(&mut out, &member.client_id)?;
        put_string(&mut out, &member.client_host)?;
        out.put_i32(member.rebalance_timeout_ms);
        out.put_i32(member.session_timeout_ms);
        put_bytes(&mut out, &member.subscription)?;
        put_bytes(&mut out, &member.assignment)?;
    }
    Ok(out.freeze())
}

fn decode_group(value: &Bytes) -> Result<GroupValue, RecordError> {
    let mut from = Reader::new(value);
    let version = from.version(FLEXIBLE_VALUE)?;
    let mut group = GroupValue {
        protocol_type: from.string()?,
        generation: from.i32()?,
        protocol: from.nullable()?,
        leader: from.nullable()?,
        state_timestamp: if version >= 2 { from.i64()? } else { -1 },
        members: Vec::new(),
    };
    for _ in 0..from.length()?.unwrap_or(0) {
        // Each member takes bytes, so that a wrong count runs into the end of the record, not out of memory.
        group.members.push(decode_member(&mut from, version)?);
        from.tags(|_, _| Ok(()))?;
    }
    Ok(group)
}

fn decode_member(from: &mut Reader, version: i16) -> Result<MemberValue, RecordError> {
    let member_id = from.string()?;
    let instance_id = if version >= 3 { from.nullable()? } else { None };
    let (client_id, client_host) = (from.string()?, from.string()?);
    let rebalance_timeout_ms = if version >= 1 { from.i32()? } else { -1 };
    let session_timeout_ms = from.i32()?;
    Ok(MemberValue {
        member_id,
        instance_id,
        client_id,
        client_host,
        // Old records know one time-out only: it is both.
        rebalance_timeout_ms: if rebalance_timeout_ms == -1 {
            session_timeout_ms
        } else {
            rebalance_timeout_ms
        },
        session_timeout_ms,
        subscription: from.bytes()?,
        assignment: from.bytes()?,
    })
}

fn put_string(out: &mut BytesMut, string: &str) -> Result<(), RecordError> {
    out.put_i16(i16::try_from(string.len()).map_err(|_| RecordError::TooLong)?);
    out.put_slice(string.as_bytes());
    Ok(())
}

fn put_unsigned_varint(out: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn put_compact_string(out: &mut BytesMut, string: &str) -> Result<(), RecordError> {
    // Compact strings could be longer; Kafka holds them to the same length.
    let length = i16::try_from(string.len()).map_err(|_| RecordError::TooLong)?;
    put_unsigned_varint(out, u32::from(length.unsigned_abs()) + 1);
    out.put_slice(string.as_bytes());
    Ok(())
}

fn put_nullable(out: &mut BytesMut, string: Option<&str>) -> Result<(), RecordError> {
    match string {
        Some(string) => put_string(out, string)?,
        None => out.put_i16(-1),
    }
    Ok(())
}

fn put_length(out: &mut BytesMut, length: usize) -> Result<(), RecordError> {
    out.put_i32(i32::try_from(length).map_err(|_| RecordError::TooLong)?);
    Ok(())
}

fn put_bytes(out: &mut BytesMut, bytes: &Bytes) -> Result<(), RecordError> {
    put_length(out, bytes.len())?;
    out.put_slice(bytes);
    Ok(())
}

/// Reads Kafka's primitive types, old and compact, from bytes that may lie.
struct Reader {
    left: Bytes,
    flexible: bool,
}

impl Reader {
    fn new(bytes: &Bytes) -> Self {
        Reader { left: bytes.clone(), flexible: false }
    }

    /// The version that a value starts with; later than `latest` is unknown.
    fn version(&mut self, latest: i16) -> Result<i16, RecordError> {
        let version = self.i16()?;
        if !(0..=latest).contains(&version) {
            return Err(RecordError::Unknown);
        }
        self.flexible = version >= FLEXIBLE_VALUE;
        Ok(version)
    }

    fn i16(&mut self) -> Result<i16, RecordError> {
        self.left.try_get_i16().map_err(|_| RecordError::Malformed)
    }

    fn i32(&mut self) -> Result<i32, RecordError> {
        self.left.try_get_i32().map_err(|_| RecordError::Malformed)
    }

    fn i64(&mut self) -> Result<i64, RecordError> {
        self.left.try_get_i64().map_err(|_| RecordError::Malformed)
    }

    fn unsigned_varint(&mut self) -> Result<u32, RecordError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.left.try_get_u8().map_err(|_| RecordError::Malformed)?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Malformed)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, RecordError> {
        if length > self.left.len() {
            return Err(RecordError::Malformed);
        }
        Ok(self.left.split_to(length))
    }

    /// The length of an array or of bytes; none for null.
    fn length(&mut self) -> Result<Option<usize>, RecordError> {
        if self.flexible {
            let plus_one = self.unsigned_varint()?;
            return Ok(plus_one.checked_sub(1).map(|length| length as usize));
        }
        Ok(usize::try_from(self.i32()?).ok())
    }

    fn nullable(&mut self) -> Result<Option<String>, RecordError> {
        let length = if self.flexible { self.length()? } else { usize::try_from(self.i16()?).ok() };
        let Some(length) = length else { return Ok(None) };
        let bytes = self.take(length)?;
        let string = std::str::from_utf8(&bytes).map_err(|_| RecordError::Malformed)?;
        Ok(Some(string.to_owned()))
    }

    fn string(&mut self) -> Result<String, RecordError> {
        self.nullable()?.ok_or(RecordError::Malformed)
    }

    /// Bytes of their own: a slice would keep the whole record batch in memory.
    fn bytes(&mut self) -> Result<Bytes, RecordError> {
        let length = self.length()?.unwrap_or(0);
        Ok(Bytes::copy_from_slice(&self.take(length)?))
    }

    /// The tagged fields that a flexible structure ends with; other structures have none.
    fn tags(
        &mut self,
        mut take: impl FnMut(u32, &[u8]) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.unsigned_varint()? {
            let tag = self.unsigned_varint()?;
            let length = self.unsigned_varint()?;
            take(tag, &self.take(length as usize)?)?;
        }
        Ok(())
    }
}

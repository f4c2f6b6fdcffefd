//! Records inside a batch: walked over for their shape alone, or read.
//!
//! Knows nothing of logs. All numbers in records are attacker's numbers: nothing here indexes, adds or allocates by
//! them unchecked.

use bytes::Bytes;

use super::varint;

/// A record as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since 1970, or -1.
    pub timestamp: i64,
    /// Its key, where it has one.
    pub key: Option<Bytes>,
    /// Its value; none in a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// What is wrong with a record, or with what it was to be read from.
#[derive(Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// The bytes end before the record does.
    CutOff,
    /// The record's length has more bytes than a number of 32 bits can have.
    LengthTooLong,
    /// The record's lengths do not fit together.
    Malformed(&'static str),
    /// The compressed data cannot be decompressed.
    Compression(String),
}

/// What can be said of a record without reading its key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its timestamp less the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Its offset less the batch's base offset.
    pub offset_delta: i32,
    /// -1 where there is no key.
    pub key_size: i32,
    /// -1 where there is no value.
    pub value_size: i32,
}

/// Walks over the record that begins at `at`, and moves `at` behind it.
///
/// # Errors
/// If there is no record, or its parts do not fit into it.
#[inline]
pub fn walk(bytes: &[u8], at: &mut usize) -> Result<Shape, RecordFault> {
    let body = take_record(bytes, at)?;
    let mut inside = 1; // The attributes, of which none are defined.
    let shape = (|| {
        let timestamp_delta = varint::read_i64(body, &mut inside)?;
        let offset_delta = varint::read_i32(body, &mut inside)?;
        let key_size = skip_nullable(body, &mut inside)?;
        let value_size = skip_nullable(body, &mut inside)?;
        let headers = varint::read_i32(body, &mut inside)?;
        if headers != 0 {
            skip_headers(body, &mut inside, headers)?;
        }
        Some(Shape { timestamp_delta, offset_delta, key_size, value_size })
    })();
    match shape {
        Some(shape) if inside == body.len() => Ok(shape),
        Some(_) => Err(RecordFault::Malformed("a record's length is not that of its parts")),
        None => Err(RecordFault::Malformed("a record's parts do not fit into its length")),
    }
}

#[inline]
fn take_record<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], RecordFault> {
    let mut from = *at;
    let length = varint::read_i32(bytes, &mut from)
        .ok_or_else(|| length_fault(bytes.len() - from.min(bytes.len())))?;
    let length =
        usize::try_from(length).map_err(|_| RecordFault::Malformed("a record's length is negative"))?;
    let to = from.checked_add(length).ok_or(RecordFault::CutOff)?;
    let body = bytes.get(from..to).ok_or(RecordFault::CutOff)?;
    *at = to;
    Ok(body)
}

/// What is wrong with a length that cannot be read, with so many bytes left to read it from.
pub(crate) fn length_fault(left: usize) -> RecordFault {
    if left < varint::MOST_BYTES_I32 { RecordFault::CutOff } else { RecordFault::LengthTooLong }
}

/// Skips a length and as many bytes; a negative length stands for nothing at all. Returns the length.
#[inline]
fn skip_nullable(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let size = varint::read_i32(bytes, at)?;
    if let Ok(size) = usize::try_from(size) {
        *at = at.checked_add(size).filter(|end| *end <= bytes.len())?;
    }
    Some(size)
}

fn skip_headers(bytes: &[u8], at: &mut usize, count: i32) -> Option<()> {
    let count = usize::try_from(count).ok().filter(|count| *count <= bytes.len().saturating_sub(*at))?;
    for _ in 0..count {
        if skip_nullable(bytes, at)? < 0 {
            return None;
        }
        skip_nullable(bytes, at)?;
    }
    Some(())
}

/// What a batch's head says of its records.
#[derive(Debug, Clone, Copy)]
pub struct Bases {
    /// The offset of the first record.
    pub offset: i64,
    /// What the timestamps are relative to.
    pub timestamp: i64,
    /// The timestamp of every record, in a log that uses the time of the append.
    pub log_append_time: Option<i64>,
}

impl Bases {
    /// The timestamp of the record with this delta.
    pub fn timestamp_of(&self, delta: i64) -> i64 {
        self.log_append_time.unwrap_or_else(|| self.timestamp.wrapping_add(delta))
    }

    /// The offset of the record with this delta.
    pub fn offset_of(&self, delta: i32) -> i64 {
        self.offset.wrapping_add(i64::from(delta))
    }
}

/// Reads the record that begins at `at`, and moves `at` behind it. Its parts are slices of `bytes`.
///
/// # Errors
/// If there is no record, or its parts do not fit into it.
pub fn read(bytes: &Bytes, at: &mut usize, bases: &Bases) -> Result<Record, RecordFault> {
    let before = *at;
    let shape = walk(bytes, at)?;
    let cut_off = || RecordFault::Malformed("a record's parts do not fit into its length");
    let mut inside = before;
    varint::read_i32(bytes, &mut inside).ok_or_else(cut_off)?;
    inside += 1;
    varint::read_i64(bytes, &mut inside).ok_or_else(cut_off)?;
    varint::read_i32(bytes, &mut inside).ok_or_else(cut_off)?;
    let key = take_nullable(bytes, &mut inside).ok_or_else(cut_off)?;
    let value = take_nullable(bytes, &mut inside).ok_or_else(cut_off)?;
    let count = varint::read_i32(bytes, &mut inside).ok_or_else(cut_off)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = take_nullable(bytes, &mut inside).flatten().ok_or_else(cut_off)?;
        let value = take_nullable(bytes, &mut inside).ok_or_else(cut_off)?;
        headers.push((String::from_utf8_lossy(&name).into_owned(), value));
    }
    let timestamp = bases.timestamp_of(shape.timestamp_delta);
    Ok(Record { offset: bases.offset_of(shape.offset_delta), timestamp, key, value, headers })
}

fn take_nullable(bytes: &Bytes, at: &mut usize) -> Option<Option<Bytes>> {
    let from = *at;
    let size = skip_nullable(bytes, at)?;
    let Ok(size) = usize::try_from(size) else { return Some(None) };
    let start = at.checked_sub(size).filter(|start| *start >= from)?;
    Some(Some(bytes.slice(start..*at)))
}

/// Writes a record with the given deltas.
pub fn write(
    out: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(String, Option<Bytes>)],
) {
    let mut body = Vec::with_capacity(24 + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len));
    body.push(0);
    varint::write_i64(&mut body, timestamp_delta);
    varint::write_i32(&mut body, offset_delta);
    write_nullable(&mut body, key);
    write_nullable(&mut body, value);
    varint::write_i32(&mut body, size_as_i32(headers.len()));
    for (name, value) in headers {
        write_nullable(&mut body, Some(name.as_bytes()));
        write_nullable(&mut body, value.as_deref());
    }
    varint::write_i32(out, size_as_i32(body.len()));
    out.extend_from_slice(&body);
}

fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::write_i32(out, bytes.map_or(-1, |bytes| size_as_i32(bytes.len())));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Sizes of what is written are the caller's own; a batch cannot hold more than `i32::MAX` bytes anyway.
fn size_as_i32(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

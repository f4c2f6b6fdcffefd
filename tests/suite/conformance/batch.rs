//! Record batches: built right or wrong on purpose, and shown as text.

use super::normalise::Normaliser;
use bytes::{Buf, BufMut, Bytes};
use std::io::{Read, Write};

/// A fixed time, so that what is stored is the same in every run: in November 2023.
pub(crate) const T0: i64 = 1_700_000_000_000;

/// The compression codecs, by the number in a batch's attributes.
pub(crate) const CODECS: [(&str, i16); 5] =
    [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)];

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: Option<i64>,
}

impl Record {
    pub(crate) fn value(value: &str) -> Record {
        Record {
            key: None,
            value: Some(value.as_bytes().to_vec()),
            headers: Vec::new(),
            timestamp_delta: 0,
            offset_delta: None,
        }
    }

    pub(crate) fn keyed(key: &str, value: &str) -> Record {
        Record { key: Some(key.as_bytes().to_vec()), ..Record::value(value) }
    }

    pub(crate) fn at(self, timestamp_delta: i64) -> Record {
        Record { timestamp_delta, ..self }
    }
}

/// A record batch. What is None is computed as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    pub(crate) length: Option<i32>,
    pub(crate) leader_epoch: i32,
    pub(crate) magic: u8,
    pub(crate) crc: Option<u32>,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: Option<i32>,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: Option<i64>,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: Option<i32>,
    pub(crate) records: Vec<Record>,
    /// Bytes in place of the encoded, compressed records.
    pub(crate) payload: Option<Vec<u8>>,
}

impl Batch {
    pub(crate) fn of(records: Vec<Record>) -> Batch {
        Batch {
            base_offset: 0,
            length: None,
            leader_epoch: -1,
            magic: 2,
            crc: None,
            attributes: 0,
            last_offset_delta: None,
            base_timestamp: T0,
            max_timestamp: None,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: None,
            records,
            payload: None,
        }
    }

    /// Records without keys.
    pub(crate) fn values(values: &[&str]) -> Batch {
        Batch::of(values.iter().map(|v| Record::value(v)).collect())
    }

    /// `count` small records.
    pub(crate) fn counted(count: usize) -> Batch {
        Batch::of((0..count).map(|i| Record::value(&format!("record {i}"))).collect())
    }

    pub(crate) fn attributes(self, attributes: i16) -> Batch {
        Batch { attributes, ..self }
    }

    pub(crate) fn producer(self, id: i64, epoch: i16, sequence: i32) -> Batch {
        Batch { producer_id: id, producer_epoch: epoch, base_sequence: sequence, ..self }
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let mut body = Vec::new();
        let last = i32::try_from(self.records.len()).expect("few records") - 1;
        let latest = self.records.iter().map(|r| r.timestamp_delta).max().unwrap_or(0);
        body.put_i16(self.attributes);
        body.put_i32(self.last_offset_delta.unwrap_or(last));
        body.put_i64(self.base_timestamp);
        body.put_i64(self.max_timestamp.unwrap_or(self.base_timestamp + latest));
        body.put_i64(self.producer_id);
        body.put_i16(self.producer_epoch);
        body.put_i32(self.base_sequence);
        body.put_i32(self.count.unwrap_or(last + 1));
        body.put_slice(&self.payload.clone().unwrap_or_else(|| compress(self.attributes & 7, &self.plain())));
        let mut bytes = Vec::new();
        bytes.put_i64(self.base_offset);
        bytes.put_i32(self.length.unwrap_or(i32::try_from(body.len()).expect("a small batch") + 9));
        bytes.put_i32(self.leader_epoch);
        bytes.put_u8(self.magic);
        bytes.put_u32(self.crc.unwrap_or_else(|| crc32c::crc32c(&body)));
        bytes.put_slice(&body);
        bytes.into()
    }

    fn plain(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (i, record) in self.records.iter().enumerate() {
            let mut body = vec![0];
            put_varint(&mut body, record.timestamp_delta);
            put_varint(&mut body, record.offset_delta.unwrap_or(i as i64));
            put_bytes(&mut body, record.key.as_deref());
            put_bytes(&mut body, record.value.as_deref());
            put_varint(&mut body, record.headers.len() as i64);
            for (name, value) in &record.headers {
                put_bytes(&mut body, Some(name.as_bytes()));
                put_bytes(&mut body, value.as_deref());
            }
            put_varint(&mut out, body.len() as i64);
            out.extend_from_slice(&body);
        }
        out
    }
}

/// A message of the formats before batches: magic 0 or 1.
pub(crate) fn old_message(magic: u8, value: &str) -> Bytes {
    let mut body = vec![magic, 0];
    if magic == 1 {
        body.put_i64(T0);
    }
    body.put_i32(-1);
    body.put_i32(i32::try_from(value.len()).expect("a short value"));
    body.put_slice(value.as_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let mut bytes = Vec::new();
    bytes.put_i64(0);
    bytes.put_i32(i32::try_from(body.len()).expect("a short message") + 4);
    bytes.put_u32(crc.sum());
    bytes.put_slice(&body);
    bytes.into()
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push((zigzag as u8) | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |b| b.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Compresses as the codec's number says; an unknown codec leaves the bytes alone.
pub(crate) fn compress(codec: i16, plain: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(plain).expect("memory takes it");
            gzip.finish().expect("memory takes it")
        }
        2 => snap::raw::Encoder::new().compress_vec(plain).expect("a small block"),
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            lz4.write_all(plain).expect("memory takes it");
            lz4.finish().expect("memory takes it")
        }
        4 => ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest),
        _ => plain.to_vec(),
    }
}

/// A line for each batch: header fields, whether the checksum holds, and the records' bytes (as a checksum when
/// they are many). The checksum itself covers clock values.
pub(crate) fn describe(mut bytes: &[u8], normaliser: &mut Normaliser) -> Vec<String> {
    let mut lines = Vec::new();
    while bytes.len() >= 61 {
        let length = (&bytes[8..]).get_i32();
        let Some(whole) = usize::try_from(length).ok().map(|n| n + 12).filter(|n| *n <= bytes.len()) else {
            break;
        };
        lines.push(describe_batch(&bytes[..whole], normaliser));
        bytes = &bytes[whole..];
    }
    if !bytes.is_empty() {
        lines.push(format!("part of a batch: {} bytes", bytes.len()));
    }
    lines
}

fn describe_batch(batch: &[u8], normaliser: &mut Normaliser) -> String {
    let mut head = batch;
    let base_offset = head.get_i64();
    let length = head.get_i32();
    let epoch = head.get_i32();
    let magic = head.get_u8();
    let crc = if head.get_u32() == crc32c::crc32c(&batch[21..]) { "good" } else { "bad" };
    let attributes = head.get_i16();
    let last = head.get_i32();
    let base_timestamp = normaliser.timestamp(head.get_i64());
    let max_timestamp = normaliser.timestamp(head.get_i64());
    let producer = match head.get_i64() {
        id if id >= 0 => normaliser.number("producer-id", &id.to_string()),
        id => id.to_string(),
    };
    let producer_epoch = head.get_i16();
    let sequence = head.get_i32();
    let count = head.get_i32();
    let payload = if normaliser.recompressed { decompress(attributes & 7, head) } else { head.to_vec() };
    let length = if normaliser.recompressed { String::new() } else { format!(" length={length}") };
    let payload = match &*payload {
        short if short.len() <= 24 => short.escape_ascii().to_string(),
        long => format!("crc32c {:08x}", crc32c::crc32c(long)),
    };
    format!(
        "offset={base_offset} last={last} count={count}{length} epoch={epoch} magic={magic} crc={crc} \
         attributes={attributes} from={base_timestamp} to={max_timestamp} \
         producer={producer}/{producer_epoch}/{sequence} payload=\"{payload}\""
    )
}

/// What was compressed; the bytes themselves where that fails.
fn decompress(codec: i16, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let read = match codec {
        1 => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).ok(),
        2 => {
            out = snappy(bytes);
            Some(out.len())
        }
        3 => lz4_flex::frame::FrameDecoder::new(bytes).read_to_end(&mut out).ok(),
        4 => {
            ruzstd::decoding::StreamingDecoder::new(bytes).ok().and_then(|mut d| d.read_to_end(&mut out).ok())
        }
        _ => None,
    };
    read.map_or_else(|| bytes.to_vec(), |_| out)
}

/// Snappy as Java writes it: blocks behind a header of 16 bytes; or one raw block.
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let Some(mut blocks) = bytes.strip_prefix(b"\x82SNAPPY\0").map(|rest| &rest[8..]) else {
        return snap::raw::Decoder::new().decompress_vec(bytes).unwrap_or_default();
    };
    let mut out = Vec::new();
    while blocks.len() > 4 {
        let length = blocks.get_u32() as usize;
        out.extend(snap::raw::Decoder::new().decompress_vec(&blocks[..length]).unwrap_or_default());
        blocks = &blocks[length..];
    }
    out
}

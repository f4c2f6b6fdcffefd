//! What a batch has to be like to be appended, and Kafka's words for what it is not.
//!
//! Runs before the log's lock is taken. The order of the checks is Kafka's, because it decides which error a batch
//! with several faults gets.

use bytes::Bytes;

use crate::batch::compression::{Codec, RecordStream};
use crate::batch::header::{self, BatchHeader, HEADER_BYTES, LENGTH_END, MAGIC};
use crate::batch::records::{self, RecordFault, Shape};
use crate::error::AppendError;
use crate::options::{LogOptions, TimestampType};
use crate::recompress;

/// The smallest length that a batch of any format can have: that of a record of format 0.
const SMALLEST_LENGTH: i32 = 14;
/// The bytes up to and including the format.
const UP_TO_MAGIC: usize = 17;
/// How many faulty records an answer lists. A batch that decompresses to a great many is not looked at any further.
const MAX_RECORD_ERRORS: usize = 100_000;
/// How many faulty records a message names.
const NAMED_IN_MESSAGE: usize = 3;

/// What a batch is checked against.
pub(crate) struct Rules<'a> {
    pub(crate) options: &'a LogOptions,
    /// Whether a client sent it: then it may not say anything about its place in the log.
    pub(crate) from_client: bool,
    pub(crate) now_ms: i64,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
}

/// A batch that may be appended.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The head, with what has to be different in the log: kind and maximum of the timestamps.
    pub(crate) header: BatchHeader,
    /// The records as they lie behind the head.
    pub(crate) records: Bytes,
    /// Whether the head says something else than the producer's, so that the checksum is another.
    pub(crate) checksum_changed: bool,
}

/// Checks the one batch at the beginning of `bytes`.
pub(crate) fn check(bytes: &Bytes, rules: &Rules<'_>) -> Result<Checked, AppendError> {
    let header = one_batch(bytes)?;
    let batch = bytes.get(..header.size()).unwrap_or_default();
    if rules.from_client && header.base_offset != 0 {
        let base = header.base_offset;
        return Err(AppendError::InvalidBatch(format!(
            "The base offset of the batch should be 0, but it is {base}"
        )));
    }
    if batch.len() > rules.options.max_message_bytes as usize {
        return Err(AppendError::MessageTooLarge { size: batch.len(), max: rules.options.max_message_bytes });
    }
    if header::checksum_of(batch) != Some(header.crc) {
        return Err(AppendError::BadChecksum(header.crc));
    }
    let codec = Codec::from_number(header.codec()).ok_or(AppendError::UnknownCompression(header.codec()))?;
    if rules.from_client {
        check_head(&header)?;
    }
    let packed = bytes.slice(HEADER_BYTES..header.size());
    let max_timestamp = check_records(&header, codec, &packed, rules)?;
    let mut new_header = header;
    new_header.max_timestamp = match rules.options.timestamp_type {
        TimestampType::CreateTime => max_timestamp,
        TimestampType::LogAppendTime => rules.now_ms,
    };
    new_header.set_timestamp_type(rules.options.timestamp_type);
    let checked = Checked { header: new_header, records: packed, checksum_changed: new_header != header };
    recompress::convert(checked, codec, rules.options)
}

/// The head of the one whole batch in `bytes`. Bytes behind it that are no whole batch themselves do no harm.
fn one_batch(bytes: &[u8]) -> Result<BatchHeader, AppendError> {
    let size = frame(bytes)?.ok_or(AppendError::NotOneBatch("there is none"))?;
    let header = BatchHeader::read(bytes);
    match bytes.get(UP_TO_MAGIC - 1) {
        Some(&MAGIC) => {}
        _ => return Err(AppendError::NotOneBatch("it has an older format")),
    }
    match frame(bytes.get(size..).unwrap_or_default()) {
        Ok(None) => {}
        Ok(Some(_)) => return Err(AppendError::NotOneBatch("there are several")),
        Err(AppendError::MalformedFrame(why)) => return Err(AppendError::MalformedRest(why)),
        Err(error) => return Err(error),
    }
    match header {
        Some(header) if size >= HEADER_BYTES => Ok(header),
        header => Err(AppendError::BadChecksum(header.map_or(0, |header| header.crc))),
    }
}

/// The size of the batch of any format at the beginning of `bytes`, if there is a whole one.
fn frame(bytes: &[u8]) -> Result<Option<usize>, AppendError> {
    let Some(length) = bytes.get(8..LENGTH_END).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes)
    else {
        return Ok(None);
    };
    if length < SMALLEST_LENGTH {
        return Err(AppendError::MalformedFrame(format!(
            "Record size {length} is less than the minimum record overhead ({SMALLEST_LENGTH})"
        )));
    }
    let Some(&magic) = bytes.get(UP_TO_MAGIC - 1) else { return Ok(None) };
    if magic > MAGIC {
        let magic = magic.cast_signed();
        return Err(AppendError::MalformedFrame(format!("Invalid magic found in record: {magic}")));
    }
    let size = length.checked_add(LENGTH_END as i32).and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or(AppendError::LengthTooLarge(length))?;
    Ok(Some(size).filter(|size| *size <= bytes.len()))
}

/// What a client may not say in a head.
fn check_head(header: &BatchHeader) -> Result<(), AppendError> {
    let count = header.record_count;
    let wrong = if header.last_offset_delta < 0 {
        format!("Batch has an invalid offset range: [{}, {}]", header.base_offset, header.last_offset())
    } else if count <= 0 {
        format!("Invalid reported count for record batch: {count}")
    } else if i64::from(header.last_offset_delta) + 1 != i64::from(count) {
        let (first, last) = (header.base_offset, header.last_offset());
        format!("Inconsistent batch offset range [{first}, {last}] and count of records {count}")
    } else if header.is_control() {
        "Clients are not allowed to write control records".to_owned()
    } else if header.has_producer_id() && header.base_sequence < 0 {
        let (sequence, producer) = (header.base_sequence, header.producer_id);
        format!("Invalid sequence number {sequence} in record batch with producerId {producer}")
    } else {
        return Ok(());
    };
    Err(AppendError::InvalidBatch(wrong))
}

/// Walks over all records, and gives the largest timestamp.
fn check_records(
    header: &BatchHeader,
    codec: Codec,
    packed: &Bytes,
    rules: &Rules<'_>,
) -> Result<i64, AppendError> {
    let mut checks = RecordChecks::new(header, rules, codec);
    if codec == Codec::None {
        let mut at = 0;
        for _ in 0..header.record_count {
            checks.check(&records::walk(packed, &mut at).map_err(refuse)?);
        }
        if at != packed.len() {
            return Err(refuse(RecordFault::Malformed("there are bytes behind the records")));
        }
    } else {
        let mut stream = RecordStream::new(codec, packed).map_err(refuse)?;
        for _ in 0..header.record_count {
            if checks.faults.len() >= MAX_RECORD_ERRORS {
                return checks.finish();
            }
            checks.check(&stream.next().map_err(refuse)?);
        }
        stream.finish().map_err(refuse)?;
    }
    checks.finish()
}

fn refuse(fault: RecordFault) -> AppendError {
    match fault {
        RecordFault::CutOff => {
            AppendError::InvalidBatch("the records end before the batch says so".to_owned())
        }
        RecordFault::Malformed(why) => AppendError::InvalidBatch(why.to_owned()),
        RecordFault::LengthTooLong => AppendError::LengthTooLong,
        RecordFault::Compression(why) => AppendError::DoesNotDecompress(why),
    }
}

/// The checks of one record after another, and what they found.
struct RecordChecks<'a> {
    header: &'a BatchHeader,
    rules: &'a Rules<'a>,
    codec: Codec,
    /// The timestamps that are allowed; none is looked at in a log that uses its own.
    earliest: i64,
    latest: i64,
    bit_set: bool,
    index: i32,
    max_timestamp: i64,
    faults: Vec<(i32, Option<String>)>,
    bad_timestamp: bool,
}

impl<'a> RecordChecks<'a> {
    fn new(header: &'a BatchHeader, rules: &'a Rules<'a>, codec: Codec) -> Self {
        let own_time = rules.options.timestamp_type == TimestampType::LogAppendTime;
        let earliest = rules.now_ms.saturating_sub(rules.options.timestamp_before_max_ms);
        let latest = rules.now_ms.saturating_add(rules.options.timestamp_after_max_ms);
        RecordChecks {
            header,
            rules,
            codec,
            earliest: if own_time { i64::MIN } else { earliest },
            latest: if own_time { i64::MAX } else { latest },
            bit_set: header.timestamp_type() == TimestampType::LogAppendTime,
            index: 0,
            max_timestamp: -1,
            faults: Vec::new(),
            bad_timestamp: false,
        }
    }

    #[inline]
    fn check(&mut self, shape: &Shape) {
        let timestamp = if self.bit_set {
            self.header.max_timestamp
        } else {
            self.header.base_timestamp.wrapping_add(shape.timestamp_delta)
        };
        let out_of_range = timestamp < self.earliest || timestamp > self.latest;
        if (out_of_range && timestamp != -1)
            || self.bit_set
            || (self.rules.options.compact && shape.key_size < 0)
        {
            self.look_closer(shape, timestamp);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.index = self.index.saturating_add(1);
    }

    #[cold]
    fn look_closer(&mut self, shape: &Shape, timestamp: i64) {
        let own_time = self.rules.options.timestamp_type == TimestampType::LogAppendTime;
        let wrong = if self.rules.options.compact && shape.key_size < 0 {
            let (topic, partition) = (self.rules.topic, self.rules.partition);
            format!(
                "Compacted topic cannot accept message without key in topic partition {topic}-{partition}"
            )
        } else if !own_time && timestamp != -1 {
            if (self.earliest..=self.latest).contains(&timestamp) {
                return;
            }
            self.bad_timestamp = true;
            let offset = self.header.base_offset.wrapping_add(i64::from(shape.offset_delta));
            let (earliest, latest) = (self.earliest, self.latest);
            format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be \
                 within [{earliest}, {latest}]"
            )
        } else if self.bit_set {
            self.bad_timestamp = true;
            self.claims_append_time(shape, timestamp)
        } else {
            return;
        };
        self.faults.push((self.index, Some(wrong)));
    }

    fn claims_append_time(&self, shape: &Shape, timestamp: i64) -> String {
        let kind = if self.codec == Codec::None { "DefaultRecord" } else { "PartialDefaultRecord" };
        let offset = self.header.base_offset.wrapping_add(i64::from(shape.offset_delta));
        let (key, value) = (shape.key_size.max(0), shape.value_size.max(0));
        format!(
            "Invalid timestamp type in message {kind}(offset={offset}, timestamp={timestamp}, key={key} bytes, \
             value={value} bytes). Producer should not set timestamp type to LogAppendTime."
        )
    }

    fn finish(self) -> Result<i64, AppendError> {
        if self.faults.is_empty() {
            return Ok(self.max_timestamp);
        }
        let records = self.faults;
        if self.bad_timestamp {
            let message = "One or more records have been rejected due to invalid timestamp".to_owned();
            return Err(AppendError::InvalidTimestamps { message, records });
        }
        let named: Vec<_> = records
            .iter()
            .take(NAMED_IN_MESSAGE)
            .map(|(index, why)| {
                format!("RecordError(batchIndex={index}, message='{}')", why.as_deref().unwrap_or_default())
            })
            .collect();
        let message = format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first \
             three errors at most: [{}]",
            records.len(),
            named.join(", ")
        );
        Err(AppendError::InvalidRecords { message, records })
    }
}

//! A log's image as a section of a file.
//!
//! Big-endian:
//!
//! | field | type |
//! |---|---|
//! | log start offset, log end offset | i64 each |
//! | number of leader epochs; for each: epoch, the offset at which it begins | u32; i32, i64 |
//! | number of producers; for each: id, epoch, last timestamp, epoch of the coordinator, offset at which its open transaction begins or -1, number of its last batches (5 at the most) | u32; i64, i16, i64, i32, i64, u8 |
//! | … and for each of those batches: last sequence number, last offset, offset of the last record in it, timestamp | i32, i64, i32, i64 |
//! | number of segments; for each: first offset, time at which it was begun, number of bytes, and those bytes: Kafka's record batches of format 2 | u32; i64, i64, u32 |
//! | CRC-32C of all that stands before it in the section | u32 |

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::LogImage;
use crate::epochs::LeaderEpochs;
use crate::options::ManagerSettings;
use crate::producer::{AppendedBatch, Producer, Producers};
use crate::segment::Segment;
use crate::segment::freeze::memory_for;
use crate::shared::Shared;

/// The most epochs, producers and segments that a section may have: more than a log gets to.
const MOST_ENTRIES: u32 = 1_000_000;

/// Batches that are remembered of a producer.
const MOST_BATCHES: u8 = 5;

/// How much of a segment is read at once: what a file only claims to hold takes no memory.
const STEP_BYTES: usize = 64 * 1024;

/// Why a section of a file is no log's image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file ends within the section.
    #[error("it ends too early")]
    Cut,
    /// The bytes are not those that were written.
    #[error("its checksum is wrong")]
    Checksum,
    /// What was read cannot be.
    #[error("{0}")]
    Invalid(String),
}

impl LogImage {
    /// Writes the image as a section of a file.
    ///
    /// # Errors
    /// If `out` does not take it, or a file of the log cannot be mapped.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = Summing { inner: out, crc: 0 };
        out.put(&self.log_start.to_be_bytes())?;
        out.put(&self.log_end.to_be_bytes())?;
        out.count(self.epochs.entries().len())?;
        for entry in self.epochs.entries() {
            out.put(&entry.epoch.to_be_bytes())?;
            out.put(&entry.start_offset.to_be_bytes())?;
        }
        out.count(self.producers.len())?;
        let mut producers: Vec<_> = self.producers.iter().collect();
        producers.sort_by_key(|(id, _)| *id);
        producers.into_iter().try_for_each(|(id, producer)| write_producer(&mut out, id, producer))?;
        out.count(self.segments.len())?;
        for segment in self.segments.iter() {
            out.put(&segment.base_offset().to_be_bytes())?;
            out.put(&segment.created_ms().to_be_bytes())?;
            out.count(segment.len())?;
            out.put(&segment.all_bytes()?)?;
        }
        let crc = out.crc;
        out.put(&crc.to_be_bytes())
    }

    /// Reads the image that [`LogImage::write`] wrote. Every batch is checked.
    ///
    /// # Errors
    /// If the section is cut off or damaged, or describes what no log holds.
    pub fn read(input: &mut impl Read) -> Result<LogImage, ImageError> {
        let mut input = Summing { inner: input, crc: 0 };
        let log_start = i64::from_be_bytes(input.take()?);
        let log_end = i64::from_be_bytes(input.take()?);
        let mut epochs = LeaderEpochs::default();
        for _ in 0..input.counted("leader epochs")? {
            let (epoch, start) = (i32::from_be_bytes(input.take()?), i64::from_be_bytes(input.take()?));
            if !epochs.assign(epoch, start) {
                return Err(ImageError::Invalid(format!("the leader epoch {epoch} is out of order")));
            }
        }
        let mut producers = Vec::new();
        for _ in 0..input.counted("producers")? {
            producers.push(read_producer(&mut input)?);
        }
        let shared = Arc::new(Shared::new(ManagerSettings::default()));
        let mut segments = Vec::new();
        for _ in 0..input.counted("segments")? {
            segments.push(read_segment(&mut input, &shared)?);
        }
        let crc = input.crc;
        if u32::from_be_bytes(input.take()?) != crc {
            return Err(ImageError::Checksum);
        }
        check_offsets(log_start, log_end, &segments)?;
        let producers: Producers = producers.into_iter().collect();
        Ok(LogImage { segments: Arc::new(segments), log_start, log_end, epochs, producers })
    }
}

fn write_producer(out: &mut Summing<'_, impl Write>, id: i64, producer: &Producer) -> io::Result<()> {
    out.put(&id.to_be_bytes())?;
    out.put(&producer.epoch.to_be_bytes())?;
    out.put(&producer.last_timestamp.to_be_bytes())?;
    out.put(&producer.coordinator_epoch.to_be_bytes())?;
    out.put(&producer.transaction_start.unwrap_or(-1).to_be_bytes())?;
    out.put(&[u8::try_from(producer.batches.len()).unwrap_or(u8::MAX)])?;
    for batch in &producer.batches {
        out.put(&batch.last_sequence.to_be_bytes())?;
        out.put(&batch.last_offset.to_be_bytes())?;
        out.put(&batch.offset_delta.to_be_bytes())?;
        out.put(&batch.timestamp.to_be_bytes())?;
    }
    Ok(())
}

fn read_producer(input: &mut Summing<'_, impl Read>) -> Result<(i64, Producer), ImageError> {
    let id = i64::from_be_bytes(input.take()?);
    let mut producer = Producer {
        epoch: i16::from_be_bytes(input.take()?),
        last_timestamp: i64::from_be_bytes(input.take()?),
        coordinator_epoch: i32::from_be_bytes(input.take()?),
        transaction_start: Some(i64::from_be_bytes(input.take()?)).filter(|offset| *offset >= 0),
        batches: Default::default(),
    };
    let [batches] = input.take()?;
    if batches > MOST_BATCHES {
        return Err(ImageError::Invalid(format!("the producer {id} has {batches} last batches")));
    }
    for _ in 0..batches {
        let batch = AppendedBatch {
            last_sequence: i32::from_be_bytes(input.take()?),
            last_offset: i64::from_be_bytes(input.take()?),
            offset_delta: i32::from_be_bytes(input.take()?),
            timestamp: i64::from_be_bytes(input.take()?),
        };
        if batch.last_sequence < 0 || batch.offset_delta < 0 || batch.last_offset < 0 {
            return Err(ImageError::Invalid(format!("a batch of the producer {id} cannot be")));
        }
        producer.batches.push_back(batch);
    }
    Ok((id, producer))
}

fn read_segment(
    input: &mut Summing<'_, impl Read>,
    shared: &Arc<Shared>,
) -> Result<Arc<Segment>, ImageError> {
    let base_offset = i64::from_be_bytes(input.take()?);
    let created_ms = i64::from_be_bytes(input.take()?);
    let len = u32::from_be_bytes(input.take()?) as usize;
    if base_offset < 0 || len == 0 || base_offset > i64::MAX - i64::from(u32::MAX) {
        return Err(ImageError::Invalid(format!(
            "a segment at offset {base_offset} with {len} bytes cannot be"
        )));
    }
    let mut writer = memory_for(len)?;
    let (mut step, mut left) = ([0; STEP_BYTES], len);
    while left > 0 {
        let part = step.get_mut(..left.min(STEP_BYTES)).unwrap_or_default();
        input.fill(part)?;
        let end = writer.write(&[part])?;
        writer.publish(end);
        left -= part.len();
    }
    Segment::of_bytes(shared, base_offset, created_ms, writer.map())
        .map_err(|why| ImageError::Invalid(format!("the segment at offset {base_offset}: {why}")))
}

/// Segments follow each other, the first holds the log's start, and the last ends where the log does.
fn check_offsets(log_start: i64, log_end: i64, segments: &[Arc<Segment>]) -> Result<(), ImageError> {
    let in_order = segments.windows(2).all(|pair| match pair {
        [one, next] => one.end_offset() <= next.base_offset(),
        _ => true,
    });
    let first = segments.first().map_or(log_end, |first| first.base_offset());
    let end = segments.last().map_or(log_end, |last| last.end_offset());
    if in_order && 0 <= log_start && first <= log_start && log_start <= log_end && end == log_end {
        return Ok(());
    }
    Err(ImageError::Invalid(format!("the offsets of a log from {log_start} to {log_end} do not agree")))
}

/// Sums up what passes through.
struct Summing<'a, T> {
    inner: &'a mut T,
    crc: u32,
}

impl<W: Write> Summing<'_, W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.inner.write_all(bytes)
    }

    fn count(&mut self, number: usize) -> io::Result<()> {
        self.put(&u32::try_from(number).map_err(io::Error::other)?.to_be_bytes())
    }
}

impl<R: Read> Summing<'_, R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ImageError> {
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ImageError::Cut,
            _ => ImageError::Io(error),
        })?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn counted(&mut self, what: &str) -> Result<u32, ImageError> {
        let count = u32::from_be_bytes(self.take()?);
        if count > MOST_ENTRIES {
            return Err(ImageError::Invalid(format!("it says that it has {count} {what}")));
        }
        Ok(count)
    }
}

//! Walking over compressed records as they are decompressed, without keeping them.

use std::io::{self, BufRead};

use super::{Codec, MAX_STREAMED_BYTES, guarded, unpack};
use crate::batch::records::{self, RecordFault, Shape, length_fault};
use crate::batch::varint;

/// The records of a compressed batch.
pub struct RecordStream<'a> {
    source: Box<dyn BufRead + 'a>,
    left: u64,
    at_start: bool,
}

impl<'a> RecordStream<'a> {
    /// Begins with the first record.
    ///
    /// # Errors
    /// If nothing can be decompressed from `packed`.
    pub fn new(codec: Codec, packed: &'a [u8]) -> Result<Self, RecordFault> {
        let source =
            guarded(|| unpack(codec, packed)).map_err(|e| RecordFault::Compression(e.to_string()))?;
        Ok(RecordStream { source, left: MAX_STREAMED_BYTES, at_start: true })
    }

    /// Walks over the next record.
    ///
    /// # Errors
    /// If there is none, it is malformed, or the data does not decompress.
    #[expect(
        clippy::should_implement_trait,
        reason = "it does not end by itself: the batch's head says how many there are"
    )]
    pub fn next(&mut self) -> Result<Shape, RecordFault> {
        // Most records lie within what has been decompressed at once.
        let have = self.have()?;
        let mut at = 0;
        match records::walk(have, &mut at) {
            Ok(shape) => {
                self.consume(at);
                Ok(shape)
            }
            Err(RecordFault::CutOff) => self.next_across_steps(),
            Err(fault) => Err(fault),
        }
    }

    /// Makes sure that nothing comes after the last record.
    ///
    /// # Errors
    /// If something does.
    pub fn finish(mut self) -> Result<(), RecordFault> {
        if self.have()?.is_empty() {
            return Ok(());
        }
        Err(RecordFault::Malformed("there are bytes behind the records"))
    }

    fn next_across_steps(&mut self) -> Result<Shape, RecordFault> {
        let mut length = [0; varint::MOST_BYTES_I32];
        let used = self.number(&mut length)?;
        let mut at = 0;
        let length = varint::read_i32(&length, &mut at).ok_or_else(|| length_fault(used))?;
        let left =
            u64::try_from(length).map_err(|_| RecordFault::Malformed("a record's length is negative"))?;
        let mut body = Body { stream: self, left };
        body.skip(1)?;
        let timestamp_delta = body.read_i64()?;
        let offset_delta = body.read_i32()?;
        let key_size = body.skip_nullable()?;
        let value_size = body.skip_nullable()?;
        let headers = body.read_i32()?;
        if headers < 0 {
            return Err(RecordFault::Malformed("a record has a negative number of headers"));
        }
        for _ in 0..headers {
            if body.skip_nullable()? < 0 {
                return Err(RecordFault::Malformed("a header has no name"));
            }
            body.skip_nullable()?;
        }
        match body.left {
            0 => Ok(Shape { timestamp_delta, offset_delta, key_size, value_size }),
            _ => Err(RecordFault::Malformed("a record's length is not that of its parts")),
        }
    }

    /// Takes the bytes of a number, up to the one that ends it, and says how many there were.
    fn number(&mut self, bytes: &mut [u8]) -> Result<usize, RecordFault> {
        let mut used = 0;
        for place in bytes {
            *place = *self.have()?.first().ok_or(RecordFault::CutOff)?;
            self.consume(1);
            used += 1;
            if *place < 0x80 {
                break;
            }
        }
        Ok(used)
    }

    fn have(&mut self) -> Result<&[u8], RecordFault> {
        if self.left == 0 {
            return Err(RecordFault::Compression(format!(
                "it becomes larger than {MAX_STREAMED_BYTES} bytes"
            )));
        }
        let at_start = std::mem::take(&mut self.at_start);
        let source = &mut self.source;
        guarded(|| source.fill_buf()).map_err(|error| match error.kind() {
            // Kafka tells data that ends early from data that was never any good.
            io::ErrorKind::UnexpectedEof if !at_start => RecordFault::CutOff,
            _ => RecordFault::Compression(error.to_string()),
        })
    }

    fn consume(&mut self, bytes: usize) {
        self.source.consume(bytes);
        self.left = self.left.saturating_sub(bytes as u64);
    }
}

/// What is left of a record that does not lie in one piece.
struct Body<'s, 'a> {
    stream: &'s mut RecordStream<'a>,
    left: u64,
}

impl Body<'_, '_> {
    const TOO_LONG: RecordFault = RecordFault::Malformed("a record's parts do not fit into its length");

    fn take(&mut self, bytes: u64) -> Result<(), RecordFault> {
        self.left = self.left.checked_sub(bytes).ok_or(Self::TOO_LONG)?;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), RecordFault> {
        self.take(bytes)?;
        let mut left = bytes;
        while left > 0 {
            let have = self.stream.have()?.len();
            if have == 0 {
                return Err(RecordFault::CutOff);
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(have);
            self.stream.consume(step);
            left -= step as u64;
        }
        Ok(())
    }

    fn skip_nullable(&mut self) -> Result<i32, RecordFault> {
        let size = self.read_i32()?;
        if let Ok(bytes) = u64::try_from(size) {
            self.skip(bytes)?;
        }
        Ok(size)
    }

    fn read_i32(&mut self) -> Result<i32, RecordFault> {
        let mut bytes = [0; varint::MOST_BYTES_I32];
        let used = self.stream.number(&mut bytes)?;
        self.take(used as u64)?;
        varint::read_i32(&bytes, &mut 0).ok_or(Self::TOO_LONG)
    }

    fn read_i64(&mut self) -> Result<i64, RecordFault> {
        let mut bytes = [0; varint::MOST_BYTES_I64];
        let used = self.stream.number(&mut bytes)?;
        self.take(used as u64)?;
        varint::read_i64(&bytes, &mut 0).ok_or(Self::TOO_LONG)
    }
}

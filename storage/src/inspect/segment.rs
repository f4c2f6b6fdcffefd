//! Reading a `.log` batch by batch, with one batch in memory at a time.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;

use crate::batch::header::{self, LENGTH_END};
use crate::batch::{Batch, BatchHeader, HEADER_BYTES};

/// Read ahead at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// A batch in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBatch {
    /// Where it begins in the file, in bytes.
    pub position: u64,
    /// The batch. One of an older format (magic 0 and 1) has a head that was read as if it were of format 2.
    pub batch: Batch,
    /// Whether its checksum is right.
    pub checksum_is_right: bool,
}

/// What a file has behind its last whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// As many zeros: blocks that were reserved and not written.
    Reserved(u64),
    /// As many bytes that are no whole batch: one that was cut off, or damage.
    NoBatch(u64),
}

/// Reads the batches of a `.log` in order, as an iterator. It ends at the first bytes that are no whole batch;
/// [`rest`](SegmentReader::rest) then says what they are.
#[derive(Debug)]
pub struct SegmentReader {
    file: BufReader<File>,
    position: u64,
    length: u64,
    rest: Option<Rest>,
}

impl SegmentReader {
    /// Opens the file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(SegmentReader {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            position: 0,
            length,
            rest: None,
        })
    }

    /// What lies behind the last whole batch. Known once the iterator has ended.
    pub fn rest(&self) -> Option<Rest> {
        self.rest
    }

    fn read_batch(&mut self) -> io::Result<Option<FoundBatch>> {
        let remaining = self.length - self.position;
        let mut head = [0; LENGTH_END];
        if remaining < head.len() as u64 {
            return self.end(&[]);
        }
        self.file.read_exact(&mut head)?;
        let length = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        let body = usize::try_from(length).unwrap_or(0);
        if body < HEADER_BYTES - LENGTH_END || (LENGTH_END + body) as u64 > remaining {
            return self.end(&head);
        }
        // No longer than the file is, so whatever the length says it is there to be read.
        let mut bytes = Vec::with_capacity(LENGTH_END + body);
        bytes.extend_from_slice(&head);
        (&mut self.file).take(body as u64).read_to_end(&mut bytes)?;
        let Some(found) = BatchHeader::read(&bytes).filter(|header| header.size() == bytes.len()) else {
            return self.end(&bytes);
        };
        let checksum_is_right = header::checksum_of(&bytes) == Some(found.crc);
        let position = self.position;
        self.position += bytes.len() as u64;
        Ok(Some(FoundBatch {
            position,
            batch: Batch { header: found, bytes: Bytes::from(bytes) },
            checksum_is_right,
        }))
    }

    /// Looks at what follows, of which `seen` has been read already.
    fn end(&mut self, seen: &[u8]) -> io::Result<Option<FoundBatch>> {
        let remaining = self.length - self.position;
        let mut zeros = seen.iter().all(|byte| *byte == 0);
        let mut chunk = vec![0; BUFFER_BYTES];
        while zeros {
            match self.file.read(&mut chunk)? {
                0 => break,
                read => zeros = chunk.iter().take(read).all(|byte| *byte == 0),
            }
        }
        self.rest = Some(match remaining {
            0 => Rest::Nothing,
            remaining if zeros => Rest::Reserved(remaining),
            remaining => Rest::NoBatch(remaining),
        });
        Ok(None)
    }
}

impl Iterator for SegmentReader {
    type Item = io::Result<FoundBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_some() {
            return None;
        }
        let read = self.read_batch().transpose();
        if let Some(Err(_)) = &read {
            self.rest = Some(Rest::NoBatch(self.length - self.position));
        }
        read
    }
}

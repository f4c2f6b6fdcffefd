//! Frames: four bytes of length, then that many bytes. What leaves is a head and slices that are never copied.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::limits::RequestMemory;

/// The size of the buffer that a connection reads into while it is busy; an idle connection has none.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The size of the first buffer of a connection that has been idle, or is new: most requests are smaller, and of thousands of
/// connections that send a request now and then each would leave a page of memory behind.
const FIRST_BUFFER_BYTES: usize = 512;

/// By how much it grows each time that it is filled by one read.
const GROWTH: usize = 8;

/// A frame up to this size gets its buffer at once. A longer one gets more only as its bytes arrive, so that a length
/// that is merely claimed costs nothing.
const TRUSTED_FRAME_BYTES: usize = 1024 * 1024;

/// Why no more frames come from a connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The length is negative or above `socket.request.max.bytes`.
    #[error("it sent a frame of {length} bytes; from 0 to {most} are accepted (socket.request.max.bytes)")]
    Length { length: i32, most: usize },
    /// The connection ended, or failed, in the middle of a frame.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// Other requests hold all the memory that requests may hold.
    #[error(
        "no memory was free for its request of {0} bytes; more can be allowed with queued.max.request.bytes"
    )]
    Memory(usize),
}

/// Cuts a stream of bytes into frames.
#[derive(Default)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
    /// The size of the last frame, and so the best guess at the next one's.
    last_frame: usize,
    /// How much is read at a time; 0 before the first read.
    window: usize,
}

impl FrameReader {
    /// The next frame if all of it has been read already.
    pub(crate) fn buffered(&mut self, most: usize) -> Result<Option<Bytes>, FrameError> {
        match self.length(most)? {
            Some(length) if self.buffer.len() >= 4 + length => {
                self.last_frame = 4 + length;
                let mut frame = self.buffer.split_to(4 + length);
                Ok(Some(frame.split_off(4).freeze()))
            }
            _ => Ok(None),
        }
    }

    /// Whether nothing of a next frame has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Lets go of the buffer, so that an idle connection costs none.
    pub(crate) fn release(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.window = 0;
        }
    }

    /// Reads once from `stream`. False: the stream has ended.
    ///
    /// What a frame needs beyond the trusted size is taken from `memory` as it arrives. Small frames are read as many
    /// at once as there are. A long one is read up to its end: what came behind it would have to be copied to where
    /// the next one is gathered.
    pub(crate) async fn fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        most: usize,
        memory: &mut RequestMemory,
    ) -> Result<bool, FrameError> {
        let expected = self.last_frame.min(TRUSTED_FRAME_BYTES);
        let window = self.window.clamp(FIRST_BUFFER_BYTES, READ_BUFFER_BYTES);
        let frame = self.length(most)?.map_or(expected, |length| 4 + length).max(window);
        let missing = frame.saturating_sub(self.buffer.len()).max(1);
        let step = missing.min(self.buffer.len().max(TRUSTED_FRAME_BYTES));
        if !memory.hold(self.buffer.len() + step).await {
            return Err(FrameError::Memory(frame));
        }
        self.buffer.reserve(step);
        let read = stream.read_buf(&mut (&mut self.buffer).limit(step)).await?;
        self.window = if read == step { window * GROWTH } else { window };
        Ok(read > 0)
    }

    fn length(&self, most: usize) -> Result<Option<usize>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*head);
        match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(FrameError::Length { length, most }),
        }
    }
}

/// An answer on its way out: its bytes in order, record data as slices of the log.
#[derive(Debug, Clone, Default)]
pub struct ResponseFrame {
    parts: Vec<Bytes>,
}

impl ResponseFrame {
    /// A frame of `parts`, whose first begins with the four bytes of length.
    pub(crate) fn new(parts: Vec<Bytes>) -> Self {
        ResponseFrame { parts }
    }

    /// The bytes of the frame, its length first, in the pieces in which they lie in memory.
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// The pieces, to be sent on or read.
    pub fn into_parts(self) -> Vec<Bytes> {
        self.parts
    }

    /// The first `bytes` of the frame, as a connection that breaks lets them through.
    pub(crate) fn cut_to(mut self, bytes: usize) -> Self {
        let mut room = bytes;
        for part in &mut self.parts {
            part.truncate(room);
            room -= part.len();
        }
        self
    }

    /// How many bytes the frame has, its length included.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// Whether the frame has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame in one piece; copies unless it is in one already.
    pub fn to_bytes(&self) -> Bytes {
        match self.parts.as_slice() {
            [only] => only.clone(),
            parts => parts.concat().into(),
        }
    }
}

/// Writes all of `parts`, in as few calls as the system allows, and leaves `parts` empty.
pub(crate) async fn write_all(
    stream: &mut (impl AsyncWrite + Unpin),
    parts: &mut Vec<Bytes>,
) -> std::io::Result<()> {
    let mut queue = PartQueue { parts, first: 0 };
    while bytes::Buf::has_remaining(&queue) {
        if stream.write_buf(&mut queue).await? == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
    }
    parts.clear();
    Ok(())
}

/// A list of parts as one buffer; `first` is the first that is not yet written.
struct PartQueue<'a> {
    parts: &'a mut Vec<Bytes>,
    first: usize,
}

impl bytes::Buf for PartQueue<'_> {
    fn remaining(&self) -> usize {
        self.parts.iter().skip(self.first).map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.parts.iter().skip(self.first).find(|part| !part.is_empty()).map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let pending = self.parts.iter().skip(self.first).filter(|part| !part.is_empty());
        slices.iter_mut().zip(pending).map(|(slice, part)| *slice = std::io::IoSlice::new(part)).count()
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(part) = self.parts.get_mut(self.first) {
            let step = written.min(part.len());
            bytes::Buf::advance(part, step);
            written -= step;
            if !part.is_empty() {
                return;
            }
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RequestMemoryPool;

    async fn read_all(mut bytes: &[u8], most: usize) -> Result<Vec<Bytes>, FrameError> {
        let pool = RequestMemoryPool::new(1 << 20);
        let (mut memory, mut reader, mut frames) = (pool.account(), FrameReader::default(), Vec::new());
        loop {
            while let Some(frame) = reader.buffered(most)? {
                frames.push(frame);
            }
            if !reader.fill(&mut bytes, most, &mut memory).await? {
                return Ok(frames);
            }
        }
    }

    #[tokio::test]
    async fn frames_are_cut_where_their_lengths_say() {
        let frames = read_all(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0], 16).await.unwrap();
        assert_eq!(frames, [&[7, 8][..], &[], &[9]]);
    }

    #[tokio::test]
    async fn a_negative_and_an_overlong_length_are_errors() {
        for length in [-1_i32, i32::MIN, 17, i32::MAX] {
            let got = read_all(&length.to_be_bytes(), 16).await;
            assert!(matches!(got, Err(FrameError::Length { length: l, most: 16 }) if l == length), "{got:?}");
        }
    }

    #[tokio::test]
    async fn the_buffer_is_small_at_first_and_grows_with_what_comes() {
        let pool = RequestMemoryPool::new(1 << 20);
        let (mut memory, mut reader) = (pool.account(), FrameReader::default());
        let frames = [0, 0, 0, 4, 1, 2, 3, 4].repeat(20_000);
        let mut stream = frames.as_slice();
        let mut sizes = Vec::new();
        for most in [FIRST_BUFFER_BYTES, FIRST_BUFFER_BYTES * GROWTH, READ_BUFFER_BYTES, READ_BUFFER_BYTES] {
            assert!(reader.fill(&mut stream, 16, &mut memory).await.unwrap());
            sizes.push(reader.buffer.len());
            assert!(reader.buffer.len() <= most, "{sizes:?}");
            while reader.buffered(16).unwrap().is_some() {}
        }
        assert_eq!(sizes.last(), Some(&READ_BUFFER_BYTES));
        reader.release();
        assert!(reader.fill(&mut stream, 16, &mut memory).await.unwrap());
        assert_eq!(reader.buffer.len(), FIRST_BUFFER_BYTES);
    }

    #[tokio::test]
    async fn all_parts_are_written_in_order() {
        let mut out = Vec::new();
        let mut parts = vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"cde")];
        write_all(&mut out, &mut parts).await.unwrap();
        assert_eq!((out.as_slice(), parts.len()), (&b"abcde"[..], 0));
    }
}

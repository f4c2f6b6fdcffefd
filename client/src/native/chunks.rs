//! An answer that lies in several pieces, read as if it were one. Record data comes out as a slice of its piece.
//!
//! Knows nothing of what is in an answer.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::protocol::buf::ByteBuf;

/// Pieces one after the other, none of them empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunks {
    pieces: VecDeque<Bytes>,
    remaining: usize,
}

impl Chunks {
    pub(crate) fn new(pieces: Vec<Bytes>) -> Self {
        let pieces: VecDeque<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let remaining = pieces.iter().map(Bytes::len).sum();
        Chunks { pieces, remaining }
    }

    /// The first `size` bytes: a slice where they lie in one piece, and otherwise a copy.
    fn front(&self, size: usize) -> Bytes {
        match self.pieces.front() {
            Some(piece) if piece.len() >= size => piece.slice(..size),
            _ => {
                let mut copy = BytesMut::with_capacity(size.min(self.remaining));
                for piece in &self.pieces {
                    let step = piece.len().min(size - copy.len());
                    copy.extend_from_slice(piece.get(..step).unwrap_or_default());
                }
                copy.freeze()
            }
        }
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "no more is stepped over than there is");
        self.remaining -= count;
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

impl ByteBuf for Chunks {
    fn peek_bytes(&mut self, range: Range<usize>) -> Bytes {
        self.front(range.end).slice(range.start..)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        let bytes = self.front(size);
        self.advance(size);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_across_pieces_and_data_is_sliced() {
        let data = Bytes::from_static(b"record data");
        let head = Bytes::from_static(&[0, 0]);
        let mut chunks = Chunks::new(vec![head, Bytes::new(), Bytes::from_static(&[0, 7]), data.clone()]);
        assert_eq!(chunks.remaining(), 15);
        assert_eq!(chunks.peek_bytes(2..4), &[0, 7][..]);
        assert_eq!(chunks.get_i32(), 7);
        let sliced = chunks.get_bytes(6);
        assert_eq!((sliced.as_ptr(), &sliced[..]), (data.as_ptr(), &b"record"[..]));
        assert!(chunks.try_get_bytes(6).is_err());
        assert_eq!(chunks.get_bytes(5), &b" data"[..]);
        assert!(!chunks.has_remaining());
        assert_eq!(chunks.get_bytes(0), Bytes::new());
    }

    #[test]
    fn bytes_across_pieces_are_joined() {
        let mut chunks = Chunks::new(vec![Bytes::from_static(b"ab"), Bytes::from_static(b"cd")]);
        assert_eq!(chunks.get_bytes(3), &b"abc"[..]);
        assert_eq!(chunks.remaining(), 1);
    }
}

//! snappy as Kafka's clients use it: one raw block, or blocks in the framing of the Java library "xerial".
//!
//! The framing: the magic bytes, a version and the oldest version that can read it, 4 bytes each, then for each block its
//! length and the raw block. Numbers are big-endian.

use std::io::{self, BufRead, Read};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
/// How much goes into a block: what the Java library does.
const BLOCK_BYTES: usize = 32 * 1024;
/// No raw block decompresses to more than this many times its size: three bytes can stand for 64.
const LARGEST_RATIO: usize = 22;

/// Compresses `bytes` in xerial's framing.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + bytes.len() / 2);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&1_i32.to_be_bytes());
    out.extend_from_slice(&1_i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(BLOCK_BYTES) {
        let packed = encoder.compress_vec(block).expect("a block of 32 KiB is not too large");
        out.extend_from_slice(&(packed.len() as u32).to_be_bytes());
        out.extend_from_slice(&packed);
    }
    out
}

/// Decompresses either form, a block at a time.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(packed: &'a [u8]) -> Self {
        let framed = packed.starts_with(&MAGIC) && packed.len() >= HEADER_BYTES;
        let rest = if framed { packed.get(HEADER_BYTES..).unwrap_or_default() } else { packed };
        Reader { rest, framed, block: Vec::new(), at: 0 }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let packed = if self.framed {
            let (length, rest) = self.rest.split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
            let length = u32::from_be_bytes(*length) as usize;
            let block = rest.get(..length).ok_or(io::ErrorKind::UnexpectedEof)?;
            self.rest = rest.get(length..).unwrap_or_default();
            block
        } else {
            std::mem::take(&mut self.rest)
        };
        let size = snap::raw::decompress_len(packed).map_err(io::Error::other)?;
        if size > packed.len().saturating_mul(LARGEST_RATIO) {
            return Err(io::Error::other("a block says that it is larger than it can be"));
        }
        self.block.resize(size, 0);
        let written =
            snap::raw::Decoder::new().decompress(packed, &mut self.block).map_err(io::Error::other)?;
        self.block.truncate(written);
        self.at = 0;
        Ok(())
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut have = self.fill_buf()?;
        let read = have.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.block.len() && !self.rest.is_empty() {
            self.next_block()?;
        }
        Ok(self.block.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount);
    }
}

//! Zstandard: any number of frames, one after the other.
//!
//! The decoder holds as much of what it decompressed as the frame's window says, and does not bound that itself.

use std::io::{self, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// The largest window that a frame may ask for: what the decoder of Kafka's clients takes.
const MAX_WINDOW_BYTES: u64 = 128 * 1024 * 1024;

/// Compresses `bytes` into one frame.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Decompresses frame after frame.
pub(super) enum Reader<'a> {
    Between(&'a [u8]),
    Within(Box<StreamingDecoder<&'a [u8], FrameDecoder>>),
}

impl<'a> Reader<'a> {
    pub(super) fn new(packed: &'a [u8]) -> Self {
        Reader::Between(packed)
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match self {
                Reader::Between([]) => return Ok(0),
                Reader::Between(rest) => {
                    if window(rest).is_some_and(|window| window > MAX_WINDOW_BYTES) {
                        return Err(io::Error::other("the window is too large"));
                    }
                    let decoder = StreamingDecoder::new(*rest).map_err(io::Error::other)?;
                    *self = Reader::Within(Box::new(decoder));
                }
                Reader::Within(decoder) => match decoder.read(out)? {
                    0 => *self = Reader::Between(decoder.get_ref()),
                    read => return Ok(read),
                },
            }
        }
    }
}

/// The window that the frame at the beginning of `bytes` asks for: RFC 8878, section 3.1.1.1. `None` where there is no
/// frame; the decoder says why.
fn window(bytes: &[u8]) -> Option<u64> {
    const MAGIC_BYTES: usize = 4;
    const SINGLE_SEGMENT: u8 = 0x20;
    let descriptor = *bytes.get(MAGIC_BYTES)?;
    let rest = bytes.get(MAGIC_BYTES + 1..)?;
    if descriptor & SINGLE_SEGMENT == 0 {
        let byte = *rest.first()?;
        let base = 1_u64 << (10 + u32::from(byte >> 3));
        return Some(base + base / 8 * u64::from(byte & 7));
    }
    // The window is as large as the contents, whose size comes behind the dictionary's id.
    let size_at = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?;
    let mut size = [0; 8];
    let size_bytes = 1_usize << (descriptor >> 6);
    size.get_mut(..size_bytes)?.copy_from_slice(rest.get(size_at..size_at + size_bytes)?);
    Some(u64::from_le_bytes(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_a_huge_window_is_refused() {
        let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8];
        // A block that repeats a byte 128 KiB times; not the last.
        bomb.extend([0x02, 0x00, 0x10, b'x'].repeat(100));
        assert!(Reader::new(&bomb).read(&mut [0; 10]).unwrap_err().to_string().contains("window"));
    }
}

//! The codecs of record batches, and the bounds on what they may produce.
//!
//! Data is decompressed as a stream and walked over as it comes, so that a batch that decompresses to a thousand times
//! its size costs time, up to [`MAX_STREAMED_BYTES`], but no memory.

mod snappy;
mod stream;
mod zstd;

use std::io::{self, BufRead, BufReader, Read, Write};

pub use stream::RecordStream;

/// The most that a batch may decompress to while it is checked. It bounds time, a second or so, not memory.
pub const MAX_STREAMED_BYTES: u64 = 1024 * 1024 * 1024;

/// How much is decompressed at a time.
const STEP_BYTES: usize = 64 * 1024;

/// What the records of a batch are compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// Nothing.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// snappy, whole or in xerial's framing.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// The codec that has this number in a batch's attributes.
    pub fn from_number(number: u8) -> Option<Self> {
        [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd].get(usize::from(number)).copied()
    }

    /// Its number in a batch's attributes.
    pub fn number(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }
}

/// How hard to compress. The LZ4 and Zstandard encoders have one level each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// 1 to 9, or -1 for the default.
    pub gzip: i32,
}

impl Default for Levels {
    fn default() -> Self {
        Levels { gzip: -1 }
    }
}

/// What `packed` decompresses to, as it comes.
fn unpack<'a>(codec: Codec, packed: &'a [u8]) -> io::Result<Box<dyn BufRead + 'a>> {
    if packed.is_empty() && codec != Codec::Zstd {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is nothing to decompress"));
    }
    Ok(match codec {
        Codec::None => Box::new(packed),
        Codec::Gzip => {
            Box::new(BufReader::with_capacity(STEP_BYTES, flate2::read::MultiGzDecoder::new(packed)))
        }
        Codec::Snappy => Box::new(snappy::Reader::new(packed)),
        Codec::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
        Codec::Zstd => Box::new(BufReader::with_capacity(STEP_BYTES, zstd::Reader::new(packed))),
    })
}

/// Decompresses all of `packed`, to `most` bytes at the most.
///
/// # Errors
/// With the reason, if it cannot be decompressed or comes to more.
pub fn decompress(codec: Codec, packed: &[u8], most: usize) -> Result<Vec<u8>, String> {
    guarded(|| {
        let mut unpacked = Vec::new();
        let limit = (most as u64).saturating_add(1);
        unpack(codec, packed)?.take(limit).read_to_end(&mut unpacked)?;
        if unpacked.len() > most {
            return Err(io::Error::other(format!("it becomes larger than {most} bytes")));
        }
        Ok(unpacked)
    })
    .map_err(|error| error.to_string())
}

/// Compresses `bytes`.
pub fn compress(codec: Codec, bytes: &[u8], levels: &Levels) -> Vec<u8> {
    match codec {
        Codec::None => bytes.to_vec(),
        Codec::Gzip => {
            let level =
                u32::try_from(levels.gzip).map_or_else(|_| Default::default(), flate2::Compression::new);
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
        }
        Codec::Snappy => snappy::compress(bytes),
        Codec::Lz4 => {
            let mut info = lz4_flex::frame::FrameInfo::new();
            info.block_size = lz4_flex::frame::BlockSize::Max64KB;
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).expect("writing to memory does not fail");
            encoder.finish().expect("writing to memory does not fail")
        }
        Codec::Zstd => zstd::compress(bytes),
    }
}

/// Runs a decoder, and has it fail where it panics: the decoders are other people's code, and what they are given
/// comes from clients.
fn guarded<T>(decode: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(io::Error::other("the decoder gave up")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_compressed_decompresses(piece in proptest::collection::vec(any::<u8>(), 1..300), times in 1..900_usize) {
            let bytes = piece.repeat(times);
            for codec in ALL {
                let packed = compress(codec, &bytes, &Levels::default());
                let unpacked = decompress(codec, &packed, bytes.len());
                prop_assert_eq!(unpacked.as_ref(), Ok(&bytes), "{:?}", codec);
                prop_assert!(decompress(codec, &packed, bytes.len() - 1).is_err(), "{:?}", codec);
            }
        }

        #[test]
        fn anything_can_be_decompressed(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0..200_usize, flip in any::<u16>()) {
            for codec in ALL {
                let _ = decompress(codec, &bytes, 1 << 20);
                let mut packed = compress(codec, &bytes, &Levels::default());
                let at = usize::from(flip) % packed.len();
                packed[at] ^= 1 << (flip % 8);
                let _ = decompress(codec, &packed, 1 << 20);
                packed.truncate(cut);
                let _ = decompress(codec, &packed, 1 << 20);
            }
        }
    }

    #[test]
    fn raw_snappy_is_understood() {
        let packed = snap::raw::Encoder::new().compress_vec(b"not in any framing").unwrap();
        assert_eq!(decompress(Codec::Snappy, &packed, 100).unwrap(), b"not in any framing");
    }

    #[test]
    fn a_snappy_block_cannot_claim_more_than_it_can_hold() {
        // A length of 4 GiB less one, and nothing behind it.
        assert!(decompress(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f], usize::MAX).is_err());
    }
}

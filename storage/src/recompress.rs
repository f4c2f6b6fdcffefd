//! Compressing a batch anew, where the log wants another codec than the producer chose (`compression.type`).
//!
//! Knows of a batch only what the check found.

use bytes::Bytes;

use crate::batch::compression::{Levels, compress, decompress};
use crate::batch::{Codec, HEADER_BYTES, MAX_DECOMPRESSED_BYTES, build, header};
use crate::error::AppendError;
use crate::options::{CompressionType, LogOptions};
use crate::validate::Checked;

/// Has a checked batch compressed as the log wants it.
///
/// # Errors
/// If it becomes larger than `max.message.bytes` allows that way, or too large to be decompressed at all.
pub(crate) fn convert(checked: Checked, codec: Codec, options: &LogOptions) -> Result<Checked, AppendError> {
    let wanted = match options.compression {
        CompressionType::Producer => return Ok(checked),
        CompressionType::Uncompressed => Codec::None,
        CompressionType::Gzip => Codec::Gzip,
        CompressionType::Snappy => Codec::Snappy,
        CompressionType::Lz4 => Codec::Lz4,
        CompressionType::Zstd => Codec::Zstd,
    };
    if wanted == codec || checked.header.is_control() {
        return Ok(checked);
    }
    let unpacked = decompress(codec, &checked.records, MAX_DECOMPRESSED_BYTES)
        .map_err(AppendError::DoesNotDecompress)?;
    let records = Bytes::from(match wanted {
        Codec::None => unpacked,
        wanted => compress(wanted, &unpacked, &Levels { gzip: options.gzip_level }),
    });
    let size = HEADER_BYTES + records.len();
    if size > options.max_message_bytes as usize {
        return Err(AppendError::MessageTooLarge { size, max: options.max_message_bytes });
    }
    let mut header = checked.header;
    header.set_codec(wanted.number());
    header.batch_length = build::length_of(records.len());
    header.crc = header::checksum(&header.to_bytes(), &records);
    Ok(Checked { header, records, checksum_changed: true })
}

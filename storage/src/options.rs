//! How a log is to behave: Kafka's topic configs, as far as a log acts on them, and the bounds of a manager.

use std::path::PathBuf;
use std::sync::Arc;

use crate::fs::Faults;

/// Where logs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// In memory: gone with the process.
    Memory,
    /// In a data folder, laid out like Apache Kafka's.
    Folder(PathBuf),
}

pub use klamm_protocol::batch::TimestampType;

/// How the batches of a log are compressed (`compression.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionType {
    /// As the producer compressed them.
    Producer,
    /// Not at all.
    Uncompressed,
    /// With gzip.
    Gzip,
    /// With snappy, in the framing that Java's clients use.
    Snappy,
    /// With LZ4 frames.
    Lz4,
    /// With Zstandard.
    Zstd,
}

/// The topic configs that a log acts on. The default is Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// `segment.bytes`: how large a segment may become.
    pub segment_bytes: u32,
    /// `segment.ms`: how long a segment is appended to.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: how much earlier than `segment_ms` a segment may be rolled, at random.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: how large an index may become; a full one has the segment rolled.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: how many bytes lie between two index entries.
    pub index_interval_bytes: u32,
    /// `retention.ms`: how long records are kept, -1 for ever.
    pub retention_ms: i64,
    /// `retention.bytes`: how large the log may become, -1 for as large as it likes.
    pub retention_bytes: i64,
    /// `flush.messages`: after how many records the log is synced.
    pub flush_messages: i64,
    /// `flush.ms`: after what time the log is synced.
    pub flush_ms: i64,
    /// `max.message.bytes`: how large a batch may be.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far in the past a producer's timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future a producer's timestamp may lie.
    pub timestamp_after_max_ms: i64,
    /// `cleanup.policy` has `compact`: records need a key.
    pub compact: bool,
    /// `cleanup.policy` has `delete`: retention deletes.
    pub delete: bool,
    /// `compression.type`.
    pub compression: CompressionType,
    /// `compression.gzip.level`: 1 to 9, -1 for the default.
    pub gzip_level: i32,
    /// `compression.lz4.level`: known, without effect; the encoder has one level.
    pub lz4_level: i32,
    /// `compression.zstd.level`: known, without effect; the encoder has one level.
    pub zstd_level: i32,
    /// `delete.retention.ms`: how long compaction keeps tombstones.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`: known, without effect; files are deleted at once, and who reads them can go on.
    pub file_delete_delay_ms: i64,
    /// `preallocate`: the whole segment is reserved on disk at once, instead of in steps.
    pub preallocate: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
        LogOptions {
            segment_bytes: 1 << 30,
            segment_ms: WEEK_MS,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 * 1024 * 1024,
            index_interval_bytes: 4096,
            retention_ms: WEEK_MS,
            retention_bytes: -1,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 60 * 60 * 1000,
            compact: false,
            delete: true,
            compression: CompressionType::Producer,
            gzip_level: -1,
            lz4_level: 9,
            zstd_level: 3,
            delete_retention_ms: 24 * 60 * 60 * 1000,
            file_delete_delay_ms: 60_000,
            preallocate: false,
        }
    }
}

/// The bounds of a [`LogManager`](crate::LogManager), for all of its logs together.
#[derive(Debug, Clone)]
pub struct ManagerSettings {
    /// How many segments of files are mapped at once, at three maps each. The ones not used for longest are unmapped.
    /// The default leaves most of Linux's 65,530 maps (`vm.max_map_count`) to others.
    pub max_mapped_segments: usize,
    /// How many bytes are reserved on disk, or set aside, in one step once a segment is large. Steps start at
    /// 64 KiB and double up to this.
    pub largest_reserve_step: usize,
    /// How many bytes ahead of the writer pages are filled in.
    pub populate_ahead: usize,
    /// `producer.id.expiration.ms`: how long an idempotent producer that appends nothing is remembered.
    pub producer_id_expiration_ms: i64,
    /// Faults to be had on purpose, for tests.
    pub faults: Arc<Faults>,
}

impl Default for ManagerSettings {
    fn default() -> Self {
        ManagerSettings {
            max_mapped_segments: 8192,
            largest_reserve_step: 64 * 1024 * 1024,
            populate_ahead: 4 * 1024 * 1024,
            producer_id_expiration_ms: 24 * 60 * 60 * 1000,
            faults: Arc::default(),
        }
    }
}

//! What can go wrong, an enum per operation. Which of Kafka's error codes each is, the broker decides.

use std::io;
use std::path::PathBuf;

/// Why a data folder or a log cannot be opened. Each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another broker in this one, uses the folder.
    #[error(
        "the data folder {} is in use by another broker: stop that one, or give this one another folder",
        .0.display()
    )]
    Locked(PathBuf),
    /// The folder cannot be created or written.
    #[error("the data folder {} cannot be used: {why}: give a folder that this user may write", folder.display())]
    NotWritable {
        /// The folder that was given.
        folder: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The folder holds something else.
    #[error(
        "{} holds files that are not a broker's of this kind ({found}): give an empty folder or one that does not \
         exist",
        folder.display()
    )]
    NotOurs {
        /// The folder that was given.
        folder: PathBuf,
        /// A name found in it.
        found: String,
    },
    /// A file cannot be read, written or understood.
    #[error("{} cannot be used: {why}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The log is there with another topic's id.
    #[error(
        "the folder {} belongs to another topic of the same name (its id is {found}, not {wanted}): move it away",
        folder.display()
    )]
    OtherTopic {
        /// The partition's folder.
        folder: PathBuf,
        /// The id that `partition.metadata` has.
        found: uuid::Uuid,
        /// The id that was asked for.
        wanted: uuid::Uuid,
    },
    /// The log is open already.
    #[error("the log of {topic}-{partition} is open already: use it, or delete it first")]
    AlreadyOpen {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The manager is closed.
    #[error("the logs have been closed: open the data folder again")]
    Closed,
}

impl OpenError {
    pub(crate) fn file(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        OpenError::File { path: path.into(), why: why.to_string() }
    }
}

/// Why a log cannot be looked after: flushed, cut short, rolled, deleted.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A file could not be written, synced or read.
    #[error("{doing}: {why}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        why: io::Error,
    },
    /// A write or sync failed before: what is on the disk is not known, so the log takes no more until it is reopened.
    #[error("the log has failed and has to be reopened: {0}")]
    Failed(String),
    /// The log was deleted.
    #[error("the log has been deleted")]
    Deleted,
    /// The log was closed.
    #[error("the log has been closed")]
    Closed,
    /// An offset outside of the log.
    #[error("the offset {offset} is outside of the log, which has {start} to {end}")]
    OffsetOutOfRange {
        /// The offset that was asked for.
        offset: i64,
        /// The log start offset.
        start: i64,
        /// The log end offset.
        end: i64,
    },
    /// What the log holds cannot be read.
    #[error("the log holds what is not a record batch: {0}")]
    Corrupt(String),
}

impl StorageError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |why| StorageError::Io { doing, why }
    }
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Below the log start offset, or above the last offset that may be read.
    #[error("the offset {offset} is outside of the log, which has {start} to {end}")]
    OffsetOutOfRange {
        /// The offset that was asked for.
        offset: i64,
        /// The log start offset.
        start: i64,
        /// The log end offset.
        end: i64,
    },
    /// The log was deleted.
    #[error("the log has been deleted")]
    Deleted,
    /// The file cannot be opened or mapped.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// What the log holds is not a batch.
    #[error("the log is corrupt: {0}")]
    Corrupt(String),
}

/// Why a batch is not appended. Nothing of it is in the log then.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no whole batch, or more than one, or one of the format's versions 0 and 1. Kafka's error 87, refused
    /// before the log is looked at.
    #[error("there has to be exactly one whole batch of format 2: {0}")]
    NotOneBatch(&'static str),
    /// A batch with a bad length or format version. Kafka's error 2, with a message.
    #[error("{0}")]
    MalformedFrame(String),
    /// Bytes behind the batch that cannot be the beginning of another. Kafka's error 2, without a message.
    #[error("behind the batch: {0}")]
    MalformedRest(String),
    /// A batch with a length so large that Kafka's own arithmetic fails on it. Kafka's error -1.
    #[error("the batch says that it has {0} bytes")]
    LengthTooLarge(i32),
    /// A batch with a bad checksum, or shorter than its head. Kafka's error 2, without a message.
    #[error("the batch is corrupt: its checksum is not {0:#x}")]
    BadChecksum(u32),
    /// Larger than `max.message.bytes`. Kafka's error 10.
    #[error("the batch has {size} bytes, and {max} are allowed")]
    MessageTooLarge {
        /// The batch's bytes.
        size: usize,
        /// `max.message.bytes`.
        max: u32,
    },
    /// Larger than a segment may be. Kafka's error 18.
    #[error("the batch has {size} bytes, and a segment has {max}")]
    LargerThanSegment {
        /// The batch's bytes.
        size: usize,
        /// `segment.bytes`.
        max: u32,
    },
    /// A codec that does not exist. Kafka's error -1.
    #[error("there is no compression type {0}")]
    UnknownCompression(u8),
    /// Compressed data that cannot be decompressed, or becomes larger than is allowed. Kafka's error -1.
    #[error("the batch does not decompress: {0}")]
    DoesNotDecompress(String),
    /// A record whose length is no number. Kafka's error -1.
    #[error("a record's length has too many bytes")]
    LengthTooLong,
    /// A batch that breaks a rule as a whole, or has a record that does. Kafka's error 87.
    #[error("{0}")]
    InvalidBatch(String),
    /// Records that break a rule. Kafka's error 87, and each record with its message.
    #[error("{message}")]
    InvalidRecords {
        /// Kafka's message.
        message: String,
        /// The records' indexes in the batch, and what is wrong with each.
        records: Vec<(i32, Option<String>)>,
    },
    /// Records with timestamps that are not allowed. Kafka's error 32, and each record with its message.
    #[error("{message}")]
    InvalidTimestamps {
        /// Kafka's message.
        message: String,
        /// The records' indexes in the batch, and what is wrong with each.
        records: Vec<(i32, Option<String>)>,
    },
    /// An idempotent producer's sequence number does not follow the last. Kafka's error 45.
    #[error("{0}")]
    OutOfOrderSequence(String),
    /// An idempotent producer's epoch is older than the last. Kafka's error 47.
    #[error("{0}")]
    InvalidProducerEpoch(String),
    /// The disk has no room. The log is as it was, and takes batches again once there is.
    #[error("the disk is full: {0}")]
    DiskFull(io::Error),
    /// The batch could not be written, or could not be synced as the flush policy asks.
    #[error("the batch could not be written: {0}")]
    Storage(#[from] StorageError),
}

impl AppendError {
    /// Whether the batch got as far as the log's own checks. Kafka answers with the real log start offset then, and
    /// with -1 otherwise.
    pub fn in_validation(&self) -> bool {
        match self {
            Self::UnknownCompression(_)
            | Self::DoesNotDecompress(_)
            | Self::LengthTooLong
            | Self::InvalidBatch(_)
            | Self::InvalidRecords { .. }
            | Self::InvalidTimestamps { .. }
            | Self::OutOfOrderSequence(_)
            | Self::InvalidProducerEpoch(_) => true,
            Self::NotOneBatch(_)
            | Self::MalformedFrame(_)
            | Self::MalformedRest(_)
            | Self::LengthTooLarge(_)
            | Self::BadChecksum(_)
            | Self::MessageTooLarge { .. }
            | Self::LargerThanSegment { .. }
            | Self::DiskFull(_)
            | Self::Storage(_) => false,
        }
    }

    /// The records to blame: their index in the batch, and why. Empty where it is the batch as a whole.
    pub fn record_errors(&self) -> &[(i32, Option<String>)] {
        match self {
            Self::InvalidRecords { records, .. } | Self::InvalidTimestamps { records, .. } => records,
            _ => &[],
        }
    }

    /// The message that Kafka answers with, where it answers with one.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::InvalidRecords { message, .. }
            | Self::InvalidTimestamps { message, .. }
            | Self::MalformedFrame(message) => Some(message),
            _ => None,
        }
    }
}

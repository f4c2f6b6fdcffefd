//! The errors of topics and logs as Kafka's error codes: the only place where one becomes the other.

use kafka_protocol::error::ResponseError;
use klamm_storage::{AppendError, StorageError};

use crate::topics::TopicError;

/// What a client is told of a failed append.
pub(crate) struct AppendFailure {
    pub(crate) error: ResponseError,
    /// Whether the batch got as far as validation: then the answer carries the log's real start offset.
    pub(crate) in_validation: bool,
    pub(crate) message: Option<String>,
    /// The records that are to blame: their index in the batch, and why.
    pub(crate) record_errors: Vec<(i32, Option<String>)>,
}

/// The answer to a topic that cannot be created or changed.
pub(crate) fn of_topic(error: &TopicError) -> ResponseError {
    match error {
        TopicError::Exists(_) => ResponseError::TopicAlreadyExists,
        TopicError::InvalidName(_) => ResponseError::InvalidTopicException,
        TopicError::Unknown => ResponseError::UnknownTopicOrPartition,
        TopicError::TooMany(_) => ResponseError::PolicyViolation,
        TopicError::Open(_) | TopicError::Delete(_) | TopicError::Epoch(_) | TopicError::Journal(_) => {
            ResponseError::KafkaStorageError
        }
    }
}

/// Why something was not done, as a client is told: the code, and the sentence that goes with it where Kafka has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) error: ResponseError,
    pub(crate) message: Option<String>,
}

impl Told {
    pub(crate) fn new(error: ResponseError, message: impl Into<String>) -> Self {
        Told { error, message: Some(message.into()) }
    }
}

impl From<TopicError> for Told {
    fn from(error: TopicError) -> Self {
        Told::new(of_topic(&error), error.to_string())
    }
}

/// What a client is told of a failed append.
pub(crate) fn of_append(error: &AppendError) -> AppendFailure {
    let code = match error {
        AppendError::NotOneBatch(_) | AppendError::InvalidBatch(_) | AppendError::InvalidRecords { .. } => {
            ResponseError::InvalidRecord
        }
        AppendError::MalformedFrame(_) | AppendError::MalformedRest(_) | AppendError::BadChecksum(_) => {
            ResponseError::CorruptMessage
        }
        AppendError::MessageTooLarge { .. } => ResponseError::MessageTooLarge,
        AppendError::LargerThanSegment { .. } => ResponseError::RecordListTooLarge,
        AppendError::LengthTooLarge(_)
        | AppendError::UnknownCompression(_)
        | AppendError::DoesNotDecompress(_)
        | AppendError::LengthTooLong => ResponseError::UnknownServerError,
        AppendError::InvalidTimestamps { .. } => ResponseError::InvalidTimestamp,
        AppendError::OutOfOrderSequence(_) => ResponseError::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch(_) => ResponseError::InvalidProducerEpoch,
        // The topic went while the batch was on its way.
        AppendError::Storage(StorageError::Deleted) => ResponseError::UnknownTopicOrPartition,
        AppendError::DiskFull(_) | AppendError::Storage(_) => ResponseError::KafkaStorageError,
    };
    AppendFailure {
        error: code,
        in_validation: error.in_validation(),
        message: error.message().map(str::to_owned),
        record_errors: error.record_errors().to_vec(),
    }
}

//! What goes wrong, as sentences: what was asked, what happened, what to do.

use std::sync::Arc;

use kafka_protocol::error::ResponseError;

use crate::record::Record;

/// What kind of thing went wrong. A program decides by this what to do; a person reads the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A config key is unknown, or its value is of the wrong type or out of range. Change the config.
    Config,
    /// A topic's name, a partition, an offset or another argument cannot be. Change the call.
    InvalidArgument,
    /// No broker could be reached. Worth trying again.
    Unreachable,
    /// The answer did not come in time. Worth trying again; what was asked for may have been done.
    TimedOut,
    /// The connection ended before the answer. Worth trying again; what was asked for may have been done.
    Disconnected,
    /// User name, password, mechanism or certificate were refused. Change the config.
    Authentication,
    /// The broker answered with an error of Kafka's. [`ClientError::code`] has it.
    Broker,
    /// The broker's answer makes no sense, or is larger than allowed.
    MalformedAnswer,
    /// A record, or what would become of it, is larger than allowed.
    TooLarge,
    /// The buffer was full and stayed so for `max_block_ms`. The record was not accepted.
    BufferFull,
    /// The publisher or subscriber has been stopped, or was not started.
    NotRunning,
    /// It has been started already.
    AlreadyRunning,
    /// A value does not serialise. It was not accepted.
    Serialize,
    /// A payload does not decode. The raw record is with the error.
    Decode,
    /// A pipeline's function made an error of a record. The record is with the error.
    Processing,
    /// The option or the feature is not there in this library, this build or this broker.
    Unsupported,
    /// There is no committed offset and `auto_offset_reset` is `none`, or the offset is gone.
    OffsetOutOfRange,
    /// An idempotent producer was fenced, or lost its place in a partition. Start another.
    Fenced,
    /// The system refuses a thread, a file or a socket.
    System,
}

/// An error of this client. Reads as a sentence: what was asked, what went wrong, what to do.
///
/// ```
/// use klamm_client::{ClientError, ErrorKind};
///
/// let error = ClientError::new(ErrorKind::Unreachable, "publishing to 'orders'", "no broker answers at localhost:9092")
///     .remedy("start one, or correct bootstrap_servers");
/// assert_eq!(
///     error.to_string(),
///     "publishing to 'orders' failed: no broker answers at localhost:9092; start one, or correct bootstrap_servers"
/// );
/// assert!(error.is_retriable());
/// ```
#[derive(Debug, Clone)]
pub struct ClientError(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    asked: String,
    why: String,
    remedy: Option<String>,
    code: Option<ResponseError>,
    /// What the broker said beside the code.
    message: Option<String>,
    record: Option<Record>,
}

impl ClientError {
    /// An error of a kind: what was asked (`publishing to 'orders'`), and why it failed.
    pub fn new(kind: ErrorKind, asked: impl Into<String>, why: impl Into<String>) -> Self {
        let inner = Inner {
            kind,
            asked: asked.into(),
            why: why.into(),
            remedy: None,
            code: None,
            message: None,
            record: None,
        };
        ClientError(Arc::new(inner))
    }

    /// An error that a broker answered with.
    pub fn from_code(code: ResponseError, asked: impl Into<String>, message: Option<&str>) -> Self {
        let why = match message {
            Some(message) => format!("the broker answered {code:?}: {message}"),
            None => format!("the broker answered {code:?}"),
        };
        let inner = Inner {
            kind: ErrorKind::Broker,
            asked: asked.into(),
            why,
            remedy: None,
            code: Some(code),
            message: message.map(str::to_owned),
            record: None,
        };
        ClientError(Arc::new(inner))
    }

    /// Adds what to do about it.
    pub fn remedy(self, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        ClientError(Arc::new(Inner { remedy, ..Inner::clone(&self.0) }))
    }

    /// Adds the record that it is about.
    pub fn with_record(self, record: Record) -> Self {
        ClientError(Arc::new(Inner { record: Some(record), ..Inner::clone(&self.0) }))
    }

    /// The record that it is about: for [`ErrorKind::Decode`] the one whose payload does not decode, as it was read.
    pub fn record(&self) -> Option<&Record> {
        self.0.record.as_ref()
    }

    /// Says anew what was asked: the caller's words instead of those of a layer below.
    pub fn asked(self, asked: impl Into<String>) -> Self {
        let asked = asked.into();
        ClientError(Arc::new(Inner { asked, ..Inner::clone(&self.0) }))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Kafka's code, where a broker answered with one.
    pub fn code(&self) -> Option<ResponseError> {
        self.0.code
    }

    /// What the broker said beside the code, where it answered with one and said more.
    pub fn broker_message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Why it failed, without what was asked and what to do.
    pub fn why(&self) -> &str {
        &self.0.why
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_retriable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Unreachable
            | ErrorKind::TimedOut
            | ErrorKind::Disconnected
            | ErrorKind::BufferFull => true,
            ErrorKind::Broker => self.0.code.is_some_and(|code| code.is_retriable()),
            _ => false,
        }
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed: {}", self.0.asked, self.0.why)?;
        match &self.0.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ClientError {}

//! Answers: waiting for one, and decoding it once it has been checked.

use std::time::Instant;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{ApiKey, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Request};
use klamm_protocol::guard;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use super::{Connection, RequestError};
use crate::error::{ClientError, ErrorKind};
use crate::native::chunks::Chunks;
use crate::native::transport::Frame;

/// The answer to come. Dropping it drops the answer; the request has been sent all the same.
#[derive(Debug)]
pub(crate) struct Answer {
    connection: Connection,
    receiver: oneshot::Receiver<Result<AnswerFrame, RequestError>>,
    deadline: Instant,
    /// Open from the sending of the request on.
    span: Span,
}

impl Answer {
    pub(super) fn new(
        connection: Connection,
        receiver: oneshot::Receiver<Result<AnswerFrame, RequestError>>,
        deadline: Instant,
        span: Span,
    ) -> Self {
        Answer { connection, receiver, deadline, span }
    }

    /// Waits for it. When it does not come in time the connection is closed, as what is behind it would wait for ever too.
    pub(crate) async fn frame(self) -> Result<AnswerFrame, RequestError> {
        match tokio::time::timeout_at(self.deadline.into(), self.receiver).instrument(self.span).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(RequestError { error: self.connection.shared.reason(), sent: true }),
            Err(_) => {
                let asked = format!("waiting for an answer from {}", self.connection.to());
                let error = ClientError::new(ErrorKind::TimedOut, asked, "it did not come in time");
                self.connection.close(error.clone());
                Err(RequestError { error, sent: true })
            }
        }
    }

    /// Waits for it, checks and decodes it. When it makes no sense the connection is closed.
    pub(crate) async fn response<R: Request>(self) -> Result<R::Response, RequestError> {
        let connection = self.connection.clone();
        let frame = self.frame().await?;
        frame.decode::<R>().map_err(|error| {
            let error = error.asked(format!("reading an answer of {}", connection.to()));
            connection.close(error.clone());
            RequestError { error, sent: true }
        })
    }
}

/// An answer as it came: the correlation id first.
#[derive(Debug, Clone)]
pub(crate) struct AnswerFrame {
    api: ApiKey,
    version: i16,
    frame: Frame,
}

impl AnswerFrame {
    pub(super) fn new(api: ApiKey, version: i16, frame: Frame) -> Self {
        AnswerFrame { api, version, frame }
    }

    /// The bytes in one piece; a copy if they lie in several.
    pub(crate) fn to_bytes(&self) -> Bytes {
        match &self.frame {
            Frame::Whole(bytes) => bytes.clone(),
            Frame::Pieces(pieces) => pieces.concat().into(),
        }
    }

    /// Checks its counts and lengths against the bytes that are there, and decodes it. Record data are slices of it.
    pub(crate) fn decode<R: Request>(self) -> Result<R::Response, ClientError> {
        self.decode_as::<R>(self.version)
    }

    /// As [`decode`](AnswerFrame::decode), for the one answer that may come in another version than was asked for.
    pub(crate) fn decode_as<R: Request>(&self, version: i16) -> Result<R::Response, ClientError> {
        let asked = format!("reading an answer to {:?}", self.api);
        let malformed = |why: String| ClientError::new(ErrorKind::MalformedAnswer, asked, why);
        match &self.frame {
            Frame::Whole(bytes) => {
                let mut body = match guard::check_response(R::KEY, version, bytes) {
                    Ok(body) => body,
                    Err(error) => return Err(malformed(error.to_string())),
                };
                R::Response::decode(&mut body, version).map_err(|error| malformed(error.to_string()))
            }
            // In pieces it comes from a broker of this process, whose counts are those of what it holds.
            Frame::Pieces(pieces) => {
                let mut chunks = Chunks::new(pieces.clone());
                let header = ResponseHeader::decode(&mut chunks, self.api.response_header_version(version));
                header
                    .and_then(|_| R::Response::decode(&mut chunks, version))
                    .map_err(|error| malformed(error.to_string()))
            }
        }
    }

    /// The error code that the body of an ApiVersions answer begins with, whatever its version.
    pub(crate) fn leading_code(&self) -> Option<i16> {
        let mut bytes = self.to_bytes();
        if bytes.len() < 6 {
            return None;
        }
        bytes.advance(4);
        Some(bytes.get_i16())
    }
}

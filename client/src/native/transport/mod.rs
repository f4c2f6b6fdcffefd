//! The ways to a broker: TCP, TLS over it, and channels within the process.
//!
//! Carries frames; knows nothing of what is in them.

mod in_process;
mod tcp;
pub(in crate::native) mod tls;
#[cfg(test)]
mod tls_tests;

use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use klamm_broker::{InProcessReceiver, InProcessSender};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::tcp::OwnedWriteHalf;

use crate::embedded::EmbeddedBroker;
use crate::error::ClientError;
use crate::native::transport::tls::Tls;

/// How much is read at a time while answers are small.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// An answer up to this size gets its buffer at once. A longer one gets more only as its bytes arrive, so that a length that
/// is merely claimed costs nothing.
const TRUSTED_ANSWER_BYTES: usize = 1024 * 1024;

/// Where a connection goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// To a host's name or address, and a port.
    Address { host: Arc<str>, port: u16 },
    /// To a node of a broker of this process.
    InProcess(EmbeddedBroker, i32),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Address { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Target::Address { host, port } => write!(f, "{host}:{port}"),
            Target::InProcess(..) => f.write_str("the embedded broker"),
        }
    }
}

/// Where requests go out.
pub(super) enum Outlet {
    InProcess(InProcessSender),
    Tcp(OwnedWriteHalf),
    Tls(Box<dyn AsyncWrite + Send + Unpin>),
}

/// Where answers come in.
pub(super) enum Inlet {
    InProcess(InProcessReceiver),
    Stream(Stream),
}

/// The bytes of an answer, in the pieces in which they lie in memory. The four bytes of length are gone.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    /// In one piece.
    Whole(Bytes),
    /// In several: only from a broker of this process.
    Pieces(Vec<Bytes>),
}

/// Connects. TLS is on top of TCP where it is given.
pub(super) async fn connect(target: &Target, tls: Option<&Tls>) -> Result<(Outlet, Inlet), ClientError> {
    match target {
        Target::InProcess(broker, node) => in_process::connect(broker, *node),
        Target::Address { host, port } => {
            let stream = tcp::connect(host, *port).await?;
            match tls {
                None => {
                    let (read, write) = stream.into_split();
                    Ok((Outlet::Tcp(write), Inlet::Stream(Stream::new(Box::new(read)))))
                }
                Some(tls) => {
                    let (read, write) = tokio::io::split(tls.connect(host, *port, stream).await?);
                    Ok((Outlet::Tls(Box::new(write)), Inlet::Stream(Stream::new(Box::new(read)))))
                }
            }
        }
    }
}

/// Why no more answers come.
#[derive(Debug, thiserror::Error)]
pub(super) enum InletError {
    /// The broker has ended the connection.
    #[error("the broker closed the connection")]
    Closed,
    /// The system says that the connection is gone.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The length is negative or more than is allowed.
    #[error("the broker announced an answer of {length} bytes; up to {most} are allowed")]
    Length { length: i32, most: usize },
}

impl Inlet {
    /// The next answer, of at most `most` bytes. May be dropped and called again.
    pub(super) async fn next(&mut self, most: usize) -> Result<Frame, InletError> {
        match self {
            Inlet::InProcess(receiver) => match receiver.receive().await {
                Some(answer) => Ok(in_process::frame(answer)),
                None => Err(InletError::Closed),
            },
            Inlet::Stream(stream) => stream.next(most).await.map(Frame::Whole),
        }
    }
}

/// Cuts a stream of bytes into answers.
pub(super) struct Stream {
    source: Box<dyn AsyncRead + Send + Unpin>,
    buffer: BytesMut,
    /// The size of the last answer, and so the best guess at the next one's.
    last: usize,
}

impl Stream {
    fn new(source: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Stream { source, buffer: BytesMut::new(), last: 0 }
    }

    async fn next(&mut self, most: usize) -> Result<Bytes, InletError> {
        loop {
            let length = self.length(most)?;
            if let Some(length) = length
                && self.buffer.len() >= 4 + length
            {
                self.last = 4 + length;
                let mut frame = self.buffer.split_to(4 + length);
                return Ok(frame.split_off(4).freeze());
            }
            let expected = self.last.min(TRUSTED_ANSWER_BYTES);
            let wanted = length.map_or(expected, |length| 4 + length).max(READ_BUFFER_BYTES);
            let missing = wanted.saturating_sub(self.buffer.len()).max(1);
            let step = missing.min(self.buffer.len().max(TRUSTED_ANSWER_BYTES));
            self.buffer.reserve(step);
            // A long answer is read up to its end: what came behind it would have to be copied to where the next one
            // is gathered.
            if self.source.read_buf(&mut (&mut self.buffer).limit(step)).await? == 0 {
                return Err(InletError::Closed);
            }
        }
    }

    fn length(&self, most: usize) -> Result<Option<usize>, InletError> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*head);
        match usize::try_from(length) {
            Ok(length) if length <= most => Ok(Some(length)),
            _ => Err(InletError::Length { length, most }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(bytes: &'static [u8], most: usize) -> (Vec<Bytes>, InletError) {
        let mut stream = Stream::new(Box::new(bytes));
        let mut answers = Vec::new();
        loop {
            match stream.next(most).await {
                Ok(answer) => answers.push(answer),
                Err(error) => return (answers, error),
            }
        }
    }

    #[tokio::test]
    async fn answers_are_cut_where_their_lengths_say() {
        let (answers, end) = read_all(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0], 16).await;
        assert_eq!(answers, [&[7, 8][..], &[], &[9]]);
        assert!(matches!(end, InletError::Closed));
    }

    #[tokio::test]
    async fn a_negative_and_an_overlong_length_are_errors() {
        for (bytes, claimed) in
            [(&[0xff; 4], -1), (&[0, 0, 0, 17], 17), (&[0x7f, 0xff, 0xff, 0xff], i32::MAX)]
        {
            let (answers, end) = read_all(bytes, 16).await;
            assert!(answers.is_empty());
            assert!(matches!(end, InletError::Length { length, most: 16 } if length == claimed), "{end:?}");
        }
    }

    #[tokio::test]
    async fn a_claimed_length_costs_no_memory() {
        let mut stream = Stream::new(Box::new(&[0x3f, 0xff, 0xff, 0xff, 1, 2, 3][..]));
        assert!(matches!(stream.next(1 << 30).await, Err(InletError::Closed)));
        assert!(stream.buffer.capacity() <= 4 * TRUSTED_ANSWER_BYTES, "{}", stream.buffer.capacity());
    }
}

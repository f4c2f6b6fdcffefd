//! A raw client: encodes requests, sends bytes, reads frames with a deadline, decodes answers strictly.
//! It knows nothing of scenarios or recordings.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long an answer that must come may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(12);

/// The client id that every request carries unless a scenario says otherwise.
pub(crate) const CLIENT_ID: &str = "conformance";

/// What came back on a connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A whole frame, without its length.
    Frame(Bytes),
    /// The peer closed the connection.
    Closed,
    /// Nothing until the deadline.
    Nothing,
}

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation: i32,
    buffered: Vec<u8>,
}

impl Wire {
    pub(crate) fn connect(target: SocketAddr) -> Wire {
        let stream = TcpStream::connect_timeout(&target, PATIENCE).expect("the broker accepts connections");
        stream.set_nodelay(true).expect("no delay can be set");
        // Far from the ids that scenarios of raw frames choose.
        Wire { stream, correlation: 1_000_000, buffered: Vec::new() }
    }

    /// The next correlation id.
    pub(crate) fn next_correlation(&mut self) -> i32 {
        self.correlation += 1;
        self.correlation
    }

    /// Writes bytes. False where the peer has closed already.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Tells the peer that nothing more will be sent.
    pub(crate) fn finish_writing(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).ok();
    }

    /// Reads a frame.
    pub(crate) fn read(&mut self, patience: Duration) -> Incoming {
        let deadline = Instant::now() + patience;
        let mut chunk = [0; 65_536];
        loop {
            if let Some(frame) = self.take_frame() {
                return Incoming::Frame(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Incoming::Nothing;
            }
            self.stream.set_read_timeout(Some(left)).expect("a time limit can be set");
            match self.stream.read(&mut chunk) {
                Ok(0) => return Incoming::Closed,
                Ok(n) => self.buffered.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Incoming::Closed,
            }
        }
    }

    fn take_frame(&mut self) -> Option<Bytes> {
        let length = (&*self.buffered).try_get_i32().ok()?;
        let length = usize::try_from(length).expect("an answer's length is not negative");
        if self.buffered.len() < 4 + length {
            return None;
        }
        let frame = Bytes::copy_from_slice(&self.buffered[4..4 + length]);
        self.buffered.drain(..4 + length);
        Some(frame)
    }
}

/// A whole request with its length, or why it cannot be said at this version.
pub(crate) fn encode<R: Request>(request: &R, version: i16, correlation: i32) -> Result<BytesMut, String> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).map_err(|e| e.to_string())?;
    Ok(frame(&header(R::KEY, version, R::header_version(version), correlation), &body))
}

/// A request header.
pub(crate) fn header(key: i16, version: i16, header_version: i16, correlation: i32) -> BytesMut {
    let mut bytes = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)))
        .encode(&mut bytes, header_version)
        .expect("a header can be encoded");
    bytes
}

/// Header and body behind their length.
pub(crate) fn frame(header: &[u8], body: &[u8]) -> BytesMut {
    let length = i32::try_from(header.len() + body.len()).expect("a request is below 2 GiB");
    let mut bytes = BytesMut::with_capacity(4 + header.len() + body.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(body);
    bytes
}

/// The correlation id that a frame begins with.
pub(crate) fn correlation_of(frame: &Bytes) -> Option<i32> {
    frame.clone().try_get_i32().ok()
}

/// An answer, and what is odd about its bytes (empty for a canonical answer).
pub(crate) struct Decoded<T> {
    pub(crate) body: T,
    pub(crate) oddities: Vec<String>,
}

/// Decodes an answer. Bytes left over, and bytes that are not what the same value encodes to (say, a default
/// written as a tagged field), are oddities.
pub(crate) fn decode<T: Decodable + Encodable + HeaderVersion>(
    frame: &Bytes,
    version: i16,
) -> Result<Decoded<T>, String> {
    let mut rest = frame.clone();
    let header_version = T::header_version(version);
    let header = ResponseHeader::decode(&mut rest, header_version).map_err(|e| e.to_string())?;
    let body = T::decode(&mut rest, version).map_err(|e| e.to_string())?;
    let mut oddities = Vec::new();
    if !rest.is_empty() {
        oddities.push(format!("{} bytes left over", rest.len()));
    }
    let mut again = BytesMut::new();
    let encoded = header.encode(&mut again, header_version).and_then(|()| body.encode(&mut again, version));
    match encoded {
        Ok(()) if again == frame[..frame.len() - rest.len()] => {}
        Ok(()) => oddities.push("not the canonical encoding".to_string()),
        Err(e) => oddities.push(format!("cannot be encoded again: {e}")),
    }
    Ok(Decoded { body, oddities })
}

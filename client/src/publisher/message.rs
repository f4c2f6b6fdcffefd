//! A message: a value with what may go along with it.

use bytes::Bytes;
use serde::Serialize;

use super::Buffer;
use crate::codec::Codec;
use crate::error::{ClientError, ErrorKind};
use crate::record::Headers;
use crate::trace::TraceContext;

/// A value to be published, with a key, headers, a partition and a timestamp where they are wanted. It borrows value and
/// key; publishing copies them once, into the batch that is sent.
///
/// ```
/// use klamm_client::Message;
/// use serde_json::json;
///
/// # let config = json!({ "destination": "kafka://topic/message", "bootstrap_servers": "embedded://message" });
/// # let publisher = klamm_client::create_publisher("orders", config)?;
/// let order = json!({ "id": 7, "customer": "olga" });
/// let message = Message::new(&order).key("olga").header("source", "shop").timestamp(1_700_000_000_000);
/// let delivered = publisher.send_acknowledged(message)?;
/// assert_eq!(delivered.timestamp, 1_700_000_000_000);
///
/// publisher.send(Message::bytes(b"\x00\x01").partition(0))?;
/// publisher.send(Message::tombstone("olga"))?; // where the topic is compacted, this key is forgotten
/// # publisher.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
#[derive(Debug)]
#[must_use = "a message is sent with Publisher::send"]
pub struct Message<'a, T: ?Sized = ()> {
    payload: Payload<'a, T>,
    key: Option<&'a [u8]>,
    headers: Headers,
    partition: Option<i32>,
    timestamp: Option<i64>,
}

#[derive(Debug)]
enum Payload<'a, T: ?Sized> {
    Value(&'a T),
    Bytes(&'a [u8]),
    Null,
}

impl<'a, T: Serialize + ?Sized> Message<'a, T> {
    /// Of a value; the publisher's codec makes a payload of it.
    pub fn new(value: &'a T) -> Self {
        Message::with(Payload::Value(value))
    }
}

impl<'a> Message<'a> {
    /// Of bytes, which are sent as they are.
    pub fn bytes(payload: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Message::with(Payload::Bytes(payload.as_ref()))
    }

    /// A record without a value: in a compacted topic it says that its key is gone.
    pub fn tombstone(key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Message::with(Payload::Null).key(key)
    }
}

impl<'a, T: ?Sized> Message<'a, T> {
    fn with(payload: Payload<'a, T>) -> Self {
        Message { payload, key: None, headers: Headers::new(), partition: None, timestamp: None }
    }

    /// With a key. Records of the same key go to the same partition, and so stay in order.
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    /// With one more header.
    pub fn header(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), Some(Bytes::copy_from_slice(value.as_ref()))));
        self
    }

    /// With these headers instead of those so far.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// To this partition, from 0 on, whatever the key says.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With this timestamp, in milliseconds since 1970, instead of the present time.
    pub fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }

    /// As a step of this trace: with the headers `traceparent` and `tracestate`.
    pub fn trace(mut self, context: &TraceContext) -> Self {
        context.write(&mut self.headers);
        self
    }

    /// Makes of it what is sent: the payload by the codec, in the buffer.
    #[inline]
    pub(crate) fn encode<'b, C: Codec>(
        self,
        codec: &C,
        buffer: &'b mut Buffer,
        limits: Limits<'_>,
    ) -> Result<Encoded<'b>, ClientError>
    where
        'a: 'b,
        T: Serialize,
    {
        let Message { payload, key, mut headers, partition, timestamp } = self;
        if partition.is_some_and(|partition| partition < 0)
            || timestamp.is_some_and(|timestamp| timestamp < 0)
        {
            return Err(impossible(partition, timestamp, limits));
        }
        let value = match payload {
            Payload::Value(value) => {
                codec.encode(value, &mut buffer.0).map_err(|error| {
                    let why = format!("the value does not serialise: {error}");
                    ClientError::new(ErrorKind::Serialize, limits.asked(), why)
                        .remedy("change the value, or publish with another codec")
                })?;
                Some(buffer.0.as_slice())
            }
            Payload::Bytes(bytes) => Some(bytes),
            Payload::Null => None,
        };
        if limits.trace && TraceContext::from_headers(&headers).is_none() {
            TraceContext::new().write(&mut headers);
        }
        let encoded = Encoded { key, value, headers, partition, timestamp };
        let size = encoded.size();
        if size > limits.max_size { Err(too_large(size, limits)) } else { Ok(encoded) }
    }
}

/// What a message must keep to, and what is added to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits<'l> {
    pub(crate) topic: &'l str,
    /// `max_request_size`: a record that no request could hold.
    pub(crate) max_size: usize,
    /// Whether it gets a trace if it has none.
    pub(crate) trace: bool,
}

impl Limits<'_> {
    fn asked(self) -> String {
        format!("publishing to '{}'", self.topic)
    }
}

/// A message with its payload.
#[derive(Debug)]
pub(crate) struct Encoded<'b> {
    pub(crate) key: Option<&'b [u8]>,
    pub(crate) value: Option<&'b [u8]>,
    pub(crate) headers: Headers,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
}

impl Encoded<'_> {
    /// Bytes of all its parts.
    fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len)).sum();
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + headers
    }
}

#[cold]
fn impossible(partition: Option<i32>, timestamp: Option<i64>, limits: Limits<'_>) -> ClientError {
    let (why, remedy) = match partition.filter(|partition| *partition < 0) {
        Some(partition) => (format!("the partition is {partition}"), "name one from 0 on, or leave it out"),
        None => {
            let timestamp = timestamp.unwrap_or_default();
            (format!("the timestamp is {timestamp}"), "give milliseconds since 1970, or leave it out")
        }
    };
    ClientError::new(ErrorKind::InvalidArgument, limits.asked(), why).remedy(remedy)
}

#[cold]
fn too_large(size: usize, limits: Limits<'_>) -> ClientError {
    let why =
        format!("the record has {size} bytes, more than max_request_size, which is {}", limits.max_size);
    ClientError::new(ErrorKind::TooLarge, limits.asked(), why)
        .remedy("make the record smaller, or max_request_size (and the broker's max.message.bytes) larger")
}

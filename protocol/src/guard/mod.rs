//! The guard: no byte of a message reaches the decoder before it has been here, whoever sent it.
//!
//! The decoder reserves memory for as many elements as an array claims to have, and a failed allocation ends the
//! process. So a message is first walked by its schema: every count and length must fit into the bytes that are
//! there, and what the decoded message would take is bounded. Where Kafka reads more than the decoder does (a length
//! of -2 as null, malformed UTF-8), the guard hands on an equivalent message that the decoder reads; what Kafka
//! refuses, the guard refuses. It knows nothing of what a message means, and whether its API is served.

mod schema;
#[cfg(test)]
mod tests;
mod utf8;
mod walk;

use std::ops::RangeInclusive;

use bytes::Bytes;

use walk::Budget;

/// What one decoded request may take beside its frame, with a hundred bytes and some for each thing it names, which is
/// the least that an answer has on it.
///
/// A decoded request is mostly larger than its bytes, and can be a hundred times larger if it is made for it: an
/// element of three bytes becomes a structure with a map. This bound allows a quarter of a million partitions, or as
/// many topic names, in one request, which is more than a broker holds.
pub const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;

/// What each element of a request's array is charged besides what it takes itself: the answer has a part for it.
const ANSWER_BYTES: usize = 128;

/// What one decoded response may take beside its frame. The largest that an honest broker sends is Metadata of all that
/// there is: some hundred bytes a partition, so that this allows a million.
pub const MAX_DECODED_RESPONSE_BYTES: usize = 256 * 1024 * 1024;

/// ApiVersions: its response has the oldest header in every version, so that it can be read before anything is agreed on.
const API_VERSIONS: i16 = 18;

/// Why a message is refused. The connection that it came from is of no use any more: Kafka closes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Nothing is known of this API.
    #[error("the API {0} is unknown")]
    Api(i16),
    /// This version of the API is not one that is described.
    #[error("version {version} of {api} is unknown")]
    Version {
        /// Kafka's name of the API.
        api: &'static str,
        /// The version.
        version: i16,
    },
    /// The message ends too early.
    #[error("it ends within {0}")]
    Truncated(&'static str),
    /// An array is longer than what remains of the message.
    #[error("{field} is an array of {count}, and {remaining} bytes remain")]
    Count {
        /// The array.
        field: &'static str,
        /// How many elements it says that it has.
        count: usize,
        /// How many bytes there are behind the count.
        remaining: usize,
    },
    /// A string is longer than Kafka allows.
    #[error("{field} is a string of {length} bytes; at most 32767 are allowed")]
    StringLength {
        /// The string.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// A variable-length integer does not end.
    #[error("a variable-length integer in {0} has more than five bytes")]
    Varint(&'static str),
    /// Something is null that must not be.
    #[error("{0} must not be null")]
    Null(&'static str),
    /// A tagged field that the version does not have.
    #[error("the tagged field {field} is not part of version {version}")]
    Tag {
        /// The field.
        field: &'static str,
        /// The message's version.
        version: i16,
    },
    /// The decoded message would take too much memory.
    #[error("it would take more than {limit} bytes when decoded")]
    Memory {
        /// In bytes.
        limit: usize,
    },
}

/// The header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The API's number.
    pub api_key: i16,
    /// The version of the request.
    pub api_version: i16,
    /// What the answer has to begin with.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
    /// What is behind the header.
    pub body: Bytes,
}

/// Reads the header of a request. A header of any API and version is read, so that the caller can answer to it; that
/// of an API of which nothing is known as a header without tagged fields.
///
/// # Errors
/// If it ends early.
pub fn check_header(frame: &Bytes) -> Result<Header, GuardError> {
    const NAME: &str = "the request header";
    let truncated = GuardError::Truncated(NAME);
    let Some((&[k0, k1, v0, v1, c0, c1, c2, c3, l0, l1], rest)) = frame.split_first_chunk() else {
        return Err(truncated);
    };
    let api_key = i16::from_be_bytes([k0, k1]);
    let api_version = i16::from_be_bytes([v0, v1]);
    // The one length that is never a variable-length integer: a header is read before its version is known to be.
    let (client_id, mut rest) = match usize::try_from(i16::from_be_bytes([l0, l1])) {
        Err(_) => (None, rest),
        Ok(length) => {
            let (id, rest) = rest.split_at_checked(length).ok_or(truncated)?;
            (Some(utf8::lossy(id)), rest)
        }
    };
    if schema::request(api_key).is_some_and(|message| message.is_flexible(api_version)) {
        rest = walk::skip_tagged_fields(rest)?;
    }
    Ok(Header {
        api_key,
        api_version,
        correlation_id: i32::from_be_bytes([c0, c1, c2, c3]),
        client_id,
        body: frame.slice_ref(rest),
    })
}

/// Checks the body of a request. What is returned decodes without a failed or excessive allocation: `body` itself,
/// or a rewritten copy in the rare case that only Kafka would read it. A copy has at most the size of the body and of
/// [`MAX_DECODED_BYTES`] together.
///
/// # Errors
/// If Kafka would not read it either, or it would take too much memory.
pub fn check(api_key: i16, version: i16, body: &Bytes) -> Result<Bytes, GuardError> {
    let message = schema::request(api_key).ok_or(GuardError::Api(api_key))?;
    walk::check(message, version, body, REQUEST)
}

const REQUEST: Budget = Budget { bytes: MAX_DECODED_BYTES, per_element: ANSWER_BYTES };
const RESPONSE: Budget = Budget { bytes: MAX_DECODED_RESPONSE_BYTES, per_element: 0 };
const RESPONSE_HEADER: &str = "the response header";

/// The correlation id that the frame of a response begins with.
///
/// # Errors
/// If the frame is shorter.
pub fn correlation_id(frame: &[u8]) -> Result<i32, GuardError> {
    let id = frame.first_chunk().ok_or(GuardError::Truncated(RESPONSE_HEADER))?;
    Ok(i32::from_be_bytes(*id))
}

/// Checks the frame of a response, which begins with the correlation id. What is returned is the body, which decodes without
/// a failed or excessive allocation: a slice of the frame, or a rewritten copy in the rare case that only Kafka would read
/// it. Unknown tagged fields are skipped, and bytes behind the response left alone.
///
/// # Errors
/// If Kafka's own client would not read it either, or it would take more than [`MAX_DECODED_RESPONSE_BYTES`].
pub fn check_response(api_key: i16, version: i16, frame: &Bytes) -> Result<Bytes, GuardError> {
    let message = schema::responses::response(api_key).ok_or(GuardError::Api(api_key))?;
    let (_, mut rest) = frame.split_first_chunk::<4>().ok_or(GuardError::Truncated(RESPONSE_HEADER))?;
    if message.is_flexible(version) && api_key != API_VERSIONS {
        rest = walk::skip_tagged_fields(rest)?;
    }
    walk::check(message, version, &frame.slice_ref(rest), RESPONSE)
}

/// The versions in which the responses of an API can be checked. `None`: in none.
pub fn response_versions(api_key: i16) -> Option<RangeInclusive<i16>> {
    schema::responses::response(api_key).map(|message| message.versions.clone())
}

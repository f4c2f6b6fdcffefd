//! The guard: no byte of a request reaches the decoder before it has been here.
//!
//! The decoder reserves memory for as many elements as an array claims to have, and a failed allocation ends the
//! process. So a request is first walked by its schema: every count and length must fit into the bytes that are
//! there, and what the decoded request would take is bounded. Where Kafka reads more than the decoder does (a length
//! of -2 as null, malformed UTF-8), the guard hands on an equivalent request that the decoder reads; what Kafka
//! refuses, the guard refuses. It knows nothing of what a request means, and whether its API is served.

mod schema;
#[cfg(test)]
mod tests;
mod utf8;
mod walk;

use bytes::Bytes;

/// What one decoded request may take beside its frame, with a hundred bytes and some for each thing it names, which is
/// the least that an answer has on it.
///
/// A decoded request is mostly larger than its bytes, and can be a hundred times larger if it is made for it: an
/// element of three bytes becomes a structure with a map. This bound allows a quarter of a million partitions, or as
/// many topic names, in one request, which is more than a broker holds.
pub(crate) const MAX_DECODED_BYTES: usize = 64 * 1024 * 1024;

/// Why a request is refused. Its connection is closed, as Kafka closes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GuardError {
    /// Nothing is known of this API.
    #[error("the API {0} is unknown")]
    Api(i16),
    /// This version of the API is not one that is described.
    #[error("version {version} of {api} is unknown")]
    Version { api: &'static str, version: i16 },
    /// The request ends too early.
    #[error("it ends within {0}")]
    Truncated(&'static str),
    /// An array is longer than what remains of the request.
    #[error("{field} is an array of {count}, and {remaining} bytes remain")]
    Count { field: &'static str, count: usize, remaining: usize },
    /// A string is longer than Kafka allows.
    #[error("{field} is a string of {length} bytes; at most 32767 are allowed")]
    StringLength { field: &'static str, length: usize },
    /// A variable-length integer does not end.
    #[error("a variable-length integer in {0} has more than five bytes")]
    Varint(&'static str),
    /// Something is null that must not be.
    #[error("{0} must not be null")]
    Null(&'static str),
    /// A tagged field that the version does not have.
    #[error("the tagged field {field} is not part of version {version}")]
    Tag { field: &'static str, version: i16 },
    /// The decoded request would take too much memory.
    #[error("it would take more than {limit} bytes when decoded")]
    Memory { limit: usize },
}

/// The header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<String>,
    /// What is behind the header.
    pub(crate) body: Bytes,
}

/// Reads the header of a request. A header of any API and version is read, so that the caller can answer to it; that
/// of an API of which nothing is known as a header without tagged fields.
pub(crate) fn check_header(frame: &Bytes) -> Result<Header, GuardError> {
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
pub(crate) fn check(api_key: i16, version: i16, body: &Bytes) -> Result<Bytes, GuardError> {
    let message = schema::request(api_key).ok_or(GuardError::Api(api_key))?;
    walk::check(message, version, body, MAX_DECODED_BYTES)
}

//! W3C trace headers on records: who asked for something travels along with what was asked.
//!
//! Source: <https://www.w3.org/TR/trace-context/>, and Kafka's custom of carrying its headers as headers of records.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;

use crate::record::{Headers, Record};

/// The header that says which trace a record belongs to.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The header with what systems on the way have to say of the trace.
pub(crate) const TRACESTATE: &str = "tracestate";

/// A place in a trace: the trace's id, the id of the step that comes before, and what systems on the way have added.
///
/// With `trace_headers` set to true, a publisher begins a trace for each record that has none, and a
/// [`Pipeline`](crate::Pipeline) passes the trace of what it reads on to what it writes, as a step of its own.
/// In other programs [`Record::trace`] and [`Message::trace`](crate::Message::trace) do it.
///
/// ```
/// use klamm_client::TraceContext;
///
/// let context = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None).unwrap();
/// let next = context.child();
/// assert_eq!(next.trace_id(), context.trace_id());
/// assert_ne!(next.traceparent(), context.traceparent());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    state: Option<String>,
}

/// The longest `tracestate` that is passed on, in bytes. The standard asks for 512 at least.
const LONGEST_STATE: usize = 8192;

impl TraceContext {
    /// The beginning of a new trace, marked as recorded.
    pub fn new() -> Self {
        let trace_id = (u128::from(random()) << 64) | u128::from(random());
        TraceContext { trace_id: trace_id.max(1), span_id: random().max(1), flags: 1, state: None }
    }

    /// Of the header `traceparent`, and `tracestate` if there is one. None if it is not as the standard says.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let mut parts = traceparent.trim().split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths = (version.len(), trace_id.len(), span_id.len(), flags.len());
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        // A version to come may have more parts; ff will never be one.
        if lengths != (2, 32, 16, 2) || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        if ![version, trace_id, span_id, flags].into_iter().all(hex) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span_id, 16).ok().filter(|id| *id != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let state =
            tracestate.filter(|state| !state.is_empty() && state.len() <= LONGEST_STATE).map(str::to_owned);
        Some(TraceContext { trace_id, span_id, flags, state })
    }

    /// Of a record's headers. None if they carry no trace.
    pub fn from_headers(headers: &[(String, Option<Bytes>)]) -> Option<Self> {
        let text = |name: &str| {
            let (_, value) = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(value.as_deref()?).ok()
        };
        TraceContext::parse(text(TRACEPARENT)?, text(TRACESTATE))
    }

    /// The next step of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        TraceContext { span_id: random().max(1), ..self.clone() }
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header `traceparent`.
    pub fn traceparent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }

    /// The header `tracestate`, where there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Puts its headers among others, in place of those that say the same.
    pub(crate) fn write(&self, headers: &mut Headers) {
        headers.retain(|(name, _)| {
            !name.eq_ignore_ascii_case(TRACEPARENT) && !name.eq_ignore_ascii_case(TRACESTATE)
        });
        headers.push((TRACEPARENT.to_owned(), Some(Bytes::from(self.traceparent()))));
        if let Some(state) = &self.state {
            headers.push((TRACESTATE.to_owned(), Some(Bytes::from(state.clone()))));
        }
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        TraceContext::new()
    }
}

impl Record {
    /// The trace that its headers carry, if they do.
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::from_headers(&self.headers)
    }
}

/// Random enough for ids: the standard library keys each hasher anew from the system's source of chance.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut headers: Headers = vec![("Traceparent".to_owned(), None), ("a".to_owned(), None)];
        let context = TraceContext { state: Some("vendor=1".to_owned()), ..TraceContext::new() };
        context.write(&mut headers);
        assert_eq!(headers.len(), 3);
        assert_eq!(TraceContext::from_headers(&headers), Some(context));
    }

    #[test]
    fn what_is_not_as_the_standard_says_is_no_trace() {
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(wrong, None), None, "{wrong}");
        }
        assert!(
            TraceContext::parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None)
                .is_some()
        );
    }

    #[test]
    fn ids_differ() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| TraceContext::new().trace_id).collect();
        assert_eq!(ids.len(), 1000);
    }
}

//! From a frame to the answer to it: header, version, guard, handler, encoding.
//!
//! Every request of every transport comes through [`dispatch`]; faults, a journal of requests, and nodes that are cut off or
//! slow hook in here.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Encodable, HeaderVersion};
use klamm_protocol::guard;

use crate::api;
use crate::context::{Answer, Peer, Refusal, RequestContext};
use crate::faults::{Close, Verdict};
use crate::frame::ResponseFrame;
use crate::look::Incoming;
use crate::patience::Patience;
use crate::state::BrokerState;

/// What becomes of a frame.
pub(crate) enum Outcome {
    /// This is sent back.
    Respond(ResponseFrame),
    /// Nothing is sent back, and the connection goes on.
    Nothing,
    /// The connection is closed, for this reason.
    Close(String),
    /// The connection is closed, because the life of the broker that it belongs to is over.
    Ended,
    /// A fault has its way: what there is is sent back, and then something happens to the connection.
    Faulty(Option<ResponseFrame>, Then),
}

/// What a fault does to a connection behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is closed.
    Close,
    /// Nothing more is read from it for as long.
    Mute(Duration),
}

/// Answers one request, and journals it where that is asked for; unless the life of the broker that it came to ends before
/// the answer is there: what was done in that life is nothing any more.
pub(crate) async fn dispatch(broker: &Arc<BrokerState>, peer: &Peer, frame: Bytes) -> Outcome {
    if broker.life.is_over() {
        return Outcome::Ended;
    }
    let nodes = &broker.hand.nodes;
    if nodes.is_troubled() {
        nodes.reaches(place_of(broker, peer)).await;
    }
    let outcome = match &broker.hand.recorder {
        None => serve(broker, peer, frame, Patience::Real).await,
        Some(recorder) => Box::pin(recorder.serve(broker, peer, frame)).await,
    };
    // Once more: a node may be cut off while it works, or waits.
    if nodes.is_troubled() {
        let place = place_of(broker, peer);
        nodes.linger(place).await;
        nodes.reaches(place).await;
    }
    if broker.life.is_over() { Outcome::Ended } else { outcome }
}

/// Where the node that is asked is among the others.
fn place_of(broker: &BrokerState, peer: &Peer) -> usize {
    broker.cluster.layout.place(peer.node).unwrap_or(0)
}

/// Answers one request, whose client's own time passes as `patience` says.
pub(crate) async fn serve(
    broker: &Arc<BrokerState>,
    peer: &Peer,
    frame: Bytes,
    patience: Patience,
) -> Outcome {
    let bytes = frame.len();
    let header = match guard::check_header(&frame) {
        Ok(header) => header,
        Err(error) => return Outcome::Close(format!("its request header is malformed: {error}")),
    };
    drop(frame);
    let api = api::find(header.api_key);
    let client_id = api.and_then(|api| {
        let (version, correlation_id) = (header.api_version, header.correlation_id);
        let client_id = header.client_id.as_deref();
        peer.seen.begin(&Incoming { api, version, correlation_id, client_id, bytes })
    });
    let cx = RequestContext {
        broker: Arc::clone(broker),
        peer: peer.clone(),
        version: header.api_version,
        client_id,
        answer_bytes: Arc::default(),
        patience,
        verdict: broker.hand.faults.is_armed().then(Arc::default),
    };
    let answered = match api {
        Some(api) if api.serves(header.api_version) => call(&cx, api.key, header.body).await,
        Some(api) if api.key == ApiKey::ApiVersions => api::api_versions::unsupported_version().into_body(0),
        Some(api) => Err(Refusal::Close(format!(
            "it asked for {:?} in version {}; versions {} to {} are served",
            api.key, header.api_version, api.versions.min, api.versions.max
        ))),
        None => Err(Refusal::Close(format!("it asked for the unknown API {}", header.api_key))),
    };
    let outcome = match answered {
        Ok(body) => Outcome::Respond(body.into_frame(header.correlation_id)),
        Err(Refusal::NoAnswer) => Outcome::Nothing,
        Err(Refusal::Close(reason)) => Outcome::Close(reason),
        Err(Refusal::Fault) => Outcome::Faulty(None, Then::Close),
    };
    let outcome = match cx.verdict() {
        None => outcome,
        Some(verdict) => carry_out(verdict, outcome),
    };
    peer.seen.end(&outcome);
    outcome
}

/// Has the handler work, and notes when it waits.
async fn call(cx: &RequestContext, key: ApiKey, body: Bytes) -> Answer<Body> {
    let mut called = pin!(api::call(key, cx, body));
    let mut waited = false;
    poll_fn(|task| {
        if waited {
            cx.peer.seen.works();
        }
        let polled = called.as_mut().poll(task);
        if polled.is_pending() {
            waited = true;
            cx.peer.seen.waits();
        }
        polled
    })
    .await
}

/// What faults do to an answer that is ready, and to its connection.
fn carry_out(verdict: &Verdict, outcome: Outcome) -> Outcome {
    if verdict.close == Some(Close::BeforeAnswer) && !matches!(outcome, Outcome::Close(_)) {
        return Outcome::Faulty(None, Then::Close);
    }
    match (outcome, verdict.truncate, verdict.throttle) {
        (Outcome::Respond(frame), Some(bytes), _) => Outcome::Faulty(Some(frame.cut_to(bytes)), Then::Close),
        (Outcome::Respond(frame), None, Some(time)) => Outcome::Faulty(Some(frame), Then::Mute(time)),
        (Outcome::Nothing, None, Some(time)) => Outcome::Faulty(None, Then::Mute(time)),
        (outcome, _, _) => outcome,
    }
}

/// An encoded answer: bytes that were written for it, and between them slices of record data that are not copied.
pub(crate) struct Body {
    flexible_header: bool,
    /// What comes before the first slice, with room in front for length and response header.
    first: BytesMut,
    /// The first slice, and all that comes behind it, up to `rest`.
    middle: Vec<Bytes>,
    rest: BytesMut,
}

/// Room for the length, the correlation id and the empty tagged fields of a flexible header.
const HEADER_ROOM: usize = 9;

impl Body {
    /// An empty answer; `header_version` is the response header's.
    pub(crate) fn new(header_version: i16, capacity: usize) -> Self {
        let mut first = BytesMut::with_capacity(HEADER_ROOM + capacity);
        first.put_bytes(0, HEADER_ROOM);
        Body { flexible_header: header_version > 0, first, middle: Vec::new(), rest: BytesMut::new() }
    }

    /// Where what comes next is written to.
    pub(crate) fn out(&mut self) -> &mut BytesMut {
        if self.middle.is_empty() { &mut self.first } else { &mut self.rest }
    }

    /// Puts `slice` behind what has been written, without copying it.
    pub(crate) fn put_slice(&mut self, slice: Bytes) {
        if !self.rest.is_empty() {
            self.middle.push(self.rest.split().freeze());
        }
        self.middle.push(slice);
    }

    /// The whole frame, for the request of this id.
    pub(crate) fn into_frame(mut self, correlation_id: i32) -> ResponseFrame {
        // A header that is not flexible has no tagged fields: its room stays one byte empty, at the front.
        let mut first = self.first.split_off(if self.flexible_header { 0 } else { 1 });
        let length = first.len() - 4 + self.middle.iter().map(Bytes::len).sum::<usize>() + self.rest.len();
        if let Some(room) = first.first_chunk_mut::<8>() {
            let [l0, l1, l2, l3] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            let [c0, c1, c2, c3] = correlation_id.to_be_bytes();
            *room = [l0, l1, l2, l3, c0, c1, c2, c3];
        }
        let mut parts = Vec::with_capacity(2 + self.middle.len());
        parts.push(first.freeze());
        parts.append(&mut self.middle);
        if !self.rest.is_empty() {
            parts.push(self.rest.freeze());
        }
        ResponseFrame::new(parts)
    }
}

/// What a handler answers with: it knows how to write itself.
pub(crate) trait Reply {
    /// The answer as it goes out in `version`.
    fn into_body(self, version: i16) -> Answer<Body>;
}

impl<R: Encodable + HeaderVersion> Reply for R {
    fn into_body(self, version: i16) -> Answer<Body> {
        let unwritable =
            |error| Refusal::Close(format!("the answer in version {version} cannot be written: {error}"));
        let mut body = Body::new(R::header_version(version), self.compute_size(version).map_err(unwritable)?);
        self.encode(body.out(), version).map_err(unwritable)?;
        Ok(body)
    }
}

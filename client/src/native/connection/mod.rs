//! One connection to a broker: requests go out one behind the other, answers come back in the same order.
//!
//! Knows nothing of what requests mean. What has been set up can be sent over at once ([`Connection::open`] signs on).

mod answer;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::{Encodable, Request, StrBytes};
use klamm_broker::{InProcessSender, Unsent};
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Notify, oneshot, watch};

pub(crate) use answer::{Answer, AnswerFrame};

use super::sasl;
pub(crate) use super::transport::Target;
use super::transport::tls::Tls;
use super::transport::{self, Outlet};
use super::versions::{self, BrokerVersions};
use crate::error::{ClientError, ErrorKind};
use crate::options::ClientOptions;

/// Where the correlation id lies in a request: behind its length, the API's key and its version.
const CORRELATION_AT: usize = 8;

/// Room for the header of a request, with a client id of common length.
const HEADER_BYTES: usize = 128;

/// Why there is no answer to a request.
#[derive(Debug, Clone)]
pub(crate) struct RequestError {
    pub(crate) error: ClientError,
    /// Whether any byte of the request may have reached the broker: if so, it may have been carried out.
    pub(crate) sent: bool,
}

impl RequestError {
    pub(crate) fn unsent(error: ClientError) -> Self {
        RequestError { error, sent: false }
    }
}

impl From<RequestError> for ClientError {
    fn from(error: RequestError) -> Self {
        error.error
    }
}

/// A connection that is set up: versions are known, and whoever has to sign on has done so. It is closed when the last
/// handle goes, after what was accepted has been written.
#[derive(Clone)]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    versions: Arc<BrokerVersions>,
    /// From then on new requests are better sent over another connection: the session is about to end.
    retires: Option<Instant>,
    _last: Arc<StopOnDrop>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("to", &self.shared.to).finish_non_exhaustive()
    }
}

struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.send_replace(true);
    }
}

/// What the handles and the connection's tasks have in common.
struct Shared {
    to: String,
    client_id: StrBytes,
    /// Held while the transport is handed a request. Taken before `due`, by whoever takes both.
    state: Mutex<State>,
    /// What answers are waited for. Apart from `state`: an answer may come before the hand-over of its request returns.
    due: Mutex<Due>,
    /// Wakes the task that writes.
    write: Notify,
    /// True: no handle is left, or the connection has ended.
    stop: watch::Sender<bool>,
}

/// What a request is handed to by whoever sends it, as far as that goes without waiting.
enum Direct {
    InProcess(InProcessSender),
    Tcp(OwnedWriteHalf),
    /// Nothing: all is written by the task that owns the stream.
    Nothing,
}

impl Direct {
    fn of(outlet: Outlet) -> (Self, Option<Writer>) {
        match outlet {
            Outlet::InProcess(sender) => (Direct::InProcess(sender), None),
            Outlet::Tcp(stream) => (Direct::Tcp(stream), None),
            Outlet::Tls(stream) => (Direct::Nothing, Some(stream)),
        }
    }
}

type Writer = Box<dyn AsyncWrite + Send + Unpin>;

struct State {
    /// None once the connection has ended.
    direct: Option<Arc<Direct>>,
    next_correlation: i32,
    /// What the transport has not taken yet.
    outgoing: VecDeque<Outgoing>,
    /// How many requests were accepted, and of how many the transport has taken a byte.
    accepted: u64,
    begun: u64,
    ended: Option<ClientError>,
    used: Instant,
}

#[derive(Default)]
struct Due {
    /// Requests that are to be answered, in the order in which they were sent.
    pending: VecDeque<Pending>,
    /// How many answers came.
    answered: u64,
}

struct Pending {
    correlation: i32,
    number: u64,
    api: ApiKey,
    version: i16,
    answer: oneshot::Sender<Result<AnswerFrame, RequestError>>,
}

struct Outgoing {
    number: u64,
    bytes: Bytes,
    /// Told when all of it has been written; for requests that are not answered.
    written: Option<oneshot::Sender<()>>,
}

impl Connection {
    /// Connects, asks for the broker's versions, and signs on: all within `options.connect_timeout`. To be called on the
    /// client's runtime, which the connection's tasks stay on.
    pub(crate) async fn open(
        target: &Target,
        tls: Option<&Tls>,
        options: &ClientOptions,
    ) -> Result<Connection, ClientError> {
        let opening = async {
            let (outlet, inlet) = transport::connect(target, tls).await?;
            let (direct, writer) = Direct::of(outlet);
            let shared = Arc::new(Shared {
                to: target.to_string(),
                client_id: StrBytes::from_string(options.client_id.clone()),
                state: Mutex::new(State::new(direct)),
                due: Mutex::default(),
                write: Notify::new(),
                stop: watch::Sender::new(false),
            });
            tasks::start(&shared, inlet, writer, options);
            let last = Arc::new(StopOnDrop(Arc::clone(&shared)));
            let mut connection = Connection { shared, versions: Arc::default(), retires: None, _last: last };
            let patience = options.connect_timeout;
            connection.versions = Arc::new(versions::ask(&connection, patience).await?);
            if let Some(sasl) = &options.security.sasl {
                connection.retires = sasl::sign_on(&connection, sasl, patience).await?;
            }
            Ok(connection)
        };
        let late = || {
            let patience = options.connect_timeout;
            let (asked, why) =
                (format!("connecting to {target}"), format!("it took longer than {patience:?}"));
            ClientError::new(ErrorKind::Unreachable, asked, why)
        };
        tokio::time::timeout(options.connect_timeout, opening).await.unwrap_or_else(|_| Err(late()))
    }

    /// What versions of which APIs the broker serves.
    pub(crate) fn versions(&self) -> &BrokerVersions {
        &self.versions
    }

    /// Where it goes to, in words.
    pub(crate) fn to(&self) -> &str {
        &self.shared.to
    }

    /// Whether requests can be sent: it has not ended, and its session does not end soon.
    pub(crate) fn is_usable(&self) -> bool {
        self.shared.state.lock().ended.is_none() && self.retires.is_none_or(|at| Instant::now() < at)
    }

    /// Ends when the connection has ended.
    #[cfg(test)]
    pub(crate) async fn ended(&self) {
        let mut stop = self.shared.stop.subscribe();
        // The sender is alive as long as this handle is.
        let _ = stop.wait_for(|stopped| *stopped).await;
    }

    /// Ends it at once. Whoever waits for an answer is told `error`.
    pub(crate) fn close(&self, error: ClientError) {
        self.shared.end(error);
    }

    /// The newest version of a request that both sides know, up to `most`: the newest that the caller understands.
    pub(crate) fn version<R: Request>(&self, most: i16) -> Result<i16, RequestError> {
        self.versions.pick::<R>(most).map_err(|why| {
            let api = ApiKey::try_from(R::KEY).map_or_else(|()| R::KEY.to_string(), |api| format!("{api:?}"));
            let asked = format!("sending {api} to {}", self.to());
            RequestError::unsent(ClientError::new(ErrorKind::Unsupported, asked, why))
        })
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn call<R: Request>(
        &self,
        request: &R,
        version: i16,
        patience: Duration,
    ) -> Result<R::Response, RequestError> {
        self.send(request, version, patience)?.response::<R>().await
    }

    /// Sends a request. The answer can be waited for, or dropped.
    pub(crate) fn send<R: Request>(
        &self,
        request: &R,
        version: i16,
        patience: Duration,
    ) -> Result<Answer, RequestError> {
        let api = self.api::<R>()?;
        let capacity = request.compute_size(version).unwrap_or(0);
        let body = |out: &mut BytesMut| request.encode(out, version).map_err(|error| error.to_string());
        let request = self.encode(api, version, capacity, body)?;
        self.send_encoded(request, patience)
    }

    /// Encodes a request whose body `body` writes, in one buffer with its header. `capacity`: the bytes of the body.
    pub(crate) fn encode(
        &self,
        api: ApiKey,
        version: i16,
        capacity: usize,
        body: impl FnOnce(&mut BytesMut) -> Result<(), String>,
    ) -> Result<EncodedRequest, RequestError> {
        let failed = |kind, why: String| {
            let asked = format!("sending {api:?} to {}", self.to());
            RequestError::unsent(ClientError::new(kind, asked, why))
        };
        let mut out = BytesMut::with_capacity(4 + HEADER_BYTES + self.shared.client_id.len() + capacity);
        out.put_i32(0);
        let header = RequestHeader::default()
            .with_request_api_key(api as i16)
            .with_request_api_version(version)
            .with_client_id(Some(self.shared.client_id.clone()));
        header
            .encode(&mut out, api.request_header_version(version))
            .map_err(|error| failed(ErrorKind::InvalidArgument, error.to_string()))?;
        body(&mut out).map_err(|why| failed(ErrorKind::InvalidArgument, why))?;
        let length = i32::try_from(out.len() - 4)
            .map_err(|_| failed(ErrorKind::TooLarge, format!("it has {} bytes", out.len())))?;
        if let Some(head) = out.get_mut(..4) {
            head.copy_from_slice(&length.to_be_bytes());
        }
        Ok(EncodedRequest { api, version, bytes: out })
    }

    /// Sends a request that was encoded. The answer can be waited for, or dropped.
    pub(crate) fn send_encoded(
        &self,
        request: EncodedRequest,
        patience: Duration,
    ) -> Result<Answer, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let (api, version) = (request.api, request.version);
        let span = tracing::debug_span!("request", ?api, version, broker = %self.to());
        self.shared.submit(request, Some(sender), None)?;
        Ok(Answer::new(self.clone(), receiver, Instant::now() + patience, span))
    }

    /// Sends a request that the broker does not answer, and waits until it is written: Produce with `acks=0`.
    pub(crate) async fn send_unanswered(&self, request: EncodedRequest) -> Result<(), RequestError> {
        let (sender, receiver) = oneshot::channel();
        self.shared.submit(request, None, Some(sender))?;
        receiver.await.map_err(|_| RequestError { error: self.shared.reason(), sent: true })
    }

    fn api<R: Request>(&self) -> Result<ApiKey, RequestError> {
        ApiKey::try_from(R::KEY).map_err(|()| {
            let (asked, why) = (format!("sending to {}", self.to()), format!("there is no API {}", R::KEY));
            RequestError::unsent(ClientError::new(ErrorKind::Unsupported, asked, why))
        })
    }
}

/// A request as it goes out, but for its correlation id.
#[derive(Debug)]
pub(crate) struct EncodedRequest {
    api: ApiKey,
    version: i16,
    bytes: BytesMut,
}

impl State {
    fn new(direct: Direct) -> Self {
        State {
            direct: Some(Arc::new(direct)),
            next_correlation: 0,
            outgoing: VecDeque::new(),
            accepted: 0,
            begun: 0,
            ended: None,
            used: Instant::now(),
        }
    }

    /// Hands `bytes` to the transport as far as it takes them without waiting. Gives back what is left.
    fn write_now(&mut self, number: u64, mut bytes: Bytes) -> Option<Bytes> {
        if !self.outgoing.is_empty() {
            return Some(bytes);
        }
        match self.direct.as_deref() {
            Some(Direct::InProcess(sender)) => match sender.try_send(bytes.slice(4..)) {
                Ok(()) => self.begun = number,
                // The reader finds out that it has ended, and says so.
                Err(Unsent::Full(_) | Unsent::Closed(_)) => return Some(bytes),
            },
            Some(Direct::Tcp(stream)) => {
                while !bytes.is_empty() {
                    match stream.try_write(&bytes) {
                        Ok(written) if written > 0 => {
                            self.begun = number;
                            bytes = bytes.slice(written..);
                        }
                        Ok(_) | Err(_) => return Some(bytes),
                    }
                }
            }
            Some(Direct::Nothing) | None => return Some(bytes),
        }
        None
    }
}

impl Shared {
    fn submit(
        &self,
        request: EncodedRequest,
        answer: Option<oneshot::Sender<Result<AnswerFrame, RequestError>>>,
        written: Option<oneshot::Sender<()>>,
    ) -> Result<(), RequestError> {
        let EncodedRequest { api, version, mut bytes } = request;
        let mut state = self.state.lock();
        if let Some(error) = &state.ended {
            return Err(RequestError::unsent(error.clone()));
        }
        let correlation = state.next_correlation;
        state.next_correlation = correlation.wrapping_add(1);
        if let Some(place) = bytes.get_mut(CORRELATION_AT..CORRELATION_AT + 4) {
            place.copy_from_slice(&correlation.to_be_bytes());
        }
        state.accepted += 1;
        state.used = Instant::now();
        let number = state.accepted;
        if let Some(answer) = answer {
            self.due.lock().pending.push_back(Pending { correlation, number, api, version, answer });
        }
        match state.write_now(number, bytes.freeze()) {
            None => {
                if let Some(written) = written {
                    // Who gave up waiting need not be told.
                    let _ = written.send(());
                }
            }
            Some(bytes) => {
                state.outgoing.push_back(Outgoing { number, bytes, written });
                self.write.notify_one();
            }
        }
        Ok(())
    }

    /// Why it has ended.
    fn reason(&self) -> ClientError {
        let ended = self.state.lock().ended.clone();
        ended.unwrap_or_else(|| {
            ClientError::new(
                ErrorKind::Disconnected,
                format!("talking to {}", self.to),
                "the connection was closed",
            )
        })
    }

    /// Ends the connection, for this reason unless it has ended already: every request that waits is told.
    fn end(&self, error: ClientError) {
        let (pending, begun) = {
            let mut state = self.state.lock();
            if state.ended.is_none() {
                tracing::debug!(to = self.to, "connection ended: {}", error.why());
                state.ended = Some(error.clone());
            }
            state.direct = None;
            state.outgoing.clear();
            (std::mem::take(&mut self.due.lock().pending), state.begun)
        };
        self.stop.send_replace(true);
        self.write.notify_one();
        for request in pending {
            let sent = request.number <= begun;
            // Who gave up waiting need not be told.
            let _ = request.answer.send(Err(RequestError { error: error.clone(), sent }));
        }
    }
}

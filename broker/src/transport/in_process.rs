//! A connection within the process: the same frames over channels, no socket, and no copy of record data.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::context::Peer;
use crate::dispatch::{Outcome, Then, dispatch};
use crate::frame::ResponseFrame;
use crate::look::{Opened, TransportKind};
use crate::state::BrokerState;

/// Requests that may be under way on one connection; sending one more waits.
const REQUESTS_UNDER_WAY: usize = 64;

/// A connection to a broker of this process. It ends when it is dropped.
///
/// Frames are Kafka's, as on a socket: a request without its four bytes of length, an answer with them. Answers come in
/// the order of their requests. A request that Kafka would answer by closing the connection closes this one.
#[derive(Debug)]
pub struct InProcessConnection {
    requests: InProcessSender,
    responses: InProcessReceiver,
}

/// The half of a connection that requests go into. The connection ends when it is dropped.
#[derive(Debug)]
pub struct InProcessSender(mpsc::Sender<Bytes>);

/// The half of a connection that answers come out of.
#[derive(Debug)]
pub struct InProcessReceiver(mpsc::Receiver<ResponseFrame>);

/// Why a request was not taken. It comes back.
#[derive(Debug)]
pub enum Unsent {
    /// Too many are under way.
    Full(Bytes),
    /// The broker has closed the connection or has stopped.
    Closed(Bytes),
}

impl InProcessSender {
    /// As [`InProcessConnection::send`].
    ///
    /// # Errors
    /// Gives the request back if the broker has closed the connection or has stopped.
    pub async fn send(&self, request: Bytes) -> Result<(), Bytes> {
        self.0.send(request).await.map_err(|unsent| unsent.0)
    }

    /// Sends a request if there is room for it now.
    ///
    /// # Errors
    /// Gives the request back if there is no room, or the connection is closed.
    pub fn try_send(&self, request: Bytes) -> Result<(), Unsent> {
        self.0.try_send(request).map_err(|unsent| match unsent {
            mpsc::error::TrySendError::Full(request) => Unsent::Full(request),
            mpsc::error::TrySendError::Closed(request) => Unsent::Closed(request),
        })
    }
}

impl InProcessReceiver {
    /// The next answer; none once the connection is closed.
    pub async fn receive(&mut self) -> Option<ResponseFrame> {
        self.0.recv().await
    }
}

impl InProcessConnection {
    /// Sends a request: header and body, without the length in front. Waits while too many are under way.
    ///
    /// # Errors
    /// Gives the request back if the broker has closed the connection or has stopped.
    pub async fn send(&self, request: Bytes) -> Result<(), Bytes> {
        self.requests.send(request).await
    }

    /// The next answer; none once the connection is closed.
    pub async fn receive(&mut self) -> Option<ResponseFrame> {
        self.responses.receive().await
    }

    /// Its two halves, for a task each.
    pub fn split(self) -> (InProcessSender, InProcessReceiver) {
        (self.requests, self.responses)
    }
}

/// Opens a connection to a node, served by a task on `runtime` until it is dropped, the node is stopped or the broker's life
/// ends.
pub(crate) fn connect(
    broker: Arc<BrokerState>,
    runtime: &Handle,
    alive: impl Send + 'static,
    node: i32,
) -> InProcessConnection {
    let (requests, incoming) = mpsc::channel(REQUESTS_UNDER_WAY);
    let (outgoing, responses) = mpsc::channel(REQUESTS_UNDER_WAY);
    // From now on, and not once the task has begun: who opens it sees it.
    let opened = broker.hand.traffic.open(TransportKind::InProcess, String::new());
    let place = broker.cluster.layout.place(node).unwrap_or(0);
    let mut ended = broker.life.ended_at(place);
    let served = broker.hand.nodes.serve(place);
    runtime.spawn(async move {
        let _alive = (alive, served);
        tokio::select! {
            () = serve(&broker, node, &opened, incoming, outgoing) => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    });
    InProcessConnection { requests: InProcessSender(requests), responses: InProcessReceiver(responses) }
}

async fn serve(
    broker: &Arc<BrokerState>,
    node: i32,
    opened: &Opened,
    mut incoming: mpsc::Receiver<Bytes>,
    outgoing: mpsc::Sender<ResponseFrame>,
) {
    let listener = broker.cluster.layout.first_listener(node);
    let peer = Peer { host: Arc::from("/127.0.0.1"), listener, node, seen: opened.seen() };
    while let Some(request) = incoming.recv().await {
        match dispatch(broker, &peer, request).await {
            Outcome::Respond(response) => {
                if outgoing.send(response).await.is_err() {
                    return;
                }
            }
            Outcome::Nothing => {}
            Outcome::Ended => return,
            Outcome::Close(reason) => {
                broker.complaints.note(|| format!("closed a connection within the process: {reason}"));
                return;
            }
            Outcome::Faulty(response, then) => {
                if let Some(response) = response.filter(|response| !response.is_empty())
                    && outgoing.send(response).await.is_err()
                {
                    return;
                }
                match then {
                    Then::Close => return,
                    Then::Mute(time) => {
                        tokio::select! {
                            () = tokio::time::sleep(time) => {}
                            () = outgoing.closed() => return,
                        }
                    }
                }
            }
        }
    }
}

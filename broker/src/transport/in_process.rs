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
    requests: mpsc::Sender<Bytes>,
    responses: mpsc::Receiver<ResponseFrame>,
}

impl InProcessConnection {
    /// Sends a request: header and body, without the length in front. Waits while too many are under way.
    ///
    /// # Errors
    /// Gives the request back if the broker has closed the connection or has stopped.
    pub async fn send(&self, request: Bytes) -> Result<(), Bytes> {
        self.requests.send(request).await.map_err(|unsent| unsent.0)
    }

    /// The next answer; none once the connection is closed.
    pub async fn receive(&mut self) -> Option<ResponseFrame> {
        self.responses.recv().await
    }
}

/// Opens a connection, served by a task on `runtime` until it is dropped or the broker's life ends.
pub(crate) fn connect(
    broker: Arc<BrokerState>,
    runtime: &Handle,
    alive: impl Send + 'static,
) -> InProcessConnection {
    let (requests, incoming) = mpsc::channel(REQUESTS_UNDER_WAY);
    let (outgoing, responses) = mpsc::channel(REQUESTS_UNDER_WAY);
    // From now on, and not once the task has begun: who opens it sees it.
    let opened = broker.hand.traffic.open(TransportKind::InProcess, String::new());
    let mut ended = broker.life.ended();
    runtime.spawn(async move {
        let _alive = alive;
        tokio::select! {
            () = serve(&broker, &opened, incoming, outgoing) => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    });
    InProcessConnection { requests, responses }
}

async fn serve(
    broker: &Arc<BrokerState>,
    opened: &Opened,
    mut incoming: mpsc::Receiver<Bytes>,
    outgoing: mpsc::Sender<ResponseFrame>,
) {
    let peer = Peer { host: Arc::from("/127.0.0.1"), listener: 0, seen: opened.seen() };
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

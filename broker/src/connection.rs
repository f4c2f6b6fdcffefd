//! One connection: frames in, answers out, in order.
//!
//! A client may send more requests before the first is answered. They are answered one after the other, as Kafka does
//! it, and answers that are ready together go out in one write; but the first goes out at once to a client that is quick,
//! which would else be idle while the broker works, and the broker while the client does. A connection that is idle holds
//! no buffer.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::context::Peer;
use crate::dispatch::{Outcome, Then, dispatch};
use crate::frame::{self, FrameError, FrameReader, ResponseFrame};
use crate::limits::RequestMemory;
use crate::quick::Quickness;
use crate::state::BrokerState;

/// Answers are sent once they come to as much, even if more requests are waiting.
const WRITE_BYTES: usize = 256 * 1024;

/// A connection that has been silent for as long gives its buffer back.
const BUFFER_KEPT: Duration = Duration::from_secs(1);

/// A stream that frames come on.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Returns once there may be something to read, so that no buffer is needed until then.
    fn readable(&self) -> impl Future<Output = std::io::Result<()>> + Send;

    /// Whether there is something to read, or nothing more will come: asked of the system, at once.
    fn has_arrived(&self) -> bool;

    /// Returns once the client has gone and has left nothing to be read.
    fn gone(&self) -> impl Future<Output = ()> + Send;
}

impl Stream for TcpStream {
    async fn readable(&self) -> std::io::Result<()> {
        TcpStream::readable(self).await
    }

    fn has_arrived(&self) -> bool {
        // The runtime does not know before it has asked the system about all sockets.
        let peeked = SockRef::from(self).peek(&mut [MaybeUninit::uninit()]);
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    async fn gone(&self) {
        if self.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0) {
            // The next request is there already: whether the client goes after it cannot be seen behind it.
            std::future::pending().await
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The client closed it, or it went away.
    #[error("the client left")]
    Left,
    /// Nothing came for `connections.max.idle.ms`.
    #[error("it was idle for {0:?} (connections.max.idle.ms)")]
    Idle(Duration),
    /// The broker stops, or begins anew.
    #[error("the broker stops")]
    Stopped,
    /// The client did what cannot be answered.
    #[error("{0}")]
    Refused(String),
    /// A fault closed it.
    #[error("a fault closed it")]
    Fault,
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Serves a connection until it ends, and says why it did.
pub(crate) async fn serve<S: Stream>(
    stream: S,
    peer: Peer,
    broker: Arc<BrokerState>,
    mut stop: watch::Receiver<bool>,
) -> Ended {
    let memory = broker.request_memory.account();
    let mut connection = Connection {
        stream,
        peer,
        broker,
        memory,
        reader: FrameReader::default(),
        quickness: Quickness::default(),
        pending: Vec::new(),
    };
    let served = tokio::select! {
        served = connection.run() => served,
        _ = stop.wait_for(|stop| *stop) => Err(Ended::Stopped),
    };
    match served {
        Ok(()) => Ended::Left,
        Err(Ended::Frame(FrameError::Io(error))) if has_hung_up(&error) => Ended::Left,
        Err(ended) => ended,
    }
}

/// Whether a connection failed because the client did not wait for its answer, as many do when they stop.
fn has_hung_up(error: &std::io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}

struct Connection<S> {
    stream: S,
    peer: Peer,
    broker: Arc<BrokerState>,
    memory: RequestMemory,
    reader: FrameReader,
    quickness: Quickness,
    /// Answers that have not been sent.
    pending: Vec<Bytes>,
}

impl<S: Stream> Connection<S> {
    async fn run(&mut self) -> Result<(), Ended> {
        loop {
            let settings = self.broker.config.settings();
            let most = usize::try_from(settings.socket_request_max_bytes).unwrap_or(0);
            let mut first = self.quickness.is_quick();
            while let Some(frame) = self.reader.buffered(most)? {
                self.answer(frame).await?;
                if std::mem::take(&mut first) {
                    // A quick client that has sent several goes on while the others are being worked on.
                    self.flush().await?;
                }
            }
            self.flush().await?;
            if !self.read(most, settings.connections_max_idle_ms).await? {
                return Ok(());
            }
        }
    }

    /// Handles one request. If it has to wait, what was answered before goes out first.
    async fn answer(&mut self, frame: Bytes) -> Result<(), Ended> {
        let (broker, peer) = (Arc::clone(&self.broker), self.peer.clone());
        let mut handled = pin!(dispatch(&broker, &peer, frame));
        let outcome = match poll_fn(|cx| Poll::Ready(handled.as_mut().poll(cx))).await {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.flush().await?;
                tokio::select! {
                    outcome = handled => outcome,
                    // Nobody waits for the answer any more: neither does the handler.
                    () = self.stream.gone() => return Err(Ended::Left),
                }
            }
        };
        match outcome {
            Outcome::Respond(response) => {
                self.pending.extend(response.into_parts());
                if self.pending.iter().map(Bytes::len).sum::<usize>() >= WRITE_BYTES {
                    self.flush().await?;
                }
            }
            Outcome::Nothing => {}
            Outcome::Ended => return Err(Ended::Stopped),
            Outcome::Close(reason) => {
                self.flush().await?;
                return Err(Ended::Refused(reason));
            }
            Outcome::Faulty(response, then) => {
                self.pending.extend(response.into_iter().flat_map(ResponseFrame::into_parts));
                self.flush().await?;
                match then {
                    Then::Close => return Err(Ended::Fault),
                    Then::Mute(time) => self.mute(time).await?,
                }
            }
        }
        Ok(())
    }

    /// Reads nothing for a while: the client's own time, or that of one who is throttled.
    async fn mute(&mut self, time: Duration) -> Result<(), Ended> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.stream.gone() => Err(Ended::Left),
        }
    }

    /// Reads more. False: the client has closed the connection between two requests.
    async fn read(&mut self, most: usize, idle_ms: i64) -> Result<bool, Ended> {
        let patience = Duration::from_millis(idle_ms.max(1).unsigned_abs());
        if self.reader.is_empty() {
            self.memory.release();
            let answered = Instant::now();
            self.quickness.look(|| self.stream.has_arrived());
            self.wait(patience).await?;
            self.quickness.learn(answered.elapsed());
        }
        let filled = self.reader.fill(&mut self.stream, most, &mut self.memory);
        let more = tokio::time::timeout(patience, filled).await.map_err(|_| Ended::Idle(patience))??;
        if !more && !self.reader.is_empty() {
            return Err(FrameError::Io(std::io::ErrorKind::UnexpectedEof.into()).into());
        }
        Ok(more)
    }

    /// Waits until there is something to read; after a while without the buffer.
    async fn wait(&mut self, patience: Duration) -> Result<(), Ended> {
        let mut ready = tokio::time::timeout(BUFFER_KEPT.min(patience), self.stream.readable()).await;
        if ready.is_err() {
            self.reader.release();
            ready = tokio::time::timeout(patience.saturating_sub(BUFFER_KEPT), self.stream.readable()).await;
        }
        Ok(ready.map_err(|_| Ended::Idle(patience))?.map_err(FrameError::Io)?)
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let idle_ms = self.broker.config.settings().connections_max_idle_ms;
        let patience = Duration::from_millis(idle_ms.max(1).unsigned_abs());
        let written = tokio::time::timeout(patience, frame::write_all(&mut self.stream, &mut self.pending));
        Ok(written.await.map_err(|_| Ended::Idle(patience))?.map_err(FrameError::Io)?)
    }
}

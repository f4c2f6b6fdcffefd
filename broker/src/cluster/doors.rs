//! The listening sockets: opened at the start, closed for a node that is stopped, opened again when it is back.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::Socket;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::lives::Current;
use crate::transport::tcp;

/// How long a socket that is to be closed is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The listening sockets of a broker, by listener.
pub(crate) struct Doors {
    doors: Mutex<Vec<Door>>,
}

struct Door {
    address: SocketAddr,
    state: State,
}

enum State {
    Open {
        stop: watch::Sender<bool>,
        closed: mpsc::Receiver<Infallible>,
    },
    /// Nobody listens. The port is held all the same, where the system gives it, so that it is free when it is wanted again.
    Closed {
        _held: Option<Socket>,
    },
}

/// A socket that listens again, and is not served yet.
pub(super) struct Reopened(Vec<(usize, TcpListener)>);

impl Doors {
    /// Serves `listeners`. `alive` is held by everything that may still be at work.
    pub(crate) fn open<A: Clone + Send + 'static>(
        listeners: Vec<TcpListener>,
        runtime: &Handle,
        broker: &Arc<Current>,
        alive: &A,
    ) -> std::io::Result<Self> {
        let mut doors = Vec::with_capacity(listeners.len());
        for (index, listener) in listeners.into_iter().enumerate() {
            let address = listener.local_addr()?;
            doors.push(Door { address, state: serve(index, listener, runtime, broker, alive) });
        }
        Ok(Doors { doors: Mutex::new(doors) })
    }

    /// Tells all of them to close, without waiting for that.
    pub(crate) fn stop(&self) {
        for door in self.doors.lock().iter() {
            if let State::Open { stop, .. } = &door.state {
                stop.send_replace(true);
            }
        }
    }

    /// Closes some of them: once this returns their ports refuse connections.
    pub(super) fn close(&self, listeners: Range<usize>) {
        let mut doors = self.doors.lock();
        for door in doors.get_mut(listeners).into_iter().flatten() {
            if let State::Open { stop, closed } = &door.state {
                stop.send_replace(true);
                // Disconnected is what is waited for.
                let _ = closed.recv_timeout(PATIENCE);
                // Where it cannot be held somebody else may take it, which is told when it is wanted again.
                door.state = State::Closed { _held: tcp::hold(door.address).ok() };
            }
        }
    }

    /// Listens again on those that are closed: all of them, or none.
    ///
    /// # Errors
    /// The address that cannot be listened on, and why.
    pub(super) fn reopen(&self, listeners: Range<usize>) -> Result<Reopened, (SocketAddr, std::io::Error)> {
        let mut doors = self.doors.lock();
        let mut opened = Vec::new();
        for index in listeners {
            let Some(door) = doors.get_mut(index) else { continue };
            if let State::Closed { _held } = &mut door.state {
                *_held = None;
                opened.push((index, tcp::bind(door.address).map_err(|why| (door.address, why))?));
            }
        }
        Ok(Reopened(opened))
    }

    /// Serves what listens again.
    pub(super) fn serve<A: Clone + Send + 'static>(
        &self,
        reopened: Reopened,
        runtime: &Handle,
        broker: &Arc<Current>,
        alive: &A,
    ) {
        let mut doors = self.doors.lock();
        for (index, listener) in reopened.0 {
            if let Some(door) = doors.get_mut(index) {
                door.state = serve(index, listener, runtime, broker, alive);
            }
        }
    }
}

fn serve<A: Clone + Send + 'static>(
    index: usize,
    listener: TcpListener,
    runtime: &Handle,
    broker: &Arc<Current>,
    alive: &A,
) -> State {
    let (stop, stopped) = watch::channel(false);
    let (closing, closed) = mpsc::channel::<Infallible>();
    let accepting = tcp::accept(listener, index, Arc::clone(broker), stopped, alive.clone());
    runtime.spawn(async move {
        // Let go of when the socket has been.
        let _closing = closing;
        accepting.await;
    });
    State::Open { stop, closed }
}

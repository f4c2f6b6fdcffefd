//! TCP listeners: bind, accept, and hand each connection to a task of its own.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::connection::{self, Ended};
use crate::context::Peer;
use crate::limits::MAX_CONNECTIONS;
use crate::lives::Current;
use crate::look::TransportKind;
use crate::state::BrokerState;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Binds `address`; port 0 takes a free one. Clients can connect once this returns.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A broker that is started again takes its port at once, though connections of the last one linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds `address` without listening: connections are refused, and nobody else takes it.
pub(crate) fn hold(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Accepts connections until it is told to stop. `alive` is held by every task that may still be at work.
pub(crate) async fn accept(
    listener: TcpListener,
    index: usize,
    broker: Arc<Current>,
    mut stop: watch::Receiver<bool>,
    alive: impl Clone + Send + 'static,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("a listener cannot be served: {error}"),
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let broker = broker.get();
        match accepted {
            Ok((stream, address)) => {
                let node = broker.cluster.layout.node_of(index);
                let place = broker.cluster.layout.place(node).unwrap_or(0);
                let (stop, alive) =
                    (broker.life.ended_at(place), (alive.clone(), broker.hand.nodes.serve(place)));
                let Some(room) = Place::take(&broker, address.ip()) else { continue };
                tokio::spawn(async move {
                    let _alive = alive;
                    serve(stream, address, index, &broker, stop).await;
                    drop(room);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: go on with those that are there, and let some of them end.
                broker.complaints.note(|| format!("a connection cannot be accepted: {error}"));
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    listener: usize,
    broker: &Arc<BrokerState>,
    stop: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("{address}: answers may be held back by the system: {error}");
    }
    let opened = broker.hand.traffic.open(TransportKind::Tcp, address.to_string());
    let host = Arc::from(format!("/{}", address.ip()).as_str());
    let node = broker.cluster.layout.node_of(listener);
    let peer = Peer { host, listener, node, seen: opened.seen() };
    match connection::serve(stream, peer, Arc::clone(broker), stop).await {
        ended @ (Ended::Refused(_) | Ended::Frame(_)) => {
            broker.complaints.note(|| format!("closed the connection from {address}: {ended}"));
        }
        ended => tracing::debug!("the connection from {address} has ended: {ended}"),
    }
}

/// How many connections there are, in all and from each address.
#[derive(Default)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// A connection's place among those that are served at once; free again when dropped.
struct Place {
    broker: Arc<BrokerState>,
    ip: IpAddr,
}

impl Place {
    /// None: as many connections are served as may be. The new one is closed, which is how Kafka refuses it.
    fn take(broker: &Arc<BrokerState>, ip: IpAddr) -> Option<Place> {
        let settings = broker.config.settings();
        let most = usize::try_from(settings.max_connections).unwrap_or(0).min(MAX_CONNECTIONS);
        let most_of_ip = settings.max_connections_from(ip);
        let mut taken = broker.places.taken.lock();
        let of_ip = taken.by_ip.get(&ip).copied().unwrap_or(0);
        if taken.all >= most || of_ip >= most_of_ip {
            let all = taken.all;
            broker.complaints.note(|| {
                format!(
                    "refused a connection from {ip}: {all} are open, {of_ip} of them from there \
                     (max.connections {most}, max.connections.per.ip {most_of_ip})"
                )
            });
            return None;
        }
        taken.all += 1;
        taken.by_ip.insert(ip, of_ip + 1);
        Some(Place { broker: Arc::clone(broker), ip })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.broker.places.taken.lock();
        taken.all = taken.all.saturating_sub(1);
        match taken.by_ip.get_mut(&self.ip) {
            Some(of_ip) if *of_ip > 1 => *of_ip -= 1,
            _ => drop(taken.by_ip.remove(&self.ip)),
        }
    }
}

//! The server: a listener, its connections, and how they end.
//!
//! Its threads are its own: nothing that is asked here takes a thread from the broker. A handler ends when its connection
//! does, and so does what it waits for.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use klamm_broker::Broker;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::auth::Access;
use super::{Control, ControlError, ControlOptions, router};

/// Connections at a time. More wait in the system's queue until one of these ends.
pub const MAX_CONNECTIONS: usize = 512;

/// How long the head of a request may take, from its first byte or from the end of the last request on.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);

/// How large the head of a request may be.
const HEAD_BYTES: usize = 64 * 1024;

/// Threads for what may block; more waits for its turn.
const BLOCKING_THREADS: usize = 16;

/// How long is waited for what is under way when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What to do when no connection can be taken, for want of files: wait a little for one to be closed.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(50);

/// Listens for who controls a broker, until it is dropped. Forks end with it; the broker itself goes on.
pub struct ControlServer {
    address: SocketAddr,
    control: Control,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for ControlServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ControlServer {
    /// Starts listening. When this returns, clients can connect.
    ///
    /// # Errors
    /// If the address cannot be listened on, or other machines would reach it without that being asked for, and without
    /// a token.
    pub fn start(broker: Arc<Broker>, options: ControlOptions) -> Result<Self, ControlError> {
        check_token(options.token.as_deref())?;
        let listener = bind(&options)?;
        let address = listener.local_addr()?;
        let access = Access { loopback_only: address.ip().is_loopback(), token: options.token };
        let control = Control::new(broker, access);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("klamm-control")
            .enable_all()
            .build()?;
        listener.set_nonblocking(true)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(accept(listener, router(control.clone())));
        Ok(ControlServer { address, control, runtime: Some(runtime) })
    }

    /// Where it listens, with the port that was taken for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to give a client: `http://127.0.0.1:43117`.
    pub fn url(&self) -> String {
        let mut address = self.address;
        // An address that means "all of them" is no address to connect to.
        if address.ip().is_unspecified() {
            let loopback: std::net::IpAddr = match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(loopback);
        }
        format!("http://{address}")
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(STOP_PATIENCE);
        }
        // What could not be ended in time holds its broker until it does.
        drop(self.control.shared().first.take());
        for fork in self.control.shared().forks.all() {
            drop(fork.take());
        }
    }
}

/// A token can be sent in a header, and is not empty.
fn check_token(token: Option<&str>) -> Result<(), ControlError> {
    match token {
        Some(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(ControlError::Token)
        }
        _ => Ok(()),
    }
}

fn bind(options: &ControlOptions) -> Result<TcpListener, ControlError> {
    let failed = |why| ControlError::Listen { address: options.address.clone(), why };
    let mut tried = Err(failed(std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address")));
    for address in options.address.to_socket_addrs().map_err(failed)? {
        if !address.ip().is_loopback() {
            match (options.allow_remote, &options.token) {
                (false, _) => return Err(ControlError::Remote(address)),
                (true, None) => return Err(ControlError::NoToken),
                (true, Some(_)) => {}
            }
        }
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(why) => tried = Err(failed(why)),
        }
    }
    tried
}

/// Takes connections, as many at a time as there may be.
async fn accept(listener: tokio::net::TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!("no connection can be taken for control: {error}");
                tokio::time::sleep(OUT_OF_FILES_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("a connection for control was gone at once: {error}");
            continue;
        }
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_PATIENCE)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!("a connection for control ended: {error}");
            }
        });
    }
}

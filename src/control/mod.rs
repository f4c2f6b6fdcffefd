//! A broker's time, faults and state over HTTP: what a test in Rust does with a [`Broker`], for a test in any language.
//!
//! ```
//! use std::sync::Arc;
//! use klamm::Broker;
//! use klamm::control::{ControlOptions, ControlServer};
//!
//! let broker = Arc::new(Broker::builder().topic("orders", 3).start()?);
//! let control = ControlServer::start(Arc::clone(&broker), ControlOptions::on("127.0.0.1:0"))?;
//! println!("curl {}/topics", control.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! JSON in and out; refusals are `application/problem+json` with a sentence; `/openapi.json` describes all of it. `klamm
//! serve --control HOST:PORT` starts it on the command line, and `klamm ctl` is a client of it.
//!
//! One file a noun; each gives its routes, of which the router and the document are made. All of this knows the broker
//! by what `klamm_broker` makes public, as a test does. It knows nothing of the command line and of the client.

mod about;
mod auth;
mod body;
mod brokers;
mod cluster;
mod faults;
mod files;
mod look;
mod openapi;
mod problem;
mod route;
mod server;
mod state;
mod time;
mod wait;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use klamm_broker::Broker;
use tokio::sync::Semaphore;

use auth::Access;
use brokers::{Forks, Held};
use problem::{Kind, Problem};
use route::{Content, Route};
use state::Snapshots;

pub use body::MAX_BODY_BYTES;
pub use brokers::MAX_FORKS;
pub use files::MAX_SNAPSHOT_FILE_BYTES;
pub use look::{DEFAULT_RECENT_REQUESTS, DEFAULT_RECORDS, MAX_RECORD_LOOKS, MAX_RECORDS};
pub use server::{ControlServer, MAX_CONNECTIONS};
pub use state::{MAX_SNAPSHOT_NAME, MAX_SNAPSHOTS};
pub use time::LONGEST_STEP_MS;
pub use wait::{DEFAULT_WAIT_MS, LONGEST_WAIT, MAX_WAITS};

/// Where a broker is controlled from, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlOptions {
    address: String,
    token: Option<String>,
    allow_remote: bool,
}

impl ControlOptions {
    /// At this address of this machine; port 0 takes a free one.
    pub fn on(address: impl Into<String>) -> Self {
        ControlOptions { address: address.into(), token: None, allow_remote: false }
    }

    /// Only for who brings this token, as `Authorization: Bearer TOKEN`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// The address may be one that other machines reach. Then there has to be a token: whoever controls a broker can stop
    /// its clock, read its records and lose them.
    pub fn allow_remote(mut self) -> Self {
        self.allow_remote = true;
        self
    }
}

/// Why a broker cannot be controlled as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The address cannot be listened on.
    #[error("cannot listen for control on {address}: {why}; choose another port, or port 0 for a free one")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        why: std::io::Error,
    },
    /// Other machines would reach it.
    #[error(
        "{0} is not on this machine alone, and whoever reaches it controls the broker: use 127.0.0.1, or allow other \
         machines (--control-allow-remote) and give a token"
    )]
    Remote(SocketAddr),
    /// Other machines would reach it without a token.
    #[error(
        "control that other machines reach needs a token: give one with KLAMM_CONTROL_TOKEN or --control-token"
    )]
    NoToken,
    /// The token cannot be sent in a header.
    #[error("the control token has to be letters, digits and signs of ASCII without spaces, at least one")]
    Token,
    /// The system has no thread for it.
    #[error("the server for control cannot be started: {0}")]
    Start(#[from] std::io::Error),
}

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Control(Arc<Shared>);

/// See [`Control::shared`].
pub(crate) struct Shared {
    access: Access,
    /// The broker that the server was started with.
    first: Arc<Held>,
    forks: Forks,
    snapshots: Snapshots,
    /// A permit for each wait that may be under way.
    waits: Arc<Semaphore>,
    /// A permit for each topic whose records may be looked at.
    record_looks: Arc<Semaphore>,
}

impl Control {
    fn new(broker: Arc<Broker>, access: Access) -> Self {
        Control(Arc::new(Shared {
            access,
            first: Held::new(None, broker),
            forks: Forks::default(),
            snapshots: Snapshots::default(),
            waits: Arc::new(Semaphore::new(MAX_WAITS)),
            record_looks: Arc::new(Semaphore::new(MAX_RECORD_LOOKS)),
        }))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

/// All routes: the router and the document are made of these.
fn routes() -> Vec<Route> {
    [
        about::routes(),
        time::routes(),
        faults::routes(),
        wait::routes(),
        look::routes(),
        state::routes(),
        files::routes(),
        cluster::routes(),
        openapi::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn router(control: Control) -> Router {
    let (mut router, mut of_forks) = (Router::new(), Router::new());
    let read_first = || axum::middleware::from_fn(body::read_first);
    for route in routes() {
        let handler = match route.takes {
            Some(Content::Bytes) => route.handler,
            _ => route.handler.layer(read_first()),
        };
        if route.for_forks {
            of_forks = of_forks.route(route.path, handler.clone());
        }
        router = router.route(route.path, handler);
    }
    router
        .nest(brokers::PREFIX, of_forks)
        .fallback(no_such_path.layer(read_first()))
        .method_not_allowed_fallback(no_such_method.layer(read_first()))
        .layer(axum::middleware::from_fn_with_state(control.clone(), auth::check))
        .with_state(control)
}

async fn no_such_path(request: Request) -> Problem {
    let path = request.uri().path();
    Problem::not_found(format!("there is no path {path}; GET /openapi.json describes those there are"))
}

async fn no_such_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{path} is there, but not for {method}; GET /openapi.json says what for");
    Problem::new(Kind::MethodNotAllowed, detail)
}

//! Connections and requests as they come: counted by API and client, the last of them remembered.
//!
//! Each connection has counts of its own, behind a lock that only its own task takes while nobody looks. What a
//! connection has counted goes into the broker's sums when it ends, or when the client changes its name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::api::{APIS, Api};
use crate::clock::Clock;
use crate::dispatch::Outcome;
use crate::watch::Bell;

use super::outcome::{Fate, RequestOutcome};

/// Requests that are remembered of each connection, and of all that have ended together.
pub const RECENT_REQUESTS: usize = 64;

/// Pairs of API and client whose sums are kept apart for connections that have ended; what comes after them is counted
/// under the empty client id. At some 100 bytes each these are 1 MB.
const MAX_SUMS: usize = 10_000;

/// How a connection comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// Over a socket.
    Tcp,
    /// Within the process.
    InProcess,
}

/// A connection as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connection {
    /// Its number, counted up from 1 over the life of the broker.
    pub number: u64,
    /// How it comes in.
    pub transport: TransportKind,
    /// Where its client is: `127.0.0.1:54321`; empty within the process.
    pub address: String,
    /// How the client called itself last; none before its first request.
    pub client_id: Option<String>,
    /// When it was opened, in milliseconds since 1970 by the broker's clock.
    pub opened_ms: i64,
    /// How many requests came.
    pub requests: u64,
    /// The API of the request that is under way, if there is one.
    pub under_way: Option<String>,
}

/// How many requests of an API came from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestCount {
    /// The API's name, for instance `Produce`.
    pub api: String,
    /// How the client calls itself; empty if it does not.
    pub client_id: String,
    /// How many came.
    pub requests: u64,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeenRequest {
    /// Its number, counted up from 1 over all connections in the order in which the broker took them.
    pub number: u64,
    /// The connection that it came on.
    pub connection: u64,
    /// How the client calls itself; empty if it does not.
    pub client_id: String,
    /// The API's name.
    pub api: String,
    /// The version.
    pub version: i16,
    /// The client's number for it.
    pub correlation_id: i32,
    /// How many bytes it had.
    pub bytes: usize,
    /// When it came, in milliseconds since 1970 by the broker's clock.
    pub at_ms: i64,
    /// What became of it.
    pub outcome: RequestOutcome,
}

/// All connections and requests of a broker.
pub(crate) struct Traffic {
    clock: Clock,
    bell: Arc<Bell>,
    requests: AtomicU64,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    connections: u64,
    open: BTreeMap<u64, Arc<Seen>>,
    /// Of connections that have ended, and of clients that have changed their names.
    sums: BTreeMap<(usize, Arc<str>), u64>,
    recent: VecDeque<SeenRequest>,
}

/// What has been seen of one connection. It counts as open until it is closed.
pub(crate) struct Seen {
    number: u64,
    transport: TransportKind,
    address: String,
    opened_ms: i64,
    traffic: Arc<Traffic>,
    now: Mutex<Now>,
}

struct Now {
    client_id: Option<Arc<str>>,
    /// Of each API, by its place in the table.
    counts: Box<[u64]>,
    recent: VecDeque<Noted>,
    under_way: UnderWay,
    /// The first error in the answer to the request under way; 0 if there is none.
    error: i16,
}

/// A request as it is noted: small, because every one is.
#[derive(Clone)]
struct Noted {
    number: u64,
    at_ms: i64,
    api: usize,
    version: i16,
    correlation_id: i32,
    bytes: usize,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UnderWay {
    Nothing,
    Working(usize),
    Waiting(usize),
}

/// A connection that is open, until this is dropped.
pub(crate) struct Opened(Arc<Seen>);

impl Opened {
    /// What is seen of it.
    pub(crate) fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.0)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A request as it comes in.
pub(crate) struct Incoming<'a> {
    pub(crate) api: &'static Api,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) bytes: usize,
}

fn name(api: usize) -> String {
    APIS.get(api).map(|api| format!("{:?}", api.key)).unwrap_or_default()
}

fn place(api: &Api) -> usize {
    APIS.iter().position(|other| other.key == api.key).unwrap_or(0)
}

impl Traffic {
    pub(crate) fn new(clock: Clock, bell: Arc<Bell>) -> Arc<Self> {
        Arc::new(Traffic { clock, bell, requests: AtomicU64::new(0), all: Mutex::default() })
    }

    /// A connection has been opened.
    pub(crate) fn open(self: &Arc<Self>, transport: TransportKind, address: String) -> Opened {
        let opened_ms = self.clock.now_ms();
        let now = Now {
            client_id: None,
            counts: vec![0; APIS.len()].into(),
            recent: VecDeque::new(),
            under_way: UnderWay::Nothing,
            error: 0,
        };
        let seen = {
            let mut all = self.all.lock();
            all.connections += 1;
            let (number, traffic) = (all.connections, Arc::clone(self));
            let seen = Seen { number, transport, address, opened_ms, traffic, now: Mutex::new(now) };
            let seen = Arc::new(seen);
            all.open.insert(number, Arc::clone(&seen));
            seen
        };
        self.bell.ring();
        Opened(seen)
    }

    pub(crate) fn open_count(&self) -> usize {
        self.all.lock().open.len()
    }

    /// A request that is being worked on, by its connection and API. A fetch that waits is none.
    pub(crate) fn busy(&self) -> Option<(u64, String)> {
        let all = self.all.lock();
        all.open.values().find_map(|seen| match seen.now.lock().under_way {
            UnderWay::Working(api) => Some((seen.number, name(api))),
            UnderWay::Waiting(api) if APIS.get(api).is_none_or(|api| api.key != ApiKey::Fetch) => {
                Some((seen.number, name(api)))
            }
            _ => None,
        })
    }

    pub(super) fn connections(&self) -> Vec<Connection> {
        self.all.lock().open.values().map(|seen| seen.describe()).collect()
    }

    pub(super) fn counts(&self) -> Vec<RequestCount> {
        let all = self.all.lock();
        let mut sums = all.sums.clone();
        for seen in all.open.values() {
            let now = seen.now.lock();
            for (api, count) in now.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                *sums.entry((api, now.client())).or_default() += count;
            }
        }
        let count = |((api, client), requests): ((usize, Arc<str>), u64)| RequestCount {
            api: name(api),
            client_id: client.to_string(),
            requests,
        };
        sums.into_iter().map(count).collect()
    }

    pub(super) fn recent(&self, count: usize) -> Vec<SeenRequest> {
        let all = self.all.lock();
        let mut recent: Vec<SeenRequest> = all.recent.iter().cloned().collect();
        for seen in all.open.values() {
            recent.extend(seen.recent(&seen.now.lock()));
        }
        recent.sort_by_key(|request| request.number);
        recent.split_off(recent.len().saturating_sub(count))
    }
}

impl All {
    fn add_up(&mut self, now: &mut Now) {
        let client = now.client();
        for (api, count) in now.counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            let full = self.sums.len() >= MAX_SUMS && !self.sums.contains_key(&(api, Arc::clone(&client)));
            let client = if full { Arc::from("") } else { Arc::clone(&client) };
            *self.sums.entry((api, client)).or_default() += std::mem::take(count);
        }
    }
}

impl Now {
    fn client(&self) -> Arc<str> {
        self.client_id.clone().unwrap_or_default()
    }

    /// The request under way: one of a connection is served at a time, so that it is the last that came.
    fn last_under_way(&mut self) -> Option<&mut Noted> {
        self.recent.back_mut().filter(|noted| noted.fate == Fate::UnderWay)
    }
}

impl Seen {
    /// The connection's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A request has come. Gives its client's id, shared by all requests of the connection.
    pub(crate) fn begin(&self, request: &Incoming<'_>) -> Option<Arc<str>> {
        let traffic = &self.traffic;
        let number = traffic.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let at_ms = traffic.clock.now_ms();
        let api = place(request.api);
        if self.now.lock().client_id.as_deref() != request.client_id {
            // Never the broker's lock after the connection's.
            let mut all = traffic.all.lock();
            let mut now = self.now.lock();
            all.add_up(&mut now);
            now.client_id = request.client_id.map(Arc::from);
        }
        let mut now = self.now.lock();
        if let Some(count) = now.counts.get_mut(api) {
            *count += 1;
        }
        if now.recent.len() >= RECENT_REQUESTS {
            now.recent.pop_front();
        }
        let Incoming { version, correlation_id, bytes, .. } = *request;
        now.recent.push_back(Noted {
            number,
            at_ms,
            api,
            version,
            correlation_id,
            bytes,
            fate: Fate::UnderWay,
        });
        now.under_way = UnderWay::Working(api);
        now.client_id.clone()
    }

    /// The request under way waits for something.
    pub(crate) fn waits(&self) {
        self.change(|now| {
            if let UnderWay::Working(api) = now.under_way {
                now.under_way = UnderWay::Waiting(api);
            }
        });
    }

    /// The request under way is worked on again.
    pub(crate) fn works(&self) {
        let mut now = self.now.lock();
        if let UnderWay::Waiting(api) = now.under_way {
            now.under_way = UnderWay::Working(api);
        }
    }

    /// The answer to the request under way has this error.
    pub(crate) fn refused(&self, error: i16) {
        self.now.lock().error = error;
    }

    /// The request under way is done, with this outcome.
    pub(crate) fn end(&self, outcome: &Outcome) {
        self.change(|now| {
            now.under_way = UnderWay::Nothing;
            let error = std::mem::take(&mut now.error);
            if let Some(noted) = now.last_under_way() {
                noted.fate = Fate::of(outcome, error);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.now.lock());
        self.traffic.bell.ring();
    }

    /// The connection has ended.
    fn close(&self) {
        let traffic = &self.traffic;
        {
            let mut all = traffic.all.lock();
            all.open.remove(&self.number);
            let mut now = self.now.lock();
            if let Some(noted) = now.last_under_way() {
                noted.fate = Fate::Abandoned;
            }
            let recent: Vec<_> = self.recent(&now).collect();
            all.recent.extend(recent);
            let beyond = all.recent.len().saturating_sub(RECENT_REQUESTS);
            all.recent.drain(..beyond);
            all.add_up(&mut now);
        }
        traffic.bell.ring();
    }

    fn describe(&self) -> Connection {
        let now = self.now.lock();
        let under_way = match now.under_way {
            UnderWay::Nothing => None,
            UnderWay::Working(api) | UnderWay::Waiting(api) => Some(name(api)),
        };
        Connection {
            number: self.number,
            transport: self.transport,
            address: self.address.clone(),
            client_id: now.client_id.as_deref().map(str::to_owned),
            opened_ms: self.opened_ms,
            requests: now.counts.iter().sum(),
            under_way,
        }
    }

    fn recent<'a>(&'a self, now: &'a Now) -> impl Iterator<Item = SeenRequest> + 'a {
        let client_id = now.client_id.as_deref().unwrap_or_default();
        now.recent.iter().map(move |noted| SeenRequest {
            number: noted.number,
            connection: self.number,
            client_id: client_id.to_owned(),
            api: name(noted.api),
            version: noted.version,
            correlation_id: noted.correlation_id,
            bytes: noted.bytes,
            at_ms: noted.at_ms,
            outcome: noted.fate.told(),
        })
    }
}

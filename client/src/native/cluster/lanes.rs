//! Connections to brokers, one for each broker and purpose, opened when they are first needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::{ClientError, ErrorKind};
use crate::native::connection::{Connection, Target};
use crate::native::retry::Backoff;
use crate::native::transport::tls::Tls;
use crate::options::ClientOptions;

/// What a connection is for. A broker answers the requests of a connection one after the other, so that what may take long
/// has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Metadata, coordinators, and what is asked for once.
    Control,
    /// Records on their way to the broker.
    Produce,
    /// Records on their way from it: such a request waits for records.
    Fetch,
    /// A group's: joining waits for other members.
    Group,
    /// Another that one user has for itself, by a number of its choice.
    Own(u32),
}

/// The connections of a client.
#[derive(Debug)]
pub(super) struct Lanes {
    options: Arc<ClientOptions>,
    tls: Option<Tls>,
    slots: Mutex<HashMap<(i32, Lane), Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    current: Mutex<Option<(Address, Connection)>>,
    /// Held while connecting: whoever comes meanwhile gets the same connection.
    attempts: tokio::sync::Mutex<Attempts>,
}

/// What a connection was opened to, to see that a broker has moved; none for one of this process.
type Address = Option<(Arc<str>, u16)>;

fn address(target: &Target) -> Address {
    match target {
        Target::Address { host, port } => Some((Arc::clone(host), *port)),
        Target::InProcess(..) => None,
    }
}

#[derive(Debug)]
struct Attempts {
    backoff: Backoff,
    not_before: Option<(Instant, ClientError)>,
}

impl Lanes {
    pub(super) fn new(options: Arc<ClientOptions>) -> Result<Self, ClientError> {
        let tls = options.security.tls.as_ref().map(Tls::new).transpose()?;
        Ok(Lanes { options, tls, slots: Mutex::default() })
    }

    fn slot(&self, node: i32, lane: Lane) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        let slot = slots.entry((node, lane)).or_insert_with(|| {
            let backoff = Backoff::new(self.options.reconnect_backoff, self.options.reconnect_backoff_max);
            let attempts = tokio::sync::Mutex::new(Attempts { backoff, not_before: None });
            Arc::new(Slot { current: Mutex::new(None), attempts })
        });
        Arc::clone(slot)
    }

    /// The open connection, if there is one.
    pub(super) fn open(&self, node: i32, lane: Lane, target: &Target) -> Option<Connection> {
        let slot = self.slots.lock().get(&(node, lane)).map(Arc::clone)?;
        slot.usable(target)
    }

    /// When a broker may be tried again that could not be reached.
    pub(super) fn not_before(&self, node: i32, lane: Lane) -> Option<Instant> {
        let slot = self.slots.lock().get(&(node, lane)).map(Arc::clone)?;
        let attempts = slot.attempts.try_lock().ok()?;
        attempts.not_before.as_ref().map(|(at, _)| *at)
    }

    /// The open connection, or one that is opened now: one attempt, after the pause that follows a failed one.
    pub(super) async fn get(
        &self,
        node: i32,
        lane: Lane,
        target: &Target,
        deadline: Instant,
    ) -> Result<Connection, ClientError> {
        let slot = self.slot(node, lane);
        if let Some(connection) = slot.usable(target) {
            return Ok(connection);
        }
        let connecting = async {
            let mut attempts = slot.attempts.lock().await;
            // Somebody else may have connected meanwhile.
            if let Some(connection) = slot.usable(target) {
                return Ok(connection);
            }
            if let Some((at, error)) = &attempts.not_before {
                if *at > deadline {
                    return Err(error.clone());
                }
                tokio::time::sleep_until((*at).into()).await;
            }
            match self.connect(target.clone()).await {
                Ok(connection) => {
                    attempts.backoff.reset();
                    attempts.not_before = None;
                    *slot.current.lock() = Some((address(target), connection.clone()));
                    Ok(connection)
                }
                Err(error) => {
                    tracing::debug!("{error}");
                    let pause = attempts.backoff.next();
                    attempts.not_before = Some((Instant::now() + pause, error.clone()));
                    Err(error)
                }
            }
        };
        tokio::time::timeout_at(deadline.into(), connecting).await.unwrap_or_else(|_| {
            let why = "it did not succeed in time";
            Err(ClientError::new(ErrorKind::Unreachable, format!("connecting to {target}"), why))
        })
    }

    /// Connects, on the client's runtime whatever the caller runs on: the connection outlives the caller.
    async fn connect(&self, target: Target) -> Result<Connection, ClientError> {
        let (tls, options) = (self.tls.clone(), Arc::clone(&self.options));
        let asked = format!("connecting to {target}");
        let opening = async move { Connection::open(&target, tls.as_ref(), &options).await };
        let opened = crate::runtime::handle()?.spawn(opening).await;
        opened.unwrap_or_else(|error| Err(ClientError::new(ErrorKind::System, asked, error.to_string())))
    }

    /// Forgets brokers that are not there any more and have no connection. Addresses that were given stay.
    pub(super) fn forget_all_but(&self, nodes: &[i32]) {
        let here = |node: i32| node < 0 || nodes.contains(&node);
        self.slots.lock().retain(|(node, _), slot| here(*node) || slot.current.lock().is_some());
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        let slots = std::mem::take(&mut *self.slots.lock());
        for slot in slots.values() {
            slot.current.lock().take();
        }
    }
}

impl Slot {
    fn usable(&self, target: &Target) -> Option<Connection> {
        let mut current = self.current.lock();
        if let Some((address, connection)) = current.as_ref()
            && connection.is_usable()
            && *address == self::address(target)
        {
            return Some(connection.clone());
        }
        *current = None;
        None
    }
}

//! The brokers that are controlled: the one that the server was started with, and its forks.
//!
//! A request names its broker by the beginning of its path: none, or `/forks/N`. What it does to the broker it does on a
//! thread that may block, because moving a clock or taking a snapshot may take its time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use klamm_broker::Broker;

use super::Control;
use super::problem::{Kind, Problem};

/// Forks that there may be at a time. Each has ports and threads of its own.
pub const MAX_FORKS: usize = 64;

/// The part of the path that names a fork.
pub(crate) const PREFIX: &str = "/forks/{fork}";

/// A broker, for as long as it is controlled.
pub(crate) struct Held {
    /// Its number among the forks; none of the first broker.
    pub(crate) fork: Option<u64>,
    /// Read while something is done with it, written when it is let go of.
    broker: RwLock<Option<Arc<Broker>>>,
}

impl Held {
    pub(crate) fn new(fork: Option<u64>, broker: Arc<Broker>) -> Arc<Self> {
        Arc::new(Held { fork, broker: RwLock::new(Some(broker)) })
    }

    /// Does something with the broker. May block.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Broker) -> Result<T, Problem>) -> Result<T, Problem> {
        let broker = self.broker.read().unwrap_or_else(PoisonError::into_inner);
        match &*broker {
            Some(broker) => work(broker),
            None => Err(gone(self.fork)),
        }
    }

    /// Lets go of the broker, once nothing is done with it any more. May block.
    pub(crate) fn take(&self) -> Option<Arc<Broker>> {
        self.broker.write().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn gone(fork: Option<u64>) -> Problem {
    match fork {
        Some(number) => {
            Problem::not_found(format!("there is no fork {number}; GET /forks lists those there are"))
        }
        None => Problem::new(Kind::Conflict, "the broker is being stopped"),
    }
}

/// The forks, by number. Numbers count up from 1 and are never given again.
#[derive(Default)]
pub(crate) struct Forks(Mutex<List>);

#[derive(Default)]
struct List {
    last: u64,
    /// Those that are being started count as well.
    starting: usize,
    all: BTreeMap<u64, Arc<Held>>,
}

/// Room for a fork that is being started.
pub(crate) struct Room<'a>(&'a Forks);

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.0.list().starting -= 1;
    }
}

impl Forks {
    fn list(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for another.
    pub(crate) fn room(&self) -> Result<Room<'_>, Problem> {
        let mut list = self.list();
        if list.all.len() + list.starting >= MAX_FORKS {
            let detail = format!("there are {MAX_FORKS} forks already: stop some with DELETE /forks/N");
            return Err(Problem::new(Kind::LimitReached, detail));
        }
        list.starting += 1;
        Ok(Room(self))
    }

    pub(crate) fn add(&self, _room: Room<'_>, broker: Broker) -> Arc<Held> {
        // The room is given up when this returns, after the list has been let go of.
        let mut list = self.list();
        list.last += 1;
        let held = Held::new(Some(list.last), Arc::new(broker));
        let number = list.last;
        list.all.insert(number, Arc::clone(&held));
        drop(list);
        held
    }

    pub(crate) fn get(&self, number: u64) -> Result<Arc<Held>, Problem> {
        self.list().all.get(&number).cloned().ok_or_else(|| gone(Some(number)))
    }

    pub(crate) fn remove(&self, number: u64) -> Result<Arc<Held>, Problem> {
        self.list().all.remove(&number).ok_or_else(|| gone(Some(number)))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Held>> {
        self.list().all.values().cloned().collect()
    }
}

/// The broker that a request is about, and what goes with all of them.
pub(crate) struct Target {
    pub(crate) control: Control,
    pub(crate) held: Arc<Held>,
}

impl Target {
    /// Does something with the broker, on a thread that may block.
    pub(crate) async fn run<T, W>(self, work: W) -> Result<T, Problem>
    where
        T: Send + 'static,
        W: FnOnce(&Broker) -> Result<T, Problem> + Send + 'static,
    {
        blocking(move || self.held.with(work)).await
    }

    /// As [`run`](Target::run), for what goes with all brokers as well.
    pub(crate) async fn run_with<T, W>(self, work: W) -> Result<T, Problem>
    where
        T: Send + 'static,
        W: FnOnce(&Control, &Broker) -> Result<T, Problem> + Send + 'static,
    {
        blocking(move || self.held.with(|broker| work(&self.control, broker))).await
    }
}

/// Runs work that may block, where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Problem::failed(format!("the work did not come to its end: {error}"))),
    }
}

impl FromRequestParts<Control> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Problem> {
        let path = RawPathParams::from_request_parts(parts, control).await;
        let path = path.map_err(|error| Problem::new(Kind::BadParameter, error.body_text()))?;
        let fork = path.iter().find(|(name, _)| *name == "fork").map(|(_, value)| value.to_owned());
        let held = match fork {
            None => Arc::clone(&control.shared().first),
            Some(number) => match number.parse() {
                Ok(number) => control.shared().forks.get(number)?,
                Err(_) => {
                    let detail = format!("forks have numbers, but the path says '{number}'");
                    return Err(Problem::new(Kind::BadParameter, detail));
                }
            },
        };
        Ok(Target { control: control.clone(), held })
    }
}

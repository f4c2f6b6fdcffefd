//! Going back and going on twice: reset, snapshots that the server keeps by name, and forks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, StatusCode, header};
use klamm_broker::{Broker, Snapshot, SnapshotError, StartError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Answer, Answered, Body, Done, InPath};
use super::brokers::{Held, Target, blocking};
use super::problem::{Kind, Problem};
use super::route::Route;

/// Snapshots that the server keeps. Each keeps the memory of what it holds, as far as no other does.
pub const MAX_SNAPSHOTS: usize = 100;

/// The longest name of a snapshot.
pub const MAX_SNAPSHOT_NAME: usize = 100;

/// The snapshots that are kept, by name; they are good for every broker of the server.
#[derive(Default)]
pub(crate) struct Snapshots(Mutex<BTreeMap<String, Snapshot>>);

/// A snapshot that is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SnapshotKept {
    /// Its name.
    name: String,
    /// When it was taken, by the broker's clock, in milliseconds since 1970-01-01 UTC.
    time_ms: i64,
    /// The topics in it.
    topics: Vec<SnapshotTopic>,
}

/// A topic in a snapshot.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SnapshotTopic {
    /// Its name.
    name: String,
    /// How many partitions it has.
    partitions: usize,
}

/// The snapshots that are kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SnapshotList {
    /// By name.
    snapshots: Vec<SnapshotKept>,
}

/// What a fork is to hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFork {
    /// What this snapshot holds; where it is left out, what the broker holds now.
    snapshot: Option<String>,
}

/// A fork.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Fork {
    /// Its number.
    fork: u64,
    /// What to give a client as `bootstrap.servers`.
    bootstrap_servers: String,
    /// Where it is controlled: as this server, below a path of its own.
    control_url: String,
}

/// The forks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ForkList {
    /// By number.
    forks: Vec<Fork>,
}

/// The snapshot that a path names.
#[derive(Deserialize)]
pub(crate) struct SnapshotPath {
    pub(crate) snapshot: String,
}

/// The fork that a path names.
#[derive(Deserialize)]
pub(crate) struct ForkPath {
    fork: u64,
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    const MISSING: &[Kind] = &[Kind::NotFound];
    const GOING_BACK: &[Kind] = &[Kind::NotFound, Kind::Conflict, Kind::Invalid];
    vec![
        Route::post(
            "/reset",
            "reset",
            "Has everything be as it was when the broker started; for clients it is a restart",
            reset,
        )
        .done()
        .refuses(&[Kind::Conflict]),
        Route::get("/snapshots", "list_snapshots", "The snapshots that the server keeps", list)
            .gives::<SnapshotList>(200)
            .of_the_server(),
        Route::put(
            "/snapshots/{snapshot}",
            "take_snapshot",
            "Takes a snapshot of all that the broker holds, and keeps it under this name, in the place of one that has it",
            take,
        )
        .gives::<SnapshotKept>(201)
        .refuses(&[Kind::Invalid, Kind::LimitReached]),
        Route::get("/snapshots/{snapshot}", "look_at_snapshot", "A snapshot that the server keeps", look)
            .gives::<SnapshotKept>(200)
            .refuses(MISSING)
            .of_the_server(),
        Route::delete("/snapshots/{snapshot}", "forget_snapshot", "Keeps a snapshot no longer", forget)
            .done()
            .refuses(MISSING)
            .of_the_server(),
        Route::post(
            "/snapshots/{snapshot}/restore",
            "restore_snapshot",
            "Goes back to a snapshot; for clients it is a restart",
            restore,
        )
        .done()
        .refuses(GOING_BACK),
        Route::post("/forks", "fork", "Starts a second broker with the same contents, on a port of its own", fork)
            .takes::<NewFork>()
            .gives::<Fork>(201)
            .refuses(&[Kind::NotFound, Kind::LimitReached]),
        Route::get("/forks", "list_forks", "The forks", forks).gives::<ForkList>(200).of_the_server(),
        Route::delete("/forks/{fork}", "stop_fork", "Stops a fork", stop_fork).done().refuses(MISSING).of_the_server(),
    ]
}

fn no_snapshot(name: &str) -> Problem {
    Problem::not_found(format!("there is no snapshot '{name}'; GET /snapshots lists those there are"))
}

impl Snapshots {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Snapshot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, name: &str) -> Result<Snapshot, Problem> {
        self.all().get(name).cloned().ok_or_else(|| no_snapshot(name))
    }

    /// Whether there is room for a snapshot of this name.
    pub(crate) fn check_room(&self, name: &str) -> Result<(), Problem> {
        check_name(name)?;
        let all = self.all();
        if all.len() >= MAX_SNAPSHOTS && !all.contains_key(name) {
            let detail = format!(
                "{MAX_SNAPSHOTS} snapshots are kept already: delete some, or take one in the place of another"
            );
            return Err(Problem::new(Kind::LimitReached, detail));
        }
        Ok(())
    }

    /// Keeps a snapshot, in the place of one of this name.
    pub(crate) fn keep(&self, name: String, snapshot: Snapshot) -> Result<SnapshotKept, Problem> {
        // Looked at again: others may have been kept meanwhile.
        self.check_room(&name)?;
        let kept = describe(&name, &snapshot);
        let replaced = self.all().insert(name, snapshot);
        // Giving its memory back takes its time: not while the list is held.
        drop(replaced);
        Ok(kept)
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.is_empty() || name.len() > MAX_SNAPSHOT_NAME || !name.chars().all(allowed) {
        return Err(Problem::invalid(format!(
            "'{name}' is no name for a snapshot: take up to {MAX_SNAPSHOT_NAME} letters, digits, dots, dashes and underscores"
        )));
    }
    Ok(())
}

fn describe(name: &str, snapshot: &Snapshot) -> SnapshotKept {
    let topic = |(name, partitions)| SnapshotTopic { name, partitions };
    SnapshotKept {
        name: name.to_owned(),
        time_ms: snapshot.time_ms(),
        topics: snapshot.topics().into_iter().map(topic).collect(),
    }
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        let kind = match error {
            SnapshotError::Folder { .. } => Kind::Conflict,
            SnapshotError::Read { .. } | SnapshotError::Groups(_) => Kind::Invalid,
            _ => Kind::Failed,
        };
        Problem::new(kind, error.to_string())
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        Problem::failed(error)
    }
}

async fn reset(target: Target) -> Done {
    target
        .run(|broker| {
            broker.reset()?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn list(target: Target) -> Answered<SnapshotList> {
    let all = target.control.shared().snapshots.all();
    Ok(Answer::ok(SnapshotList { snapshots: all.iter().map(|(name, one)| describe(name, one)).collect() }))
}

async fn look(
    target: Target,
    InPath(SnapshotPath { snapshot }): InPath<SnapshotPath>,
) -> Answered<SnapshotKept> {
    let found = target.control.shared().snapshots.get(&snapshot)?;
    Ok(Answer::ok(describe(&snapshot, &found)))
}

async fn take(
    target: Target,
    InPath(SnapshotPath { snapshot }): InPath<SnapshotPath>,
) -> Answered<SnapshotKept> {
    target
        .run_with(move |control, broker| {
            let snapshots = &control.shared().snapshots;
            snapshots.check_room(&snapshot)?;
            let kept = snapshots.keep(snapshot, broker.snapshot()?)?;
            Ok(Answer(StatusCode::CREATED, kept))
        })
        .await
}

async fn forget(target: Target, InPath(SnapshotPath { snapshot }): InPath<SnapshotPath>) -> Done {
    blocking(move || {
        let removed = target.control.shared().snapshots.all().remove(&snapshot);
        removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| no_snapshot(&snapshot))
    })
    .await
}

async fn restore(target: Target, InPath(SnapshotPath { snapshot }): InPath<SnapshotPath>) -> Done {
    target
        .run_with(move |control, broker| {
            broker.restore(&control.shared().snapshots.get(&snapshot)?)?;
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

fn describe_fork(held: &Held, broker: &Broker, root: &str) -> Fork {
    let fork = held.fork.unwrap_or_default();
    Fork { fork, bootstrap_servers: broker.bootstrap_servers(), control_url: format!("{root}/forks/{fork}") }
}

/// The server's own address, as the client calls it.
fn root(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

async fn fork(
    target: Target,
    headers: HeaderMap,
    Body(NewFork { snapshot }): Body<NewFork>,
) -> Answered<Fork> {
    let root = root(&headers);
    target
        .run_with(move |control, broker| {
            let shared = control.shared();
            let wanted = snapshot.map(|name| shared.snapshots.get(&name)).transpose()?;
            let room = shared.forks.room()?;
            let fork = broker.fork()?;
            if let Some(wanted) = wanted {
                fork.restore(&wanted)?;
            }
            let held = shared.forks.add(room, fork);
            let described = held.with(|broker| Ok(describe_fork(&held, broker, &root)))?;
            Ok(Answer(StatusCode::CREATED, described))
        })
        .await
}

async fn forks(target: Target, headers: HeaderMap) -> Answered<ForkList> {
    let root = root(&headers);
    blocking(move || {
        let all = target.control.shared().forks.all();
        // One that is stopped just now is none any more.
        let forks =
            all.iter().filter_map(|held| held.with(|broker| Ok(describe_fork(held, broker, &root))).ok());
        Ok(Answer::ok(ForkList { forks: forks.collect() }))
    })
    .await
}

async fn stop_fork(target: Target, InPath(ForkPath { fork }): InPath<ForkPath>) -> Done {
    blocking(move || {
        let held = target.control.shared().forks.remove(fork)?;
        match held.take().and_then(std::sync::Arc::into_inner).map(Broker::shutdown) {
            Some(Err(error)) => Err(Problem::failed(error)),
            _ => Ok(StatusCode::NO_CONTENT),
        }
    })
    .await
}

//! What a broker is: where it listens, its seed, its journal.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use klamm_broker::{Broker, JournalError};
use schemars::JsonSchema;
use serde::Serialize;

use super::body::{Answer, Answered};
use super::brokers::Target;
use super::problem::{Kind, Problem};
use super::route::{Content, Route};

/// A broker.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct About {
    /// What to give a client as `bootstrap.servers`.
    bootstrap_servers: String,
    /// The addresses that are listened on.
    listening: Vec<String>,
    /// The seed that every random choice is drawn from.
    seed: u64,
    /// Whether its clock moves only when it is told to.
    manual_clock: bool,
    /// Its number among the forks; null of the broker that the server was started with.
    fork: Option<u64>,
    /// Klamm's version.
    version: String,
}

/// A journal so far.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct JournalSoFar {
    /// How many requests are in it.
    requests: usize,
    /// Whether all of the run is in it: it ends early where the broker was reset or restored, or it got too long.
    complete: bool,
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", "look_at_broker", "What the broker is, and where it listens", about)
            .gives::<About>(200),
        Route::get("/journal", "look_at_journal", "How far the journal of the run is", journal)
            .gives::<JournalSoFar>(200)
            .refuses(&[Kind::Conflict]),
        Route::get(
            "/journal/file",
            "download_journal",
            "The journal of the run so far, for `klamm replay`",
            journal_file,
        )
        .gives_content(Content::Text)
        .refuses(&[Kind::Conflict]),
    ]
}

async fn about(target: Target) -> Answered<About> {
    let fork = target.held.fork;
    target
        .run(move |broker| {
            Ok(Answer::ok(About {
                bootstrap_servers: broker.bootstrap_servers(),
                listening: broker.addresses().iter().map(ToString::to_string).collect(),
                seed: broker.seed(),
                manual_clock: broker.clock().is_manual(),
                fork,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }))
        })
        .await
}

fn read(broker: &Broker) -> Result<klamm_broker::Journal, Problem> {
    broker.journal().map_err(|error| match error {
        JournalError::NotKept => {
            let detail = "this broker keeps no journal; start it with --journal FILE (in a program with BrokerBuilder::journal)";
            Problem::new(Kind::Conflict, detail)
        }
        error => Problem::failed(error),
    })
}

async fn journal(target: Target) -> Answered<JournalSoFar> {
    target
        .run(|broker| {
            let journal = read(broker)?;
            Ok(Answer::ok(JournalSoFar { requests: journal.requests(), complete: journal.is_complete() }))
        })
        .await
}

async fn journal_file(target: Target) -> Result<Response, Problem> {
    let text = target.run(|broker| Ok(read(broker)?.to_text())).await?;
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

//! Faults: rules for what goes wrong on purpose, and a disk that fails.

use axum::http::StatusCode;
use klamm_broker::{Broker, Fault, FaultRule, RuleId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Answer, Answered, Body, Done, InPath};
use super::brokers::Target;
use super::problem::{Kind, Problem};
use super::route::Route;

/// The rules of a broker.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Rules {
    /// In the order in which they were added, with their counts.
    rules: Vec<FaultRule>,
}

/// What the disk does from now on. What is left out stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disk {
    /// Whether logs get no more room.
    full: Option<bool>,
    /// Whether every sync of the data folder fails.
    failing_syncs: Option<bool>,
}

/// The rule that a path names.
#[derive(Deserialize)]
pub(crate) struct RulePath {
    rule: u64,
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/faults", "list_faults", "All rules, and how often each was met", list).gives::<Rules>(200),
        Route::post("/faults", "add_fault", "Has a fault happen from the next request on", add)
            .takes::<Fault>()
            .gives::<FaultRule>(201)
            .refuses(&[Kind::LimitReached]),
        Route::delete("/faults", "clear_faults", "Ends all rules, and what was said of the disk", clear).done(),
        Route::get("/faults/{rule}", "look_at_fault", "A rule, and how often it was met", look)
            .gives::<FaultRule>(200)
            .refuses(&[Kind::NotFound]),
        Route::delete(
            "/faults/{rule}",
            "remove_fault",
            "Ends a rule, and gives it back as it was met; requests that it holds go on as it has told them to",
            remove,
        )
        .gives::<FaultRule>(200)
        .refuses(&[Kind::NotFound]),
        Route::put("/disk", "set_disk", "Has the disk be full, or its syncs fail, or neither", disk)
            .takes::<Disk>()
            .done(),
    ]
}

fn missing(rule: u64) -> Problem {
    Problem::not_found(format!("there is no rule {rule}; GET /faults lists those there are"))
}

fn find(broker: &Broker, rule: u64) -> Result<FaultRule, Problem> {
    let found = broker.faults().list().into_iter().find(|one| one.id.number() == rule);
    found.ok_or_else(|| missing(rule))
}

async fn list(target: Target) -> Answered<Rules> {
    target.run(|broker| Ok(Answer::ok(Rules { rules: broker.faults().list() }))).await
}

async fn look(target: Target, InPath(RulePath { rule }): InPath<RulePath>) -> Answered<FaultRule> {
    target.run(move |broker| find(broker, rule).map(Answer::ok)).await
}

/// What a rule may say, in words.
fn fields() -> String {
    let schema = schemars::schema_for!(Fault);
    let fields = schema.get("properties").and_then(serde_json::Value::as_object);
    fields.map(|fields| fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

async fn add(target: Target, body: Result<Body<Fault>, Problem>) -> Answered<FaultRule> {
    let Body(fault) = body.map_err(|problem| match problem.kind {
        Kind::Invalid => problem.and(&format!("a rule has these fields: {}", fields())),
        _ => problem,
    })?;
    target
        .run(move |broker| {
            // Looked at first to tell a rule that means nothing from one too many.
            fault.check().map_err(|error| Problem::invalid(error.to_string()))?;
            let added = broker.faults().add(fault.clone());
            let id = added.map_err(|error| Problem::new(Kind::LimitReached, error.to_string()))?;
            Ok(Answer(StatusCode::CREATED, FaultRule { id, fault, matched: 0, hits: 0 }))
        })
        .await
}

async fn remove(target: Target, InPath(RulePath { rule }): InPath<RulePath>) -> Answered<FaultRule> {
    target
        .run(move |broker| {
            // One that is not there is not journaled as removed.
            find(broker, rule)?;
            broker.faults().remove(RuleId::from(rule)).map(Answer::ok).ok_or_else(|| missing(rule))
        })
        .await
}

async fn clear(target: Target) -> Done {
    target
        .run(|broker| {
            broker.faults().clear();
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

async fn disk(target: Target, Body(Disk { full, failing_syncs }): Body<Disk>) -> Done {
    target
        .run(move |broker| {
            if full.is_none() && failing_syncs.is_none() {
                return Err(Problem::invalid(
                    "say what the disk is to do: 'full' or 'failing_syncs', true or false",
                ));
            }
            if let Some(full) = full {
                broker.faults().set_disk_full(full);
            }
            if let Some(failing) = failing_syncs {
                broker.faults().set_failing_syncs(failing);
            }
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

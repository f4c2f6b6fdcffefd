//! The broker's time: looking at it, moving it, and having done what is done now and then.

use axum::http::StatusCode;
use klamm_broker::{Broker, TimeError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Answer, Answered, Body, Done};
use super::brokers::Target;
use super::problem::{Kind, Problem};
use super::route::Route;

/// How far one step of the clock may go: a leap year, in milliseconds. All that falls due on the way is done before the
/// answer, and housekeeping alone falls due every five minutes.
pub const LONGEST_STEP_MS: u64 = 366 * 24 * 60 * 60 * 1000;

/// The broker's time.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Time {
    /// In milliseconds since 1970-01-01 UTC.
    now_ms: i64,
    /// Whether it moves only when it is told to.
    manual: bool,
}

/// How far to move a manual clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advance {
    /// By so many milliseconds.
    #[schemars(range(max = LONGEST_STEP_MS))]
    by_ms: u64,
}

/// Where to put a manual clock.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetTime {
    /// To so many milliseconds since 1970-01-01 UTC.
    now_ms: i64,
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    const REFUSALS: &[Kind] = &[Kind::NotManual, Kind::ImpossibleTime];
    vec![
        Route::get("/time", "look_at_time", "The broker's time", look).gives::<Time>(200),
        Route::post(
            "/time/advance",
            "advance_time",
            "Moves a manual clock forward; what falls due on the way is done, in the order of its deadlines, before the answer",
            advance,
        )
        .takes::<Advance>()
        .gives::<Time>(200)
        .refuses(REFUSALS),
        Route::put("/time", "set_time", "Puts a manual clock to a later time, as advancing it does", set)
            .takes::<SetTime>()
            .gives::<Time>(200)
            .refuses(REFUSALS),
        Route::post(
            "/housekeeping",
            "do_housekeeping",
            "Does now what is done now and then: rolling segments, deleting what retention lets go of, syncing, forgetting idle producers",
            housekeeping,
        )
        .done(),
    ]
}

fn time(broker: &Broker) -> Time {
    Time { now_ms: broker.clock().now_ms(), manual: broker.clock().is_manual() }
}

async fn look(target: Target) -> Answered<Time> {
    target.run(|broker| Ok(Answer::ok(time(broker)))).await
}

async fn advance(target: Target, Body(Advance { by_ms }): Body<Advance>) -> Answered<Time> {
    target
        .run(move |broker| {
            let by = i64::try_from(by_ms).unwrap_or(i64::MAX);
            move_to(broker, broker.clock().now_ms().saturating_add(by))
        })
        .await
}

async fn set(target: Target, Body(SetTime { now_ms }): Body<SetTime>) -> Answered<Time> {
    target.run(move |broker| move_to(broker, now_ms)).await
}

async fn housekeeping(target: Target) -> Done {
    target
        .run(|broker| {
            broker.run_retention();
            Ok(StatusCode::NO_CONTENT)
        })
        .await
}

fn move_to(broker: &Broker, wanted_ms: i64) -> Answered<Time> {
    if !broker.clock().is_manual() {
        let detail = "the broker follows the system's clock; start it with --clock manual (in a program with \
                      Clock::manual) to move its time";
        return Err(Problem::new(Kind::NotManual, detail));
    }
    let now_ms = broker.clock().now_ms();
    if wanted_ms.saturating_sub(now_ms) > LONGEST_STEP_MS.cast_signed() {
        let days = LONGEST_STEP_MS / (24 * 60 * 60 * 1000);
        let detail = format!(
            "the clock stands at {now_ms} and is to go to {wanted_ms}, more than {days} days at once, which is likely \
             a mistake in units: times are in milliseconds. Go there in several steps if it is none"
        );
        return Err(Problem::new(Kind::ImpossibleTime, detail));
    }
    broker.set_time(wanted_ms).map_err(|error| match error {
        TimeError::NotManual => Problem::new(Kind::NotManual, error.to_string()),
        TimeError::Backwards { .. } => Problem::new(
            Kind::ImpossibleTime,
            format!("{error}; a snapshot taken then, or a reset, goes back"),
        ),
    })?;
    Ok(Answer::ok(time(broker)))
}

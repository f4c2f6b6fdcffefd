//! Waiting for the broker to come to a state. A wait holds no thread, and ends when its client goes away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm_broker::{RuleId, WaitFor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Answer, Answered, Body};
use super::brokers::Target;
use super::problem::{Kind, Problem};
use super::route::Route;

/// Waits that there may be at a time, over all brokers.
pub const MAX_WAITS: usize = 256;

/// The longest that may be waited: ten minutes of real time.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How long is waited where nothing is said: ten seconds, in milliseconds.
pub const DEFAULT_WAIT_MS: u64 = 10_000;

/// What was waited for is the case.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Waited {
    /// How long it took, in milliseconds of real time.
    waited_ms: u64,
}

fn default_wait_ms() -> u64 {
    DEFAULT_WAIT_MS
}

/// Something to wait for, as a body has it.
trait Wanted {
    fn timeout_ms(&self) -> u64;
    fn what(self) -> WaitFor;
}

/// Declares the body of a wait: fields of its own, and how long to wait.
macro_rules! wait {
    ($(#[$doc:meta])* $name:ident $variant:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$field_doc])* $field: $type,)*
            /// For so many milliseconds of real time at the most.
            #[serde(default = "default_wait_ms")]
            #[schemars(range(max = 600_000))]
            timeout_ms: u64,
        }

        impl Wanted for $name {
            fn timeout_ms(&self) -> u64 {
                self.timeout_ms
            }

            fn what(self) -> WaitFor {
                WaitFor::$variant { $($field: self.$field.into(),)* }
            }
        }
    };
}

wait! {
    /// So many records in a topic.
    WaitForRecords Records {
        /// The topic's name; it may come to be meanwhile.
        topic: String,
        /// How many, at least, all partitions together.
        count: u64,
    }
}

wait! {
    /// A group that is stable.
    WaitForGroup Group {
        /// The group's id.
        group: String,
        /// How many members it has, exactly.
        members: usize,
    }
}

wait! {
    /// A group that has committed nearly all there is.
    WaitForLag Lag {
        /// The group's id.
        group: String,
        /// How many records may be left, all partitions together.
        lag: u64,
    }
}

wait! {
    /// A group that has committed an offset, or a later one.
    WaitForCommit Commit {
        /// The group's id.
        group: String,
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    }
}

wait! {
    /// So many connections, at least; of 0, none.
    WaitForConnections Connections {
        /// How many.
        count: usize,
    }
}

wait! {
    /// A fault that has struck so often, at least.
    WaitForHits Hits {
        /// The rule's number.
        rule: RuleNumber,
        /// How often.
        count: u64,
    }
}

wait! {
    /// Nothing under way.
    WaitForIdle Idle {}
}

/// The number of a rule.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct RuleNumber(u64);

impl From<RuleNumber> for RuleId {
    fn from(number: RuleNumber) -> Self {
        RuleId::from(number.0)
    }
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    fn route<W: Wanted + JsonSchema + serde::de::DeserializeOwned + Send + 'static>(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Route {
        Route::post(path, id, summary, wait::<W>).takes::<W>().gives::<Waited>(200).refuses(&[
            Kind::WaitTimedOut,
            Kind::Conflict,
            Kind::LimitReached,
        ])
    }
    vec![
        route::<WaitForRecords>(
            "/wait/records",
            "wait_for_records",
            "Waits until so many records are in a topic, or have been since the wait began",
        ),
        route::<WaitForGroup>(
            "/wait/group",
            "wait_for_group",
            "Waits until a group has so many members, and each its assignment",
        ),
        route::<WaitForLag>(
            "/wait/lag",
            "wait_for_lag",
            "Waits until a group has no more than so many records left to read",
        ),
        route::<WaitForCommit>(
            "/wait/commit",
            "wait_for_commit",
            "Waits until a group has committed an offset, or a later one",
        ),
        route::<WaitForConnections>(
            "/wait/connections",
            "wait_for_connections",
            "Waits until so many connections are open",
        ),
        route::<WaitForHits>("/wait/hits", "wait_for_hits", "Waits until a fault has struck so often"),
        route::<WaitForIdle>(
            "/wait/idle",
            "wait_idle",
            "Waits until nothing is under way but fetches that wait for records",
        ),
    ]
}

async fn wait<W: Wanted>(target: Target, Body(wanted): Body<W>) -> Answered<Waited> {
    let timeout = Duration::from_millis(wanted.timeout_ms());
    if timeout > LONGEST_WAIT {
        let longest = LONGEST_WAIT.as_millis();
        return Err(Problem::invalid(format!(
            "a wait of {} ms is refused: {longest} ms is the longest; ask again where it takes longer",
            timeout.as_millis()
        )));
    }
    // Held until the wait is over, or nobody waits for it any more.
    let Ok(_permit) = Arc::clone(&target.control.shared().waits).try_acquire_owned() else {
        let detail = format!("{MAX_WAITS} waits are under way already; wait for some of them");
        return Err(Problem::new(Kind::LimitReached, detail));
    };
    let (what, began) = (wanted.what(), Instant::now());
    let waiting = target.run(move |broker| Ok(broker.wait_for_async(what, timeout))).await?;
    waiting.await?;
    let waited_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Answer::ok(Waited { waited_ms }))
}

//! What has to be done now and then: retention, rolling by time, flushing, forgetting idle producers.
//!
//! It follows the broker's clock. Retention can be run on demand.

use std::sync::{Arc, Weak};

use klamm_storage::{Home, Log};

use crate::config::BrokerSettings;
use crate::state::BrokerState;
use crate::timers::Timers;

/// Work that is done again and again, and how long to wait in between.
#[derive(Clone, Copy)]
struct Chore {
    interval_ms: fn(&BrokerSettings) -> i64,
    work: fn(&BrokerState),
}

const RETENTION: Chore =
    Chore { interval_ms: |settings| settings.log_retention_check_interval_ms, work: run };

/// Of a data folder alone: memory is neither synced nor recovered, and a test that leaps over a year need not be kept
/// waiting by every minute of it.
const OF_FOLDERS: [Chore; 2] = [
    Chore { interval_ms: |settings| settings.log_flush_scheduler_interval_ms, work: flush },
    Chore {
        interval_ms: |settings| i64::from(settings.log_flush_offset_checkpoint_interval_ms),
        work: checkpoint,
    },
];

/// Has the housekeeper run from now on, as long as the broker is there.
pub(crate) fn start(state: &Arc<BrokerState>) {
    let of_folders = match state.topics.logs().home() {
        Home::Memory => &[][..],
        Home::Folder(_) => &OF_FOLDERS,
    };
    for chore in std::iter::once(&RETENTION).chain(of_folders) {
        schedule(Arc::downgrade(state), &state.timers, state.clock.steady_ms(), *chore);
    }
}

fn schedule(state: Weak<BrokerState>, timers: &Timers, steady_ms: i64, chore: Chore) {
    let interval = state.upgrade().map_or(0, |state| (chore.interval_ms)(&state.config.settings()));
    let in_step = state.upgrade().is_some_and(|state| state.clock.stands_still());
    let next = move |steady_ms| {
        let Some(broker) = state.upgrade() else { return };
        let work = move || {
            (chore.work)(&broker);
            schedule(state, &broker.timers, steady_ms, chore);
        };
        match tokio::runtime::Handle::try_current() {
            // Files may take their time; sessions and rebalances, which are due on the same timers, do not wait.
            Ok(runtime) if !in_step => drop(runtime.spawn_blocking(work)),
            _ => work(),
        }
    };
    timers.schedule(steady_ms.saturating_add(interval.max(1)), Box::new(next));
}

/// Looks after every log once.
pub(crate) fn run(state: &BrokerState) {
    let now_ms = state.clock.now_ms();
    for_each_log(state, |log| look_after(log, now_ms));
    checkpoint(state);
}

/// Syncs the logs whose `flush.ms` is over.
fn flush(state: &BrokerState) {
    let now_ms = state.clock.now_ms();
    for_each_log(state, |log| {
        if let Err(error) = log.flush_if_due(now_ms) {
            tracing::warn!("{}-{} could not be synced: {error}", log.topic(), log.partition());
        }
    });
}

fn checkpoint(state: &BrokerState) {
    if let Err(error) = state.topics.logs().checkpoint() {
        tracing::warn!("the offsets from which recovery starts cannot be written down: {error}");
    }
}

fn for_each_log(state: &BrokerState, work: impl Fn(&Log)) {
    for topic in state.topics.all() {
        topic.partitions().iter().for_each(|partition| work(partition.log()));
    }
}

fn look_after(log: &Log, now_ms: i64) {
    if let Err(error) = log
        .roll_if_due(now_ms)
        .and_then(|_| log.apply_retention(now_ms))
        .and_then(|_| log.flush_if_due(now_ms))
    {
        tracing::warn!("{}-{} could not be looked after: {error}", log.topic(), log.partition());
    }
    log.expire_producers(now_ms);
}

//! What has to be done now and then: retention, rolling by time, flushing, forgetting idle producers.
//!
//! It follows the broker's clock, every `log.retention.check.interval.ms`, and can be run on demand.

use std::sync::{Arc, Weak};

use klamm_storage::Log;

use crate::state::BrokerState;

/// Has the housekeeper run from now on, as long as the broker is there.
pub(crate) fn start(state: &Arc<BrokerState>) {
    schedule(Arc::downgrade(state), &state.timers, state.clock.now_ms());
}

fn schedule(state: Weak<BrokerState>, timers: &crate::timers::Timers, now_ms: i64) {
    let interval = state.upgrade().map_or(0, |state| state.config.settings().log_retention_check_interval_ms);
    let next = move |now_ms| {
        if let Some(broker) = state.upgrade() {
            run(&broker);
            schedule(state, &broker.timers, now_ms);
        }
    };
    timers.schedule(now_ms.saturating_add(interval.max(1)), Box::new(next));
}

/// Looks after every log once.
pub(crate) fn run(state: &BrokerState) {
    let now_ms = state.clock.now_ms();
    for topic in state.topics.all() {
        for partition in topic.partitions() {
            look_after(partition.log(), now_ms);
        }
    }
    if let Err(error) = state.topics.logs().checkpoint() {
        tracing::warn!("the offsets from which recovery starts cannot be written down: {error}");
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

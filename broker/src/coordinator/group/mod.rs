//! Groups: who shares the work, and how far they have come.
//!
//! The state machine of a classic group (`classic` and its verbs) knows nothing of sockets, clocks, logs or locks:
//! an event and the time go in, records and answers come out. `service` is the shell around it.

mod apply;
mod bounds;
mod classic;
mod event;
mod hash;
mod join;
mod leave;
mod member;
mod offsets;
mod rebalance;
mod record;
mod state;
mod subscription;
mod sync;

#[cfg(test)]
mod tests;

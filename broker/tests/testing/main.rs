//! A broker that tests command: faults, time, waiting, looking, journals. Raw clients, no sleeps, all in parallel.

// All of it is tests, helpers included: what cannot be unwrapped fails one.
#![allow(clippy::unwrap_used)]

mod cluster;
mod deadlines;
mod disk;
mod every_api;
mod faults;
mod harness;
mod journal;
mod lives;
mod looking;
mod time;
mod waiting;

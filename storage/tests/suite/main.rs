//! Tests of the log through what the crate offers: one binary, a file for each concern.
#![allow(missing_docs, clippy::unwrap_used)]

mod append;
mod crash;
mod disk;
mod freeze;
mod fuzz;
mod harness;
mod inspect;
mod model;
mod producers;
mod read;
mod retention;

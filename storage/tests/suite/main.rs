//! Tests of the log through what the crate offers: one binary, a file for each concern.
#![allow(missing_docs)]

mod append;
mod crash;
mod disk;
mod harness;
mod model;
mod producers;
mod read;
mod retention;

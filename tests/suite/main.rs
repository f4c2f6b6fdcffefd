//! The integration suite of Klamm: one binary, one module a subject.

// All of it is tests, helpers included: what cannot be unwrapped fails one.
#![allow(clippy::unwrap_used)]

mod check;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod client;
mod configs;
#[cfg(test)]
mod conformance;
mod control;
mod crash;
mod embedded;
mod examples;
mod fuzz;
mod groups;
mod harness;
mod interop;
mod moves;
mod records;
mod run;
#[cfg(test)]
mod scripts;
mod serve;
mod snapshots;
mod testing;
mod tidy;
mod topics;
mod wire;

//! The integration suite of Klamm: one binary, one module a subject.

mod configs;
#[cfg(test)]
mod conformance;
mod crash;
mod embedded;
mod fuzz;
mod groups;
mod harness;
mod serve;
mod tidy;
mod wire;

//! The integration suite of Klamm: one binary, one module a subject.

mod crash;
mod harness;
mod serve;
mod tidy;
mod wire;

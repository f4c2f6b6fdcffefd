//! The integration suite of Klamm: one binary, one module a subject.

mod harness;
mod serve;
mod wire;

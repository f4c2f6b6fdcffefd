//! The integration suite of Klamm: one binary, one module a subject.

mod fuzz;
mod harness;
mod serve;
mod wire;

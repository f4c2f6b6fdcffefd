//! The integration suite of Klamm: one binary, one module a subject.

#[cfg(test)]
mod conformance;

//! The native library.
pub(crate) mod consumer;

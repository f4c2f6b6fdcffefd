//! The formats that travel between Klamm's broker and its clients, and lie in its logs.
//!
//! [`batch`] reads, checks and builds record batches. [`guard`] walks requests and responses by their schemas before anybody
//! decodes them.
//!
//! Bytes in, bytes out: knows nothing of files, sockets, async, brokers or clients.

#![forbid(unsafe_code)]

pub mod batch;
pub mod guard;

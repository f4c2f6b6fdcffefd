//! The coordinators: what a broker decides for groups, and how it remembers it.
//!
//! State machines decide; their records are appended to a journal first and applied then, at work as after a restart.
//! Knows nothing of connections and frames.

pub(crate) mod group;
pub(crate) mod journal;
pub(crate) mod partition_log;

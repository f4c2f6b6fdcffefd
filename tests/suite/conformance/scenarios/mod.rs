//! The scenarios, by subject.

pub(crate) mod fetch;
pub(crate) mod fetch_sessions;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod topics;
pub(crate) mod versions;

//! The scenarios, by subject.

pub(crate) mod fetch;
pub(crate) mod fetch_sessions;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod versions;

//! The scenarios, by subject.

pub(crate) mod produce;
pub(crate) mod versions;

//! The scenarios, by subject.

pub(crate) mod cluster;
pub(crate) mod commits;
pub(crate) mod config_changes;
pub(crate) mod config_values;
pub(crate) mod configs;
pub(crate) mod fetch;
pub(crate) mod fetch_sessions;
pub(crate) mod frames;
pub(crate) mod group_admin;
pub(crate) mod group_moves;
pub(crate) mod groups;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod producers;
pub(crate) mod rules_change;
pub(crate) mod static_members;
pub(crate) mod topics;
pub(crate) mod versions;

//! What the commands that move records have in common: fast pipes, forms of records, places in a log, and what a
//! person who watches sees.
//!
//! Knows nothing of any one command.

pub(crate) mod delimiter;
pub(crate) mod histogram;
pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod options;
pub(crate) mod pace;
pub(crate) mod places;
pub(crate) mod reading;
pub(crate) mod render;
pub(crate) mod sink;
pub(crate) mod template;

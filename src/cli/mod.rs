//! The subcommands of `klamm`, one file each, and what they share.

mod broker_args;
mod logging;
pub(crate) mod run;
pub(crate) mod serve;
mod signals;

//! The subcommands of `klamm`, one file each, and what they share.

mod broker_args;
pub(crate) mod check;
mod control_args;
pub(crate) mod ctl;
mod logging;
mod output;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod serve;
mod signals;

pub(crate) use output::is_closed_pipe;

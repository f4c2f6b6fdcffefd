//! The subcommands of `klamm`, one file each, and what they share.

pub(crate) mod bench;
mod broker_args;
pub(crate) mod check;
#[allow(dead_code)]
mod connect;
pub(crate) mod consume;
mod control_args;
pub(crate) mod copy;
pub(crate) mod ctl;
mod data;
pub(crate) mod dump;
#[allow(dead_code)]
mod error;
mod logging;
#[allow(dead_code)]
mod output;
pub(crate) mod produce;
#[allow(dead_code)]
mod profile;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod scripts;
pub(crate) mod serve;
#[allow(dead_code)]
mod signals;
#[allow(dead_code)]
mod terminal;
#[allow(dead_code)]
mod values;

pub(crate) use error::report;

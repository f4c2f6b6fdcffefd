//! The subcommands of `klamm`, one file each, and what they share.

pub(crate) mod bench;
mod broker_args;
pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod configs;
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
pub(crate) mod generated;
pub(crate) mod groups;
mod logging;
mod offset_file;
#[allow(dead_code)]
mod output;
pub(crate) mod produce;
#[allow(dead_code)]
mod profile;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod scripts;
pub(crate) mod serve;
mod session;
#[allow(dead_code)]
mod signals;
#[allow(dead_code)]
mod terminal;
mod times;
pub(crate) mod topics;
#[allow(dead_code)]
mod values;

pub(crate) use error::report;

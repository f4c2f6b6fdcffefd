//! The subcommands of `klamm`, one file each, and what they share.
//!
//! What a command is for is said where it is listed, beside its variant. What describes a structure of arguments is a plain
//! comment: clap would show a documentation comment there in the place of the command's own.

pub(crate) mod bench;
mod broker_args;
pub(crate) mod check;
pub(crate) mod cluster;
pub(crate) mod configs;
mod connect;
pub(crate) mod consume;
mod control_args;
pub(crate) mod copy;
pub(crate) mod ctl;
mod data;
pub(crate) mod dump;
mod error;
pub(crate) mod generated;
pub(crate) mod groups;
mod logging;
mod offset_file;
mod output;
pub(crate) mod produce;
mod profile;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod scripts;
pub(crate) mod serve;
mod session;
mod signals;
mod terminal;
mod times;
pub(crate) mod topics;
mod values;

pub(crate) use error::report;

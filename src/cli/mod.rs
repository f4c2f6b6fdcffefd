//! The subcommands of `klamm`, one file each.

pub(crate) mod replay;
pub(crate) mod serve;

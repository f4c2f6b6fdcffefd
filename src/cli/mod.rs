//! The subcommands of `klamm`, one file each.

pub(crate) mod serve;

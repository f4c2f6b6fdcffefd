//! Tests of tests: some of these functions are run again in a process of their own, by the real harness, to see what it prints
//! and what it leaves behind.

use std::path::Path;
use std::process::{Command, Output};

/// Says to a test that it is run by another one, and is to do what it is there for.
const VARIABLE: &str = "KLAMM_SUITE_CHILD";

/// Whether this process was started by [`run`].
pub(super) fn is_one() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Runs one test of this binary in a process of its own, as `cargo test` does.
pub(super) fn run(test: &str, journals: Option<&Path>) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--test-threads=1"]).env(VARIABLE, "1");
    child.env_remove("KLAMM_SEED").env_remove("KLAMM_JOURNAL_DIR").env_remove("RUST_BACKTRACE");
    if let Some(folder) = journals {
        child.env("KLAMM_JOURNAL_DIR", folder);
    }
    child.output().unwrap()
}

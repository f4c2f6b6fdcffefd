//! The scripts that measure: `kafka-producer-perf-test.sh` and `kafka-consumer-perf-test.sh`.

mod argparse;
pub(super) mod consumer;
mod dates;
pub(super) mod producer;
mod stats;

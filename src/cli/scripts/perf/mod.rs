//! The scripts that measure: `kafka-producer-perf-test.sh` and `kafka-consumer-perf-test.sh`.

mod argparse;
pub(super) mod consumer;
mod dates;
pub(super) mod producer;
mod stats;

/// A number with so many decimals, as Java writes it where it is none.
fn decimal(number: f64, decimals: usize) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        "Infinity".to_owned()
    } else {
        format!("{number:.decimals$}")
    }
}

//! Seeded fuzzing of a live broker and of recovery: random, malformed and half-right input, and afterwards the broker
//! must serve a good client, must not have panicked, and must stop and start again.
//!
//! Each test runs for `KLAMM_FUZZ_SECONDS` (a few by default). A failure names its seed; `KLAMM_FUZZ_SEED` with that
//! number runs that very round first.

mod batches;
mod frames;
mod recovery;
mod requests;
mod rng;
/// The shapes of requests, as the broker's guard knows them.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../broker/src/guard/schema/mod.rs"]
mod schema;

use std::time::{Duration, Instant};

use rng::Rng;

/// Runs `round` with one seed after the other until the time is over. At least one round is run.
fn for_a_while(mut round: impl FnMut(&mut Rng)) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let patience = Duration::from_secs(number("KLAMM_FUZZ_SECONDS").unwrap_or(2));
    let first: u64 = number("KLAMM_FUZZ_SEED").unwrap_or(1);
    let began = Instant::now();
    for seed in first.. {
        let _named = NamedOnFailure(seed);
        round(&mut Rng::new(seed));
        if began.elapsed() >= patience {
            return;
        }
    }
}

/// Says which seed failed.
struct NamedOnFailure(u64);

impl Drop for NamedOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("run it again with KLAMM_FUZZ_SEED={}", self.0);
        }
    }
}

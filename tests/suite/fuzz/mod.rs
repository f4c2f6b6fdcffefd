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
/// The shapes of requests, as the guard knows them.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../protocol/src/guard/schema/mod.rs"]
mod schema;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rng::Rng;

/// Runs `round` with one seed after the other until the time is over. At least one round is run.
fn for_a_while(mut round: impl FnMut(&mut Rng)) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let patience = Duration::from_secs(number("KLAMM_FUZZ_SECONDS").unwrap_or(2));
    let first: u64 = number("KLAMM_FUZZ_SEED").unwrap_or(1);
    let began = Instant::now();
    let (rounds, watched) = mpsc::channel();
    std::thread::spawn(move || watch(&watched));
    for seed in first.. {
        let _named = NamedOnFailure(seed);
        rounds.send(seed).expect("somebody watches as long as there are rounds");
        round(&mut Rng::new(seed));
        if began.elapsed() >= patience {
            return;
        }
    }
}

/// Ends the process if a round takes so long that it must be hanging: nothing else would tell of it.
fn watch(rounds: &mpsc::Receiver<u64>) {
    const LONGEST_ROUND: Duration = Duration::from_secs(180);
    let mut seed = 0;
    loop {
        match rounds.recv_timeout(LONGEST_ROUND) {
            Ok(next) => seed = next,
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                eprintln!("a round hangs; run it again with KLAMM_FUZZ_SEED={seed}");
                std::process::abort();
            }
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

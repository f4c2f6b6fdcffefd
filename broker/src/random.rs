//! The broker's chance. Every random choice is drawn here, so that one seed gives one run.

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use uuid::Uuid;

/// A seeded source of random choices, shared by the whole broker.
pub(crate) struct Random {
    seed: u64,
    draws: Mutex<SmallRng>,
}

impl Random {
    /// Draws from `seed`, or from the operating system's entropy if there is none.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let seed = seed.unwrap_or_else(|| SmallRng::from_os_rng().next_u64());
        Random { seed, draws: Mutex::new(SmallRng::seed_from_u64(seed)) }
    }

    /// The seed that everything is drawn from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Goes on from what a data folder has already, so that the same seed does not draw the same ids once more. The same
    /// folder gives the same draws.
    pub(crate) fn mix(&self, what: impl Iterator<Item = u64>) {
        let mixed = what.fold(self.seed, |hash, part| {
            (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        *self.draws.lock() = SmallRng::seed_from_u64(mixed);
    }

    /// A random (version 4) UUID that Kafka does not reserve: it never starts with a dash in base 64, so that command
    /// lines can take it as an argument.
    pub(crate) fn uuid(&self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.draws.lock().fill_bytes(&mut bytes);
            let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
            if !crate::ids::base64(&id).starts_with('-') {
                return id;
            }
        }
    }

    /// A number from 1 to `i32::MAX`.
    pub(crate) fn positive_i32(&self) -> i32 {
        self.draws.lock().random_range(1..=i32::MAX)
    }
}

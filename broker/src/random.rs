//! The broker's chance. Every random choice is drawn here, so that one seed gives one run.

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use uuid::Uuid;

/// A seeded source of random choices, shared by the whole broker.
pub(crate) struct Random(Mutex<SmallRng>);

impl Random {
    /// Draws from `seed`, or from the operating system's entropy if there is none.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Random(Mutex::new(seed.map_or_else(SmallRng::from_os_rng, SmallRng::seed_from_u64)))
    }

    /// A random (version 4) UUID that Kafka does not reserve: it never starts with a dash in base 64, so that command
    /// lines can take it as an argument.
    pub(crate) fn uuid(&self) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            self.0.lock().fill_bytes(&mut bytes);
            let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
            if !crate::ids::base64(&id).starts_with('-') {
                return id;
            }
        }
    }

    /// A number from 1 to `i32::MAX`.
    pub(crate) fn positive_i32(&self) -> i32 {
        self.0.lock().random_range(1..=i32::MAX)
    }
}

//! The broker's chance. Every random choice is drawn here, so that one seed gives one run.

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};
use uuid::Uuid;

/// Where a source of random choices stands: whoever goes on from here draws the same.
pub(crate) type RandomState = [u64; 4];

/// A seeded source of random choices, shared by the whole broker.
pub(crate) struct Random {
    seed: u64,
    draws: Mutex<Generator>,
}

impl Random {
    /// Draws from `seed`, or from the operating system's entropy if there is none.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let seed = seed.unwrap_or_else(|| SmallRng::from_os_rng().next_u64());
        Random { seed, draws: Mutex::new(Generator::of_seed(seed)) }
    }

    /// Goes on from where another stood.
    pub(crate) fn from_state(state: RandomState) -> Self {
        let [seed, ..] = state;
        Random { seed, draws: Mutex::new(Generator(state)) }
    }

    /// The seed that everything is drawn from, or what stands for it where draws go on from a state.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn state(&self) -> RandomState {
        self.draws.lock().0
    }

    /// Goes on from what a data folder has already, so that the same seed does not draw the same ids once more. The same
    /// folder gives the same draws.
    pub(crate) fn mix(&self, what: impl Iterator<Item = u64>) {
        let mixed = what
            .fold(self.seed, |hash, part| (hash ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        *self.draws.lock() = Generator::of_seed(mixed);
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

/// xoshiro256++ 1.0 of Blackman and Vigna, seeded with SplitMix64: the same on every machine, and a state that can be
/// written down. `rand` has it too, as `SmallRng`, but neither of the two is promised there.
pub(crate) struct Generator(RandomState);

impl Generator {
    pub(crate) fn of_seed(mut seed: u64) -> Self {
        Generator(std::array::from_fn(|_| {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }))
    }
}

impl RngCore for Generator {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let drawn = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let drawn = self.next_u64().to_le_bytes();
            part.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_what_it_always_gave() {
        let (random, mut small) = (Random::new(Some(7)), SmallRng::seed_from_u64(7));
        for _ in 0..100 {
            assert_eq!(random.positive_i32(), small.random_range(1..=i32::MAX));
        }
        let mut bytes = [0; 16];
        small.fill_bytes(&mut bytes);
        assert_eq!(random.uuid(), uuid::Builder::from_random_bytes(bytes).into_uuid());
    }

    #[test]
    fn one_that_goes_on_from_a_state_draws_the_same() {
        let random = Random::new(None);
        random.uuid();
        let again = Random::from_state(random.state());
        assert_eq!(random.uuid(), again.uuid());
    }
}

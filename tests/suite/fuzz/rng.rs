//! Random choices that are the same for the same seed, on every machine.

/// SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        // Mixed once: neighbouring seeds would give the same numbers, one later.
        Rng(Rng(seed).next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    /// Changes a few bytes: flipped, overwritten, inserted, removed, cut off.
    pub(crate) fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            match self.below(10) {
                0..=3 => bytes[at] ^= 1 << self.below(8),
                4..=6 => {
                    let lengths: [&[u8]; 6] = [
                        &[0x7f, 0xff, 0xff, 0xff],
                        &[0xff, 0xff, 0xff, 0xff],
                        &[0xff, 0xff, 0xff, 0xfe],
                        &[0xff, 0xff, 0xff, 0xff, 0x07],
                        &[0x80, 0, 0, 0],
                        &[0, 0, 0, 0],
                    ];
                    let with = self.pick(&lengths);
                    let end = bytes.len().min(at + with.len());
                    bytes.splice(at..end, with.iter().copied());
                }
                7 => {
                    let count = 1 + self.below(8);
                    let more = self.bytes(count);
                    bytes.splice(at..at, more);
                }
                8 => {
                    let end = bytes.len().min(at + 1 + self.below(8));
                    bytes.drain(at..end);
                }
                _ => bytes.truncate(at),
            }
        }
    }
}

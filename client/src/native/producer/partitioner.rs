//! Which partition a record goes to: hashes of keys as Java's client and librdkafka compute them, and chance.
//!
//! Knows nothing of batches. That records without a key stay with a partition for a while is the accumulator's business.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::options::Partitioner;

/// Where a record goes by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// To this partition.
    Partition(usize),
    /// To any, and records that follow may go along.
    Sticky,
    /// To any, whatever others do.
    Any,
}

/// Chooses by `key` among so many partitions, of which there is one at least.
#[inline]
pub(super) fn choose(partitioner: Partitioner, key: Option<&[u8]>, partitions: usize) -> Choice {
    match (partitioner, key) {
        (Partitioner::Random, _) => Choice::Any,
        (_, None) | (Partitioner::Consistent, Some([])) => Choice::Sticky,
        (Partitioner::Murmur2, Some(key)) => Choice::Partition(positive(murmur2(key)) % partitions.max(1)),
        (Partitioner::Consistent, Some(key)) => Choice::Partition(crc32(key) as usize % partitions.max(1)),
    }
}

/// Java's client drops the sign bit, and does not take the absolute value.
#[inline]
fn positive(hash: i32) -> usize {
    (hash & i32::MAX) as usize
}

/// MurmurHash2, 32 bits, with the seed that Kafka uses.
#[inline]
pub(super) fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ data.len() as u32;
    let words = data.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let mut k = word.iter().rev().fold(0_u32, |k, byte| (k << 8) | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0_u32, |k, byte| (k << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ (hash >> 15)) as i32
}

/// CRC-32 as zlib has it.
fn crc32(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !data.iter().fold(u32::MAX, |crc, byte| {
        // The index is below 256.
        TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8)
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut entry = index as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = if entry & 1 == 1 { 0xedb8_8320 ^ (entry >> 1) } else { entry >> 1 };
            bit += 1;
        }
        table[index] = entry;
        index += 1;
    }
    table
}

/// Numbers by chance, for many threads at once: SplitMix64.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    /// Dice that fall differently in every process.
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher, Hasher};
        Dice(AtomicU64::new(std::collections::hash_map::RandomState::new().build_hasher().finish()))
    }

    /// Dice that fall as they did the last time.
    #[cfg(test)]
    pub(super) fn seeded(seed: u64) -> Self {
        Dice(AtomicU64::new(seed))
    }

    /// A number below `most`; 0 if that is 0.
    #[inline]
    pub(super) fn below(&self, most: usize) -> usize {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * most as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_kafkas() {
        let known: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key), hash, "{}", String::from_utf8_lossy(key));
        }
        // (-973932308 & 0x7fffffff) % 100
        assert_eq!(choose(Partitioner::Murmur2, Some(b"21"), 100), Choice::Partition(1_173_551_340 % 100));
    }

    #[test]
    fn crc_32_is_zlibs() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        let there = 0xcbf4_3926_usize % 7;
        assert_eq!(choose(Partitioner::Consistent, Some(b"123456789"), 7), Choice::Partition(there));
    }

    #[test]
    fn keys_that_say_nothing() {
        assert_eq!(choose(Partitioner::Murmur2, None, 3), Choice::Sticky);
        assert_eq!(choose(Partitioner::Consistent, None, 3), Choice::Sticky);
        assert_eq!(choose(Partitioner::Consistent, Some(b""), 3), Choice::Sticky);
        let empty = positive(murmur2(b"")) % 3;
        assert_eq!(choose(Partitioner::Murmur2, Some(b""), 3), Choice::Partition(empty));
        assert_eq!(choose(Partitioner::Random, Some(b"key"), 3), Choice::Any);
    }

    #[test]
    fn dice_reach_everything() {
        let dice = Dice::new();
        let mut seen = [0; 5];
        (0..1000).for_each(|_| seen[dice.below(5)] += 1);
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}

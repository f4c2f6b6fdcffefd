//! A list of numbers that one thread adds to while others read it without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The numbers of the first block; each block has twice as many as the one before.
const FIRST_BLOCK: usize = 16;
/// Enough blocks for as many entries as an index of 2 GiB has.
const BLOCKS: usize = 26;

/// Numbers in the order in which they were added. Only [`Grow::push`] has to be kept from running twice at once.
#[derive(Default)]
pub(crate) struct Grow {
    blocks: [OnceLock<Box<[AtomicU64]>>; BLOCKS],
    len: AtomicUsize,
}

impl Grow {
    /// How many numbers there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The number at `index`, if there is one.
    pub(crate) fn get(&self, index: usize) -> Option<u64> {
        if index >= self.len() {
            return None;
        }
        let (block, place) = locate(index);
        Some(self.blocks.get(block)?.get()?.get(place)?.load(Ordering::Relaxed))
    }

    /// Adds `numbers`, which become visible together. The caller makes sure that nobody else adds any meanwhile.
    pub(crate) fn push(&self, numbers: &[u64]) {
        let len = self.len.load(Ordering::Relaxed);
        for (index, number) in (len..).zip(numbers) {
            let (block, place) = locate(index);
            let Some(block) =
                self.blocks.get(block).map(|cell| cell.get_or_init(|| zeros(FIRST_BLOCK << block)))
            else {
                return;
            };
            if let Some(place) = block.get(place) {
                place.store(*number, Ordering::Relaxed);
            }
        }
        self.len.store(len + numbers.len(), Ordering::Release);
    }
}

fn zeros(len: usize) -> Box<[AtomicU64]> {
    (0..len).map(|_| AtomicU64::new(0)).collect()
}

/// The block and the place in it of the number at `index`.
fn locate(index: usize) -> (usize, usize) {
    let block = (index / FIRST_BLOCK + 1).ilog2() as usize;
    (block, index - FIRST_BLOCK * ((1 << block) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_where_they_were_put() {
        let grow = Grow::default();
        for number in 0..1000 {
            grow.push(&[number, number * 2]);
        }
        assert_eq!(grow.len(), 2000);
        for number in 0..1000 {
            assert_eq!(grow.get(number * 2), Some(number as u64));
            assert_eq!(grow.get(number * 2 + 1), Some(number as u64 * 2));
        }
        assert_eq!(grow.get(2000), None);
    }
}

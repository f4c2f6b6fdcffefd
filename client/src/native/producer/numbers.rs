//! The numbers that a sender has given its records, kept for a batch in as few words as there are gaps between them.
//!
//! Knows nothing of batches.

/// Numbers of the records of a batch. Those that count up with the records' places take one entry together.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<(i32, u64)>);

/// What an entry costs.
pub(super) const NUMBER_OVERHEAD: usize = size_of::<(i32, u64)>();

impl Numbers {
    /// Adds the number of the record at `index`, which lies behind those that were added before.
    #[inline]
    pub(super) fn push(&mut self, index: i32, number: u64) {
        let follows = |(first, begin): &(i32, u64)| begin.wrapping_add(distance(*first, index)) == number;
        if !self.0.last().is_some_and(follows) {
            self.0.push((index, number));
        }
    }

    /// The number of the record at `index`, where records have numbers.
    pub(super) fn of(&self, index: i32) -> Option<u64> {
        let behind = self.0.partition_point(|(first, _)| *first <= index);
        let (first, begin) = self.0.get(behind.checked_sub(1)?)?;
        Some(begin.wrapping_add(distance(*first, index)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn distance(from: i32, to: i32) -> u64 {
    u64::from(to.abs_diff(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_given() {
        let given = [10, 11, 12, 20, 21, 5, 9, 10];
        let mut numbers = Numbers::default();
        for (index, number) in (0..).zip(given) {
            numbers.push(index, number);
        }
        assert_eq!(numbers.0.len(), 4);
        let back: Vec<_> = (0..8).map(|index| numbers.of(index).unwrap()).collect();
        assert_eq!(back, given);
        assert!(Numbers::default().of(3).is_none() && Numbers::default().is_empty());
    }
}

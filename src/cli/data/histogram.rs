//! How long things took, in a fixed amount of memory.

use std::time::Duration;

/// Significant digits of what is told of them.
const DIGITS: u8 = 3;
/// What took longer counts as this: two hours, in microseconds.
const MOST: u64 = 2 * 3600 * 1_000_000;

/// Durations, to the microsecond. What is told of them is in milliseconds, and there is none where there was nothing.
#[derive(Debug, Clone)]
pub(crate) struct Histogram(hdrhistogram::Histogram<u64>);

impl Default for Histogram {
    fn default() -> Self {
        let histogram = hdrhistogram::Histogram::new_with_max(MOST, DIGITS);
        Histogram(histogram.expect("two hours and three digits are within its bounds"))
    }
}

impl Histogram {
    /// Counts one that took so long.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// That which so many of a hundred did not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f64> {
        self.millis(self.0.value_at_percentile(percent) as f64)
    }

    /// What took longest.
    pub(crate) fn longest(&self) -> Option<f64> {
        self.millis(self.0.max() as f64)
    }

    /// What they took on average.
    pub(crate) fn mean(&self) -> Option<f64> {
        self.millis(self.0.mean())
    }

    fn millis(&self, micros: f64) -> Option<f64> {
        (!self.0.is_empty()).then_some(micros / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_near_what_was_counted() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50.0), histogram.longest(), histogram.mean()), (None, None, None));
        for millis in 1..=1000 {
            histogram.add(Duration::from_millis(millis));
        }
        assert_eq!(histogram.count(), 1000);
        let found = [50.0, 99.0, 99.9, 100.0].map(|percent| histogram.percentile(percent));
        let found = found.into_iter().chain([histogram.longest(), histogram.mean()]);
        for (found, expected) in found.zip([500.0, 990.0, 999.0, 1000.0, 1000.0, 500.5]) {
            let found = found.unwrap();
            assert!((found / expected - 1.0).abs() < 0.002, "{expected}: {found}");
        }
        histogram.add(Duration::MAX);
        assert_eq!(histogram.count(), 1001);
    }
}

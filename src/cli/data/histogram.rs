//! How long things took: counts in buckets that are a fifth of a percent wide, in a fixed amount of memory.

/// Buckets of each power of two: half as many as that are the precision.
const PER_DOUBLING: u64 = 1024;
const HALF: u64 = PER_DOUBLING / 2;
/// Microseconds beyond this count as this: two hours.
const MOST: u64 = 1 << 33;

/// Durations in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: vec![0; bucket_of(MOST) + 1], count: 0, sum: 0, most: 0 }
    }
}

fn bucket_of(micros: u64) -> usize {
    let micros = micros.min(MOST);
    if micros < PER_DOUBLING {
        return usize::try_from(micros).unwrap_or(0);
    }
    // Shifted so that the number lies between HALF and PER_DOUBLING.
    let shift = u64::from(PER_DOUBLING.leading_zeros() - micros.leading_zeros()) + 1;
    let in_doubling = (micros >> shift) - HALF;
    usize::try_from(PER_DOUBLING + (shift - 1) * HALF + in_doubling).unwrap_or(usize::MAX)
}

/// The middle of a bucket.
fn micros_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PER_DOUBLING {
        return bucket;
    }
    let (shift, in_doubling) = ((bucket - PER_DOUBLING) / HALF + 1, (bucket - PER_DOUBLING) % HALF);
    ((HALF + in_doubling) << shift) + (1 << (shift - 1))
}

impl Histogram {
    /// Counts one that took so long.
    pub(crate) fn add(&mut self, took: std::time::Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(micros)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += u128::from(micros);
        self.most = self.most.max(micros);
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// In milliseconds, that which so many of a hundred did not exceed; none if there was nothing.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let wanted = ((percent / 100.0 * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(micros_of(bucket).min(self.most) as f64 / 1000.0);
            }
        }
        self.longest()
    }

    /// In milliseconds, what took longest; none if there was nothing.
    pub(crate) fn longest(&self) -> Option<f64> {
        (self.count > 0).then(|| self.most as f64 / 1000.0)
    }

    /// In milliseconds, what they took on average; none if there was nothing.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn percentiles_are_near_what_was_counted() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50.0), histogram.longest(), histogram.mean()), (None, None, None));
        for millis in 1..=1000 {
            histogram.add(Duration::from_millis(millis));
        }
        for (percent, expected) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1000.0)] {
            let found = histogram.percentile(percent).unwrap();
            assert!((found / expected - 1.0).abs() < 0.002, "{percent}: {found}");
        }
        assert_eq!(
            (histogram.count(), histogram.longest(), histogram.mean()),
            (1000, Some(1000.0), Some(500.5))
        );
    }

    #[test]
    fn buckets_are_in_order_and_without_gaps() {
        let mut before = 0;
        for micros in (0..5000).chain((5000..MOST).step_by(1 << 20)) {
            let bucket = bucket_of(micros);
            assert!(bucket >= before && (micros > 5000 || bucket - before <= 1), "{micros}");
            let middle = micros_of(bucket) as f64;
            assert!((middle - micros as f64).abs() <= micros as f64 / 500.0, "{micros} as {middle}");
            before = bucket;
        }
        let mut far = Histogram::default();
        far.add(Duration::MAX);
        assert_eq!(far.count(), 1);
    }
}

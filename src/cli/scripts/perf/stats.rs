//! What a run of the producer's test came to: counts, rates and latencies.

use std::time::Instant;

/// Latencies that are kept at the most: of more, every so many-th.
const MOST_LATENCIES: u64 = 500_000;

/// Figures of records, over all and since they were last told.
pub(super) struct Stats {
    began: Instant,
    every: u64,
    latencies: Vec<u64>,
    total: Window,
    window: Window,
    window_began: Instant,
    steady: bool,
}

#[derive(Default)]
struct Window {
    count: u64,
    bytes: u64,
    latency: u64,
    longest: u64,
}

impl Window {
    fn add(&mut self, latency: u64, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.latency += latency;
        self.longest = self.longest.max(latency);
    }

    /// Records and mebibytes a second, and the average latency in milliseconds.
    fn rates(&self, since: Instant) -> (f64, f64, f64) {
        let elapsed = since.elapsed().as_millis().max(1) as f64;
        let records = 1000.0 * self.count as f64 / elapsed;
        let bytes = 1000.0 * self.bytes as f64 / elapsed / (1024.0 * 1024.0);
        (records, bytes, self.latency as f64 / self.count as f64)
    }
}

impl Stats {
    /// For so many records. `steady`: of those alone that come after the warm-up.
    pub(super) fn new(records: u64, steady: bool) -> Self {
        let now = Instant::now();
        Stats {
            began: now,
            every: (records / records.clamp(1, MOST_LATENCIES)).max(1),
            latencies: Vec::new(),
            total: Window::default(),
            window: Window::default(),
            window_began: now,
            steady,
        }
    }

    /// A record was acknowledged, after so many milliseconds. Gives a line if it is time for one.
    pub(super) fn record(&mut self, latency: u64, bytes: u64, interval: u128) -> Option<String> {
        if self.total.count.is_multiple_of(self.every) {
            self.latencies.push(latency);
        }
        self.total.add(latency, bytes);
        self.window.add(latency, bytes);
        if self.window_began.elapsed().as_millis() < interval {
            return None;
        }
        let (records, mebibytes, average) = self.window.rates(self.window_began);
        let line = format!(
            "{} records sent, {records:.1} records/sec ({mebibytes:.2} MB/sec), {average:.1} ms avg latency, {:.1} ms max latency.",
            self.window.count, self.window.longest as f64
        );
        self.window = Window::default();
        self.window_began = Instant::now();
        Some(line)
    }

    /// The line at the end.
    pub(super) fn summary(&mut self) -> String {
        self.latencies.sort_unstable();
        let (records, mebibytes, average) = self.total.rates(self.began);
        let at = |part: f64| {
            let index = (part * self.latencies.len() as f64) as usize;
            self.latencies.get(index).copied().unwrap_or(0)
        };
        format!(
            "{}{} records sent, {records:.6} records/sec ({mebibytes:.2} MB/sec), {average:.2} ms avg latency, {:.2} ms max \
             latency, {} ms 50th, {} ms 95th, {} ms 99th, {} ms 99.9th.",
            self.total.count,
            if self.steady { " steady state" } else { "" },
            self.total.longest as f64,
            at(0.5),
            at(0.95),
            at(0.99),
            at(0.999)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_counts_and_percentiles() {
        let mut stats = Stats::new(100, false);
        for latency in 1..=100 {
            assert_eq!(stats.record(latency, 10, u128::MAX), None);
        }
        let line = stats.summary();
        assert!(line.starts_with("100 records sent, "), "{line}");
        assert!(line.ends_with("50.50 ms avg latency, 100.00 ms max latency, 51 ms 50th, 96 ms 95th, 100 ms 99th, 100 ms 99.9th."), "{line}");
    }

    #[test]
    fn a_line_comes_with_every_interval() {
        let mut stats = Stats::new(10, false);
        let line = stats.record(4, 10, 0).unwrap();
        assert!(
            line.starts_with("1 records sent, ") && line.ends_with("4.0 ms avg latency, 4.0 ms max latency."),
            "{line}"
        );
    }
}

//! What tests have found, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::data::histogram::Histogram;
use crate::cli::output::{Output, grouped};

/// What a test has found.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) test: &'static str,
    pub(super) records: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
    /// From the first record to the last.
    pub(super) took: Duration,
    /// Records that were not delivered.
    pub(super) lost: u64,
    /// How long records took, where that was measured.
    pub(super) latency: Option<Histogram>,
}

const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("p99_9", 99.9)];

impl Figures {
    fn per_second(&self, number: u64) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
    }

    /// As JSON has it. Its fields may become more; these stay.
    pub(super) fn row(&self) -> Value {
        let latency = self.latency.as_ref().filter(|latency| latency.count() > 0).map(|latency| {
            let mut row = json!({
                "samples": latency.count(), "mean": latency.mean(), "max": latency.longest(),
            });
            for (name, percent) in PERCENTILES {
                row[name] = json!(latency.percentile(percent));
            }
            row
        });
        json!({
            "test": self.test,
            "records": self.records,
            "bytes": self.bytes,
            "seconds": self.took.as_secs_f64(),
            "records_per_second": self.per_second(self.records),
            "mb_per_second": self.per_second(self.bytes) / 1e6,
            "not_delivered": self.lost,
            "latency_ms": latency,
        })
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.test.to_owned(),
            grouped(self.records),
            format!("{:.2}", self.took.as_secs_f64()),
            grouped(self.per_second(self.records) as u64),
            format!("{:.1}", self.per_second(self.bytes) / 1e6),
        ];
        let millis =
            |found: Option<f64>| found.map_or_else(|| "-".to_owned(), |millis| format!("{millis:.2}"));
        let latency = self.latency.as_ref();
        cells.extend(
            PERCENTILES.iter().map(|(_, percent)| millis(latency.and_then(|l| l.percentile(*percent)))),
        );
        cells.push(millis(latency.and_then(Histogram::longest)));
        cells
    }
}

/// Writes a table. Latencies are in milliseconds.
pub(super) fn write_table(out: &mut Output, figures: &[Figures]) -> std::io::Result<()> {
    let head = [
        "TEST",
        "RECORDS",
        "SECONDS",
        "RECORDS/S",
        "MB/S",
        "P50 MS",
        "P95 MS",
        "P99 MS",
        "P99.9 MS",
        "MAX MS",
    ];
    out.table(&head, &[1, 2, 3, 4, 5, 6, 7, 8, 9], figures.iter().map(Figures::cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_with_stable_names() {
        let mut latency = Histogram::default();
        latency.add(Duration::from_millis(2));
        let (took, latency) = (Duration::from_secs(2), Some(latency));
        let figures = Figures { test: "produce", records: 1000, bytes: 2_000_000, took, lost: 0, latency };
        let row = figures.row();
        assert_eq!((&row["records_per_second"], &row["mb_per_second"]), (&json!(500.0), &json!(1.0)));
        assert_eq!((&row["latency_ms"]["p99"], &row["latency_ms"]["samples"]), (&json!(2.0), &json!(1)));
        assert_eq!(
            figures.cells(),
            ["produce", "1,000", "2.00", "500", "1.0", "2.00", "2.00", "2.00", "2.00", "2.00"]
        );
        let none = Figures { latency: None, took: Duration::ZERO, ..figures };
        assert_eq!((none.row()["latency_ms"].clone(), none.cells()[9].as_str()), (Value::Null, "-"));
    }
}

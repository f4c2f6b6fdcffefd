//! What was measured, and the table that it is printed as.

use std::collections::BTreeMap;

use crate::peers::Peer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    Start,
    IdleMemory,
    Produce,
    ProduceCpu,
    Fetch,
    FetchSingly,
    FetchCpu,
    SingleRecords,
    LatencyMedian,
    LatencyP99,
    ConnectionMemory,
    Connections,
    Partitions,
}

impl Measure {
    const ALL: [Measure; 13] = [
        Measure::Start,
        Measure::IdleMemory,
        Measure::Produce,
        Measure::ProduceCpu,
        Measure::Fetch,
        Measure::FetchSingly,
        Measure::FetchCpu,
        Measure::SingleRecords,
        Measure::LatencyMedian,
        Measure::LatencyP99,
        Measure::ConnectionMemory,
        Measure::Connections,
        Measure::Partitions,
    ];

    fn label(self) -> &'static str {
        match self {
            Measure::Start => "exec to first acknowledged record, ms",
            Measure::IdleMemory => "idle memory (RSS), MB",
            Measure::Produce => "produce, 5 in flight, batches of 1,000 × 100 B, M records/s",
            Measure::ProduceCpu => "the server's processor time for it, ms per M records",
            Measure::Fetch => "fetch, 5 in flight, 1 MiB each, M records/s",
            Measure::FetchSingly => "fetch, one at a time, 1 MiB each, M records/s",
            Measure::FetchCpu => "the server's processor time for both, ms per M records",
            Measure::SingleRecords => "produce, 5 in flight, batches of one record, k batches/s",
            Measure::LatencyMedian => "librdkafka end to end at 1,000 records/s, median, ms",
            Measure::LatencyP99 => "the same, 99th percentile, ms",
            Measure::ConnectionMemory => "memory of an idle connection, kB",
            Measure::Connections => "connections served at once",
            Measure::Partitions => "10,000 partitions created in, s",
        }
    }

    fn more_is_better(self) -> bool {
        use Measure::{Connections, Fetch, FetchSingly, Produce, SingleRecords};
        matches!(self, Produce | Fetch | FetchSingly | SingleRecords | Connections)
    }
}

/// Every value that was measured.
#[derive(Default)]
pub struct Figures {
    values: BTreeMap<(Measure, Peer), Vec<f64>>,
}

impl Figures {
    pub fn add(&mut self, measure: Measure, peer: Peer, value: f64) {
        self.values.entry((measure, peer)).or_default().push(value);
    }

    fn median(&self, measure: Measure, peer: Peer) -> Option<f64> {
        let mut values = self.values.get(&(measure, peer))?.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// Prints medians, and how many times better Klamm in memory is than each of the others.
    pub fn print(&self, peers: &[Peer]) {
        let rivals: Vec<Peer> = match peers.contains(&Peer::KlammMemory) {
            true => peers.iter().copied().filter(|peer| matches!(peer, Peer::Kfake | Peer::Kafka)).collect(),
            false => Vec::new(),
        };
        let mut head: Vec<String> = vec!["median".to_owned()];
        head.extend(peers.iter().map(|peer| peer.label().to_owned()));
        head.extend(rivals.iter().map(|peer| format!("Klamm : {}", peer.label())));
        println!("\n| {} |", head.join(" | "));
        println!("|---{}|", "|---:".repeat(head.len() - 1));
        for measure in Measure::ALL {
            let medians: Vec<Option<f64>> = peers.iter().map(|peer| self.median(measure, *peer)).collect();
            if medians.iter().all(Option::is_none) {
                continue;
            }
            let mut row = vec![measure.label().to_owned()];
            row.extend(medians.iter().map(|median| median.map_or("–".to_owned(), written)));
            row.extend(rivals.iter().map(|rival| self.ratio(measure, *rival)));
            println!("| {} |", row.join(" | "));
        }
    }

    fn ratio(&self, measure: Measure, rival: Peer) -> String {
        let (Some(ours), Some(theirs)) = (self.median(measure, Peer::KlammMemory), self.median(measure, rival)) else {
            return "–".to_owned();
        };
        let better = if measure.more_is_better() { ours / theirs } else { theirs / ours };
        format!("{}×", written(better))
    }
}

/// With about three digits.
fn written(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

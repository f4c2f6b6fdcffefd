//! Medians, as a table in Markdown.

use crate::{Client, Figures, Work};

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

pub fn print(taken: &[(Client, Work, Figures)], rounds: u32) {
    let of = |client, work, figure: fn(&Figures) -> Option<f64>| {
        let of_these = taken.iter().filter(|(one, other, _)| *one == client && *other == work);
        median(of_these.filter_map(|(_, _, figures)| figure(figures)).collect())
    };
    let rate: fn(&Figures) -> Option<f64> = |figures| figures.records_per_second;
    let processor: fn(&Figures) -> Option<f64> = |figures| Some(figures.cpu_microseconds);
    let shown = |figure: Option<f64>, digits: usize| figure.map_or("-".to_owned(), |f| format!("{f:.digits$}"));
    println!("Records of 100 bytes of JSON; medians of {rounds} interleaved rounds.\n");
    println!(
        "| client | publish to `get_data`, records/s | CPU, µs each | publish alone, records/s | CPU, µs each | at 10,000/s: p50, ms | p99, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for client in Client::ALL {
        if !taken.iter().any(|(one, _, _)| *one == client) {
            continue;
        }
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            client.title(),
            shown(of(client, Work::Through, rate), 0),
            shown(of(client, Work::Through, processor), 2),
            shown(of(client, Work::Publish, rate), 0),
            shown(of(client, Work::Publish, processor), 2),
            shown(of(client, Work::Latency, |figures| figures.p50), 3),
            shown(of(client, Work::Latency, |figures| figures.p99), 3),
        );
    }
    println!("\nCPU is that of the client's process; in process the broker's is part of it.");
}

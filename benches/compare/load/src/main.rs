//! The same work against Klamm, kfake and Apache Kafka, in one run: started by `../run`, which builds what is needed.

mod latency;
mod peers;
mod table;
mod throughput;
mod wire;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use peers::{Peer, Programs, Server};
use table::{Figures, Measure};
use throughput::{BATCH_RECORDS, IN_FLIGHT, Limit};
use wire::Connection;

const USAGE: &str = "usage: run [--quick] [--only start|throughput|latency|connections|partitions] [klamm|kfake|kafka …]";

/// What is run, and how often.
struct Plan {
    peers: Vec<Peer>,
    only: Option<String>,
    quick: bool,
}

impl Plan {
    fn from_args(args: impl Iterator<Item = String>) -> Result<Plan> {
        let mut plan = Plan { peers: Vec::new(), only: None, quick: false };
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--quick" => plan.quick = true,
                "--only" => plan.only = Some(args.next().context(USAGE)?),
                name => {
                    let before = plan.peers.len();
                    plan.peers.extend(Peer::ALL.into_iter().filter(|peer| peer.answers_to(name)));
                    if plan.peers.len() == before {
                        bail!("{name}?\n{USAGE}");
                    }
                }
            }
        }
        if plan.peers.is_empty() {
            plan.peers.extend(Peer::ALL);
        }
        Ok(plan)
    }

    fn includes(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.split(',').any(|name| name == part))
    }

    /// `times`, or fewer in a quick run.
    fn rounds(&self, times: usize) -> usize {
        if self.quick { times.div_ceil(3) } else { times }
    }
}

fn main() -> Result<()> {
    let plan = Plan::from_args(std::env::args().skip(1))?;
    let programs = Programs::from_env()?;
    let mut figures = Figures::default();
    if plan.includes("start") {
        start(&plan, &programs, &mut figures)?;
    }
    if plan.includes("throughput") || plan.includes("latency") {
        load(&plan, &programs, &mut figures)?;
    }
    if plan.includes("connections") {
        connections(&plan, &programs, &mut figures)?;
    }
    if plan.includes("partitions") {
        partitions(&plan, &programs, &mut figures)?;
    }
    figures.print(&plan.peers);
    Ok(())
}

fn progress(what: &str, peer: Peer) {
    eprintln!("  {what}: {}", peer.label());
}

/// Time to the first acknowledged record, and the memory that is used then.
fn start(plan: &Plan, programs: &Programs, figures: &mut Figures) -> Result<()> {
    let rounds = plan.rounds(15);
    for round in 0..rounds {
        for &peer in &plan.peers {
            // A JVM takes seconds: three times will do.
            if peer == Peer::Kafka && round >= plan.rounds(3) {
                continue;
            }
            progress("start", peer);
            let (server, took) = Server::start(peer, programs)?;
            figures.add(Measure::Start, peer, took.as_secs_f64() * 1000.0);
            std::thread::sleep(Duration::from_millis(300));
            figures.add(Measure::IdleMemory, peer, server.memory()? / 1e6);
        }
    }
    Ok(())
}

/// Throughput and latency, with all servers up and one of them at work at a time.
fn load(plan: &Plan, programs: &Programs, figures: &mut Figures) -> Result<()> {
    let mut servers = Vec::new();
    for &peer in &plan.peers {
        progress("start for load", peer);
        servers.push((peer, Server::start(peer, programs)?.0));
    }
    if plan.includes("throughput") {
        // A JVM gets faster as it runs: nothing is counted before it has.
        for round in 0..2 {
            for (peer, server) in &servers {
                progress("warm up", *peer);
                throughput_round(server, &format!("warm{round}"))?;
            }
        }
        for round in 0..plan.rounds(7) {
            for (peer, server) in &servers {
                progress("throughput", *peer);
                for (measure, value) in throughput_round(server, &format!("load{round}"))? {
                    figures.add(measure, *peer, value);
                }
            }
        }
    }
    if plan.includes("latency") {
        for round in 0..plan.rounds(5) {
            for (peer, server) in &servers {
                progress("latency", *peer);
                let topic = format!("latency{round}");
                Connection::open(server.port)?.create(std::slice::from_ref(&topic), 1)?;
                let (median, p99) = latency::measure(server.port, &topic, 4)?;
                figures.add(Measure::LatencyMedian, *peer, median);
                figures.add(Measure::LatencyP99, *peer, p99);
            }
        }
    }
    Ok(())
}

fn throughput_round(server: &Server, topic: &str) -> Result<Vec<(Measure, f64)>> {
    let (large, small) = (topic.to_owned(), format!("{topic}small"));
    let mut admin = Connection::open(server.port)?;
    admin.create(&[large.clone(), small.clone()], 1)?;
    let limit = |requests| Limit { requests, time: Duration::from_millis(1500) };
    let cpu_before = server.cpu_seconds()?;
    let (batches, batches_per_s) = throughput::produce(server.port, &large, BATCH_RECORDS, limit(5000))?;
    let cpu_produced = server.cpu_seconds()?;
    let end = (batches * BATCH_RECORDS) as i64;
    let (records, fetched) = throughput::fetch(server.port, &large, end, IN_FLIGHT, limit(usize::MAX))?;
    let (more, fetched_singly) = throughput::fetch(server.port, &large, end, 1, limit(usize::MAX))?;
    let cpu_fetched = server.cpu_seconds()?;
    let (_, singles) = throughput::produce(server.port, &small, 1, limit(150_000))?;
    admin.delete(&large)?;
    admin.delete(&small)?;
    let ms_per_million = |seconds: f64, records: i64| seconds * 1e9 / records as f64;
    Ok(vec![
        (Measure::Produce, batches_per_s * BATCH_RECORDS as f64 / 1e6),
        (Measure::ProduceCpu, ms_per_million(cpu_produced - cpu_before, end)),
        (Measure::Fetch, fetched / 1e6),
        (Measure::FetchSingly, fetched_singly / 1e6),
        (Measure::FetchCpu, ms_per_million(cpu_fetched - cpu_produced, records + more)),
        (Measure::SingleRecords, singles / 1e3),
    ])
}

/// Memory of an idle connection, with 5,000 of them, and whether all are still served.
fn connections(plan: &Plan, programs: &Programs, figures: &mut Figures) -> Result<()> {
    const CONNECTIONS: usize = 5000;
    for _ in 0..plan.rounds(3) {
        for &peer in &plan.peers {
            progress("5,000 connections", peer);
            let server = Server::start(peer, programs)?.0;
            std::thread::sleep(Duration::from_millis(500));
            let before = server.memory()?;
            let mut open = Vec::with_capacity(CONNECTIONS);
            for n in 0..CONNECTIONS {
                let mut connection = Connection::open(server.port).with_context(|| format!("connection {n}"))?;
                connection.api_versions()?;
                open.push(connection);
            }
            std::thread::sleep(Duration::from_millis(1000));
            figures.add(Measure::ConnectionMemory, peer, (server.memory()? - before) / CONNECTIONS as f64 / 1e3);
            let mut served = 0;
            for connection in &mut open {
                served += usize::from(connection.api_versions().is_ok());
            }
            figures.add(Measure::Connections, peer, served as f64);
        }
    }
    Ok(())
}

/// How long 10,000 partitions take, in 100 topics, until the last can be used.
fn partitions(plan: &Plan, programs: &Programs, figures: &mut Figures) -> Result<()> {
    let topics: Vec<String> = (0..100).map(|n| format!("many{n}")).collect();
    for round in 0..plan.rounds(3) {
        for &peer in &plan.peers {
            if peer == Peer::Kafka && round > 0 {
                continue;
            }
            progress("10,000 partitions", peer);
            let server = Server::start(peer, programs)?.0;
            let mut connection = Connection::open(server.port)?;
            let began = Instant::now();
            // Kafka makes at most 10,000 records of its metadata of one request.
            for some in topics.chunks(10) {
                connection.create(some, 100)?;
            }
            figures.add(Measure::Partitions, peer, began.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

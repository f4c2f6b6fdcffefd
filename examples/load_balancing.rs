//! Load balancing: three workers of one group share the partitions of a topic.
//!
//! Notice that each worker gets two of the six partitions, and that together they get every job once.
//!
//! `cargo run --example load_balancing [BOOTSTRAP]`

mod shared;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use klamm::{Message, Subscriber, create_publisher, create_subscriber};
use serde_json::{Value, json};
use shared::{SOON, Stage};

const JOBS: usize = 600;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let topic = stage.topic("jobs", 6, &[])?;

    let mut workers = Vec::new();
    for name in ["anna", "bert", "carl"] {
        let worker = create_subscriber(
            name,
            json!({
                "source": format!("kafka://topic/{topic}"),
                "bootstrap_servers": stage.broker,
                "group_id": stage.name("workers"),
                "consumer_config": { "auto_offset_reset": "earliest" },
            }),
        )?;
        worker.start()?;
        workers.push((name, worker));
    }
    // Without this the first worker might have done everything before the others have joined.
    let began = Instant::now();
    while workers.iter().any(|(_, worker)| worker.details().assignment.len() != 2) {
        if began.elapsed() > SOON {
            return Err("the partitions were not shared out".into());
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }

    let publisher = create_publisher(
        "jobs",
        json!({ "destination": format!("kafka://topic/{topic}"), "bootstrap_servers": stage.broker }),
    )?;
    for job in 0..JOBS {
        publisher.send(Message::new(&json!({ "job": job })).key(&job.to_string()))?;
    }
    publisher.stop()?;

    let done = AtomicUsize::new(0);
    let shares = std::thread::scope(|scope| {
        let threads: Vec<_> =
            workers.iter().map(|(name, worker)| scope.spawn(|| (*name, work(worker, &done)))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a worker panics only on a bug"))
            .collect::<Vec<_>>()
    });
    for (name, share) in shares {
        println!("{name} has 2 partitions and has done {} jobs", share?);
    }
    println!("together: {} jobs of {JOBS}", done.load(Ordering::Relaxed));
    for (_, worker) in workers {
        worker.stop()?;
    }
    Ok(())
}

/// Works until all jobs are done, by whomever. Gives how many this one has done.
fn work(worker: &Subscriber, done: &AtomicUsize) -> Result<usize, klamm::ClientError> {
    let began = Instant::now();
    let mut own = 0;
    while done.load(Ordering::Relaxed) < JOBS && began.elapsed() < SOON {
        if worker.get_data::<Value>(Duration::from_millis(50))?.is_some() {
            own += 1;
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(own)
}

//! Manual commit: work is committed after it is done, so that a crash in between loses nothing.
//!
//! Notice that the second worker begins behind the last commit: it does again what the first one had done and not
//! committed. Nothing is missing, and some of it is done twice: that is what "at least once" means.
//!
//! `cargo run --example manual_commit [BOOTSTRAP]`

mod shared;

use klamm::{ClientError, Subscriber, create_publisher, create_subscriber};
use serde_json::json;
use shared::{SOON, Stage};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stage = Stage::new()?;
    let topic = stage.topic("tasks", 1, &[])?;

    let publisher = create_publisher(
        "tasks",
        json!({ "destination": format!("kafka://topic/{topic}"), "bootstrap_servers": stage.broker }),
    )?;
    for task in 1..=10 {
        publisher.publish(&task)?;
    }
    publisher.stop()?;

    let first = worker(&stage, &topic)?;
    let mut done = Vec::new();
    for _ in 1..=8 {
        let record = first.get_record(SOON)?.ok_or("a task is missing")?;
        let task: u32 = first.decode(&record)?;
        done.push(task);
        if task == 5 {
            first.commit_record(&record)?;
            println!("the first worker has done {done:?} and committed");
        }
    }
    println!("the first worker has done {done:?} and crashes before it commits");
    // Nothing is committed when a subscriber with manual commits goes.
    drop(first);

    let second = worker(&stage, &topic)?;
    let mut again = Vec::new();
    while again.last() != Some(&10) {
        again.push(second.get_data::<u32>(SOON)?.ok_or("a task is missing")?);
    }
    second.commit()?;
    println!("the second worker has done {again:?} and committed");
    let twice: Vec<_> = again.iter().filter(|task| done.contains(task)).collect();
    done.extend(&again);
    let missing: Vec<_> = (1..=10).filter(|task| !done.contains(task)).collect();
    println!("done twice: {twice:?}, missing: {missing:?}");
    second.stop()?;
    Ok(())
}

fn worker(stage: &Stage, topic: &str) -> Result<Subscriber, ClientError> {
    let worker = create_subscriber(
        "worker",
        json!({
            "source": format!("kafka://topic/{topic}"),
            "bootstrap_servers": stage.broker,
            "group_id": stage.name("workers"),
            "consumer_config": { "auto_offset_reset": "earliest", "enable_auto_commit": false },
        }),
    )?;
    worker.start()?;
    Ok(worker)
}

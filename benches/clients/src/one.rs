//! One measurement: a library, at one kind of work.

use std::time::{Duration, Instant};

use klamm_client::{Publisher, Subscriber, create_publisher, create_subscriber};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Figures;

/// A hundred bytes of JSON.
#[derive(Serialize, Deserialize)]
struct Reading {
    /// Nanoseconds since the measurement began, at which it was published.
    at: u64,
    sensor: u64,
    unit: String,
    note: String,
}

const UNIT: &str = "celsius";
/// So many are published in a second where latency is measured.
const RATE: u64 = 10_000;
/// A record that takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(30);

fn reading(at: u64, number: u64) -> Reading {
    // Padded, so that it has a hundred bytes whatever the numbers.
    let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
    let rest = 100 - r#"{"at":,"sensor":,"unit":"celsius","note":""}"#.len() - digits(at) - digits(number);
    const FILL: &str = "oooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooo";
    Reading { at, sensor: number, unit: UNIT.to_owned(), note: FILL[..rest].to_owned() }
}

/// Processor time of this process so far, user and system.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    // A tick is a hundredth of a second on every Linux that there is.
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

struct Setup {
    publisher: Publisher,
    config: Value,
}

fn setup(library: &str, bootstrap: &str, linger: u64) -> Setup {
    let common = json!({ "bootstrap_servers": bootstrap, "kafka_library": library });
    let mut publishing = common.clone();
    publishing["destination"] = json!("kafka://topic/readings");
    publishing["producer_config"] = json!({
        "acks": 1, "linger_ms": linger, "batch_size": 131_072, "buffer_memory": 67_108_864,
    });
    let mut config = common;
    config["source"] = json!("kafka://topic/readings");
    config["consumer_config"] = json!({ "auto_offset_reset": "earliest", "fetch_max_wait_ms": 100 });
    let publisher = create_publisher("bench", publishing).expect("a publisher");
    Setup { publisher, config }
}

impl Setup {
    /// A subscriber that reads already: what joining takes is not measured.
    fn reader(&self) -> Subscriber {
        self.publisher.publish_acknowledged(&reading(1, 1)).expect("the broker is there");
        let subscriber = create_subscriber("bench", self.config.clone()).expect("a subscriber");
        subscriber.start().expect("it starts");
        next(&subscriber);
        subscriber
    }
}

fn next(subscriber: &Subscriber) -> Reading {
    subscriber.get_data(PATIENCE).expect("reading goes on").expect("a record in time")
}

pub fn run(library: &str, work: &str, bootstrap: &str, records: u64) -> Figures {
    match work {
        "through" => through(&setup(library, bootstrap, 5), records),
        "publish" => publish(&setup(library, bootstrap, 5), records),
        _ => latency(&setup(library, bootstrap, 0), records),
    }
}

fn rate(records: u64, began: Instant, processor: Duration) -> Figures {
    let (elapsed, used) = (began.elapsed(), processor_time().saturating_sub(processor));
    Figures {
        records_per_second: Some(records as f64 / elapsed.as_secs_f64()),
        cpu_microseconds: used.as_secs_f64() * 1e6 / records as f64,
        p50: None,
        p99: None,
    }
}

fn through(setup: &Setup, records: u64) -> Figures {
    let subscriber = setup.reader();
    let (began, processor) = (Instant::now(), processor_time());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..records {
                setup.publisher.publish(&reading(number, number)).expect("there is room in time");
            }
            setup.publisher.flush().expect("the broker acknowledges");
        });
        for number in 0..records {
            assert_eq!(next(&subscriber).sensor, number, "in order");
        }
    });
    rate(records, began, processor)
}

fn publish(setup: &Setup, records: u64) -> Figures {
    setup.publisher.publish_acknowledged(&reading(1, 1)).expect("the broker is there");
    let (began, processor) = (Instant::now(), processor_time());
    for number in 0..records {
        setup.publisher.publish(&reading(number, number)).expect("there is room in time");
    }
    setup.publisher.flush().expect("the broker acknowledges");
    rate(records, began, processor)
}

fn latency(setup: &Setup, records: u64) -> Figures {
    let subscriber = setup.reader();
    let (began, processor) = (Instant::now(), processor_time());
    let now = || u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut waits = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..records {
                let due = Duration::from_nanos(number * 1_000_000_000 / RATE);
                // What falls due while it sleeps goes out in one go, as in a program that is late.
                if let Some(left) = due.checked_sub(began.elapsed()) {
                    std::thread::sleep(left);
                }
                setup.publisher.publish(&reading(now(), number)).expect("there is room in time");
            }
        });
        for _ in 0..records {
            let published = next(&subscriber).at;
            waits.push(now().saturating_sub(published) as f64 / 1e6);
        }
    });
    waits.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| waits.get((waits.len() as f64 * share) as usize).copied();
    Figures { records_per_second: None, p50: at(0.5), p99: at(0.99), ..rate(records, began, processor) }
}

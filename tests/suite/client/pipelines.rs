//! Pipelines: what was read is written at least once, whatever happens in the middle.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use klamm_client::{ErrorKind, Pipeline, Subscriber};
use serde_json::{Value, json};

use super::place::{Place, merged, number, unique};
use crate::harness::DEADLINE;

super::everywhere! {
    a_pipeline_goes_on_behind_an_error
}

super::over_each_library! {
    a_worker_that_is_killed_in_the_middle_loses_nothing
}

fn config(place: &Place, from: &str, to: &str, group: &str) -> Value {
    let both = merged(place.subscribing(from, group, json!({})), place.publishing(to, json!({})));
    // Small batches: there is a middle to die in.
    merged(both, json!({ "consumer_config": { "max_poll_records": 20 } }))
}

/// Every number that has been written, in the order of its first coming.
fn written(place: &Place, topic: &str, count: usize) -> BTreeSet<u64> {
    let subscriber = place.subscriber(topic, &unique("group"), json!({}));
    let all = until_all(&subscriber, count);
    subscriber.stop().unwrap();
    all
}

fn until_all(subscriber: &Subscriber, count: usize) -> BTreeSet<u64> {
    let deadline = Instant::now() + DEADLINE;
    let mut all = BTreeSet::new();
    while all.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} were written", all.len());
        if let Ok(Some(record)) = subscriber.get_record(Duration::from_millis(100)) {
            all.insert(number(&record));
        }
    }
    all
}

fn a_pipeline_goes_on_behind_an_error(place: &Place) {
    let (from, to, group) = (place.topic(1), place.topic(1), unique("group"));
    place.fill(&from, 0..100);
    let run = |broken: Option<u64>| {
        let pipeline = klamm_client::create_pipeline("suite", config(place, &from, &to, &group)).unwrap();
        let stopper = pipeline.clone();
        let done = pipeline.run(|input: klamm_client::Input<u64>| {
            if Some(input.value) == broken {
                return Err("it is broken");
            }
            if input.value == 99 {
                stopper.stop();
            }
            Ok([input.value + 1000])
        });
        (done, pipeline)
    };
    let (failed, _) = run(Some(50));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Processing);
    let (report, pipeline) = run(None);
    assert!(report.unwrap().read >= 50);
    assert!(pipeline.subscriber().details().receive_count >= 50);
    assert_eq!(written(place, &to, 100), (1000..1100).collect());
}

/// A process that runs a pipeline until it is killed. It says what it has come to.
#[test]
#[ignore = "run as a process by the test below"]
fn worker() {
    let Ok(config) = std::env::var("KLAMM_SUITE_PIPELINE") else { return };
    let config: Value = serde_json::from_str(&config).unwrap();
    let pipeline: Pipeline = klamm_client::create_pipeline("worker", config).unwrap();
    let done = pipeline.run(|input: klamm_client::Input<u64>| {
        println!("\nat {}", input.value);
        Ok::<_, String>([input.value])
    });
    panic!("a pipeline ended that nobody stopped: {done:?}");
}

fn a_worker_that_is_killed_in_the_middle_loses_nothing(library: &'static str) {
    let place = Place::served(library);
    let (from, to, group) = (place.topic(1), place.topic(1), unique("group"));
    place.fill(&from, 0..1000);
    let config = config(&place, &from, &to, &group).to_string();
    // Each is killed a little later, somewhere between reading, writing and committing.
    for last in [137, 430, 777, 999] {
        let mut worker = Command::new(std::env::current_exe().unwrap());
        worker.args(["--exact", "client::pipelines::worker", "--ignored", "--nocapture"]);
        let mut worker = worker.env("KLAMM_SUITE_PIPELINE", &config).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines().map_while(Result::ok);
        let reached =
            lines.any(|line| line.strip_prefix("at ").is_some_and(|n| n.parse() == Ok::<u64, _>(last)));
        if last == 999 {
            assert!(reached);
            assert_eq!(written(&place, &to, 1000), (0..1000).collect());
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert!(reached, "the worker ended before {last}");
    }
}

//! Many brokers in one process: side by side, started and dropped over and over, in whatever state they are.

use std::time::Duration;

use klamm::{ApiKey, Fault};

use super::children;
use crate::harness::wait_for;

#[test]
fn hundreds_side_by_side_have_nothing_in_common() {
    let brokers: Vec<_> = (0..300).map(|_| klamm::testing::broker().topic("orders", 1).start()).collect();
    std::thread::scope(|scope| {
        for part in brokers.chunks(50) {
            scope.spawn(move || {
                for broker in part {
                    broker.publish("orders", &broker.bootstrap_servers());
                }
            });
        }
    });
    for broker in &brokers {
        assert_eq!(broker.texts("orders"), [broker.bootstrap_servers()]);
        assert_eq!(broker.requests(ApiKey::Produce), 1);
    }
}

/// Brokers as tests leave them: idle, with clients attached, in the middle of a request, reset, forked.
fn one_of_each() {
    let broker = klamm::testing::broker().topic("orders", 1).start();
    let subscriber = broker.subscriber("orders");
    broker.publish("orders", "a lamp");
    broker.wait_for_group("test", 1);
    let fork = broker.fork();
    fork.publish("orders", "a chair");
    drop(fork);
    broker.reset();
    let rule = broker.fault(Fault::on(ApiKey::Produce).delay_on_clock(Duration::from_secs(60)));
    let publisher = broker.publisher("orders");
    publisher.publish("never answered").unwrap();
    broker.wait_for_hits(rule, 1);
    let _ = publisher.stop_within(Duration::ZERO);
    drop(subscriber);
}

/// How many of them this process has. None where the system does not tell.
fn open_of(kind: &str) -> Option<usize> {
    Some(std::fs::read_dir(format!("/proc/self/{kind}")).ok()?.count())
}

#[test]
fn child_that_starts_five_hundred_brokers() {
    if !children::is_one() {
        return;
    }
    one_of_each();
    let settled = |kind: &str, most: usize| {
        wait_for(&format!("no more than {most} of {kind}"), || (open_of(kind)? <= most).then_some(()));
    };
    // The client's own runtime, and what the harness has, stay; all of a broker goes. One connection of a client that has
    // just been dropped may be on its way out.
    let (tasks, files) = (open_of("task"), open_of("fd"));
    for round in 0..500 {
        match round % 25 {
            0 => one_of_each(),
            1 => drop(std::panic::catch_unwind(|| {
                let _broker = klamm::testing::broker().topic("orders", 1).start();
                panic!("in the middle");
            })),
            _ => drop(klamm::testing::broker().topic("orders", 1).start().publish("orders", "a lamp")),
        }
    }
    if let (Some(tasks), Some(files)) = (tasks, files) {
        settled("task", tasks);
        settled("fd", files + 1);
    }
}

#[test]
fn five_hundred_brokers_leave_no_thread_and_no_descriptor_behind() {
    let output = children::run("testing::many::child_that_starts_five_hundred_brokers", None);
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

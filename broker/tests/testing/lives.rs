//! What a test has a broker in hand with outlives a reset and a restore.

use std::time::Duration;

use klamm_broker::{ApiKey, Fault, JournalOptions, ResponseError, WaitFor};

use crate::harness::{DEADLINE, START, Wire, broker, errors, produce};

#[test]
fn a_wait_goes_on_through_a_reset_and_counts_what_the_new_life_has() {
    let broker = broker().start().unwrap();
    Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9);
    let waiting = broker.wait_for_async(WaitFor::Records { topic: "a".to_owned(), count: 2 }, DEADLINE);
    broker.reset().unwrap();
    Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9);
    let error = broker.wait_for_records("a", 2, Duration::from_millis(5)).unwrap_err();
    assert_eq!(error.seen, "1 record in 2 partitions of 'a'");
    Wire::connect(&broker).call(&produce(&[("a", 1)], START), 9);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(waiting).unwrap();
    assert_eq!(broker.requests(ApiKey::Produce), 3, "what was counted is not forgotten");
}

#[test]
fn faults_go_with_a_reset_and_stay_with_a_restore_and_are_not_forked() {
    let broker = broker().start().unwrap();
    let moved = || Fault::on(ApiKey::Produce).error(ResponseError::NotLeaderOrFollower);
    let code = |broker: &klamm_broker::Broker| {
        errors(&Wire::connect(broker).call(&produce(&[("a", 0)], START), 9))[0].2
    };
    let before = broker.snapshot().unwrap();
    broker.faults().add(moved()).unwrap();
    broker.restore(&before).unwrap();
    assert_eq!(code(&broker), 6);
    assert_eq!(code(&broker.fork().unwrap()), 0);
    broker.faults().set_disk_full(true);
    broker.reset().unwrap();
    assert_eq!(code(&broker), 0);
    broker.faults().set_disk_full(true);
    let answer = Wire::connect(&broker).call(&produce(&[("b", 0)], START), 9);
    assert_eq!(errors(&answer)[0].2, 56, "the new life looks at the same switch");
}

#[test]
fn a_journal_ends_with_the_life_that_it_began_in() {
    let broker = broker().journal(JournalOptions::memory()).start().unwrap();
    Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9);
    assert!(broker.journal().unwrap().is_complete());
    broker.reset().unwrap();
    Wire::connect(&broker).call(&produce(&[("a", 0)], START), 9);
    let journal = broker.journal().unwrap();
    assert!(!journal.is_complete());
    assert_eq!(journal.requests(), 1);
    assert!(journal.replay().unwrap().is_equal());
}

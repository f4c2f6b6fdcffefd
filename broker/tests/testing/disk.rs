//! Trouble with the disk: for one partition by rule, for all of them by word.

use klamm_broker::{ApiKey, Broker, Fault};

use crate::harness::{START, Wire, errors, produce};

const STORAGE_ERROR: i16 = 56;

fn codes(wire: &mut Wire) -> Vec<i16> {
    errors(&wire.call(&produce(&[("a", 0), ("a", 1)], START), 9))
        .into_iter()
        .map(|(_, _, code)| code)
        .collect()
}

#[test]
fn a_full_disk_can_be_that_of_one_partition_and_gets_room_again() {
    let broker = Broker::builder().topic("a", 2).start().unwrap();
    let mut wire = Wire::connect(&broker);
    broker.faults().add(Fault::on(ApiKey::Produce).topic("a").partition(1).first(2).disk_full()).unwrap();
    assert_eq!(codes(&mut wire), [0, STORAGE_ERROR]);
    assert_eq!(codes(&mut wire), [0, STORAGE_ERROR]);
    assert_eq!(codes(&mut wire), [0, 0]);
}

#[test]
fn a_partition_whose_sync_failed_takes_nothing_more_until_the_broker_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Broker::builder().data_dir(folder.path()).topic("a", 2).start().unwrap();
    let broker = start();
    let mut wire = Wire::connect(&broker);
    broker.faults().add(Fault::on(ApiKey::Produce).topic("a").partition(0).nth(2).failed_sync()).unwrap();
    assert_eq!(codes(&mut wire), [0, 0]);
    assert_eq!(codes(&mut wire), [STORAGE_ERROR, 0]);
    assert_eq!(codes(&mut wire), [STORAGE_ERROR, 0], "what is on the disk is not known");
    drop(broker);
    let broker = start();
    let mut wire = Wire::connect(&broker);
    assert_eq!(codes(&mut wire), [0, 0]);
}

#[test]
fn the_whole_disk_can_be_full() {
    let broker = Broker::builder().topic("a", 2).start().unwrap();
    let mut wire = Wire::connect(&broker);
    broker.faults().set_disk_full(true);
    assert_eq!(codes(&mut wire), [STORAGE_ERROR, STORAGE_ERROR]);
    broker.faults().clear();
    assert_eq!(codes(&mut wire), [0, 0]);
}

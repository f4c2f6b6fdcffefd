//! Reading elsewhere, and not reading for a while.

use klamm_client::{ErrorKind, Message, StartAt};
use serde_json::json;

use super::place::{NOTHING, Place, numbers, read, unique};
use crate::harness::DEADLINE;

super::everywhere! {
    replaying_goes_where_it_is_told
    seeking_moves_one_partition
    a_pause_holds_back_and_loses_nothing
}

fn replaying_goes_where_it_is_told(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({}));
    for n in 0..10 {
        publisher.send(Message::new(&n).timestamp(1_700_000_000_000 + n * 1000)).unwrap();
    }
    publisher.flush().unwrap();
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    assert_eq!(numbers(&subscriber, 10), (0..10).collect::<Vec<_>>());
    subscriber.replay(StartAt::Earliest).unwrap();
    assert_eq!(numbers(&subscriber, 2), [0, 1]);
    subscriber.replay(StartAt::Offset(7)).unwrap();
    assert_eq!(numbers(&subscriber, 3), [7, 8, 9]);
    subscriber.replay(StartAt::Time(1_700_000_004_500)).unwrap();
    assert_eq!(numbers(&subscriber, 2), [5, 6]);
    subscriber.replay(StartAt::Latest).unwrap();
    assert!(subscriber.get_record(NOTHING).unwrap().is_none());
    publisher.publish_acknowledged(&10).unwrap();
    assert_eq!(numbers(&subscriber, 1), [10]);
    assert_eq!(subscriber.offsets(StartAt::Earliest).unwrap()[0].1, Some(0));
    assert_eq!(subscriber.offsets(StartAt::Latest).unwrap()[0].1, Some(11));
    assert_eq!(subscriber.offsets(StartAt::Time(1_700_000_003_000)).unwrap()[0].1, Some(3));
    assert_eq!(subscriber.offsets(StartAt::Time(i64::MAX / 4)).unwrap()[0].1, None);
    assert_eq!(subscriber.replay(StartAt::Offset(-1)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    subscriber.stop().unwrap();
}

fn seeking_moves_one_partition(place: &Place) {
    let topic = place.topic(2);
    let publisher = place.publisher(&topic, json!({}));
    for n in 0..10 {
        publisher.send(Message::new(&n).partition(n % 2)).unwrap();
    }
    publisher.flush().unwrap();
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    read(&subscriber, 10);
    subscriber.seek(1, StartAt::Offset(3)).unwrap();
    let records = read(&subscriber, 2);
    assert!(records.iter().all(|record| record.partition == 1));
    assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), [3, 4]);
    assert!(subscriber.get_record(NOTHING).unwrap().is_none());
    assert_eq!(subscriber.seek(9, StartAt::Earliest).unwrap_err().kind(), ErrorKind::InvalidArgument);
    subscriber.stop().unwrap();
}

fn a_pause_holds_back_and_loses_nothing(place: &Place) {
    let topic = place.topic(2);
    let publisher = place.publisher(&topic, json!({}));
    let publish = |n: u64| {
        let partition = i32::try_from(n % 2).unwrap();
        publisher.send_acknowledged(Message::new(&n).partition(partition)).unwrap();
    };
    (0..10).for_each(publish);
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    let mut all = numbers(&subscriber, 3);
    subscriber.pause().unwrap();
    (10..20).for_each(publish);
    assert!(subscriber.get_record(NOTHING).unwrap().is_none());
    subscriber.resume().unwrap();
    all.extend(numbers(&subscriber, 17));
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());

    let partitions = subscriber.wait_for_assignment(DEADLINE).unwrap();
    let odd: Vec<_> = partitions.into_iter().filter(|one| one.partition == 1).collect();
    subscriber.pause_partitions(&odd).unwrap();
    (20..24).for_each(publish);
    assert_eq!(numbers(&subscriber, 2), [20, 22]);
    assert!(subscriber.get_record(NOTHING).unwrap().is_none());
    subscriber.resume_partitions(&odd).unwrap();
    assert_eq!(numbers(&subscriber, 2), [21, 23]);
    subscriber.stop().unwrap();
}

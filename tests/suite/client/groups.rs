//! Groups: members share partitions, come and go, and nothing is lost or handed out twice that was committed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use klamm_client::{RebalanceListener, Subscriber, TopicPartition};
use serde_json::{Value, json};

use super::place::{Place, number, read, unique};
use crate::harness::{DEADLINE, wait_for};

super::everywhere! {
    three_members_share_and_take_over_eagerly
    three_members_share_and_take_over_cooperatively
    a_listener_is_told_before_partitions_go
    a_static_member_comes_back_to_its_partitions
    a_member_that_dies_is_replaced
}

fn strategy(name: &str) -> Value {
    json!({ "consumer_config": { "partition_assignment_strategy": [name] } })
}

fn assigned(member: &Subscriber) -> BTreeSet<i32> {
    member.details().assignment.iter().map(|one| one.partition).collect()
}

/// Waits until these members have all of so many partitions, each one once.
fn shared(members: &[&Subscriber], partitions: usize) {
    wait_for("the partitions to be shared", || {
        let each: Vec<_> = members.iter().map(|member| assigned(member)).collect();
        let all: BTreeSet<_> = each.iter().flatten().collect();
        let even = each.iter().all(|one| one.len() >= partitions / members.len());
        (even && all.len() == partitions && each.iter().map(BTreeSet::len).sum::<usize>() == partitions)
            .then_some(())
    });
}

/// Takes from all members until every number has come; gives how many others came, or came again.
fn all_of(members: &[&Subscriber], wanted: std::ops::Range<u64>) -> usize {
    let deadline = Instant::now() + DEADLINE;
    let (mut seen, mut again) = (BTreeSet::new(), 0);
    while seen.len() < usize::try_from(wanted.end - wanted.start).unwrap() {
        assert!(Instant::now() < deadline, "{} of {wanted:?} came", seen.len());
        for member in members {
            match member.get_record(Duration::from_millis(5)) {
                Ok(Some(record)) => {
                    let new = wanted.contains(&number(&record)) && seen.insert(number(&record));
                    again += usize::from(!new);
                }
                Ok(None) => {}
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
        }
    }
    again
}

fn three_members_share_and_take_over_eagerly(place: &Place) {
    share_and_take_over(place, "range");
    share_and_take_over(place, "roundrobin");
}

fn three_members_share_and_take_over_cooperatively(place: &Place) {
    share_and_take_over(place, "cooperative-sticky");
}

fn share_and_take_over(place: &Place, how: &str) {
    let (topic, group) = (place.topic(6), unique("group"));
    let join = || place.subscriber(&topic, &group, strategy(how));
    place.fill(&topic, 0..60);
    let first = join();
    shared(&[&first], 6);
    assert_eq!(all_of(&[&first], 0..60), 0);
    first.commit().unwrap();
    let (second, third) = (join(), join());
    shared(&[&first, &second, &third], 6);
    place.fill(&topic, 60..120);
    assert_eq!(all_of(&[&first, &second, &third], 60..120), 0, "each record goes to one member");
    for member in [&first, &second, &third] {
        member.commit().unwrap();
    }
    second.stop().unwrap();
    shared(&[&first, &third], 6);
    place.fill(&topic, 120..180);
    assert_eq!(all_of(&[&first, &third], 120..180), 0);
    first.stop().unwrap();
    third.stop().unwrap();
}

/// Writes down what it is told, and commits before partitions go.
#[derive(Debug, Default)]
struct Notes {
    told: Mutex<Vec<(&'static str, BTreeSet<i32>)>>,
    member: OnceLock<Subscriber>,
}

impl Notes {
    fn note(&self, what: &'static str, partitions: &[TopicPartition]) {
        let partitions = partitions.iter().map(|one| one.partition).collect();
        self.told.lock().unwrap().push((what, partitions));
    }

    fn has(&self, what: &str) -> bool {
        self.told.lock().unwrap().iter().any(|(told, _)| *told == what)
    }
}

impl RebalanceListener for Notes {
    fn assigned(&self, partitions: &[TopicPartition]) {
        self.note("assigned", partitions);
    }

    fn revoked(&self, partitions: &[TopicPartition]) {
        if let Some(member) = self.member.get() {
            member.commit().unwrap();
        }
        self.note("revoked", partitions);
    }

    fn lost(&self, partitions: &[TopicPartition]) {
        self.note("lost", partitions);
    }
}

fn a_listener_is_told_before_partitions_go(place: &Place) {
    for how in ["range", "cooperative-sticky"] {
        let (topic, group) = (place.topic(2), unique("group"));
        place.fill(&topic, 0..10);
        let notes = Arc::new(Notes::default());
        let config = place.subscribing(&topic, &group, strategy(how));
        let first =
            klamm_client::create_subscriber("first", config).unwrap().with_rebalance_listener(notes.clone());
        first.start().unwrap();
        notes.member.set(first.clone()).unwrap();
        read(&first, 10);
        assert_eq!(notes.told.lock().unwrap()[..], [("assigned", BTreeSet::from([0, 1]))]);
        let second = place.subscriber(&topic, &group, strategy(how));
        shared(&[&first, &second], 2);
        assert!(notes.has("revoked"), "{how}: {notes:?}");
        // What was handed out was committed before the partition went: it is not handed out again.
        place.fill(&topic, 10..20);
        assert_eq!(all_of(&[&first, &second], 10..20), 0);
        first.stop().unwrap();
        second.stop().unwrap();
        assert!(!notes.has("lost"), "{how}: {notes:?}");
    }
}

fn a_static_member_comes_back_to_its_partitions(place: &Place) {
    let (topic, group) = (place.topic(4), unique("group"));
    let join = |instance: &str| {
        let more = json!({ "consumer_config": { "group_instance_id": instance } });
        place.subscriber(&topic, &group, more)
    };
    let (one, other) = (join("one"), join("other"));
    shared(&[&one, &other], 4);
    let (before, stays) = (assigned(&one), assigned(&other));
    one.stop().unwrap();
    let back = join("one");
    wait_for("its partitions", || (assigned(&back) == before).then_some(()));
    assert_eq!(assigned(&other), stays, "the other member has not noticed");
    back.stop().unwrap();
    other.stop().unwrap();
}

fn a_member_that_dies_is_replaced(place: &Place) {
    let (topic, group) = (place.topic(2), unique("group"));
    place.fill(&topic, 0..20);
    let dying = place.subscriber(&topic, &group, json!({}));
    let records = read(&dying, 20);
    // Of one partition half is done, of the other nothing.
    let done = records.iter().filter(|record| record.partition == records[0].partition).nth(4).unwrap();
    dying.commit_record(done).unwrap();
    drop(dying);
    let heir = place.subscriber(&topic, &group, json!({}));
    let left = read(&heir, 15);
    assert!(left.iter().all(|one| one.partition != done.partition || one.offset > done.offset));
    heir.stop().unwrap();
}

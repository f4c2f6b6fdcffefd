//! Groups whose members are of every make.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use klamm_client::{Message, Subscriber};
use serde_json::json;

use super::peer::{Member, makes};
use crate::client::place::{Place, number, unique};
use crate::harness::DEADLINE;

const PARTITIONS: i32 = 10;

#[test]
fn members_of_every_make_share_a_topic_eagerly() {
    share("range");
}

#[test]
fn members_of_every_make_share_a_topic_cooperatively() {
    share("cooperative-sticky");
}

/// The libraries of this client, where they are compiled in.
const LIBRARIES: &[&str] = if cfg!(feature = "rdkafka") { &["native", "rdkafka"] } else { &["native"] };

struct Group {
    here: Vec<(&'static str, Subscriber)>,
    there: Vec<(&'static str, Member)>,
}

impl Group {
    /// What has come to each member since this was last asked, and where.
    fn given(&self) -> BTreeMap<&'static str, Vec<(i32, u64)>> {
        let mut given = BTreeMap::new();
        for (library, subscriber) in &self.here {
            let of_this: &mut Vec<_> = given.entry(*library).or_default();
            loop {
                match subscriber.get_record(Duration::from_millis(5)) {
                    Ok(Some(record)) => of_this.push((record.partition, number(&record))),
                    Ok(None) => break,
                    Err(error) => assert!(error.is_retriable(), "{error}"),
                }
            }
        }
        for (make, member) in &self.there {
            let lines = member.given().into_iter();
            let number = |value: &[u8]| std::str::from_utf8(value).unwrap().parse().unwrap();
            let lines = lines.map(|line| (line.partition, number(&line.value.unwrap())));
            given.insert(make, lines.collect());
        }
        given
    }
}

fn share(how: &str) {
    let place = Place::served("native");
    let (topic, group) = (place.topic(PARTITIONS), unique("group"));
    // Automatic commits, so that what was given to one is not given to the next.
    let more = json!({ "consumer_config": {
        "partition_assignment_strategy": [how], "enable_auto_commit": true, "auto_commit_interval_ms": 50,
    } });
    let mut members = Group { here: Vec::new(), there: Vec::new() };
    for library in LIBRARIES {
        let place = Place::at(library, &place.address);
        members.here.push((*library, place.subscriber(&topic, &group, more.clone())));
    }
    for make in makes() {
        members.there.push((make, Member::join(make, &place.address, &topic, &group, how)));
    }
    let publisher = place.publisher(&topic, json!({}));
    let mut next = 0;
    let mut round = |members: &Group| {
        let wanted: BTreeSet<u64> = (next..next + 50).collect();
        for n in &wanted {
            let partition = i32::try_from(*n).unwrap() % PARTITIONS;
            publisher.send(Message::new(n).partition(partition)).unwrap();
        }
        publisher.flush().unwrap();
        next += 50;
        all_of(members, &wanted)
    };
    // Until all members have joined and each has been given something.
    let (count, deadline) = (members.here.len() + members.there.len(), Instant::now() + 2 * DEADLINE);
    while round(&members).len() < count {
        assert!(Instant::now() < deadline, "some member is given nothing");
    }
    // From then on each partition is one member's, and each record is given once.
    let shares = round(&members);
    assert_eq!(shares.len(), count);
    let mut partitions: Vec<i32> = shares.values().flatten().copied().collect();
    partitions.sort_unstable();
    assert_eq!(partitions, (0..PARTITIONS).collect::<Vec<_>>(), "{shares:?}");
    for (_, member) in members.there.drain(..) {
        member.leave();
    }
    let shares = round(&members);
    assert_eq!(shares.values().map(BTreeSet::len).sum::<usize>(), 10, "{shares:?}");
    for (_, member) in members.here {
        member.stop().unwrap();
    }
}

/// Waits until all of these have come, and gives the partitions that each member was given them from.
fn all_of(members: &Group, wanted: &BTreeSet<u64>) -> BTreeMap<&'static str, BTreeSet<i32>> {
    let deadline = Instant::now() + DEADLINE;
    let mut shares: BTreeMap<&'static str, BTreeSet<i32>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    while seen.len() < wanted.len() {
        assert!(Instant::now() < deadline, "{} of {} came", seen.len(), wanted.len());
        for (member, given) in members.given() {
            for (partition, n) in given.into_iter().filter(|(_, n)| wanted.contains(n)) {
                seen.insert(n);
                shares.entry(member).or_default().insert(partition);
            }
        }
    }
    shares
}

//! Committing, deleting and expiring offsets.

use kafka_protocol::error::ResponseError::{self, *};

use super::super::event::{Join, Step};
use super::super::offsets::{Commit, Committer};
use super::super::state::GroupState::*;
use super::{Bench, join, protocol};

const DAY: i64 = 24 * 3_600_000;

fn nobody() -> Committer {
    Committer { member_id: String::new(), instance_id: None, generation: -1, retention_ms: -1 }
}

fn member(id: &str, generation: i32) -> Committer {
    Committer { member_id: id.to_owned(), generation, ..nobody() }
}

fn at(topic: &str, partition: i32, offset: i64) -> Commit {
    Commit {
        topic: topic.to_owned(),
        topic_id: uuid::Uuid::nil(),
        partition,
        offset,
        leader_epoch: 3,
        metadata: "m".to_owned(),
        error: None,
    }
}

impl Bench {
    fn commit(&mut self, by: &Committer, mut commits: Vec<Commit>) -> Result<Vec<Commit>, ResponseError> {
        self.run(|group, cx| match group.commit(cx, by, &mut commits) {
            Ok(step) => (Ok(commits), step),
            Err(error) => (Err(error), Step::default()),
        })
    }

    fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        self.group.offsets().get(topic, partition).map(|value| value.offset)
    }

    fn delete_offset(&mut self, topic: &str) -> Result<Option<ResponseError>, ResponseError> {
        self.run(|group, _| match group.delete_offsets(&[(topic, 0)]) {
            Ok((results, step)) => (Ok(results[0]), step),
            Err(error) => (Err(error), Step::default()),
        })
    }

    fn expire_offsets(&mut self) {
        self.run(|group, cx| ((), group.expire_offsets(cx)));
    }
}

#[test]
fn a_simple_consumer_commits_to_a_group_without_members() {
    let mut bench = Bench::new();
    bench.commit(&nobody(), vec![at("t", 0, 5)]).unwrap();
    assert_eq!(bench.committed("t", 0), Some(5));
    assert_eq!(bench.log.len(), 1, "no group metadata is written");
    assert_eq!(bench.restarted().offsets().get("t", 0), bench.group.offsets().get("t", 0));
    assert_eq!(bench.commit(&member("", 0), vec![]).unwrap_err(), UnknownMemberId);
}

#[test]
fn members_commit_under_their_generation() {
    let mut bench = Bench::new();
    let joined = bench.join(join(""));
    let id = joined.member_id;
    assert_eq!(bench.commit(&member(&id, 1), vec![at("t", 0, 1)]).unwrap_err(), RebalanceInProgress);
    bench.sync(&id, 1, &[]);
    bench.commit(&member(&id, 1), vec![at("t", 0, 1)]).unwrap();
    assert_eq!(bench.commit(&member(&id, 2), vec![]).unwrap_err(), IllegalGeneration);
    assert_eq!(bench.commit(&member(&id, -1), vec![]).unwrap_err(), IllegalGeneration);
    assert_eq!(bench.commit(&member("x", 1), vec![]).unwrap_err(), UnknownMemberId);
    assert_eq!(bench.commit(&nobody(), vec![]).unwrap_err(), UnknownMemberId);
    bench.start_join(join(""));
    assert_eq!(bench.group.state(), PreparingRebalance);
    bench.commit(&member(&id, 1), vec![at("t", 0, 2)]).unwrap();
    assert_eq!(bench.committed("t", 0), Some(2));
}

#[test]
fn a_commit_is_a_sign_of_life() {
    let mut bench = Bench::new();
    let (id, generation) = bench.stable_alone();
    for _ in 0..4 {
        bench.pass(6000);
        bench.commit(&member(&id, generation), vec![at("t", 0, 1)]).unwrap();
    }
    assert_eq!(bench.group.state(), Stable);
}

#[test]
fn too_much_metadata_concerns_its_partition_alone() {
    let mut bench = Bench::new();
    let long = Commit { metadata: "x".repeat(4097), ..at("t", 0, 5) };
    let fits = Commit { metadata: "ä".repeat(4096), ..at("t", 1, 6) };
    let done = bench.commit(&nobody(), vec![long, fits]).unwrap();
    assert_eq!((done[0].error, done[1].error), (Some(OffsetMetadataTooLarge), None));
    assert_eq!((bench.committed("t", 0), bench.committed("t", 1)), (None, Some(6)));
}

#[test]
fn a_commit_that_is_not_in_the_log_did_not_happen() {
    let mut bench = Bench::new();
    bench.log_fails = true;
    bench.commit(&nobody(), vec![at("t", 0, 5)]).unwrap();
    assert_eq!(bench.committed("t", 0), None);
    assert!(!bench.group.is_remembered());
}

#[test]
fn offsets_of_subscribed_topics_are_not_deleted() {
    let mut bench = Bench::new();
    let (id, generation) = bench.stable_alone();
    bench.commit(&member(&id, generation), vec![at("t", 0, 1), at("other", 0, 1)]).unwrap();
    assert_eq!(bench.delete_offset("t"), Ok(Some(GroupSubscribedToTopic)));
    assert_eq!(bench.delete_offset("other"), Ok(None));
    assert_eq!((bench.committed("t", 0), bench.committed("other", 0)), (Some(1), None));
    bench.leave(&id, None);
    assert_eq!(bench.delete_offset("t"), Ok(None));
    assert!(bench.restarted().offsets().is_empty());
}

#[test]
fn of_other_kinds_of_groups_no_offset_is_deleted_while_they_work() {
    let mut bench = Bench::new();
    let connect =
        Join { protocol_type: "connect".to_owned(), protocols: vec![protocol("range", &[])], ..join("") };
    bench.join(connect);
    assert_eq!(bench.delete_offset("t"), Err(NonEmptyGroup));
}

#[test]
fn a_group_is_deleted_once_it_is_empty() {
    let mut bench = Bench::new();
    let (id, generation) = bench.stable_alone();
    bench.commit(&member(&id, generation), vec![at("t", 0, 1)]).unwrap();
    assert_eq!(bench.group.delete().unwrap_err(), NonEmptyGroup);
    bench.leave(&id, None);
    let step = bench.group.delete().unwrap();
    bench.run(|_, _| ((), step));
    assert_eq!(bench.group.state(), Dead);
    assert!(bench.restarted().offsets().is_empty() && !bench.restarted().is_remembered());
}

#[test]
fn a_simple_groups_offsets_expire_after_their_commit() {
    let mut bench = Bench::new();
    bench.commit(&nobody(), vec![at("t", 0, 1)]).unwrap();
    bench.pass(DAY);
    bench.commit(&nobody(), vec![at("t", 1, 1)]).unwrap();
    bench.pass(6 * DAY);
    bench.expire_offsets();
    assert_eq!((bench.committed("t", 0), bench.committed("t", 1)), (None, Some(1)));
    bench.pass(DAY);
    bench.expire_offsets();
    assert_eq!(bench.group.state(), Dead, "nothing is left of it");
}

#[test]
fn a_groups_offsets_expire_after_its_last_member_left() {
    let mut bench = Bench::new();
    let (id, generation) = bench.stable_alone();
    bench.commit(&member(&id, generation), vec![at("t", 0, 1)]).unwrap();
    for _ in 0..10 {
        bench.now += DAY;
        bench.group.members.values_mut().for_each(|member| member.session_ends = None);
        bench.expire_offsets();
    }
    assert_eq!(bench.committed("t", 0), Some(1), "a subscribed topic's offset expired");
    bench.leave(&id, None);
    bench.pass(7 * DAY - 1);
    bench.expire_offsets();
    assert_eq!(bench.committed("t", 0), Some(1));
    bench.pass(1);
    bench.expire_offsets();
    assert_eq!((bench.committed("t", 0), bench.group.state()), (None, Dead));
}

#[test]
fn what_a_stable_group_no_longer_reads_expires() {
    let mut bench = Bench::new();
    let (id, generation) = bench.stable_alone();
    bench.commit(&member(&id, generation), vec![at("t", 0, 1), at("old", 0, 1)]).unwrap();
    bench.now += 7 * DAY;
    bench.run(|group, cx| ((), group.expire_offsets(cx)));
    assert_eq!((bench.committed("t", 0), bench.committed("old", 0)), (Some(1), None));
}

#[test]
fn an_explicit_retention_time_wins() {
    let mut bench = Bench::new();
    let by = Committer { retention_ms: 1000, ..nobody() };
    bench.commit(&by, vec![at("t", 0, 1)]).unwrap();
    bench.pass(999);
    bench.expire_offsets();
    assert_eq!(bench.committed("t", 0), Some(1));
    assert_eq!(bench.restarted().offsets().get("t", 0).unwrap().expire_timestamp, Some(1_001_000));
    bench.pass(1);
    bench.expire_offsets();
    assert_eq!(bench.committed("t", 0), None);
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut bench = Bench::new();
    bench.commit(&nobody(), vec![at("t", 0, 1), at("t", 1, 1), at("u", 0, 1)]).unwrap();
    bench.run(|group, _| ((), group.forget_topic("t")));
    assert_eq!(bench.group.offsets().len(), 1);
    assert_eq!(bench.committed("u", 0), Some(1));
}

//! Deadlines of every kind, each run by moving the clock and by nothing else: what waits is answered, what is over is gone,
//! in the order in which it fell due.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{FetchRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest};
use kafka_protocol::protocol::StrBytes;
use klamm_broker::{Broker, Clock};

use crate::harness::{
    DEADLINE, START, Wire, broker, commit, errors, fetch, group, join, produce, stable, sync, text,
};

const UNKNOWN_MEMBER_ID: i16 = 25;
const REBALANCE_IN_PROGRESS: i16 = 27;
const MEMBER_ID_REQUIRED: i16 = 79;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Until something is the case that nothing but a look tells of.
fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "it does not come about");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn beat(wire: &mut Wire, id: &str, member: &StrBytes, generation: i32) -> i16 {
    let beat = HeartbeatRequest::default().with_group_id(group(id)).with_member_id(member.clone());
    wire.call(&beat.with_generation_id(generation), 3).error_code
}

#[test]
fn a_rebalance_goes_on_without_a_member_that_lives_and_does_not_join() {
    let broker = broker().start().unwrap();
    let (mut one, mut two) = (Wire::connect(&broker), Wire::connect(&broker));
    let patient = |member: &StrBytes| {
        join("g", member).with_session_timeout_ms(300_000).with_rebalance_timeout_ms(60_000)
    };
    let first = one.call(&patient(&StrBytes::default()), 3);
    assert_eq!(one.call(&sync("g", &first), 3).error_code, 0);
    two.send(&patient(&StrBytes::default()), 3);
    // It lives, and learns of the rebalance; it does not care.
    until(|| beat(&mut one, "g", &first.member_id, 1) == REBALANCE_IN_PROGRESS);
    broker.advance(Duration::from_millis(59_999));
    assert!(two.is_silent());
    assert_eq!(broker.group("g").unwrap().members.len(), 2);
    broker.advance(Duration::from_millis(1));
    assert_eq!(broker.group("g").unwrap().members.len(), 1, "it is out when advance returns");
    let second = two.receive::<JoinGroupRequest>(3);
    assert_eq!((second.error_code, second.generation_id, second.members.len()), (0, 2, 1));
    assert_eq!(beat(&mut one, "g", &first.member_id, 1), UNKNOWN_MEMBER_ID);
}

#[test]
fn a_new_group_waits_for_more_members_as_long_as_it_is_told_to() {
    let broker = broker().config("group.initial.rebalance.delay.ms", "3000").start().unwrap();
    let (mut one, mut two) = (Wire::connect(&broker), Wire::connect(&broker));
    one.send(&join("g", &StrBytes::default()), 3);
    until(|| broker.group("g").is_some_and(|group| group.members.len() == 1));
    broker.advance(Duration::from_millis(2_999));
    assert!(one.is_silent());
    two.send(&join("g", &StrBytes::default()), 3);
    until(|| broker.group("g").is_some_and(|group| group.members.len() == 2));
    // One has come meanwhile: it waits as long again.
    broker.advance(Duration::from_millis(1));
    assert!(one.is_silent() && two.is_silent());
    broker.advance(seconds(3));
    let answers = [one.receive::<JoinGroupRequest>(3), two.receive::<JoinGroupRequest>(3)];
    assert_eq!(answers.map(|answer| (answer.error_code, answer.generation_id)), [(0, 1), (0, 1)]);
}

#[test]
fn members_that_do_not_ask_for_their_assignment_are_out() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let request =
        join("g", &StrBytes::default()).with_session_timeout_ms(300_000).with_rebalance_timeout_ms(20_000);
    let joined = wire.call(&request, 3);
    assert_eq!(joined.error_code, 0);
    broker.advance(Duration::from_millis(19_999));
    assert_eq!(broker.group("g").unwrap().members.len(), 1);
    broker.advance(Duration::from_millis(1));
    assert_eq!(broker.group("g").unwrap().members, []);
    assert_eq!(wire.call(&sync("g", &joined), 3).error_code, UNKNOWN_MEMBER_ID);
}

#[test]
fn an_id_that_nobody_joins_with_is_forgotten_after_a_session() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let mut hand_out = || {
        let refused = wire.call(&join("g", &StrBytes::default()), 4);
        assert_eq!(refused.error_code, MEMBER_ID_REQUIRED);
        refused.member_id
    };
    let (in_time, too_late) = (hand_out(), hand_out());
    broker.advance(Duration::from_millis(9_999));
    assert_eq!(wire.call(&join("g", &in_time), 4).error_code, 0);
    broker.advance(Duration::from_millis(1));
    assert_eq!(wire.call(&join("g", &too_late), 4).error_code, UNKNOWN_MEMBER_ID);
}

#[test]
fn a_static_member_is_out_with_its_session_and_not_before() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let named = join("g", &StrBytes::default()).with_group_instance_id(Some(text("till-1")));
    let joined = wire.call(&named, 5);
    assert_eq!(joined.error_code, 0);
    assert_eq!(wire.call(&sync("g", &joined), 3).error_code, 0);
    drop(wire);
    broker.advance(Duration::from_millis(9_999));
    assert_eq!(broker.group("g").unwrap().members[0].instance_id.as_deref(), Some("till-1"));
    broker.advance(Duration::from_millis(1));
    assert_eq!(broker.group("g").unwrap().members, []);
}

#[test]
fn a_fetch_session_that_is_not_used_makes_room_for_another() {
    let broker = broker().config("max.incremental.fetch.session.cache.slots", "1").start().unwrap();
    let (mut one, mut two) = (Wire::connect(&broker), Wire::connect(&broker));
    let full = fetch(&[("a", 0)], 0).with_session_epoch(0);
    let first = one.call(&full, 12).session_id;
    assert!(first > 0);
    broker.advance(seconds(120));
    assert_eq!(two.call(&full, 12).session_id, 0, "two minutes are no long time");
    broker.advance(Duration::from_millis(1));
    let second = two.call(&full, 12).session_id;
    assert!(second > 0 && second != first);
    let next = fetch(&[], 0).with_session_id(first).with_session_epoch(1);
    assert_eq!(one.call(&next, 12).error_code, 70, "the first is no more");
}

#[test]
fn segments_are_rolled_and_synced_by_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let builder = broker().data_dir(folder.path());
    let builder = builder.config("log.roll.ms", "3600000").config("log.retention.ms", "-1");
    let broker = builder.start().unwrap();
    let mut wire = Wire::connect(&broker);
    let segments = || {
        let names = std::fs::read_dir(folder.path().join("a-0")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".log")).count()
    };
    let recovers_from = || {
        let text = std::fs::read_to_string(folder.path().join("recovery-point-offset-checkpoint")).unwrap();
        text.lines().find_map(|line| line.strip_prefix("a 0 ")).map(str::to_owned)
    };
    assert_eq!(errors(&wire.call(&produce(&[("a", 0)], START), 9))[0].2, 0);
    assert_eq!(segments(), 1);
    // Looked after every five minutes, as in Kafka.
    broker.advance(seconds(60 * 60 + 300));
    assert_eq!(recovers_from().as_deref(), Some("1"), "what is rolled is synced, and that is written down");
    assert_eq!(errors(&wire.call(&produce(&[("a", 0)], START), 9))[0].2, 0);
    assert_eq!(segments(), 2);
}

/// The times at which a group's journal was written, since the start.
fn written(broker: &Broker) -> Vec<i64> {
    let records = broker.records("__consumer_offsets").unwrap();
    let mut times: Vec<_> = records.iter().map(|record| record.timestamp_ms - START).collect();
    times.sort_unstable();
    times
}

#[test]
fn what_falls_due_on_the_way_is_done_at_its_own_time_and_in_order() {
    let builder = || broker().config("offsets.retention.minutes", "60");
    let act = |broker: &Broker| {
        let mut wire = Wire::connect(broker);
        for (id, session_ms) in [("late", 30_000), ("early", 10_000), ("middle", 20_000)] {
            let joined = wire.call(&join(id, &StrBytes::default()).with_session_timeout_ms(session_ms), 3);
            assert_eq!(wire.call(&sync(id, &joined), 3).error_code, 0);
        }
        wire.call(&commit("away", "a", 0, 7), 8);
    };
    // In one step, in many, and to the moment.
    let (one, many) = (builder().start().unwrap(), builder().start().unwrap());
    act(&one);
    act(&many);
    one.advance(seconds(3_600 * 2));
    for _ in 0..7_200 {
        many.advance(seconds(1));
    }
    assert_eq!(written(&one), written(&many));
    let sessions: Vec<_> = written(&one).into_iter().filter(|ms| (1..=30_000).contains(ms)).collect();
    assert_eq!(
        sessions,
        [10_000, 20_000, 30_000],
        "each group is written down as empty when its session ends"
    );
    assert_eq!(one.group("away"), None);
    assert_eq!(one.clock().now_ms(), START + 7_200_000);
}

#[test]
fn a_leap_of_a_year_is_one_of_many_small_ones() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    stable(&mut wire, "g");
    wire.call(&produce(&[("a", 0), ("b", 1)], START), 9);
    broker.advance(seconds(365 * 24 * 60 * 60));
    assert_eq!(broker.groups(), []);
    assert_eq!(broker.records("a").unwrap().len() + broker.records("b").unwrap().len(), 0);
}

#[test]
fn a_clients_patience_is_real_time() {
    // A clock that stands still must not hang one who waits for records that do not come, nor one that leaps hurry them.
    let broker = Broker::builder().topic("a", 1).clock(Clock::manual(START)).start().unwrap();
    let mut wire = Wire::connect(&broker);
    assert_eq!(wire.call(&fetch(&[("a", 0)], 5), 12).error_code, 0, "answered, though no time has passed");
    wire.send(&fetch(&[("a", 0)], 60_000), 12);
    broker.wait_idle(DEADLINE).unwrap();
    broker.advance(seconds(24 * 60 * 60));
    assert!(wire.is_silent());
    let mut other = Wire::connect(&broker);
    other.call(&produce(&[("a", 0)], START + 86_400_000), 9);
    let answer = wire.receive::<FetchRequest>(12);
    assert!(answer.responses[0].partitions[0].records.as_ref().is_some_and(|records| !records.is_empty()));
}

#[test]
fn a_member_that_leaves_in_time_is_not_run_out_later() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let joined = stable(&mut wire, "g");
    broker.advance(seconds(9));
    assert_eq!(beat(&mut wire, "g", &joined.member_id, 1), 0);
    broker.advance(seconds(9));
    assert_eq!(broker.group("g").unwrap().members.len(), 1, "the heartbeat has moved its deadline");
    let leave = LeaveGroupRequest::default().with_group_id(group("g")).with_member_id(joined.member_id);
    assert_eq!(wire.call(&leave, 1).error_code, 0);
    let written_before = written(&broker);
    broker.advance(seconds(60));
    assert_eq!(written(&broker), written_before);
}

//! Members with a `group.instance.id` (KIP-345).

use bytes::Bytes;
use kafka_protocol::error::ResponseError::*;

use super::super::event::{Join, Step};
use super::super::state::GroupState::*;
use super::{Bench, join, protocol};

fn join_as(instance: &str, member_id: &str) -> Join {
    Join { instance_id: Some(instance.to_owned()), member_id_required: true, ..join(member_id) }
}

/// One static member, alone in a stable group.
fn stable(bench: &mut Bench) -> String {
    let joined = bench.join(join_as("i", ""));
    assert_eq!((joined.error, joined.generation), (None, 1), "a static member needs no id first");
    bench.sync(&joined.member_id, 1, &[(&joined.member_id, "all")]);
    joined.member_id
}

#[test]
fn a_leader_that_is_back_without_its_id_keeps_the_generation_from_version_9_on() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    let back = bench.join(Join { may_skip_assignment: true, ..join_as("i", "") });
    assert_ne!(back.member_id, old);
    assert_eq!((back.generation, back.skip_assignment), (1, true));
    assert_eq!(back.leader, back.member_id);
    assert_eq!(back.members.len(), 1);
    assert_eq!(bench.sync(&back.member_id, 1, &[]).assignment, Bytes::from("all"));
    assert_eq!(bench.restarted().leader(), Some(back.member_id.as_str()));
}

#[test]
fn before_version_9_it_is_shown_the_old_leader() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    let back = bench.join(join_as("i", ""));
    assert_eq!((back.generation, back.leader.as_str(), back.skip_assignment), (1, old.as_str(), false));
    assert!(back.members.is_empty());
    assert_eq!(bench.sync(&back.member_id, 1, &[]).assignment, Bytes::from("all"));
}

#[test]
fn the_old_id_is_fenced() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    bench.join(join_as("i", ""));
    let beat = bench.run(|group, cx| (group.heartbeat(cx, &old, Some("i"), 1), Step::default()));
    assert_eq!(beat, Err(FencedInstanceId));
    assert_eq!(bench.join(join_as("i", &old)).error, Some(FencedInstanceId));
    assert_eq!(bench.join(join_as("unknown", &old)).error, Some(UnknownMemberId));
    assert_eq!(bench.leave(&old, Some("i")), Some(FencedInstanceId));
}

#[test]
fn another_protocol_means_a_rebalance() {
    let mut bench = Bench::new();
    stable(&mut bench);
    let both = vec![protocol("range", &["t"]), protocol("other", &["t"])];
    let back = bench.join(Join { protocols: both, ..join_as("i", "") });
    assert_eq!(back.generation, 1, "range is still first");
    let other_first = vec![protocol("other", &["t"]), protocol("range", &["t"])];
    let back = bench.join(Join { protocols: other_first, ..join_as("i", "") });
    assert_eq!((back.generation, back.protocol_name.as_deref()), (2, Some("other")));
}

#[test]
fn in_the_sync_phase_a_return_calls_the_generation_off() {
    let mut bench = Bench::new();
    let first = bench.join(join_as("i", ""));
    let back = bench.join(join_as("i", ""));
    assert_eq!((first.generation, back.generation), (1, 2));
    assert_eq!(bench.sync(&first.member_id, 1, &[]).error, Some(UnknownMemberId));
}

#[test]
fn a_waiting_join_of_the_old_id_is_fenced() {
    let mut bench = Bench::new();
    stable(&mut bench);
    let waiting = bench.start_join(join_as("j", ""));
    let id = bench.group.members().last().map(|member| member.id.clone());
    let again = bench.start_join(join_as("j", ""));
    let fenced = bench.joined[&waiting].clone();
    assert_eq!((fenced.error, Some(fenced.member_id)), (Some(FencedInstanceId), id));
    assert!(!bench.joined.contains_key(&again));
}

#[test]
fn static_members_survive_a_rebalance_they_miss_but_not_their_session() {
    let mut bench = Bench::new();
    let first = stable(&mut bench);
    let second = bench.start_join(join(""));
    bench.pass(5000);
    let _ = bench.run(|group, cx| (group.heartbeat(cx, &first, Some("i"), 1), Step::default()));
    for _ in 0..11 {
        bench.pass(5000);
        let _ = bench.run(|group, cx| (group.heartbeat(cx, &first, Some("i"), 1), Step::default()));
    }
    assert_eq!(bench.joined[&second].generation, 2);
    assert_eq!(bench.group.members().count(), 2, "the static member was removed with the join phase");
    assert_eq!(bench.joined[&second].leader, bench.joined[&second].member_id);
    bench.pass(10_000);
    assert!(bench.group.members().all(|member| member.instance_id.is_none()), "its session is over");
}

#[test]
fn administrators_remove_by_instance_id() {
    let mut bench = Bench::new();
    stable(&mut bench);
    assert_eq!(bench.leave("", Some("nobody")), Some(UnknownMemberId));
    assert_eq!(bench.leave("", None), Some(UnknownMemberId));
    assert_eq!(bench.leave("", Some("i")), None);
    assert_eq!(bench.group.state(), Empty);
}

#[test]
fn an_id_that_cannot_be_remembered_is_not_taken() {
    let mut bench = Bench::new();
    let old = stable(&mut bench);
    bench.log_fails = true;
    let back = bench.join(join_as("i", ""));
    assert_eq!((back.error, back.member_id.as_str()), (Some(NotCoordinator), ""));
    let beat = bench.run(|group, cx| (group.heartbeat(cx, &old, Some("i"), 1), Step::default()));
    assert_eq!(beat, Ok(()), "the old id still counts");
}

#[test]
fn a_pending_id_is_for_dynamic_members() {
    let mut bench = Bench::new();
    let pending = bench.join(Join { member_id_required: true, ..join("") }).member_id;
    assert_eq!(bench.join(join_as("i", &pending)).error, Some(UnknownServerError));
}

#[test]
fn an_impatient_static_member_that_is_away_does_not_keep_the_broker_busy() {
    let mut bench = Bench::new();
    let patient = bench.join(join_as("j", "")).member_id;
    let impatient = bench.start_join(Join { rebalance_timeout_ms: 0, ..join_as("i", "") });
    bench.join(join_as("j", &patient));
    let generation = bench.joined[&impatient].generation;
    let impatient = bench.joined[&impatient].member_id.clone();
    bench.start_sync(&impatient, generation, &[]);
    bench.sync(&patient, generation, &[]);
    // Nobody is left who would wait for a rebalance, and nobody joins it.
    assert_eq!(bench.leave(&patient, Some("j")), None);
    assert_eq!(bench.group.state(), PreparingRebalance);
    bench.pass(10_000);
    assert_eq!(bench.group.state(), Empty, "its session is over");
}

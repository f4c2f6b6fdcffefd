//! Members that come, come again, go, and die.

use bytes::Bytes;
use kafka_protocol::error::ResponseError::*;

use super::super::event::{Join, Protocol};
use super::super::state::GroupState::*;
use super::{Bench, join, protocol};

#[test]
fn the_first_to_join_leads_generation_one_at_once() {
    let mut bench = Bench::new();
    let joined = bench.join(join(""));
    assert_eq!((joined.error, joined.generation), (None, 1));
    assert_eq!((joined.leader.as_str(), joined.member_id.as_str()), ("client-1", "client-1"));
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(bench.group.state(), CompletingRebalance);
    assert_eq!(bench.heartbeat("client-1", 1), Ok(()), "heartbeats count before the sync");
    bench.sync("client-1", 1, &[("client-1", "a")]);
    assert_eq!(bench.group.state(), Stable);
}

#[test]
fn a_member_id_is_required_first_where_the_version_says_so() {
    let mut bench = Bench::new();
    let refused = bench.join(Join { member_id_required: true, ..join("") });
    assert_eq!((refused.error, refused.generation), (Some(MemberIdRequired), -1));
    assert_eq!(bench.group.state(), Empty);
    let joined = bench.join(Join { member_id_required: true, ..join(&refused.member_id) });
    assert_eq!((joined.error, joined.generation), (None, 1));
}

#[test]
fn an_id_that_nobody_comes_back_with_is_forgotten() {
    let mut bench = Bench::new();
    let refused = bench.join(Join { member_id_required: true, ..join("") });
    bench.pass(10_000);
    assert_eq!(bench.join(join(&refused.member_id)).error, Some(UnknownMemberId));
}

#[test]
fn a_pending_member_holds_up_a_rebalance_until_it_is_given_up() {
    let mut bench = Bench::new();
    let (first, generation) = bench.stable_alone();
    let pending = bench.join(Join { member_id_required: true, ..join("") });
    assert_eq!(pending.error, Some(MemberIdRequired));
    let again = bench.start_join(join(&first));
    assert!(!bench.joined.contains_key(&again), "the leader's join did not wait for the pending member");
    bench.pass(10_000);
    assert_eq!(bench.joined[&again].generation, generation + 1);
}

#[test]
fn a_second_member_waits_for_the_first_to_join_again() {
    let mut bench = Bench::new();
    let (first, generation) = bench.stable_alone();
    let second = bench.start_join(join(""));
    assert_eq!(bench.heartbeat(&first, generation), Err(RebalanceInProgress));
    assert!(!bench.joined.contains_key(&second));
    let leader = bench.join(join(&first));
    let follower = bench.joined[&second].clone();
    assert_eq!((leader.generation, follower.generation), (2, 2));
    assert_eq!((leader.members.len(), follower.members.len()), (2, 0));
    assert_eq!(follower.leader, first);

    let waiting = bench.start_sync(&follower.member_id, 2, &[]);
    assert!(!bench.synced.contains_key(&waiting), "a follower waits for the leader");
    bench.sync(&first, 2, &[(&first, "x"), (&follower.member_id, "y")]);
    assert_eq!(bench.synced[&waiting].assignment, Bytes::from("y"));
}

#[test]
fn a_follower_that_joins_again_unchanged_keeps_the_generation_and_a_leader_does_not() {
    let mut bench = Bench::new();
    let (first, _) = bench.stable_alone();
    let second = bench.start_join(join(""));
    bench.join(join(&first));
    let second = bench.joined[&second].member_id.clone();
    let waiting = bench.start_sync(&second, 2, &[]);
    bench.sync(&first, 2, &[]);
    assert_eq!(bench.synced[&waiting].assignment, Bytes::new(), "nothing assigned is empty, not an error");

    let unchanged = bench.join(join(&second));
    assert_eq!((unchanged.generation, unchanged.leader, unchanged.members.len()), (2, first.clone(), 0));
    assert_eq!(bench.group.state(), Stable);

    let changed = bench.start_join(Join { protocols: vec![protocol("range", &["u"])], ..join(&second) });
    assert_eq!(bench.group.state(), PreparingRebalance);
    assert_eq!(bench.join(join(&first)).generation, 3);
    assert_eq!(bench.joined[&changed].generation, 3);
}

#[test]
fn a_lost_answer_is_given_again_in_the_sync_phase() {
    let mut bench = Bench::new();
    let joined = bench.join(join(""));
    assert_eq!(bench.join(join(&joined.member_id)), joined);
}

#[test]
fn protocols_have_to_match() {
    let mut bench = Bench::new();
    assert_eq!(bench.join(Join { protocols: vec![], ..join("") }).error, Some(InconsistentGroupProtocol));
    assert_eq!(
        bench.join(Join { protocol_type: String::new(), ..join("") }).error,
        Some(InconsistentGroupProtocol)
    );
    assert!(bench.group.is_remembered(), "even a failed join makes the group");
    let (first, _) = bench.stable_alone();
    let other = Join { protocols: vec![protocol("roundrobin", &["t"])], ..join("") };
    assert_eq!(bench.join(other).error, Some(InconsistentGroupProtocol));
    let connect = Join { protocol_type: "connect".to_owned(), ..join("") };
    assert_eq!(bench.join(connect).error, Some(InconsistentGroupProtocol));
    let again = Join { protocol_type: "connect".to_owned(), ..join(&first) };
    assert_eq!(bench.join(again).member_id, first, "a member is refused under its id");
}

#[test]
fn the_protocol_that_most_like_best_of_those_all_know_is_chosen() {
    let mut bench = Bench::new();
    let plain = |names: &[&str]| -> Vec<Protocol> {
        names.iter().map(|name| Protocol { name: (*name).to_owned(), metadata: Bytes::new() }).collect()
    };
    let first = bench.join(Join { protocols: plain(&["a", "b", "c"]), ..join("") });
    assert_eq!(first.protocol_name.as_deref(), Some("a"));
    let second = bench.start_join(Join { protocols: plain(&["c", "b"]), ..join("") });
    let third = bench.start_join(Join { protocols: plain(&["c", "b", "a"]), ..join("") });
    bench.join(Join { protocols: plain(&["a", "b", "c"]), ..join(&first.member_id) });
    assert_eq!(bench.joined[&second].protocol_name.as_deref(), Some("c"));
    assert_eq!(bench.joined[&third].protocol_name.as_deref(), Some("c"));
}

#[test]
fn a_silent_member_is_gone_after_its_session_and_the_group_goes_on() {
    let mut bench = Bench::new();
    let (first, _) = bench.stable_alone();
    let second = bench.start_join(join(""));
    bench.join(join(&first));
    let second = bench.joined[&second].member_id.clone();
    bench.sync(&first, 2, &[]);
    bench.sync(&second, 2, &[]);
    for _ in 0..3 {
        bench.pass(4000);
        let _ = bench.heartbeat(&second, 2);
    }
    assert_eq!(bench.group.members().count(), 1, "the first one never sent a heartbeat");
    assert_eq!(bench.group.leader(), Some(second.as_str()));
    assert_eq!(bench.join(join(&second)).generation, 3);
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut bench = Bench::new();
    let (first, generation) = bench.stable_alone();
    let second = bench.start_join(join(""));
    for _ in 0..12 {
        bench.pass(5000);
        let _ = bench.heartbeat(&first, generation);
    }
    assert_eq!(bench.joined[&second].leader, bench.joined[&second].member_id);
    assert_eq!(bench.heartbeat(&first, generation), Err(UnknownMemberId));
}

#[test]
fn who_does_not_sync_in_time_is_out_and_the_rest_rebalance() {
    let mut bench = Bench::new();
    let joined = bench.join(Join { session_timeout_ms: 300_000, ..join("") });
    assert_eq!(bench.group.state(), CompletingRebalance);
    bench.pass(60_000);
    assert_eq!(bench.group.state(), Empty);
    assert_eq!(bench.group.generation(), 2, "an empty generation counts");
    assert_eq!(bench.sync(&joined.member_id, 1, &[]).error, Some(UnknownMemberId));
}

#[test]
fn a_client_that_goes_away_in_its_first_join_is_given_up_after_five_minutes() {
    let mut bench = Bench::new();
    let long = Join { rebalance_timeout_ms: 3_600_000, session_timeout_ms: 1_800_000, ..join("") };
    let first = bench.join(long.clone());
    bench.sync(&first.member_id, 1, &[]);
    let gone = bench.start_join(long);
    bench.pass(299_999);
    assert!(!bench.joined.contains_key(&gone));
    bench.pass(1);
    assert_eq!(bench.joined[&gone].error, Some(UnknownMemberId));
    assert_eq!(bench.group.members().count(), 1);
}

#[test]
fn the_last_to_leave_leaves_an_empty_group_behind() {
    let mut bench = Bench::new();
    let (first, _) = bench.stable_alone();
    assert_eq!(bench.leave("nobody", None), Some(UnknownMemberId));
    assert_eq!(bench.leave(&first, None), None);
    assert_eq!((bench.group.state(), bench.group.generation()), (Empty, 2));
    assert_eq!(bench.group.protocol_type(), "consumer");
    assert_eq!(bench.restarted().state(), Empty);
    assert_eq!(bench.restarted().generation(), 2);
}

#[test]
fn leaving_in_the_join_phase_lets_the_others_go_on() {
    let mut bench = Bench::new();
    let (first, _) = bench.stable_alone();
    let second = bench.start_join(join(""));
    assert_eq!(bench.leave(&first, None), None);
    assert_eq!(bench.joined[&second].generation, 2);
    assert_eq!(bench.joined[&second].leader, bench.joined[&second].member_id);
}

#[test]
fn an_initial_delay_waits_for_more_members_as_long_as_they_come() {
    let mut bench = Bench::new();
    bench.settings.initial_rebalance_delay_ms = 3000;
    let first = bench.start_join(join(""));
    bench.pass(2000);
    let second = bench.start_join(join(""));
    bench.pass(1000);
    assert!(bench.joined.is_empty(), "the second join did not extend the delay");
    bench.pass(3000);
    assert_eq!((bench.joined[&first].generation, bench.joined[&second].generation), (1, 1));
    assert_eq!(bench.joined[&first].members.len(), 2);
}

#[test]
fn a_full_group_takes_no_more() {
    let mut bench = Bench::new();
    bench.settings.max_size = 1;
    let (first, generation) = bench.stable_alone();
    let refused = bench.join(join(""));
    assert_eq!((refused.error, refused.member_id.as_str()), (Some(GroupMaxSizeReached), ""));
    assert_eq!(bench.heartbeat(&first, generation), Ok(()));
}

#[test]
fn members_may_not_fill_the_memory_with_metadata() {
    let mut bench = Bench::new();
    let big = vec![Protocol { name: "range".to_owned(), metadata: Bytes::from(vec![0; 9 << 20]) }];
    let first = bench.join(Join { protocols: big.clone(), ..join("") });
    assert_eq!(first.error, None);
    let refused = bench.join(Join { protocols: big.clone(), ..join("") });
    assert_eq!(refused.error, Some(GroupMaxSizeReached));
    assert_eq!(
        bench.join(Join { protocols: big, ..join(&first.member_id) }).error,
        None,
        "its own bytes count twice"
    );
}

#[test]
fn a_request_sent_twice_is_answered_in_its_newer_form() {
    let mut bench = Bench::new();
    let (first, _) = bench.stable_alone();
    let second = bench.start_join(Join { member_id_required: true, ..join("") });
    let id = bench.joined[&second].member_id.clone();
    let older = bench.start_join(join(&id));
    let newer = bench.start_join(join(&id));
    assert_eq!(bench.joined[&older].error, Some(RebalanceInProgress));
    bench.join(join(&first));
    assert_eq!(bench.joined[&newer].error, None);
}

#[test]
fn sync_is_checked() {
    let mut bench = Bench::new();
    assert_eq!(bench.sync("nobody", 1, &[]).error, Some(UnknownMemberId));
    let (first, generation) = bench.stable_alone();
    assert_eq!(bench.sync(&first, generation + 1, &[]).error, Some(IllegalGeneration));
    assert_eq!(bench.sync(&first, generation, &[]).assignment, Bytes::from("all"), "asked again");
    let waiting = bench.start_join(join(""));
    assert_eq!(bench.sync(&first, generation, &[]).error, Some(RebalanceInProgress));
    assert!(!bench.joined.contains_key(&waiting));
}

#[test]
fn an_assignment_that_cannot_be_remembered_is_not_handed_out() {
    let mut bench = Bench::new();
    let joined = bench.join(join(""));
    bench.log_fails = true;
    let synced = bench.sync(&joined.member_id, 1, &[(&joined.member_id, "a")]);
    assert_eq!((synced.error, synced.assignment), (Some(NotCoordinator), Bytes::new()));
    assert_eq!(bench.group.state(), PreparingRebalance);
    bench.log_fails = false;
    assert_eq!(bench.join(join(&joined.member_id)).generation, 2);
}

#[test]
fn a_group_that_cannot_be_remembered_is_not_made() {
    let mut bench = Bench::new();
    bench.log_fails = true;
    assert_eq!(bench.join(join("")).error, Some(NotCoordinator));
    assert!(!bench.group.is_remembered());
}

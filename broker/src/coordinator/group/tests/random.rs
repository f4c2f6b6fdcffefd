//! Random histories: whatever clients do, in whatever order, and whenever the log fails, the group stays sound.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::classic::ClassicGroup;
use super::super::event::Join;
use super::super::state::GroupState;
use super::{Bench, join, protocol};

#[derive(Debug, Clone)]
enum Act {
    JoinNew { required: bool, instance: Option<u8>, protocols: u8, patience: i32 },
    JoinAgain { member: usize, protocols: u8 },
    Sync { member: usize, old: bool },
    Heartbeat { member: usize },
    Leave { member: usize },
    Pass { ms: i64 },
    LogFails(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let member = 0usize..8;
    prop_oneof![
        3 => (any::<bool>(), prop::option::of(0u8..3), 1u8..4, prop::sample::select(vec![60_000, 1_000, 0, -1]))
            .prop_map(|(required, instance, protocols, patience)| Act::JoinNew {
                required,
                instance,
                protocols,
                patience,
            }),
        4 => (member.clone(), 1u8..4).prop_map(|(member, protocols)| Act::JoinAgain { member, protocols }),
        4 => (member.clone(), prop::bool::weighted(0.1)).prop_map(|(member, old)| Act::Sync { member, old }),
        3 => member.clone().prop_map(|member| Act::Heartbeat { member }),
        1 => member.prop_map(|member| Act::Leave { member }),
        2 => (0i64..40_000).prop_map(|ms| Act::Pass { ms }),
        1 => prop::bool::weighted(0.3).prop_map(Act::LogFails),
    ]
}

fn protocols(bits: u8) -> Vec<super::super::event::Protocol> {
    let all = [protocol("range", &["t"]), protocol("sticky", &["t", "u"])];
    all.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, p)| p).collect()
}

/// An id of somebody who is, was, or may become a member.
fn some_id(bench: &Bench, index: usize) -> String {
    let mut ids: Vec<String> =
        bench.group.members.keys().chain(bench.group.pending.keys()).cloned().collect();
    ids.push("stranger".to_owned());
    ids[index % ids.len()].clone()
}

fn perform(bench: &mut Bench, act: &Act) {
    match act {
        Act::JoinNew { required, instance, protocols: bits, patience } => {
            bench.start_join(Join {
                member_id_required: *required,
                instance_id: instance.map(|number| format!("i{number}")),
                protocols: protocols(*bits),
                may_skip_assignment: *required,
                rebalance_timeout_ms: *patience,
                ..join("")
            });
        }
        Act::JoinAgain { member, protocols: bits } => {
            let id = some_id(bench, *member);
            let instance_id = bench.group.members.get(&id).and_then(|member| member.instance_id.clone());
            bench.start_join(Join { instance_id, protocols: protocols(*bits), ..join(&id) });
        }
        Act::Sync { member, old } => {
            let id = some_id(bench, *member);
            let generation = bench.group.generation() - i32::from(*old);
            let all: Vec<String> = bench.group.members.keys().cloned().collect();
            let assign: Vec<(&str, &str)> = all.iter().map(|id| (id.as_str(), "part")).collect();
            bench.start_sync(&id, generation, &assign);
        }
        Act::Heartbeat { member } => {
            let (id, generation) = (some_id(bench, *member), bench.group.generation());
            let _ = bench.heartbeat(&id, generation);
        }
        Act::Leave { member } => {
            let id = some_id(bench, *member);
            let _ = bench.leave(&id, None);
        }
        Act::Pass { ms } => bench.pass(*ms),
        Act::LogFails(fails) => bench.log_fails = *fails,
    }
}

fn check(group: &ClassicGroup) {
    let joining = group.members.values().filter(|member| member.joining.is_some()).count();
    assert_eq!(joining, group.joining, "the count of who waits is wrong");
    for (id, member) in &group.members {
        assert_eq!(id, &member.id);
        let support = |name: &String| {
            group.members.values().filter(|m| m.protocols.iter().any(|p| p.name == *name)).count()
        };
        for protocol in &member.protocols {
            assert_eq!(group.supported.get(&protocol.name), Some(&support(&protocol.name)));
        }
        if let Some(instance) = &member.instance_id {
            assert_eq!(group.static_members.get(instance), Some(id));
        }
    }
    let bytes: usize = group.members.values().map(|member| member.protocol_bytes()).sum();
    assert_eq!(bytes, group.protocol_bytes);
    let statics: HashSet<_> = group.static_members.values().collect();
    assert!(statics.iter().all(|id| group.members.contains_key(*id)), "a static member that is not there");
    assert!(group.pending.keys().all(|id| !group.members.contains_key(id)), "pending and in");
    if let Some(leader) = group.leader() {
        assert!(group.members.contains_key(leader), "the leader is not a member");
    }
    match group.state() {
        GroupState::Empty => assert!(group.members.is_empty()),
        GroupState::Stable | GroupState::CompletingRebalance => {
            assert!(!group.members.is_empty() && group.leader().is_some() && group.protocol().is_some());
            assert_eq!(group.joining, 0, "somebody joins and nobody prepares");
        }
        GroupState::PreparingRebalance => assert!(group.join_timer.is_some(), "a join phase without an end"),
        GroupState::Dead => panic!("nobody deleted the group"),
    }
    // Whoever waits is woken by a timer at the latest: no client hangs for ever.
    let waits = group.members.values().any(|m| m.joining.is_some() || m.syncing.is_some());
    assert!(!waits || group.next_deadline().is_some(), "somebody waits and nothing is due");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_stays_sound(acts in prop::collection::vec(act(), 1..60), delayed in any::<bool>()) {
        let mut bench = Bench::new();
        bench.settings.initial_rebalance_delay_ms = if delayed { 3_000 } else { 0 };
        for act in &acts {
            perform(&mut bench, act);
            check(&bench.group);
        }
        // What the log tells is what the group says it told; but for an empty generation that it could not take.
        if !acts.iter().any(|act| matches!(act, Act::LogFails(true))) {
            prop_assert_eq!(&bench.restarted().last_value, &bench.group.last_value);
        }
        // Left alone, everybody times out, nobody waits, and the group is empty.
        bench.log_fails = false;
        bench.pass(10_000_000);
        check(&bench.group);
        prop_assert!(bench.group.members.is_empty() && bench.group.pending.is_empty());
        prop_assert_eq!(bench.group.state(), GroupState::Empty);
    }
}

//! The shell: locks, timers, those who wait, restarts and journals that grow. Time is a manual clock's.

use std::sync::Arc;

use kafka_protocol::error::ResponseError::*;
use tokio::sync::oneshot::error::TryRecvError;

use super::super::event::{Join, Joined, Leaving, Sync};
use super::super::offsets::{Commit, Committer};
use super::super::service::GroupCoordinator;
use super::super::state::GroupState;
use super::{join, settings};
use crate::clock::Clock;
use crate::coordinator::journal::JournalLog;
use crate::coordinator::journal::memory::MemoryLog;
use crate::timers::Timers;

const START: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600_000;

struct Bench {
    logs: Vec<MemoryLog>,
    timers: Arc<Timers>,
    groups: Arc<GroupCoordinator>,
}

fn coordinator(clock: Clock, logs: &[MemoryLog]) -> (Arc<Timers>, Arc<GroupCoordinator>) {
    let timers = Timers::new(clock.clone());
    let groups = GroupCoordinator::new(clock, Arc::clone(&timers), settings());
    let boxed = logs.iter().map(|log| -> Box<dyn JournalLog> { Box::new(log.clone()) });
    groups.attach(boxed.collect()).unwrap();
    (timers, groups)
}

impl Bench {
    fn new() -> Self {
        let logs: Vec<_> = (0..4).map(|_| MemoryLog::default()).collect();
        let (timers, groups) = coordinator(Clock::manual(START), &logs);
        Bench { logs, timers, groups }
    }

    fn restart(&mut self) {
        (self.timers, self.groups) = coordinator(Clock::manual(START), &self.logs);
    }

    fn records(&self) -> usize {
        self.logs.iter().map(MemoryLog::len).sum()
    }

    /// A join that is answered at once.
    fn join(&self, group: &str, member: &str) -> Joined {
        let request = Join { new_member_id: format!("{group}-member"), ..join(member) };
        self.groups.join(group, request).try_recv().expect("the join waits")
    }

    fn stable(&self, group: &str) -> String {
        let joined = self.join(group, "");
        assert_eq!(joined.error, None);
        let synced = self.groups.sync(group, sync(&joined.member_id, joined.generation)).try_recv().unwrap();
        assert_eq!(synced.error, None);
        joined.member_id
    }

    fn commit(&self, group: &str, offset: i64) {
        let commit = Commit {
            topic: "t".to_owned(),
            partition: 0,
            topic_id: uuid::Uuid::nil(),
            offset,
            leader_epoch: -1,
            metadata: "x".repeat(4000),
            error: None,
        };
        self.groups.commit(group, &nobody(), vec![commit]).unwrap();
    }

    fn committed(&self, group: &str) -> Option<i64> {
        self.groups.look(group, |group| group.offsets().get("t", 0).map(|value| value.offset))?
    }
}

fn nobody() -> Committer {
    Committer { member_id: String::new(), instance_id: None, generation: -1, retention_ms: -1 }
}

fn sync(member: &str, generation: i32) -> Sync {
    Sync {
        ticket: 0,
        member_id: member.to_owned(),
        instance_id: None,
        generation,
        protocol_type: None,
        protocol_name: None,
        assignments: Vec::new(),
    }
}

#[test]
fn sessions_end_by_the_brokers_clock() {
    let bench = Bench::new();
    let member = bench.stable("g");
    for step in 1..=5 {
        bench.timers.advance_to(START + step * 9_000);
        assert_eq!(bench.groups.heartbeat("g", &member, None, 1), Ok(()));
    }
    bench.timers.advance_to(START + 45_000 + 9_999);
    assert_eq!(bench.groups.describe("g").unwrap().state, GroupState::Stable);
    bench.timers.advance_to(START + 45_000 + 10_000);
    assert_eq!(bench.groups.describe("g").unwrap().state, GroupState::Empty);
    assert_eq!(bench.groups.heartbeat("g", &member, None, 1), Err(UnknownMemberId));
}

#[test]
fn a_client_that_goes_away_while_it_waits_neither_hangs_nor_loses_the_group() {
    let bench = Bench::new();
    let first = bench.stable("g");
    let gone = bench.groups.join("g", Join { new_member_id: "gone".to_owned(), ..join("") });
    drop(gone);
    let again = bench.join("g", &first);
    assert_eq!(
        (again.error, again.generation, again.members.len()),
        (None, 2, 2),
        "the member stays for now"
    );
    // It never syncs: when its session is over, the rest go on without it.
    bench.groups.sync("g", sync(&first, 2)).try_recv().unwrap();
    bench.timers.advance_to(START + 9_000);
    assert_eq!(bench.groups.heartbeat("g", &first, None, 2), Ok(()));
    bench.timers.advance_to(START + 10_000);
    assert_eq!(bench.groups.heartbeat("g", &first, None, 2), Err(RebalanceInProgress));
    assert_eq!(bench.join("g", &first).members.len(), 1);
}

#[test]
fn who_waits_is_answered_by_what_others_do() {
    let bench = Bench::new();
    let first = bench.stable("g");
    let mut second = bench.groups.join("g", Join { new_member_id: "second".to_owned(), ..join("") });
    assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
    bench.join("g", &first);
    assert_eq!(second.try_recv().unwrap().generation, 2);
}

#[test]
fn groups_and_offsets_survive_a_restart_and_sessions_begin_anew() {
    let mut bench = Bench::new();
    let member = bench.stable("g");
    bench.commit("simple", 7);
    bench.restart();
    assert_eq!(bench.committed("simple"), Some(7));
    let view = bench.groups.describe("g").unwrap();
    assert_eq!((view.state, view.generation, view.members.len()), (GroupState::Stable, 1, 1));
    assert_eq!(bench.groups.heartbeat("g", &member, None, 1), Ok(()));
    bench.timers.advance_to(START + 10_000);
    assert_eq!(bench.groups.describe("g").unwrap().state, GroupState::Empty);
}

#[test]
fn a_deleted_group_is_gone_for_good() {
    let mut bench = Bench::new();
    let member = bench.stable("g");
    assert_eq!(bench.groups.delete("g"), Err(NonEmptyGroup));
    let leaving = Leaving { member_id: member, instance_id: None, error: None };
    bench.groups.leave("g", vec![leaving]).unwrap();
    assert_eq!(bench.groups.delete("g"), Ok(()));
    assert_eq!(bench.groups.delete("g"), Err(GroupIdNotFound));
    bench.restart();
    assert!(bench.groups.describe("g").is_none());
    bench.stable("g");
}

#[test]
fn nothing_is_left_of_a_group_that_could_not_be_remembered() {
    let bench = Bench::new();
    bench.logs.iter().for_each(|log| log.fail(true));
    assert_eq!(bench.join("g", "").error, Some(NotCoordinator));
    assert!(bench.groups.describe("g").is_none());
    bench.logs.iter().for_each(|log| log.fail(false));
    bench.stable("g");
}

#[test]
fn requests_are_checked_before_they_reach_a_group() {
    let bench = Bench::new();
    assert_eq!(bench.join("", "").error, Some(InvalidGroupId));
    let short = Join { session_timeout_ms: 5_999, ..join("") };
    assert_eq!(bench.groups.join("g", short).try_recv().unwrap().error, Some(InvalidSessionTimeout));
    assert_eq!(bench.join("g", "somebody").error, Some(UnknownMemberId));
    assert!(bench.groups.describe("g").is_none(), "a stranger does not make a group");
    assert_eq!(bench.groups.heartbeat("", "m", None, 1), Err(InvalidGroupId));
    assert_eq!(bench.groups.heartbeat("g", "m", None, 1), Err(UnknownMemberId));
    assert_eq!(bench.groups.sync("g", sync("m", 1)).try_recv().unwrap().error, Some(UnknownMemberId));
    let member = Committer { generation: 0, ..nobody() };
    assert_eq!(bench.groups.commit("g", &member, Vec::new()).unwrap_err(), GroupIdNotFound);
    let leaving = Leaving { member_id: "m".to_owned(), instance_id: None, error: None };
    assert_eq!(bench.groups.leave("g", vec![leaving]).unwrap()[0].error, Some(UnknownMemberId));
}

#[test]
fn offsets_expire_by_the_brokers_clock_and_empty_groups_with_them() {
    let bench = Bench::new();
    bench.commit("simple", 7);
    bench.timers.advance_to(START + 7 * DAY - 1);
    assert_eq!(bench.committed("simple"), Some(7));
    bench.timers.advance_to(START + 7 * DAY + 600_000);
    assert!(bench.groups.describe("simple").is_none());
}

#[test]
fn a_topic_that_is_deleted_takes_its_offsets_along() {
    let mut bench = Bench::new();
    bench.commit("a", 1);
    bench.commit("b", 2);
    bench.groups.forget_topic("t");
    bench.restart();
    assert_eq!((bench.committed("a"), bench.committed("b")), (None, None));
}

#[test]
fn a_long_journal_is_written_anew_and_tells_the_same() {
    let mut bench = Bench::new();
    let member = bench.stable("g");
    for offset in 0..9_000 {
        bench.commit(["x", "y", "z"][offset as usize % 3], offset);
    }
    assert!(bench.records() < 4_000, "{} records are left", bench.records());
    bench.restart();
    assert_eq!(["x", "y", "z"].map(|group| bench.committed(group)), [Some(8_997), Some(8_998), Some(8_999)]);
    assert_eq!(bench.groups.describe("g").unwrap().members[0].id, member);
}

#[test]
fn a_rewrite_in_the_middle_of_a_rebalance_keeps_the_last_stable_generation() {
    let mut bench = Bench::new();
    bench.stable("g");
    let _waiting = bench.groups.join("g", Join { new_member_id: "second".to_owned(), ..join("") });
    // Groups that share the partition of "g" fill its journal until it is written anew.
    let shares = |name: &String| {
        super::super::hash::partition_for(name, 4) == super::super::hash::partition_for("g", 4)
    };
    let neighbour = (0..).map(|number| format!("n{number}")).find(shares).unwrap();
    for offset in 0..5_000 {
        bench.commit(&neighbour, offset);
    }
    bench.restart();
    let view = bench.groups.describe("g").unwrap();
    assert_eq!((view.state, view.generation, view.members.len()), (GroupState::Stable, 1, 1));
    assert_eq!(bench.committed(&neighbour), Some(4_999));
}

#[test]
fn threads_that_make_use_and_delete_groups_at_once_do_not_get_in_each_others_way() {
    let bench = Bench::new();
    let names = ["a", "b", "c"];
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let groups = &bench.groups;
            scope.spawn(move || {
                for round in 0..2_000usize {
                    let group = names[(round + thread) % 3];
                    match round % 5 {
                        0 => drop(groups.delete(group)),
                        1 => {
                            let new_member_id = format!("m-{thread}-{round}");
                            drop(groups.join(group, Join { new_member_id, ..join("") }));
                        }
                        2 => {
                            let members = groups.describe(group).map_or(Vec::new(), |view| view.members);
                            let leaving = members.into_iter().map(|member| Leaving {
                                member_id: member.id,
                                instance_id: None,
                                error: None,
                            });
                            drop(groups.leave(group, leaving.collect()));
                        }
                        _ => {
                            let commit = Commit {
                                topic: "t".to_owned(),
                                partition: 0,
                                topic_id: uuid::Uuid::nil(),
                                offset: round as i64,
                                leader_epoch: -1,
                                metadata: String::new(),
                                error: None,
                            };
                            drop(groups.commit(group, &nobody(), vec![commit]));
                        }
                    }
                }
            });
        }
    });
    bench.timers.advance_to(START + 10_000_000);
    for view in names.iter().filter_map(|name| bench.groups.describe(name)) {
        assert_eq!((view.state, view.members.len()), (GroupState::Empty, 0));
    }
}

#[test]
fn changes_can_be_waited_for() {
    let bench = Bench::new();
    let mut changes = bench.groups.changes.subscribe();
    changes.mark_unchanged();
    let member = bench.stable("g");
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    bench.groups.heartbeat("g", &member, None, 1).unwrap();
    assert!(!changes.has_changed().unwrap(), "a heartbeat changes nothing");
    bench.commit("simple", 1);
    assert!(changes.has_changed().unwrap());
}

#[test]
fn a_topic_of_offsets_that_is_deleted_leaves_nobody_waiting() {
    let bench = Bench::new();
    bench.stable("g");
    let mut waiting = bench.groups.join("g", Join { new_member_id: "second".to_owned(), ..join("") });
    bench.groups.detach();
    assert_eq!(waiting.try_recv(), Err(TryRecvError::Closed));
    assert!(bench.groups.describe("g").is_none() && !bench.groups.is_attached());
}

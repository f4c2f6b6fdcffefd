use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn member(id: &str, topics: &[&str], owned: &[TopicPartition], generation: i32) -> Member {
    Member {
        id: id.to_owned(),
        instance_id: None,
        topics: topics.iter().map(|topic| Arc::from(*topic)).collect(),
        owned: owned.to_vec(),
        generation,
    }
}

fn counts(topics: &[(&str, i32)]) -> PartitionCounts {
    topics.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
}

/// `t0-1 t1-0` as partitions.
fn partitions(text: &str) -> Vec<TopicPartition> {
    let of = |part: &str| {
        let (topic, number) = part.rsplit_once('-').unwrap();
        TopicPartition::new(topic, number.parse().unwrap())
    };
    text.split_whitespace().map(of).collect()
}

fn given(assignment: &Assignment, member: &str) -> Vec<TopicPartition> {
    let mut given = assignment[member].clone();
    given.sort();
    given
}

#[test]
fn range_as_in_javas_description() {
    let members = [member("C0", &["t0", "t1"], &[], -1), member("C1", &["t0", "t1"], &[], -1)];
    let assignment = assign(Assignor::Range, &counts(&[("t0", 3), ("t1", 3)]), &members);
    assert_eq!(given(&assignment, "C0"), partitions("t0-0 t0-1 t1-0 t1-1"));
    assert_eq!(given(&assignment, "C1"), partitions("t0-2 t1-2"));
}

#[test]
fn range_with_more_members_than_partitions() {
    let members = [member("b", &["t"], &[], -1), member("a", &["t"], &[], -1), member("c", &["t"], &[], -1)];
    let assignment = assign(Assignor::Range, &counts(&[("t", 2)]), &members);
    assert_eq!(given(&assignment, "a"), partitions("t-0"));
    assert_eq!(given(&assignment, "b"), partitions("t-1"));
    assert_eq!(given(&assignment, "c"), []);
}

#[test]
fn static_members_come_first() {
    let mut last = member("z", &["t"], &[], -1);
    last.instance_id = Some("instance".to_owned());
    let members = [member("a", &["t"], &[], -1), last];
    let assignment = assign(Assignor::Range, &counts(&[("t", 3)]), &members);
    assert_eq!(given(&assignment, "z"), partitions("t-0 t-1"));
    assert_eq!(given(&assignment, "a"), partitions("t-2"));
}

#[test]
fn round_robin_as_in_javas_description() {
    let members = [member("C0", &["t0", "t1"], &[], -1), member("C1", &["t0", "t1"], &[], -1)];
    let assignment = assign(Assignor::RoundRobin, &counts(&[("t0", 3), ("t1", 3)]), &members);
    assert_eq!(given(&assignment, "C0"), partitions("t0-0 t0-2 t1-1"));
    assert_eq!(given(&assignment, "C1"), partitions("t0-1 t1-0 t1-2"));
    let members = [
        member("C0", &["t0"], &[], -1),
        member("C1", &["t0", "t1"], &[], -1),
        member("C2", &["t0", "t1", "t2"], &[], -1),
    ];
    let assignment = assign(Assignor::RoundRobin, &counts(&[("t0", 1), ("t1", 2), ("t2", 3)]), &members);
    assert_eq!(given(&assignment, "C0"), partitions("t0-0"));
    assert_eq!(given(&assignment, "C1"), partitions("t1-0"));
    assert_eq!(given(&assignment, "C2"), partitions("t1-1 t2-0 t2-1 t2-2"));
}

#[test]
fn sticky_keeps_what_it_can_as_in_javas_description() {
    let topics = ["t0", "t1", "t2", "t3"];
    let counts = counts(&[("t0", 2), ("t1", 2), ("t2", 2), ("t3", 2)]);
    let (first, third) = (partitions("t0-0 t1-1 t3-0"), partitions("t1-0 t2-1"));
    let members = [member("C0", &topics, &first, 1), member("C2", &topics, &third, 1)];
    let assignment = assign(Assignor::Sticky, &counts, &members);
    let (one, other) = (given(&assignment, "C0"), given(&assignment, "C2"));
    assert_eq!((one.len(), other.len()), (4, 4));
    assert!(first.iter().all(|kept| one.contains(kept)), "{one:?}");
    assert!(third.iter().all(|kept| other.contains(kept)), "{other:?}");
}

#[test]
fn sticky_with_different_subscriptions_as_in_javas_description() {
    let counts = counts(&[("t0", 1), ("t1", 2), ("t2", 3)]);
    let members = [
        member("C0", &["t0"], &[], -1),
        member("C1", &["t0", "t1"], &[], -1),
        member("C2", &["t0", "t1", "t2"], &[], -1),
    ];
    let assignment = assign(Assignor::Sticky, &counts, &members);
    assert_eq!(given(&assignment, "C0"), partitions("t0-0"));
    assert_eq!(given(&assignment, "C1"), partitions("t1-0 t1-1"));
    assert_eq!(given(&assignment, "C2"), partitions("t2-0 t2-1 t2-2"));
    let members = [
        member("C1", &["t0", "t1"], &given(&assignment, "C1"), 1),
        member("C2", &["t0", "t1", "t2"], &given(&assignment, "C2"), 1),
    ];
    let assignment = assign(Assignor::Sticky, &counts, &members);
    assert_eq!(given(&assignment, "C1"), partitions("t0-0 t1-0 t1-1"));
    assert_eq!(given(&assignment, "C2"), partitions("t2-0 t2-1 t2-2"));
}

#[test]
fn evening_out_goes_through_others_where_it_has_to() {
    // a can give of x to b alone, b of y to c alone.
    let members = [
        member("a", &["x"], &partitions("x-0 x-1 x-2 x-3"), 1),
        member("b", &["x", "y"], &partitions("y-0 y-1 y-2"), 1),
        member("c", &["y"], &partitions("y-3 y-4"), 1),
    ];
    let assignment = assign(Assignor::Sticky, &counts(&[("x", 4), ("y", 5)]), &members);
    for member in ["a", "b", "c"] {
        assert_eq!(assignment[member].len(), 3, "{assignment:?}");
    }
}

#[test]
fn the_latest_generation_has_what_two_claim() {
    let claimed = partitions("t-0 t-1");
    let members = [member("old", &["t"], &claimed, 3), member("new", &["t"], &claimed, 4)];
    let assignment = assign(Assignor::Sticky, &counts(&[("t", 4)]), &members);
    assert_eq!(given(&assignment, "new"), claimed);
    assert_eq!(given(&assignment, "old"), partitions("t-2 t-3"));
}

#[test]
fn what_moves_is_withheld_until_it_has_been_given_up() {
    let counts = counts(&[("t", 4)]);
    let all = partitions("t-0 t-1 t-2 t-3");
    let members = [member("a", &["t"], &all, 1), member("b", &["t"], &[], -1)];
    let first = assign(Assignor::CooperativeSticky, &counts, &members);
    assert_eq!(given(&first, "a"), partitions("t-0 t-1"));
    assert_eq!(given(&first, "b"), []);
    let members = [member("a", &["t"], &given(&first, "a"), 2), member("b", &["t"], &[], 2)];
    let second = assign(Assignor::CooperativeSticky, &counts, &members);
    assert_eq!(given(&second, "a"), partitions("t-0 t-1"));
    assert_eq!(given(&second, "b"), partitions("t-2 t-3"));
}

#[test]
fn the_sticky_assignor_believes_its_user_data_and_the_cooperative_one_the_fields() {
    let subscription = Subscription {
        topics: vec![Arc::from("t")],
        user_data: user_data(Assignor::Sticky, &partitions("t-1"), 5),
        owned: partitions("t-0"),
        generation: 7,
        rack: None,
    };
    let sticky = Member::new(Assignor::Sticky, "a".to_owned(), None, subscription.clone());
    assert_eq!((sticky.owned, sticky.generation), (partitions("t-1"), 5));
    let cooperative = Member::new(Assignor::CooperativeSticky, "a".to_owned(), None, subscription.clone());
    assert_eq!((cooperative.owned, cooperative.generation), (partitions("t-0"), 7));
    let before_fields = Subscription { generation: NO_GENERATION, ..subscription };
    let cooperative = Member::new(Assignor::CooperativeSticky, "a".to_owned(), None, before_fields);
    assert_eq!((cooperative.owned, cooperative.generation), (partitions("t-0"), 5));
}

#[test]
fn only_the_cooperative_assignor_alone_is_cooperative() {
    assert!(cooperative(&[Assignor::CooperativeSticky]));
    assert!(!cooperative(&[Assignor::CooperativeSticky, Assignor::Range]));
    assert!(!cooperative(&[]));
}

const ALL: [Assignor; 4] =
    [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky];

/// Topics with counts, and members with subscriptions to some of them.
fn group() -> impl Strategy<Value = (PartitionCounts, Vec<Member>)> {
    let topics = proptest::collection::vec(0..9_i32, 1..5);
    let members = proptest::collection::vec(proptest::collection::vec(any::<bool>(), 5), 1..7);
    (topics, members).prop_map(|(topics, members)| {
        let names: Vec<Arc<str>> = (0..topics.len()).map(|number| Arc::from(format!("t{number}"))).collect();
        let counts = names.iter().cloned().zip(topics).collect();
        let of = |(number, wanted): (usize, Vec<bool>)| {
            let topics = names.iter().zip(wanted).filter(|(_, wanted)| *wanted);
            Member {
                topics: topics.map(|(name, _)| Arc::clone(name)).collect(),
                ..member(&format!("m{number}"), &[], &[], NO_GENERATION)
            }
        };
        (counts, members.into_iter().enumerate().map(of).collect())
    })
}

/// Nobody gets what he does not subscribe to, and nothing is given twice. Returns what was given.
fn check_valid(assignment: &Assignment, members: &[Member]) -> HashSet<TopicPartition> {
    let mut all = HashSet::new();
    for member in members {
        for partition in &assignment[&member.id] {
            assert!(member.topics.contains(&partition.topic), "{partition} is not for {}", member.id);
            assert!(all.insert(partition.clone()), "{partition} is given twice");
        }
    }
    all
}

fn wanted(counts: &PartitionCounts, members: &[Member]) -> HashSet<TopicPartition> {
    all_partitions(counts, &members.iter().collect::<Vec<_>>()).into_iter().collect()
}

fn with_what_they_got(members: &[Member], assignment: &Assignment, generation: i32) -> Vec<Member> {
    let of = |member: &Member| Member { owned: assignment[&member.id].clone(), generation, ..member.clone() };
    members.iter().map(of).collect()
}

proptest! {
    #[test]
    fn everything_that_is_wanted_is_given_once((counts, members) in group()) {
        for assignor in ALL {
            let assignment = assign(assignor, &counts, &members);
            prop_assert_eq!(check_valid(&assignment, &members), wanted(&counts, &members));
        }
    }

    #[test]
    fn sticky_is_as_even_as_can_be((counts, members) in group()) {
        let assignment = assign(Assignor::Sticky, &counts, &members);
        for one in &members {
            for other in &members {
                let (more, less) = (&assignment[&one.id], assignment[&other.id].len());
                let could = more.iter().any(|partition| other.topics.contains(&partition.topic));
                prop_assert!(!could || more.len() < less + 2, "{} could give to {}", one.id, other.id);
            }
        }
    }

    #[test]
    fn sticky_moves_nothing_where_nothing_has_changed((counts, members) in group()) {
        for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
            let first = assign(assignor, &counts, &members);
            let second = assign(assignor, &counts, &with_what_they_got(&members, &first, 1));
            for member in &members {
                prop_assert_eq!(given(&first, &member.id), given(&second, &member.id));
            }
        }
    }

    #[test]
    fn who_stays_keeps_all_when_another_leaves(partitions in 0..40_i32, members in 2..8_usize) {
        let counts = counts(&[("t", partitions)]);
        let members: Vec<Member> =
            (0..members).map(|number| member(&format!("m{number}"), &["t"], &[], -1)).collect();
        let first = assign(Assignor::Sticky, &counts, &members);
        let left = with_what_they_got(&members[1..], &first, 1);
        let second = assign(Assignor::Sticky, &counts, &left);
        for member in &left {
            prop_assert!(member.owned.iter().all(|kept| second[&member.id].contains(kept)));
        }
    }

    #[test]
    fn no_more_moves_than_a_new_member_needs(partitions in 0..40_i32, members in 1..8_usize) {
        let counts = counts(&[("t", partitions)]);
        let mut members: Vec<Member> =
            (0..members).map(|number| member(&format!("m{number}"), &["t"], &[], -1)).collect();
        let first = assign(Assignor::Sticky, &counts, &members);
        members = with_what_they_got(&members, &first, 1);
        members.push(member("new", &["t"], &[], -1));
        let second = assign(Assignor::Sticky, &counts, &members);
        let moved: usize = members
            .iter()
            .map(|member| second[&member.id].iter().filter(|given| !member.owned.contains(given)).count())
            .sum();
        prop_assert_eq!(moved, second["new"].len());
    }

    #[test]
    fn cooperative_moves_settle((counts, members) in group(), (_, former) in group()) {
        // Somebody else's subscriptions, so that much has to move.
        let before = assign(Assignor::Sticky, &counts, &former);
        let mut members: Vec<Member> = members;
        for member in &mut members {
            member.owned = before.get(&member.id).cloned().unwrap_or_default();
            member.generation = 1;
        }
        for generation in 2..6 {
            let assignment = assign(Assignor::CooperativeSticky, &counts, &members);
            check_valid(&assignment, &members);
            for one in &members {
                for other in members.iter().filter(|other| other.id != one.id) {
                    prop_assert!(assignment[&one.id].iter().all(|given| !other.owned.contains(given)));
                }
            }
            members = with_what_they_got(&members, &assignment, generation);
        }
        let settled = assign(Assignor::Sticky, &counts, &members);
        prop_assert_eq!(check_valid(&settled, &members), wanted(&counts, &members));
        for member in &members {
            prop_assert_eq!(given(&settled, &member.id).len(), member.owned.len());
        }
    }
}

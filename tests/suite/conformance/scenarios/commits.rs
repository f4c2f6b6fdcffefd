//! OffsetCommit, OffsetFetch, OffsetDelete.

use crate::conformance::group::Member;
use crate::conformance::request::{create, group_id, text, topic_name};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::*;

type Commits<'a> = &'a [(&'a str, &'a [(i32, i64, Option<&'a str>)])];

fn commit(group: &str, topics: Commits<'_>) -> OffsetCommitRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        let partition = |(index, offset, metadata): &(i32, i64, Option<&str>)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(*index)
                .with_committed_offset(*offset)
                .with_committed_metadata(metadata.map(text))
        };
        OffsetCommitRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.iter().map(partition).collect())
    });
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.collect())
}

/// Commits as a member.
fn commit_as(m: &Member, version: i16, topics: Commits<'_>) -> OffsetCommitRequest {
    let request =
        commit(&m.group, topics).with_generation_id_or_member_epoch(m.generation).with_member_id(text(&m.id));
    if version >= 7 { request.with_group_instance_id(m.instance.map(text)) } else { request }
}

/// None: all topics (from version 2 on).
fn fetch(version: i16, group: &str, topics: Option<&[(&str, &[i32])]>) -> OffsetFetchRequest {
    if version >= 8 {
        return OffsetFetchRequest::default().with_groups(vec![of_group(group, topics)]);
    }
    let topic = |(name, partitions): &(&str, &[i32])| {
        OffsetFetchRequestTopic::default()
            .with_name(topic_name(name))
            .with_partition_indexes(partitions.to_vec())
    };
    OffsetFetchRequest::default()
        .with_group_id(group_id(group))
        .with_topics(topics.map(|all| all.iter().map(topic).collect()))
}

fn of_group(group: &str, topics: Option<&[(&str, &[i32])]>) -> OffsetFetchRequestGroup {
    let topic = |(name, partitions): &(&str, &[i32])| {
        OffsetFetchRequestTopics::default()
            .with_name(topic_name(name))
            .with_partition_indexes(partitions.to_vec())
    };
    OffsetFetchRequestGroup::default()
        .with_group_id(group_id(group))
        .with_topics(topics.map(|all| all.iter().map(topic).collect()))
}

/// Shows all that is committed.
fn committed(s: &mut Session<'_>, group: &str) {
    s.sorted("topics", "name").sorted("partitions", "partition_index");
    s.call("what is committed", 7, fetch(7, group, None));
}

pub(crate) fn without_members(s: &mut Session<'_>) {
    create(s, "commits", 3, &[]);
    let long = "m".repeat(4097);
    let longest = "m".repeat(4096);
    for v in versions::<OffsetCommitRequest>() {
        let g = format!("commits-{v}");
        s.call("one", v, commit(&g, &[("commits", &[(0, 5, Some("note"))])]));
        s.call("null and empty metadata", v, commit(&g, &[("commits", &[(1, 7, None), (2, 8, Some(""))])]));
        s.call("back", v, commit(&g, &[("commits", &[(0, 3, None)])]));
        committed(s, &g);
        s.call("negative offsets", v, commit(&g, &[("commits", &[(0, -1, None), (1, -2, None)])]));
        s.call(
            "long metadata",
            v,
            commit(&g, &[("commits", &[(0, 1, Some(&long)), (1, 2, Some(&longest))])]),
        );
        s.call(
            "unknown ones",
            v,
            commit(&g, &[("commits", &[(9, 1, None), (-1, 1, None)]), ("unknown-topic", &[(0, 1, None)])]),
        );
        s.call(
            "good and unknown",
            v,
            commit(&g, &[("unknown-topic", &[(0, 1, None)]), ("commits", &[(0, 11, None)])]),
        );
        s.call("illegal names", v, commit(&g, &[("", &[(0, 1, None)]), ("a b", &[(0, 1, None)])]));
        s.call("a partition twice", v, commit(&g, &[("commits", &[(0, 1, None), (0, 2, None)])]));
        s.call("a topic twice", v, commit(&g, &[("commits", &[(1, 1, None)]), ("commits", &[(1, 2, None)])]));
        s.call("no topic", v, commit(&g, &[]));
        s.call("no partition", v, commit(&g, &[("commits", &[])]));
        committed(s, &g);
        if v >= 6 {
            for epoch in [0, 4, -2] {
                let mut request = commit(&g, &[("commits", &[(0, 20, None)])]);
                request.topics[0].partitions[0].committed_leader_epoch = epoch;
                s.call(format!("leader epoch {epoch}"), v, request);
                committed(s, &g);
            }
        }
        s.call(
            "a generation, a group that only has offsets",
            v,
            commit(&g, &[("commits", &[(0, 1, None)])]).with_generation_id_or_member_epoch(1),
        );
        s.call(
            "a member without a generation",
            v,
            commit(&g, &[("commits", &[(0, 1, None)])]).with_member_id(text("somebody")),
        );
        s.call("a member and a generation", v, {
            commit(&g, &[("commits", &[(0, 1, None)])])
                .with_member_id(text("somebody"))
                .with_generation_id_or_member_epoch(0)
        });
        s.call("a generation, no such group", v, {
            commit("commits-none", &[("commits", &[(0, 1, None)])]).with_generation_id_or_member_epoch(1)
        });
        s.call(
            "generation -2",
            v,
            commit("commits-minus", &[("commits", &[(0, 1, None)])]).with_generation_id_or_member_epoch(-2),
        );
        s.call("the empty group", v, commit("", &[("commits", &[(0, 1, None)])]));
        if v <= 4 {
            for retention in [-1, 0, 1000] {
                let request = commit(&g, &[("commits", &[(0, 1, None)])]).with_retention_time_ms(retention);
                s.call(format!("retention {retention}"), v, request);
            }
        }
        if v >= 7 {
            let request =
                commit(&g, &[("commits", &[(0, 1, None)])]).with_group_instance_id(Some(text("instance")));
            s.call("an instance", v, request);
        }
    }
}

pub(crate) fn of_members(s: &mut Session<'_>) {
    create(s, "member-commits", 1, &[]);
    let what: Commits<'_> = &[("member-commits", &[(0, 5, Some("note"))])];
    for v in versions::<OffsetCommitRequest>() {
        let mut m = Member::new("a", &format!("member-commits-{v}"));
        if v >= 7 {
            m = m.instance("one");
        }
        m.enter(s, 5);
        s.call("before the sync", v, commit_as(&m, v, what));
        let id = m.id.clone();
        s.call("sync", 3, m.sync(3, &[(&id, "all")]));
        s.call("as a member", v, commit_as(&m, v, what));
        s.call("ahead", v, commit_as(&Member { generation: m.generation + 1, ..m.clone() }, v, what));
        s.call("behind", v, commit_as(&Member { generation: 0, ..m.clone() }, v, what));
        s.call("generation -1 with the id", v, commit_as(&Member { generation: -1, ..m.clone() }, v, what));
        s.call("somebody", v, commit_as(&Member { id: "somebody".to_string(), ..m.clone() }, v, what));
        s.call(
            "nobody with the generation",
            v,
            commit_as(&Member { id: String::new(), ..m.clone() }, v, what),
        );
        s.call("nobody at all", v, commit(&m.group, what));
        if v >= 7 {
            s.call("another instance", v, commit_as(&m.clone().instance("two"), v, what));
            let other = Member { id: "somebody".to_string(), ..m.clone() };
            s.call("the instance with another id", v, commit_as(&other, v, what));
        }
        committed(s, &m.group);
        s.call("leave", 3, m.leave(3));
        s.call("after it left", v, commit_as(&m, v, what));
        s.call("nobody, after it left", v, commit(&m.group, what));
    }
}

pub(crate) fn fetched(s: &mut Session<'_>) {
    create(s, "fetched-a", 2, &[]);
    create(s, "fetched-b", 1, &[]);
    let all: Commits<'_> =
        &[("fetched-a", &[(0, 5, Some("note")), (1, 6, None)]), ("fetched-b", &[(0, 7, Some(""))])];
    s.quietly(8, commit("fetched", all));
    for v in versions::<OffsetFetchRequest>() {
        s.call("one", v, fetch(v, "fetched", Some(&[("fetched-a", &[0])])));
        s.call("three", v, fetch(v, "fetched", Some(&[("fetched-b", &[0]), ("fetched-a", &[1, 0])])));
        s.call(
            "unknown ones",
            v,
            fetch(v, "fetched", Some(&[("fetched-a", &[9, -1]), ("unknown-topic", &[0])])),
        );
        s.call("illegal names", v, fetch(v, "fetched", Some(&[("", &[0]), ("a b", &[0])])));
        s.call("a partition twice", v, fetch(v, "fetched", Some(&[("fetched-a", &[0, 0])])));
        s.call("a topic twice", v, fetch(v, "fetched", Some(&[("fetched-a", &[0]), ("fetched-a", &[1])])));
        s.call("no topic", v, fetch(v, "fetched", Some(&[])));
        s.call("no partition", v, fetch(v, "fetched", Some(&[("fetched-a", &[])])));
        s.call("an unknown group", v, fetch(v, "fetched-unknown", Some(&[("fetched-a", &[0])])));
        s.call("the empty group", v, fetch(v, "", Some(&[("fetched-a", &[0])])));
        if v >= 2 {
            s.sorted("topics", "name").sorted("partitions", "partition_index").call(
                "all",
                v,
                fetch(v, "fetched", None),
            );
            s.call("all of an unknown group", v, fetch(v, "fetched-unknown", None));
        }
        if v >= 7 {
            let stable = fetch(v, "fetched", Some(&[("fetched-a", &[0])])).with_require_stable(true);
            s.call("stable ones", v, stable);
        }
        if v >= 8 {
            let groups = vec![
                of_group("fetched", Some(&[("fetched-a", &[0])])),
                of_group("fetched-unknown", Some(&[("fetched-a", &[0])])),
                of_group("fetched", Some(&[])),
            ];
            s.call("several groups", v, OffsetFetchRequest::default().with_groups(groups));
            s.call("no group", v, OffsetFetchRequest::default());
            let twice = vec![of_group("fetched", None), of_group("fetched", None)];
            s.sorted("topics", "name").sorted("partitions", "partition_index");
            s.call("a group twice", v, OffsetFetchRequest::default().with_groups(twice));
        }
        if v >= 9 {
            for (member, epoch) in
                [(None, 0), (Some("somebody"), -1), (Some("somebody"), 3), (Some(""), 0), (None, 5)]
            {
                let group = of_group("fetched", Some(&[("fetched-a", &[0])]));
                let group = group.with_member_id(member.map(text)).with_member_epoch(epoch);
                s.call(
                    format!("member {member:?}, epoch {epoch}"),
                    v,
                    OffsetFetchRequest::default().with_groups(vec![group]),
                );
            }
        }
    }
}

fn delete(group: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteRequest {
    let topic = |(name, partitions): &(&str, &[i32])| {
        let of = |p: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*p);
        OffsetDeleteRequestTopic::default()
            .with_name(topic_name(name))
            .with_partitions(partitions.iter().map(of).collect())
    };
    OffsetDeleteRequest::default()
        .with_group_id(group_id(group))
        .with_topics(topics.iter().map(topic).collect())
}

pub(crate) fn deleted(s: &mut Session<'_>) {
    create(s, "deleted-a", 3, &[]);
    let all: Commits<'_> = &[("deleted-a", &[(0, 5, None), (1, 6, None), (2, 7, None)])];
    s.quietly(8, commit("deleted", all));
    s.call("one", 0, delete("deleted", &[("deleted-a", &[0])]));
    s.call("again", 0, delete("deleted", &[("deleted-a", &[0])]));
    committed(s, "deleted");
    s.call("unknown ones", 0, delete("deleted", &[("deleted-a", &[9, -1]), ("unknown-topic", &[0])]));
    s.call("a partition twice", 0, delete("deleted", &[("deleted-a", &[1, 1])]));
    s.call("no topic", 0, delete("deleted", &[]));
    s.call("no partition", 0, delete("deleted", &[("deleted-a", &[])]));
    s.call("an unknown group", 0, delete("deleted-unknown", &[("deleted-a", &[0])]));
    s.call("the empty group", 0, delete("", &[("deleted-a", &[0])]));
    s.call("the last", 0, delete("deleted", &[("deleted-a", &[2])]));
    committed(s, "deleted");
    let mut m = Member { topic: "deleted-a", ..Member::new("a", "deleted-members") };
    m.enter(s, 5);
    s.call("of a group in a rebalance", 0, delete("deleted-members", &[("deleted-a", &[0])]));
    let id = m.id.clone();
    s.call("sync", 5, m.sync(5, &[(&id, "not a consumer's assignment")]));
    s.call(
        "of a group with members",
        0,
        delete("deleted-members", &[("deleted-a", &[0]), ("some-topic", &[0])]),
    );
}

/// Offsets go with their topic, the group with its last offset.
pub(crate) fn of_deleted_topics(s: &mut Session<'_>) {
    create(s, "commits-go", 1, &[]);
    create(s, "commits-stay", 1, &[]);
    s.quietly(8, commit("commits-go", &[("commits-go", &[(0, 5, None)]), ("commits-stay", &[(0, 6, None)])]));
    s.quietly(6, crate::conformance::request::delete_topics(6, &["commits-go"]));
    s.settle();
    s.until("the offsets go", |s| {
        let answer = s.quietly(7, fetch(7, "commits-go", Some(&[("commits-go", &[0])])));
        answer.topics[0].partitions[0].committed_offset == -1
    });
    committed(s, "commits-go");
    create(s, "commits-go", 1, &[]);
    s.call(
        "the topic made again",
        7,
        fetch(7, "commits-go", Some(&[("commits-go", &[0]), ("commits-stay", &[0])])),
    );
}

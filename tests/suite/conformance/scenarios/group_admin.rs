//! DescribeGroups, ListGroups, DeleteGroups.

use crate::conformance::group::Member;
use crate::conformance::request::{create, group_id, text, topic_name};
use crate::conformance::session::{Session, versions};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::*;

/// Three groups: one stable, one in a rebalance, one that only has offsets.
fn groups(s: &mut Session<'_>, prefix: &str) -> [Member; 2] {
    let topic = create(s, &format!("{prefix}-topic"), 1, &[]);
    let mut stable = Member::new("a", &format!("{prefix}-stable")).instance("one");
    stable.enter(s, 5);
    let id = stable.id.clone();
    s.call("sync", 5, stable.sync(5, &[(&id, "everything")]));
    let mut joining = Member::new("b", &format!("{prefix}-joining")).protocols(&["one", "two"]);
    joining.enter(s, 5);
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(3);
    let committed = OffsetCommitRequestTopic::default()
        .with_name(topic_name(&topic.name))
        .with_partitions(vec![partition]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group_id(&format!("{prefix}-offsets")))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![committed]);
    s.quietly(8, commit);
    [stable, joining]
}

fn ids(groups: &[&str]) -> Vec<GroupId> {
    groups.iter().map(|g| group_id(g)).collect()
}

pub(crate) fn described(s: &mut Session<'_>) {
    groups(s, "described");
    for v in versions::<DescribeGroupsRequest>() {
        let request = |names: &[&str]| DescribeGroupsRequest::default().with_groups(ids(names));
        for group in ["described-stable", "described-joining", "described-offsets", "described-unknown"] {
            s.call(format!("{group:?}"), v, request(&[group]));
        }
        s.call("several", v, request(&["described-stable", "described-offsets", "described-unknown"]));
        s.call("one twice", v, request(&["described-offsets", "described-offsets"]));
        s.call("none", v, request(&[]));
        if v >= 3 {
            let all =
                request(&["described-stable", "described-unknown"]).with_include_authorized_operations(true);
            s.call("operations", v, all);
        }
    }
}

pub(crate) fn listed(s: &mut Session<'_>) {
    groups(s, "listed");
    for v in versions::<ListGroupsRequest>() {
        s.call("all", v, ListGroupsRequest::default());
        if v >= 4 {
            for states in [
                &["Stable"][..],
                &["stable"],
                &["Empty", "CompletingRebalance"],
                &["nonsense"],
                &[""],
                &["Dead"],
                &["Stable", "Stable"],
            ] {
                let filter = states.iter().map(|s| text(s)).collect();
                s.call(
                    format!("states {states:?}"),
                    v,
                    ListGroupsRequest::default().with_states_filter(filter),
                );
            }
        }
        if v >= 5 {
            for types in [
                &["classic"][..],
                &["CLASSIC"],
                &["consumer"],
                &["nonsense"],
                &["classic", "consumer"],
                &["share"],
                &[""],
            ] {
                let filter = types.iter().map(|s| text(s)).collect();
                s.call(format!("types {types:?}"), v, ListGroupsRequest::default().with_types_filter(filter));
            }
            let both = ListGroupsRequest::default()
                .with_types_filter(vec![text("classic")])
                .with_states_filter(vec![text("Empty")]);
            s.call("a type and a state", v, both);
        }
    }
}

pub(crate) fn deleted(s: &mut Session<'_>) {
    // A shared broker may have the group "" from another scenario.
    s.quietly(2, DeleteGroupsRequest::default().with_groups_names(ids(&[""])));
    for v in versions::<DeleteGroupsRequest>() {
        let prefix = format!("deleted-{v}");
        let members = groups(s, &prefix);
        let name = |kind: &str| format!("{prefix}-{kind}");
        let request = |names: &[&str]| DeleteGroupsRequest::default().with_groups_names(ids(names));
        s.call("none", v, request(&[]));
        s.call("unknown", v, request(&["deleted-unknown"]));
        s.call("the empty id", v, request(&[""]));
        s.call("in use", v, request(&[&name("stable")]));
        s.call("in a rebalance", v, request(&[&name("joining")]));
        s.call("one and unknown", v, request(&[&name("offsets"), "deleted-unknown"]));
        s.call("again", v, request(&[&name("offsets")]));
        for member in &members {
            s.call("leave", 5, member.leave(5));
        }
        s.call("both, one twice", v, request(&[&name("stable"), &name("joining"), &name("stable")]));
        s.call(
            "what is left",
            5,
            DescribeGroupsRequest::default().with_groups(ids(&[&name("stable"), &name("offsets")])),
        );
    }
}

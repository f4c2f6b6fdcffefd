//! Groups over the wire: sharing work, dying, coming back, committing; with the broker's clock in the test's hand.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use klamm::{Broker, BrokerBuilder, Clock};
use tempfile::TempDir;

use crate::harness::{Process, Wire, wait_for};

const REBALANCE_IN_PROGRESS: i16 = 27;
const UNKNOWN_MEMBER_ID: i16 = 25;
const START: i64 = 1_700_000_000_000;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// Consumer protocol metadata that subscribes to "t".
fn subscription() -> Bytes {
    let mut out = BytesMut::new();
    out.put_slice(b"\0\x01\0\0\0\x01\0\x01t");
    out.put_i32(-1);
    out.freeze()
}

fn join(id: &str, member: &StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription());
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_member_id(member.clone())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn sync(id: &str, joined: &JoinGroupResponse) -> SyncGroupRequest {
    let assign = joined.members.iter().map(|member| {
        SyncGroupRequestAssignment::default()
            .with_member_id(member.member_id.clone())
            .with_assignment(Bytes::from(format!("for {}", member.member_id)))
    });
    SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
        .with_assignments(assign.collect())
}

fn heartbeat(wire: &mut Wire, id: &str, joined: &JoinGroupResponse) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group(id))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id);
    wire.call(&request, 3).error_code
}

/// One member, alone in a stable group.
fn stable(wire: &mut Wire, id: &str) -> JoinGroupResponse {
    let joined = wire.call(&join(id, &StrBytes::default()), 3);
    assert_eq!((joined.error_code, joined.leader.clone()), (0, joined.member_id.clone()));
    assert_eq!(wire.call(&sync(id, &joined), 3).error_code, 0);
    joined
}

fn commit(wire: &mut Wire, id: &str, offset: i64, by: Option<&JoinGroupResponse>) -> i16 {
    let partition =
        OffsetCommitRequestPartition::default().with_committed_offset(offset).with_committed_metadata(None);
    let topic =
        OffsetCommitRequestTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(group(id)).with_topics(vec![topic]);
    let request = match by {
        Some(member) => request
            .with_member_id(member.member_id.clone())
            .with_generation_id_or_member_epoch(member.generation_id),
        None => request,
    };
    wire.call(&request, 8).topics[0].partitions[0].error_code
}

fn committed(wire: &mut Wire, id: &str) -> i64 {
    let topic =
        OffsetFetchRequestTopics::default().with_name(TopicName(text("t"))).with_partition_indexes(vec![0]);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(Some(vec![topic]));
    let response = wire.call(&OffsetFetchRequest::default().with_groups(vec![asked]), 8);
    response.groups[0].topics[0].partitions[0].committed_offset
}

fn state(wire: &mut Wire, id: &str) -> (String, usize) {
    let request = DescribeGroupsRequest::default().with_groups(vec![group(id)]);
    let described = wire.call(&request, 5).groups.remove(0);
    (described.group_state.to_string(), described.members.len())
}

fn with_manual_clock() -> BrokerBuilder {
    Broker::builder().clock(Clock::manual(START)).seed(7).topic("t", 1)
}

fn connect(broker: &Broker) -> Wire {
    Wire::connect(&broker.bootstrap_servers())
}

#[test]
fn two_members_share_a_group_and_get_what_the_leader_assigned() {
    let broker = with_manual_clock().start().unwrap();
    let (mut one, mut two) = (connect(&broker), connect(&broker));
    let first = stable(&mut one, "g");
    two.send(&join("g", &StrBytes::default()), 3).unwrap();
    wait_for("the rebalance", || (heartbeat(&mut one, "g", &first) == REBALANCE_IN_PROGRESS).then_some(()));
    let first = one.call(&join("g", &first.member_id), 3);
    let second = two.receive::<JoinGroupRequest>(3).unwrap();
    assert_eq!((first.generation_id, second.generation_id), (2, 2));
    assert_eq!((first.members.len(), second.members.len()), (2, 0));
    two.send(&sync("g", &second), 3).unwrap();
    assert_eq!(one.call(&sync("g", &first), 3).assignment, format!("for {}", first.member_id));
    let answer = two.receive::<SyncGroupRequest>(3).unwrap();
    assert_eq!(answer.assignment, format!("for {}", second.member_id));
    assert_eq!(state(&mut one, "g"), ("Stable".to_owned(), 2));
}

#[test]
fn a_session_ends_when_the_clock_says_so_and_not_before() {
    let broker = with_manual_clock().start().unwrap();
    let mut wire = connect(&broker);
    let member = stable(&mut wire, "g");
    broker.advance(Duration::from_millis(9_999));
    assert_eq!(heartbeat(&mut wire, "g", &member), 0);
    broker.advance(Duration::from_millis(9_999));
    assert_eq!(state(&mut wire, "g"), ("Stable".to_owned(), 1));
    broker.advance(Duration::from_millis(1));
    assert_eq!(state(&mut wire, "g"), ("Empty".to_owned(), 0));
    assert_eq!(heartbeat(&mut wire, "g", &member), UNKNOWN_MEMBER_ID);
}

#[test]
fn a_client_that_hangs_up_in_its_join_does_not_hold_up_the_group_for_ever() {
    let broker = with_manual_clock().start().unwrap();
    let mut wire = connect(&broker);
    let member = stable(&mut wire, "g");
    let mut gone = connect(&broker);
    gone.send(&join("g", &StrBytes::default()), 3).unwrap();
    wait_for("the rebalance", || (heartbeat(&mut wire, "g", &member) == REBALANCE_IN_PROGRESS).then_some(()));
    drop(gone);
    let again = wire.call(&join("g", &member.member_id), 3);
    assert_eq!(again.members.len(), 2, "it is a member until its session is over");
    assert_eq!(wire.call(&sync("g", &again), 3).error_code, 0);
    broker.advance(Duration::from_secs(9));
    assert_eq!(heartbeat(&mut wire, "g", &again), 0);
    broker.advance(Duration::from_secs(1));
    let alone = wire.call(&join("g", &member.member_id), 3);
    assert_eq!((alone.generation_id, alone.members.len()), (3, 1));
}

#[test]
fn offsets_expire_a_retention_time_after_the_group_is_empty() {
    let broker = with_manual_clock().start().unwrap();
    let mut wire = connect(&broker);
    let member = stable(&mut wire, "g");
    assert_eq!(commit(&mut wire, "g", 5, Some(&member)), 0);
    broker.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(committed(&mut wire, "g"), 5, "seven days count from when the group became empty");
    broker.advance(Duration::from_secs(20 * 60));
    assert_eq!(committed(&mut wire, "g"), -1);
    assert_eq!(state(&mut wire, "g"), ("Dead".to_owned(), 0));
}

#[test]
fn a_deleted_topic_takes_committed_offsets_along() {
    let broker = with_manual_clock().start().unwrap();
    let mut wire = connect(&broker);
    assert_eq!(commit(&mut wire, "g", 5, None), 0);
    let request = DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("t"))]);
    assert_eq!(wire.call(&request.with_timeout_ms(1000), 5).responses[0].error_code, 0);
    assert_eq!(committed(&mut wire, "g"), -1);
}

#[test]
fn deleting_the_topic_of_offsets_forgets_groups_and_leaves_nobody_waiting() {
    const NOT_COORDINATOR: i16 = 16;
    let broker = with_manual_clock().start().unwrap();
    let (mut wire, mut other) = (connect(&broker), connect(&broker));
    let member = stable(&mut wire, "g");
    other.send(&join("g", &StrBytes::default()), 3).unwrap();
    wait_for("the rebalance", || (heartbeat(&mut wire, "g", &member) == REBALANCE_IN_PROGRESS).then_some(()));
    let request =
        DeleteTopicsRequest::default().with_topic_names(vec![TopicName(text("__consumer_offsets"))]);
    assert_eq!(wire.call(&request.with_timeout_ms(1000), 5).responses[0].error_code, 0);
    assert_eq!(other.receive::<JoinGroupRequest>(3).unwrap().error_code, NOT_COORDINATOR);
    assert_eq!(heartbeat(&mut wire, "g", &member), UNKNOWN_MEMBER_ID);
    stable(&mut wire, "g");
}

/// Starts `klamm serve` on `folder` with one topic.
fn serve(folder: &TempDir) -> Process {
    Process::start(folder.path(), "127.0.0.1:0", &["--topic", "t:1"])
}

#[test]
fn groups_and_offsets_survive_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = serve(&folder);
    let mut wire = Wire::connect(&process.address);
    let found = wire.call(&FindCoordinatorRequest::default().with_key(text("g")), 3);
    assert_eq!((found.error_code, found.port.to_string()), (0, port(&process)));
    let member = stable(&mut wire, "g");
    for offset in 0..200 {
        assert_eq!(commit(&mut wire, "g", offset, Some(&member)), 0);
        assert_eq!(commit(&mut wire, "simple", offset + 1000, None), 0);
    }
    process.kill();
    let process = serve(&folder);
    let mut wire = Wire::connect(&process.address);
    assert_eq!((committed(&mut wire, "g"), committed(&mut wire, "simple")), (199, 1199));
    // The member goes on as if nothing had been.
    assert_eq!(heartbeat(&mut wire, "g", &member), 0);
    assert_eq!(state(&mut wire, "g"), ("Stable".to_owned(), 1));
    assert_eq!(commit(&mut wire, "g", 200, Some(&member)), 0);
    let mut listed: Vec<String> =
        wire.call(&ListGroupsRequest::default(), 5).groups.iter().map(|g| g.group_id.to_string()).collect();
    listed.sort();
    assert_eq!(listed, ["g", "simple"]);
    assert_eq!(process.terminate(), Some(0));
    let process = serve(&folder);
    assert_eq!(committed(&mut Wire::connect(&process.address), "g"), 200);
}

fn port(process: &Process) -> String {
    process.address.rsplit(':').next().unwrap_or_default().to_owned()
}

//! Administration of a broker of this process, and of clusters of several brokers that a test makes up.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiKey, GroupId, JoinGroupRequest, ListGroupsResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataResponse, ProduceRequest, SyncGroupRequest, TopicName,
};
use klamm_protocol::batch::{self, BuildOptions, RecordToWrite};

use super::*;
use crate::ErrorKind;
use crate::native::testing::{Asked, FakeBroker, Reply, all_apis};
use crate::native::{Lane, Node};
use crate::options::Bootstrap;
use crate::record::TopicPartition;

fn embedded(name: &str) -> Admin {
    let bootstrap = Bootstrap::Embedded { name: name.to_owned(), data_dir: None };
    Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() }).unwrap()
}

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// Writes records with these timestamps.
async fn produce(admin: &Admin, to: &TopicPartition, timestamps: &[i64]) {
    let record = |timestamp: &i64| RecordToWrite { timestamp: *timestamp, ..RecordToWrite::default() };
    let records = batch::build(timestamps.iter().map(record), &BuildOptions::default());
    let data = PartitionProduceData::default().with_index(to.partition).with_records(Some(records));
    let topic =
        TopicProduceData::default().with_name(TopicName(text(&to.topic))).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic]);
    let answer = admin.cluster.call(Node::Any, Lane::Produce, &request, 12, admin.deadline()).await.unwrap();
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
}

#[tokio::test]
async fn topics_are_created_listed_described_extended_and_deleted() {
    let admin = embedded("admin topics");
    let orders = NewTopic::new("orders").partitions(2).config("cleanup.policy", "compact");
    let checked = admin.validate_topics([orders.clone(), NewTopic::new("bad/name")]).await.unwrap();
    assert!(checked.get(&"orders".to_owned()).unwrap().is_ok());
    assert_eq!(checked.errors().count(), 1);
    assert!(admin.list_topics().await.unwrap().is_empty());

    let created = admin.create_topics([orders.clone(), NewTopic::new("bad/name")]).await.unwrap();
    assert_eq!(created.get(&"orders".to_owned()).unwrap().as_ref().unwrap().partitions, Some(2));
    let error = created.get(&"bad/name".to_owned()).unwrap().as_ref().unwrap_err();
    assert_eq!(error.code(), Some(ResponseError::InvalidTopicException));
    assert!(error.to_string().starts_with("creating the topic 'bad/name' failed"), "{error}");
    let again = admin.create_topics([orders]).await.unwrap().all().unwrap_err();
    assert_eq!(again.code(), Some(ResponseError::TopicAlreadyExists));

    admin.create_partitions([("orders", 5)]).await.unwrap().all().unwrap();
    let listed = admin.list_topics().await.unwrap();
    assert_eq!((listed[0].name.as_str(), listed[0].partitions, listed[0].internal), ("orders", 5, false));
    let described = admin.describe_topics(["orders", "absent"]).await.unwrap();
    let orders = described.get(&"orders".to_owned()).unwrap().as_ref().unwrap();
    assert_eq!(orders.partitions.len(), 5);
    assert_eq!(orders.partitions[4].leader, orders.partitions[4].replicas.first().copied());
    let absent = described.get(&"absent".to_owned()).unwrap().as_ref().unwrap_err();
    assert_eq!(absent.code(), Some(ResponseError::UnknownTopicOrPartition));

    let deleted = admin.delete_topics(["orders", "absent"]).await.unwrap();
    assert_eq!(deleted.errors().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["absent"]);
    assert!(admin.list_topics().await.unwrap().is_empty());
}

#[test]
fn a_thread_can_wait_and_so_can_a_thread_of_a_runtime() {
    let admin = embedded("admin threads");
    admin.create_topics([NewTopic::new("here")]).wait().unwrap().all().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let listed = runtime.block_on(async { admin.list_topics().wait() }).unwrap();
    assert_eq!(listed.len(), 1);
    // A runtime without timers or sockets will do as well.
    assert_eq!(runtime.block_on(admin.list_topics()).unwrap().len(), 1);
}

#[tokio::test]
async fn configs_of_topics_brokers_and_groups_are_changed_one_by_one() {
    let admin = embedded("admin configs");
    admin.create_topics([NewTopic::new("t")]).await.unwrap().all().unwrap();
    let broker = admin.describe_cluster().await.unwrap().brokers[0].id;
    let (topic, group) = (ConfigResource::Topic("t".to_owned()), ConfigResource::Group("g".to_owned()));
    let broker = ConfigResource::Broker(broker);
    let changes = [
        (
            topic.clone(),
            vec![
                ConfigChange::set("retention.ms", "1000"),
                ConfigChange::Append("cleanup.policy".into(), "compact".into()),
            ],
        ),
        (broker.clone(), vec![ConfigChange::set("message.max.bytes", "2000000")]),
        (group.clone(), vec![ConfigChange::set("consumer.session.timeout.ms", "50000")]),
    ];
    admin.validate_configs(changes.clone()).await.unwrap().all().unwrap();
    admin.alter_configs(changes).await.unwrap().all().unwrap();
    let described = admin.describe_configs([topic.clone(), broker.clone(), group.clone()]).await.unwrap();
    let value = |resource: &ConfigResource, name: &str| {
        let entries = described.get(resource).unwrap().as_ref().unwrap();
        let entry = entries.iter().find(|entry| entry.name == name).unwrap();
        (entry.value.clone().unwrap(), entry.source)
    };
    assert_eq!(value(&topic, "retention.ms"), ("1000".to_owned(), ConfigSource::Topic));
    assert_eq!(value(&topic, "cleanup.policy").0, "delete,compact");
    assert_eq!(value(&broker, "message.max.bytes"), ("2000000".to_owned(), ConfigSource::Broker));
    assert_eq!(value(&group, "consumer.session.timeout.ms").0, "50000");

    admin
        .alter_configs([(topic.clone(), vec![ConfigChange::reset("retention.ms")])])
        .await
        .unwrap()
        .all()
        .unwrap();
    let described = admin.describe_configs([topic.clone()]).await.unwrap().all().unwrap();
    assert!(described[0].1.iter().any(|entry| entry.name == "retention.ms" && entry.is_default()));
    let wrong = admin.alter_configs([(topic, vec![ConfigChange::set("no.such.config", "1")])]).await.unwrap();
    assert_eq!(wrong.all().unwrap_err().code(), Some(ResponseError::InvalidConfig));
    let absent = admin.describe_configs([ConfigResource::Topic("absent".to_owned())]).await.unwrap();
    assert_eq!(absent.all().unwrap_err().code(), Some(ResponseError::UnknownTopicOrPartition));
}

#[tokio::test]
async fn offsets_of_several_topics_of_which_nothing_is_known_yet_are_found() {
    let admin = embedded("admin leaders");
    let topics = ["a", "b", "c"];
    admin.create_topics(topics.map(NewTopic::new)).await.unwrap().all().unwrap();
    let wanted = topics.map(|topic| (partition(topic, 0), OffsetAt::Latest));
    assert_eq!(admin.list_offsets(wanted).await.unwrap().all().unwrap().len(), 3);
}

#[tokio::test]
async fn whether_a_broker_can_be_reached_is_known_soon() {
    let admin = embedded("admin reach");
    admin.reach(Duration::ZERO).await.unwrap();
    // Nobody listens on a port that was just given back; and two that refuse are both tried.
    let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let bootstrap = Bootstrap::Servers(vec![port(), port()]);
    let admin = Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() }).unwrap();
    let began = Instant::now();
    let error = admin.reach(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "it was tried for {:?}", began.elapsed());
    let broker = FakeBroker::start(|_| Reply::Close).await;
    let admin = Admin::new(broker.options()).unwrap().timeout(Duration::from_millis(300));
    assert!(admin.reach(Duration::from_secs(9)).await.unwrap_err().is_retriable());
}

#[tokio::test]
async fn offsets_are_found_and_records_are_deleted() {
    let admin = embedded("admin records");
    admin.create_topics([NewTopic::new("t").partitions(2)]).await.unwrap().all().unwrap();
    let first = partition("t", 0);
    produce(&admin, &first, &[1000, 2000, 3000]).await;
    let wanted = [
        OffsetAt::Earliest,
        OffsetAt::Latest,
        OffsetAt::Timestamp(1500),
        OffsetAt::Timestamp(9999),
        OffsetAt::MaxTimestamp,
    ]
    .map(|at| (first.clone(), at));
    let found = admin.list_offsets(wanted).await.unwrap().all().unwrap();
    let offsets: Vec<_> = found.iter().map(|(_, found)| found.map(|found| found.offset)).collect();
    assert_eq!(offsets, [Some(0), Some(3), Some(1), None, Some(2)]);

    let deleted =
        admin.delete_records([(first.clone(), DeleteUpTo::Offset(2))]).await.unwrap().all().unwrap();
    assert_eq!(deleted, [(first.clone(), 2)]);
    let deleted = admin.delete_records([(first.clone(), DeleteUpTo::All)]).await.unwrap().all().unwrap();
    assert_eq!(deleted, [(first.clone(), 3)]);
    let refused =
        admin.delete_records([(first, DeleteUpTo::Offset(9)), (partition("absent", 0), DeleteUpTo::All)]);
    let refused = refused.await.unwrap();
    let codes: Vec<_> = refused.errors().map(|(_, error)| error.code().unwrap()).collect();
    assert_eq!(codes, [ResponseError::UnknownTopicOrPartition, ResponseError::OffsetOutOfRange]);
}

#[tokio::test]
async fn offsets_of_groups_are_moved_described_and_deleted() {
    let admin = embedded("admin offsets");
    admin.create_topics([NewTopic::new("t").partitions(2)]).await.unwrap().all().unwrap();
    let (first, second) = (partition("t", 0), partition("t", 1));
    produce(&admin, &first, &[1000, 2000, 3000, 4000]).await;
    admin.set_offsets("g", [(first.clone(), 1), (second.clone(), 0)]).await.unwrap().all().unwrap();
    let offsets = admin.group_offsets("g", None).await.unwrap();
    let standing: Vec<_> =
        offsets.iter().map(|o| (o.partition.partition, o.offset, o.log_end, o.lag())).collect();
    assert_eq!(standing, [(0, Some(1), Some(4), Some(3)), (1, Some(0), Some(0), Some(0))]);

    let both = || Some(vec![first.clone(), second.clone()]);
    let planned = admin.plan_offsets("g", both(), ResetTo::Latest).await.unwrap().all().unwrap();
    assert_eq!(planned[0].1, OffsetMove { from: Some(1), to: 4 });
    for (to, expected) in [
        (ResetTo::Shift(2), 3),
        (ResetTo::Earliest, 0),
        (ResetTo::Timestamp(2500), 2),
        (ResetTo::Offset(99), 4),
        (ResetTo::Ago(Duration::from_secs(60)), 4),
        (ResetTo::Latest, 4),
    ] {
        let moved = admin.reset_offsets("g", None, to).await.unwrap().all().unwrap();
        assert_eq!(moved.len(), 2);
        let offsets = admin.group_offsets("g", Some(vec![first.clone()])).await.unwrap();
        assert_eq!((moved[0].1.to, offsets[0].offset), (expected, Some(expected)), "{to:?}");
    }
    let never = admin.group_offsets("another", both()).await.unwrap();
    assert_eq!((never[0].offset, never[0].lag()), (None, Some(4)));

    admin.delete_offsets("g", [first.clone()]).await.unwrap().all().unwrap();
    assert_eq!(admin.group_offsets("g", None).await.unwrap().len(), 1);
    admin.delete_groups(["g"]).await.unwrap().all().unwrap();
    assert!(admin.group_offsets("g", None).await.unwrap().is_empty());
}

/// A member that stays in a group of its own: it is the leader, and gives itself the partition `t-0`.
async fn join(admin: &Admin, group: &str) -> crate::native::connection::Connection {
    let deadline = admin.deadline();
    let node = admin.cluster.coordinator(group, deadline).await.unwrap();
    let connection = admin.cluster.connection(Node::Id(node), Lane::Group, deadline).await.unwrap();
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\0\xff\xff\xff\xff"));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    // Version 3 needs no second round for the member's id.
    let joined = connection.call(&request, 3, Duration::from_secs(20)).await.unwrap();
    assert_eq!(joined.error_code, 0);
    let assignment = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\xff\xff\xff\xff");
    let own = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(assignment);
    let request = SyncGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id)
        .with_assignments(vec![own]);
    assert_eq!(connection.call(&request, 3, Duration::from_secs(20)).await.unwrap().error_code, 0);
    connection
}

#[tokio::test]
async fn groups_are_listed_and_described_with_their_members() {
    let admin = embedded("admin groups");
    admin.create_topics([NewTopic::new("t")]).await.unwrap().all().unwrap();
    admin.set_offsets("empty", [(partition("t", 0), 0)]).await.unwrap().all().unwrap();
    let _member = join(&admin, "live").await;
    let listed = admin.list_groups().await.unwrap();
    let names: Vec<_> =
        listed.iter().map(|group| (group.id.as_str(), group.state.as_deref().unwrap())).collect();
    assert_eq!(names, [("empty", "Empty"), ("live", "Stable")]);

    let described = admin.describe_groups(["live", "empty"]).await.unwrap().all().unwrap();
    let live = &described[0].1;
    assert_eq!(
        (live.state.as_str(), live.kind.as_str(), live.assignor.as_str()),
        ("Stable", "classic", "range")
    );
    assert_eq!(live.members[0].assignment, [partition("t", 0)]);
    assert_eq!(live.members[0].client_id, "klamm-client");
    assert!(described[1].1.members.is_empty());

    let refused = admin.delete_groups(["live", "absent"]).await.unwrap();
    let codes: Vec<_> = refused.errors().map(|(_, error)| error.code().unwrap()).collect();
    assert_eq!(codes, [ResponseError::NonEmptyGroup, ResponseError::GroupIdNotFound]);
    let refused =
        admin.reset_offsets("live", Some(vec![partition("t", 0)]), ResetTo::Earliest).await.unwrap();
    let error = refused.all().unwrap_err();
    assert!(error.to_string().contains("stop them first"), "{error}");
}

#[tokio::test]
async fn the_cluster_is_described_with_what_each_broker_serves_and_keeps() {
    let admin = embedded("admin cluster");
    admin.create_topics([NewTopic::new("t").partitions(3)]).await.unwrap().all().unwrap();
    let described = admin.describe_cluster().await.unwrap();
    assert_eq!(described.brokers.len(), 1);
    assert!(described.cluster_id.is_some() && described.controller == Some(described.brokers[0].id));
    let served = admin.api_versions().await.unwrap().all().unwrap();
    let fetch = served[0].1.iter().find(|api| api.name.as_deref() == Some("Fetch")).unwrap();
    assert!(fetch.max_version > fetch.min_version);
    let dirs = admin.log_dirs().await.unwrap().all().unwrap();
    assert_eq!(dirs[0].1.iter().map(|dir| dir.partitions.len()).sum::<usize>(), 3);
}

/// Two brokers, of which each leads the partition with its number until partition 1 moves to broker 0.
struct Pair {
    brokers: Vec<FakeBroker>,
    moved: Arc<AtomicBool>,
}

async fn pair() -> Pair {
    let ports: Arc<[AtomicI32; 2]> = Arc::default();
    let moved = Arc::new(AtomicBool::new(false));
    let mut brokers = Vec::new();
    for own in 0..2 {
        let (known, moved) = (Arc::clone(&ports), Arc::clone(&moved));
        let broker = FakeBroker::start(move |asked| answer(own, &known, &moved, asked)).await;
        ports[usize::try_from(own).unwrap()].store(broker.port.into(), Ordering::SeqCst);
        brokers.push(broker);
    }
    Pair { brokers, moved }
}

fn answer(own: i32, ports: &[AtomicI32; 2], moved: &AtomicBool, asked: &Asked) -> Reply {
    match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        ApiKey::Metadata => {
            let brokers = (0..).zip(ports).map(|(id, port)| {
                MetadataResponseBroker::default()
                    .with_node_id(i32::into(id))
                    .with_host(text("localhost"))
                    .with_port(port.load(Ordering::SeqCst))
            });
            let leaders = [0, if moved.load(Ordering::SeqCst) { 0 } else { 1 }];
            let partitions = (0..).zip(leaders).map(|(index, leader)| {
                MetadataResponsePartition::default()
                    .with_partition_index(index)
                    .with_leader_id(i32::into(leader))
            });
            let topic = MetadataResponseTopic::default()
                .with_name(Some(TopicName(text("t"))))
                .with_partitions(partitions.collect());
            asked
                .answer(&MetadataResponse::default().with_brokers(brokers.collect()).with_topics(vec![topic]))
        }
        ApiKey::ListOffsets => {
            let request = asked.decode::<ListOffsetsRequest>();
            let partitions = request.topics[0].partitions.iter().map(|partition| {
                let answered =
                    ListOffsetsPartitionResponse::default().with_partition_index(partition.partition_index);
                let leads = partition.partition_index == own;
                if leads && own == 1 {
                    // It finds out that it does not lead any more.
                    moved.store(true, Ordering::SeqCst);
                    return answered.with_error_code(ResponseError::NotLeaderOrFollower.code());
                }
                answered.with_offset(i64::from(100 + partition.partition_index))
            });
            let topic = ListOffsetsTopicResponse::default().with_name(TopicName(text("t")));
            asked.answer(
                &ListOffsetsResponse::default()
                    .with_topics(vec![topic.with_partitions(partitions.collect())]),
            )
        }
        ApiKey::ListGroups => {
            let group = ListedGroup::default().with_group_id(GroupId(text(&format!("group of {own}"))));
            asked.answer(&ListGroupsResponse::default().with_groups(vec![group]))
        }
        _ => Reply::Close,
    }
}

#[tokio::test]
async fn offsets_of_several_topics_are_found_at_once() {
    let admin = embedded("admin several topics");
    let topics = ["one", "two", "three"];
    admin.create_topics(topics.map(|topic| NewTopic::new(topic).partitions(1))).await.unwrap().all().unwrap();
    // By somebody who has not heard of any of them.
    let other = embedded("admin several topics");
    let wanted = topics.map(|topic| (partition(topic, 0), OffsetAt::Latest));
    assert_eq!(other.list_offsets(wanted).await.unwrap().all().unwrap().len(), 3);
}

#[tokio::test]
async fn requests_go_to_whoever_is_in_charge_and_follow_it() {
    let pair = pair().await;
    let admin = Admin::new(pair.brokers[1].options()).unwrap();
    let groups = admin.list_groups().await.unwrap();
    let groups: Vec<_> = groups.iter().map(|group| (group.id.as_str(), group.coordinator)).collect();
    assert_eq!(groups, [("group of 0", 0), ("group of 1", 1)]);

    let wanted = [0, 1, 7].map(|index| (partition("t", index), OffsetAt::Latest));
    let found = admin.list_offsets(wanted.clone()).await.unwrap();
    let offset = |index: usize| found.get(&wanted[index]).unwrap().clone().map(|found| found.unwrap().offset);
    assert_eq!((offset(0).unwrap(), offset(1).unwrap()), (100, 101));
    assert_eq!(offset(2).unwrap_err().code(), Some(ResponseError::UnknownTopicOrPartition));
    assert!(pair.moved.load(Ordering::SeqCst));
    assert_eq!(admin.api_versions().await.unwrap().all().unwrap().len(), 2);
}

#[tokio::test]
async fn what_may_not_be_done_twice_is_not_asked_again() {
    let asked_for = Arc::new(AtomicI32::new(0));
    let count = Arc::clone(&asked_for);
    let broker = FakeBroker::start(move |asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        ApiKey::Metadata => asked.answer(&MetadataResponse::default()),
        _ => {
            count.fetch_add(1, Ordering::SeqCst);
            Reply::Close
        }
    })
    .await;
    let admin = Admin::new(broker.options()).unwrap();
    let error = admin.delete_topics(["t"]).await.unwrap().all().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.to_string().contains("look whether it has been done"), "{error}");
    assert_eq!(asked_for.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_there_is_told_in_time() {
    let gone = FakeBroker::start(|_| Reply::Close).await;
    let options = gone.options();
    drop(gone);
    let admin = Admin::new(options).unwrap().timeout(Duration::from_millis(200));
    assert!(admin.list_topics().await.unwrap_err().is_retriable());
    assert!(admin.list_groups().await.unwrap_err().is_retriable());
    assert!(admin.describe_cluster().await.unwrap_err().is_retriable());
    let error = admin.create_topics([NewTopic::new("t")]).await.unwrap().all().unwrap_err();
    assert!(error.to_string().starts_with("creating the topic 't' failed"), "{error}");
    admin.close();
    assert_eq!(admin.list_topics().await.unwrap_err().kind(), ErrorKind::NotRunning);
}

#[tokio::test]
async fn partitions_are_added_where_they_are_told_and_their_eligible_leaders_are_told() {
    let admin = embedded("admin eligible");
    admin.create_topics([NewTopic::new("t").partitions(1)]).await.unwrap().all().unwrap();
    let broker = admin.describe_cluster().await.unwrap().brokers[0].id;
    let refused = admin.create_partitions_on([("t", 2, vec![vec![broker + 1]])]).await.unwrap();
    let error = refused.errors().next().unwrap().1;
    assert_eq!(error.code(), Some(ResponseError::InvalidReplicaAssignment));
    assert!(error.broker_message().is_some_and(|said| said.contains("broker")), "{error}");
    admin.create_partitions_on([("t", 3, vec![vec![broker]; 2])]).await.unwrap().all().unwrap();
    let eligible = admin.eligible_leaders(["t"]).await.unwrap().unwrap();
    assert_eq!(eligible.len(), 3);
    assert!(eligible[&partition("t", 2)].eligible.is_empty());
}

#[tokio::test]
async fn what_has_configs_of_its_own_is_listed() {
    let admin = embedded("admin configured");
    assert_eq!(admin.configured().await.unwrap(), []);
    let group = ConfigResource::Group("g".to_owned());
    let change = vec![ConfigChange::set("consumer.session.timeout.ms", "50000")];
    admin.alter_configs([(group.clone(), change)]).await.unwrap().all().unwrap();
    assert_eq!(admin.configured().await.unwrap(), [group]);
}

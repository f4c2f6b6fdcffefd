//! A harmless good request of each API at each version: what the scenarios of bad frames start from.

use super::batch::Batch;
use super::group::Member;
use super::request::{
    Topic, creatable, create_topics, delete_topics, fetch, fetch_partition, group_id, list_offsets, metadata,
    produce, text, topic_name,
};
use super::session::{Session, versions};
use bytes::BytesMut;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;
use std::fmt::Debug;

/// A request's body, and what its header says.
pub(crate) struct Sample {
    pub(crate) version: i16,
    /// Whether it has tagged fields.
    pub(crate) flexible: bool,
    pub(crate) body: BytesMut,
    /// Sends a body as one of this API.
    pub(crate) send: fn(&mut Session<'_>, String, i16, &[u8]),
}

fn send<R>(s: &mut Session<'_>, name: String, version: i16, body: &[u8])
where
    R: Request,
    R::Response: Debug,
{
    s.body::<R>(name, version, body);
}

struct Samples(Vec<Sample>);

impl Samples {
    fn add<R>(&mut self, request: impl Fn(i16) -> R)
    where
        R: Request,
        R::Response: Debug,
    {
        for version in versions::<R>() {
            let mut body = BytesMut::new();
            request(version).encode(&mut body, version).expect("the sample can be said at each version");
            let flexible = R::header_version(version) >= 2;
            self.0.push(Sample { version, flexible, body, send: send::<R> });
        }
    }
}

/// A sample of every API at every version. They name what does not exist, so that nothing comes of them.
pub(crate) fn all() -> Vec<Sample> {
    let mut all = Samples(Vec::new());
    topics(&mut all);
    records(&mut all);
    groups(&mut all);
    cluster(&mut all);
    all.0
}

fn topics(all: &mut Samples) {
    all.add(|v| match v {
        3.. => ApiVersionsRequest::default()
            .with_client_software_name(text("conformance"))
            .with_client_software_version(text("1.0.0")),
        _ => ApiVersionsRequest::default(),
    });
    all.add(|v| metadata(v, Some(&["not a topic"])));
    all.add(|_| create_topics(vec![creatable("not a topic", 1, 1)]));
    all.add(|v| delete_topics(v, &["unknown-topic"]));
    all.add(|_| {
        let topic = create_partitions_request::CreatePartitionsTopic::default()
            .with_name(topic_name("unknown-topic"))
            .with_count(3);
        CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
    });
    all.add(|_| {
        let topic =
            describe_topic_partitions_request::TopicRequest::default().with_name(topic_name("unknown-topic"));
        DescribeTopicPartitionsRequest::default().with_topics(vec![topic]).with_response_partition_limit(10)
    });
}

fn records(all: &mut Samples) {
    let none = Topic::unknown();
    all.add(|v| produce(v, -1, &[(&none, 0, Some(Batch::counted(1).bytes()))]));
    all.add(|v| fetch(v, &[(&none, vec![fetch_partition(0, 0)])]));
    all.add(|_| list_offsets(&[(&none.name, &[(0, -1)])]));
    all.add(|_| {
        use offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
        let topic = OffsetForLeaderTopic::default()
            .with_topic(topic_name("unknown-topic"))
            .with_partitions(vec![OffsetForLeaderPartition::default()]);
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-2)).with_topics(vec![topic])
    });
    all.add(|_| {
        use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
        let topic = DeleteRecordsTopic::default()
            .with_name(topic_name("unknown-topic"))
            .with_partitions(vec![DeleteRecordsPartition::default()]);
        DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
    });
    all.add(|_| {
        InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1000)
    });
    all.add(|_| {
        let topic = describe_producers_request::TopicRequest::default()
            .with_name(topic_name("unknown-topic"))
            .with_partition_indexes(vec![0]);
        DescribeProducersRequest::default().with_topics(vec![topic])
    });
}

fn groups(all: &mut Samples) {
    let member = Member { id: "nobody".to_string(), generation: 1, ..Member::new("a", "unknown-group") };
    all.add(|v| match v {
        4.. => FindCoordinatorRequest::default().with_coordinator_keys(vec![text("unknown-group")]),
        _ => FindCoordinatorRequest::default().with_key(text("unknown-group")),
    });
    all.add(|v| member.join(v));
    all.add(|v| member.sync(v, &[("nobody", "everything")]));
    all.add(|v| member.heartbeat(v));
    all.add(|v| member.leave(v));
    all.add(|_| {
        use offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let topic = OffsetCommitRequestTopic::default()
            .with_name(topic_name("unknown-topic"))
            .with_partitions(vec![OffsetCommitRequestPartition::default()]);
        OffsetCommitRequest::default()
            .with_group_id(group_id("unknown-group"))
            .with_member_id(text("nobody"))
            .with_generation_id_or_member_epoch(1)
            .with_topics(vec![topic])
    });
    all.add(|v| match v {
        8.. => {
            let topic = offset_fetch_request::OffsetFetchRequestTopics::default()
                .with_name(topic_name("unknown-topic"))
                .with_partition_indexes(vec![0]);
            let group = offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group_id("unknown-group"))
                .with_topics(Some(vec![topic]));
            OffsetFetchRequest::default().with_groups(vec![group])
        }
        _ => {
            let topic = offset_fetch_request::OffsetFetchRequestTopic::default()
                .with_name(topic_name("unknown-topic"))
                .with_partition_indexes(vec![0]);
            OffsetFetchRequest::default()
                .with_group_id(group_id("unknown-group"))
                .with_topics(Some(vec![topic]))
        }
    });
    all.add(|_| {
        use offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
        let topic = OffsetDeleteRequestTopic::default()
            .with_name(topic_name("unknown-topic"))
            .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
        OffsetDeleteRequest::default().with_group_id(group_id("unknown-group")).with_topics(vec![topic])
    });
    all.add(|_| DescribeGroupsRequest::default().with_groups(vec![group_id("unknown-group")]));
    all.add(|v| match v {
        4.. => ListGroupsRequest::default().with_states_filter(vec![text("nonsense")]),
        _ => ListGroupsRequest::default(),
    });
    all.add(|_| DeleteGroupsRequest::default().with_groups_names(vec![group_id("unknown-group")]));
}

fn cluster(all: &mut Samples) {
    all.add(|_| {
        let resource = describe_configs_request::DescribeConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("unknown-topic"))
            .with_configuration_keys(Some(vec![text("retention.ms")]));
        DescribeConfigsRequest::default().with_resources(vec![resource])
    });
    all.add(|_| {
        use alter_configs_request::{AlterConfigsResource, AlterableConfig};
        let config = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("1")));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("unknown-topic"))
            .with_configs(vec![config]);
        AlterConfigsRequest::default().with_resources(vec![resource])
    });
    all.add(|_| {
        use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
        let config = AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("1")));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("unknown-topic"))
            .with_configs(vec![config]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    });
    all.add(|v| match v {
        1.. => ListConfigResourcesRequest::default().with_resource_types(vec![16]),
        _ => ListConfigResourcesRequest::default(),
    });
    all.add(|_| {
        let topic = describe_log_dirs_request::DescribableLogDirTopic::default()
            .with_topic(topic_name("unknown-topic"))
            .with_partitions(vec![0]);
        DescribeLogDirsRequest::default().with_topics(Some(vec![topic]))
    });
    all.add(|_| {
        let topic = elect_leaders_request::TopicPartitions::default()
            .with_topic(topic_name("unknown-topic"))
            .with_partitions(vec![0]);
        ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic])).with_timeout_ms(1000)
    });
    all.add(|_| {
        let topic = list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
            .with_name(topic_name("unknown-topic"))
            .with_partition_indexes(vec![0]);
        ListPartitionReassignmentsRequest::default().with_topics(Some(vec![topic]))
    });
    all.add(|_| DescribeClusterRequest::default());
}

//! A client that speaks the protocol and nothing more, within the process.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{
    Decodable, HeaderVersion, Request, StrBytes, encode_request_header_into_buffer,
};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

use crate::{Broker, InProcessConnection};

pub(super) struct Client {
    connection: InProcessConnection,
    runtime: tokio::runtime::Runtime,
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

impl Client {
    pub(super) fn new(broker: &Broker) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Client { connection: broker.connect(), runtime }
    }

    /// Sends a request; none comes back if the connection is closed.
    pub(super) fn try_ask<R: Request>(&mut self, request: &R, version: i16) -> Option<Bytes> {
        let mut frame = BytesMut::new();
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_client_id(Some(text("test")));
        encode_request_header_into_buffer(&mut frame, &header).unwrap();
        request.encode(&mut frame, version).unwrap();
        self.runtime.block_on(async {
            self.connection.send(frame.freeze()).await.ok()?;
            self.connection.receive().await.map(|answer| answer.to_bytes())
        })
    }

    /// The answer as it goes over the wire.
    pub(super) fn bytes<R: Request>(&mut self, request: &R, version: i16) -> Bytes {
        self.try_ask(request, version).expect("the connection is open")
    }

    pub(super) fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let mut frame = self.bytes(request, version);
        frame.advance(4);
        ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        R::Response::decode(&mut frame, version).unwrap()
    }

    pub(super) fn create(&mut self, topic: &str, partitions: i32) -> i16 {
        self.ask(&create(topic, partitions), 7).topics[0].error_code
    }

    pub(super) fn delete(&mut self, topic: &str) -> i16 {
        let state = DeleteTopicState::default().with_name(Some(name(topic)));
        let request = DeleteTopicsRequest::default().with_topics(vec![state]).with_timeout_ms(1000);
        self.ask(&request, 6).responses[0].error_code
    }

    pub(super) fn produce(&mut self, topic: &str, partition: i32, batch: &Bytes) -> (i16, i64) {
        let answer = self.ask(&produce(topic, partition, batch), 9);
        let partition = &answer.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    pub(super) fn delete_records(&mut self, topic: &str, partition: i32, before: i64) -> i64 {
        let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(before);
        let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
        let answer = self.ask(&DeleteRecordsRequest::default().with_topics(vec![topic]), 2);
        answer.topics[0].partitions[0].low_watermark
    }

    pub(super) fn commit(&mut self, group: &str, topic: &str, partition: i32, offset: i64) -> i16 {
        self.ask(&commit(group, topic, partition, offset, None), 8).topics[0].partitions[0].error_code
    }

    /// All that a group has committed.
    pub(super) fn committed(&mut self, group: &str) -> Vec<(String, i32, i64)> {
        let group = OffsetFetchRequestGroup::default().with_group_id(GroupId(text(group))).with_topics(None);
        let answer = self.ask(&OffsetFetchRequest::default().with_groups(vec![group]), 8);
        let topics = answer.groups[0].topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|p| (topic.name.to_string(), p.partition_index, p.committed_offset))
        });
        let mut all: Vec<_> = topics.collect();
        all.sort();
        all
    }

    /// Sets a config: of a topic, or of the broker.
    pub(super) fn set(&mut self, topic: Option<&str>, config: &str, value: &str) -> i16 {
        let (kind, of) = topic.map_or((4, ""), |topic| (2, topic));
        let set = AlterableConfig::default().with_name(text(config)).with_value(Some(text(value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(of))
            .with_configs(vec![set]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.ask(&request, 1).responses[0].error_code
    }

    pub(super) fn producer_id(&mut self) -> i64 {
        self.ask(&producer_id(), 4).producer_id.0
    }

    /// Joins a group as its only member; gives the member's id and generation.
    pub(super) fn join_alone(&mut self, group: &str) -> (StrBytes, i32) {
        let first = self.ask(&join(group, StrBytes::default()), 5);
        let joined = self.ask(&join(group, first.member_id), 5);
        assert_eq!(joined.error_code, 0);
        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(joined.member_id.clone())
            .with_assignment(Bytes::from_static(b"all"));
        let sync = SyncGroupRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(joined.member_id.clone())
            .with_generation_id(joined.generation_id)
            .with_assignments(vec![assignment]);
        assert_eq!(self.ask(&sync, 3).error_code, 0);
        (joined.member_id, joined.generation_id)
    }

    pub(super) fn heartbeat(&mut self, group: &str, member: &StrBytes, generation: i32) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_member_id(member.clone())
            .with_generation_id(generation);
        self.ask(&request, 3).error_code
    }
}

pub(super) fn create(topic: &str, partitions: i32) -> CreateTopicsRequest {
    let topic = CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000)
}

pub(super) fn produce(topic: &str, partition: i32, batch: &Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.clone()));
    let topic = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic])
}

pub(super) fn fetch(topic: &str, partition: i32, wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default().with_partition(partition).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

pub(super) fn commit(
    group: &str,
    topic: &str,
    partition: i32,
    offset: i64,
    member: Option<(StrBytes, i32)>,
) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("meta")));
    let topic = OffsetCommitRequestTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let (id, generation) = member.unwrap_or((StrBytes::default(), -1));
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(id)
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic])
}

pub(super) fn producer_id() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(ProducerId(-1))
}

pub(super) fn join(group: &str, member: StrBytes) -> JoinGroupRequest {
    // A consumer that subscribes to "t".
    let metadata = Bytes::from_static(b"\0\x01\0\0\0\x01\0\x01t\xff\xff\xff\xff");
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(metadata);
    JoinGroupRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(member)
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

/// A batch of one record; of the producer with this id, epoch 0 and this sequence number, if there is one.
pub(super) fn record(value: &str, producer: Option<(i64, i32)>) -> Bytes {
    let mut options = BuildOptions::default();
    if let Some((id, sequence)) = producer {
        (options.producer_id, options.producer_epoch, options.base_sequence) = (id, 0, sequence);
    }
    let value = Some(Bytes::copy_from_slice(value.as_bytes()));
    batch::build([RecordToWrite { key: None, value, headers: Vec::new(), timestamp: super::START }], &options)
}

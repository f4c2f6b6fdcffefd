//! What the tests share: a raw client over TCP, batches of records, and requests that many tests make.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    FetchRequest, GroupId, JoinGroupRequest, JoinGroupResponse, OffsetCommitRequest, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, SyncGroupRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use klamm_broker::{Broker, BrokerBuilder, Clock};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};

/// How long a test waits for what must happen. Long, because the machine may be busy; never slept through.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Where manual clocks start.
pub(crate) const START: i64 = 1_700_000_000_000;

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}

pub(crate) fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

/// A broker with two topics of two partitions, a clock that stands still, and a seed.
pub(crate) fn broker() -> BrokerBuilder {
    Broker::builder().clock(Clock::manual(START)).seed(7).topic("a", 2).topic("b", 2)
}

/// A connection that speaks the protocol and nothing more.
pub(crate) struct Wire {
    stream: TcpStream,
    client_id: &'static str,
    correlation_id: i32,
}

impl Wire {
    pub(crate) fn connect(broker: &Broker) -> Wire {
        Wire::connect_as(broker, "suite")
    }

    pub(crate) fn connect_as(broker: &Broker, client_id: &'static str) -> Wire {
        let servers = broker.bootstrap_servers();
        Wire::open(servers.split(',').next().unwrap_or_default(), client_id)
    }

    /// A connection to one of several nodes.
    pub(crate) fn to_node(broker: &Broker, node: i32) -> Wire {
        Wire::open(&broker.cluster().node(node).unwrap().bootstrap_server(), "suite")
    }

    fn open(address: &str, client_id: &'static str) -> Wire {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Wire { stream, client_id, correlation_id: 0 }
    }

    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(text(self.client_id)));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = i32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).unwrap();
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer comes");
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        let mut frame = Bytes::from(frame);
        ResponseHeader::decode(&mut frame, R::Response::header_version(version)).unwrap();
        let response = R::Response::decode(&mut frame, version).expect("the answer can be read");
        assert!(!frame.has_remaining(), "the answer has {} bytes too many", frame.remaining());
        response
    }

    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        self.receive::<R>(version)
    }

    /// What comes until the broker closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                panic!("the connection stays open: {error}")
            }
            _ => rest,
        }
    }

    /// Whether nothing has come yet.
    pub(crate) fn is_silent(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let nothing =
            matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).unwrap();
        nothing
    }
}

/// A batch of records with these values.
pub(crate) fn batch(values: &[&str], timestamp: i64) -> Bytes {
    let record = |value: &&str| RecordToWrite {
        key: Some(Bytes::from(format!("key of {value}"))),
        value: Some(Bytes::from((*value).to_owned())),
        headers: vec![("source".into(), Some(Bytes::from_static(b"suite")))],
        timestamp,
    };
    batch::build(values.iter().map(record), &BuildOptions::default())
}

/// A Produce of one record to each of these partitions.
pub(crate) fn produce(places: &[(&str, i32)], timestamp: i64) -> ProduceRequest {
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for (name, index) in places {
        let data = PartitionProduceData::default()
            .with_index(*index)
            .with_records(Some(batch(&["value"], timestamp)));
        match topics.iter_mut().find(|topic| topic.name.as_str() == *name) {
            Some(topic) => topic.partition_data.push(data),
            None => topics
                .push(TopicProduceData::default().with_name(topic(name)).with_partition_data(vec![data])),
        }
    }
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000).with_topic_data(topics)
}

/// The errors of an answer to Produce, in its order.
pub(crate) fn errors(response: &ProduceResponse) -> Vec<(String, i32, i16)> {
    let topics = response.responses.iter();
    let of = |topic: &TopicName, index, code| (topic.to_string(), index, code);
    topics.flat_map(|t| t.partition_responses.iter().map(|p| of(&t.name, p.index, p.error_code))).collect()
}

pub(crate) fn fetch(places: &[(&str, i32)], max_wait_ms: i32) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (name, index) in places {
        let partition = FetchPartition::default()
            .with_partition(*index)
            .with_partition_max_bytes(1 << 20)
            .with_fetch_offset(0);
        match topics.iter_mut().find(|topic| topic.topic.as_str() == *name) {
            Some(topic) => topic.partitions.push(partition),
            None => {
                topics.push(FetchTopic::default().with_topic(topic(name)).with_partitions(vec![partition]))
            }
        }
    }
    FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(topics)
}

pub(crate) fn commit(id: &str, name: &str, partition: i32, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(None);
    let topic = OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group(id))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic])
}

/// Metadata and assignment of the consumer protocol for the topic "a".
pub(crate) fn join(id: &str, member: &StrBytes) -> JoinGroupRequest {
    let mut subscription = BytesMut::new();
    subscription.put_slice(b"\0\x01\0\0\0\x01\0\x01a");
    subscription.put_i32(-1);
    let protocol =
        JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription.freeze());
    JoinGroupRequest::default()
        .with_group_id(group(id))
        .with_member_id(member.clone())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

pub(crate) fn sync(id: &str, joined: &JoinGroupResponse) -> SyncGroupRequest {
    let assign = joined.members.iter().map(|member| {
        let mut assignment = BytesMut::new();
        assignment.put_slice(b"\0\x01\0\0\0\x01\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x01");
        assignment.put_i32(-1);
        SyncGroupRequestAssignment::default()
            .with_member_id(member.member_id.clone())
            .with_assignment(assignment.freeze())
    });
    SyncGroupRequest::default()
        .with_group_id(group(id))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id)
        .with_assignments(assign.collect())
}

/// One member, alone in a stable group.
pub(crate) fn stable(wire: &mut Wire, id: &str) -> JoinGroupResponse {
    let joined = wire.call(&join(id, &StrBytes::default()), 3);
    assert_eq!((joined.error_code, joined.leader.clone()), (0, joined.member_id.clone()));
    assert_eq!(wire.call(&sync(id, &joined), 3).error_code, 0);
    joined
}

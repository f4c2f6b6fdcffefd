//! The guard against the decoder behind it, over every API and version.

mod generate;
mod responses;

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message as _, Request};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;

/// What of the decoder the tests need, for one API.
struct Decoder {
    key: i16,
    versions: RangeInclusive<i16>,
    is_flexible: fn(i16) -> bool,
    /// The request that is all defaults, encoded.
    default: fn(i16) -> Result<Bytes, String>,
    /// The request in text, and how many bytes were left over.
    decode: fn(i16, &Bytes) -> Result<Decoded, String>,
}

type Decoded = (String, usize);

macro_rules! decoders {
    ($($request:ident)*) => {
        /// Every request that a client may send.
        const DECODERS: &[Decoder] = &[$(Decoder {
            key: <$request as Request>::KEY,
            versions: $request::VERSIONS.min..=$request::VERSIONS.max,
            is_flexible: |version| $request::header_version(version) >= 2,
            default: |version| {
                let mut out = BytesMut::new();
                $request::default().encode(&mut out, version).map_err(|error| error.to_string())?;
                Ok(out.freeze())
            },
            decode: |version, body| {
                let mut rest = body.clone();
                let request = $request::decode(&mut rest, version).map_err(|error| error.to_string())?;
                Ok((format!("{request:?}"), rest.len()))
            },
        }),*];
    };
}

decoders! {
    AddOffsetsToTxnRequest AddPartitionsToTxnRequest AddRaftVoterRequest AlterClientQuotasRequest
    AlterConfigsRequest AlterPartitionReassignmentsRequest AlterReplicaLogDirsRequest
    AlterShareGroupOffsetsRequest AlterUserScramCredentialsRequest ApiVersionsRequest
    ConsumerGroupDescribeRequest ConsumerGroupHeartbeatRequest CreateAclsRequest
    CreateDelegationTokenRequest CreatePartitionsRequest CreateTopicsRequest DeleteAclsRequest
    DeleteGroupsRequest DeleteRecordsRequest DeleteShareGroupOffsetsRequest DeleteShareGroupStateRequest
    DeleteTopicsRequest DescribeAclsRequest DescribeClientQuotasRequest DescribeClusterRequest
    DescribeConfigsRequest DescribeDelegationTokenRequest DescribeGroupsRequest DescribeLogDirsRequest
    DescribeProducersRequest DescribeQuorumRequest DescribeShareGroupOffsetsRequest
    DescribeTopicPartitionsRequest DescribeTransactionsRequest DescribeUserScramCredentialsRequest
    ElectLeadersRequest EndTxnRequest ExpireDelegationTokenRequest FetchRequest FindCoordinatorRequest
    GetTelemetrySubscriptionsRequest HeartbeatRequest IncrementalAlterConfigsRequest InitProducerIdRequest
    InitializeShareGroupStateRequest JoinGroupRequest LeaveGroupRequest ListConfigResourcesRequest
    ListGroupsRequest ListOffsetsRequest ListPartitionReassignmentsRequest ListTransactionsRequest
    MetadataRequest OffsetCommitRequest OffsetDeleteRequest OffsetFetchRequest OffsetForLeaderEpochRequest
    ProduceRequest PushTelemetryRequest ReadShareGroupStateRequest ReadShareGroupStateSummaryRequest
    RemoveRaftVoterRequest RenewDelegationTokenRequest SaslAuthenticateRequest SaslHandshakeRequest
    ShareAcknowledgeRequest ShareFetchRequest ShareGroupDescribeRequest ShareGroupHeartbeatRequest
    SyncGroupRequest TxnOffsetCommitRequest UnregisterBrokerRequest UpdateFeaturesRequest
    WriteShareGroupStateRequest WriteTxnMarkersRequest
}

/// Every API in every version, with its decoder.
fn each_version() -> impl Iterator<Item = (&'static schema::Message, i16, &'static Decoder)> {
    DECODERS.iter().flat_map(|decoder| {
        let message = schema::request(decoder.key).unwrap();
        decoder.versions.clone().map(move |version| (message, version, decoder))
    })
}

#[test]
fn the_tables_have_the_versions_that_the_decoder_has() {
    for decoder in DECODERS {
        let message = schema::request(decoder.key).unwrap();
        assert_eq!(message.versions, decoder.versions, "{}", message.name);
        for version in decoder.versions.clone() {
            assert_eq!(
                message.is_flexible(version),
                (decoder.is_flexible)(version),
                "{} {version}",
                message.name
            );
        }
    }
    let described = (i16::MIN..=i16::MAX).filter(|key| schema::request(*key).is_some()).count();
    assert_eq!(described, DECODERS.len());
}

#[test]
fn a_request_of_defaults_passes_as_it_is() {
    for (message, version, decoder) in each_version() {
        let body = (decoder.default)(version).unwrap();
        let checked = check(decoder.key, version, &body).unwrap();
        assert_eq!(checked, body, "{} {version}", message.name);
        assert_eq!((decoder.decode)(version, &checked).unwrap().1, 0, "{} {version}", message.name);
    }
}

#[test]
fn a_populated_request_passes_without_a_copy_and_is_decoded_to_its_last_byte() {
    for (message, version, decoder) in each_version() {
        for seed in 0..8 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let body = Bytes::from(generate::message(message, version, 0, &mut rng).plain);
            let what = format!("{} {version} seed {seed}", message.name);
            let checked = check(decoder.key, version, &body).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(body.is_empty() || checked.as_ptr() == body.as_ptr(), "{what}: copied");
            let (_, left) = (decoder.decode)(version, &checked).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(left, 0, "{what}");
        }
    }
}

#[test]
fn a_request_that_only_kafka_would_read_becomes_the_one_it_stands_for() {
    let mut rewritten = 0;
    for (message, version, decoder) in each_version() {
        for seed in 0..8 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let twins = generate::message(message, version, 20, &mut rng);
            let what = format!("{} {version} seed {seed}", message.name);
            let (mut odd, plain) = (twins.odd, Bytes::from(twins.plain));
            // What is behind a request is nobody's business, and stays.
            odd.extend_from_slice(b"behind");
            let odd = Bytes::from(odd);
            let checked = check(decoder.key, version, &odd).unwrap_or_else(|e| panic!("{what}: {e}"));
            rewritten += usize::from(checked.as_ptr() != odd.as_ptr());
            let (got, left) = (decoder.decode)(version, &checked).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(got, (decoder.decode)(version, &plain).unwrap().0, "{what}");
            assert_eq!(left, b"behind".len(), "{what}");
        }
    }
    assert!(rewritten > 1000, "only {rewritten} were odd");
}

/// One change to the bytes of a request.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Overwrite(Index, Vec<u8>),
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let lengths = prop_oneof![
        Just(vec![0x7f, 0xff, 0xff, 0xff]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0x07]),
        Just(vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
        Just(vec![0x7f, 0xff]),
        Just(vec![0xff, 0xff, 0xff, 0xfe]),
        proptest::collection::vec(any::<u8>(), 1..6),
    ];
    let mutation = prop_oneof![
        (any::<Index>(), 1_u8..=255).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), lengths.clone()).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), lengths).prop_map(|(at, bytes)| Mutation::Overwrite(at, bytes)),
    ];
    proptest::collection::vec(mutation, 1..4)
}

fn mutate(body: &mut Vec<u8>, mutations: &[Mutation]) {
    for mutation in mutations {
        if body.is_empty() {
            return;
        }
        match mutation {
            Mutation::Flip(at, bits) => *at.get_mut(body.as_mut_slice()) ^= bits,
            Mutation::Cut(at) => body.truncate(at.index(body.len())),
            Mutation::Insert(at, bytes) => {
                let at = at.index(body.len());
                body.splice(at..at, bytes.iter().copied());
            }
            Mutation::Overwrite(at, bytes) => {
                let at = at.index(body.len());
                let end = body.len().min(at + bytes.len());
                body.splice(at..end, bytes.iter().copied());
            }
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn whatever_passes_is_decoded() {
    let all: Vec<_> = each_version().collect();
    let cases = (any::<Index>(), any::<u64>(), 0_u32..30, mutations());
    runner(4000)
        .run(&cases, |(which, seed, oddness, mutations)| {
            let (message, version, decoder) = *which.get(&all);
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut body = generate::message(message, version, oddness, &mut rng).odd;
            mutate(&mut body, &mutations);
            let body = Bytes::from(body);
            // Elements have a byte at least, and a structure of any message is far below a kilobyte.
            let limit = 1024 * (1 + body.len());
            match walk::check(message, version, &body, Budget { bytes: limit, ..REQUEST }) {
                Ok(checked) => {
                    let decoded = (decoder.decode)(version, &checked);
                    prop_assert!(decoded.is_ok(), "{} {version}: {decoded:?} from {body:x?}", message.name);
                }
                Err(error) => prop_assert_ne!(error, GuardError::Memory { limit }, "{}", message.name),
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_bytes_are_a_header_or_an_error() {
    runner(2000)
        .run(&proptest::collection::vec(any::<u8>(), 0..40), |mut frame| {
            if let Some(key) = frame.first_mut() {
                *key = 0;
            }
            let frame = Bytes::from(frame);
            if let Ok(header) = check_header(&frame) {
                let _ = check(header.api_key, header.api_version, &header.body);
            }
            Ok(())
        })
        .unwrap();
}

fn frame(key: i16, version: i16, client_id: &[u8], behind: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(77);
    frame.put_slice(client_id);
    frame.put_slice(behind);
    frame.freeze()
}

#[test]
fn a_header_is_read_as_its_version_has_it() {
    let read = |frame: Bytes| check_header(&frame).map(|header| (header.client_id, header.body.to_vec()));
    let named = Some("me".to_owned());
    // Produce has tagged fields from version 9 on, SaslHandshake never.
    assert_eq!(read(frame(0, 8, b"\0\x02me", b"body")), Ok((named.clone(), b"body".to_vec())));
    assert_eq!(read(frame(0, 9, b"\0\x02me", b"\0body")), Ok((named.clone(), b"body".to_vec())));
    assert_eq!(read(frame(0, 9, b"\0\x02me", b"\x01\x05\x02xxbody")), Ok((named.clone(), b"body".to_vec())));
    assert_eq!(read(frame(17, 1, b"\0\x02me", b"body")), Ok((named.clone(), b"body".to_vec())));
    // ApiVersions in a version of the future, and an API of the future.
    assert_eq!(read(frame(18, 99, b"\0\x02me", b"\0body")), Ok((named.clone(), b"body".to_vec())));
    assert_eq!(read(frame(999, 9, b"\0\x02me", b"body")), Ok((named, b"body".to_vec())));
    // Any negative length is null; text is repaired.
    assert_eq!(read(frame(0, 8, b"\xff\xff", b"")), Ok((None, Vec::new())));
    assert_eq!(read(frame(0, 8, b"\x80\x00", b"")), Ok((None, Vec::new())));
    assert_eq!(read(frame(0, 8, b"\0\x01\xff", b"")), Ok((Some("\u{fffd}".to_owned()), Vec::new())));
}

#[test]
fn a_header_that_ends_early_or_never_is_an_error() {
    let truncated = |name| Err(GuardError::Truncated(name));
    let read = |frame: Bytes| check_header(&frame).map(|header| header.api_key);
    for length in 0..10 {
        assert_eq!(read(Bytes::from(vec![0; length])), truncated("the request header"));
    }
    assert_eq!(read(frame(0, 8, b"\0\x03me", b"")), truncated("the request header"));
    assert_eq!(read(frame(0, 9, b"\0\x02me", b"")), truncated("tagged fields"));
    assert_eq!(read(frame(0, 9, b"\0\x02me", b"\x01\x05\x02x")), truncated("tagged fields"));
    assert_eq!(
        read(frame(0, 9, b"\0\x02me", b"\xff\xff\xff\xff\xff\x01")),
        Err(GuardError::Varint("tagged fields"))
    );
}

#[test]
fn each_kind_of_malformed_body_is_told_apart() {
    let metadata = |version, body: &'static [u8]| check(3, version, &Bytes::from_static(body));
    // The array that would end the process: two thousand million topics in four bytes.
    assert_eq!(
        metadata(0, b"\x7f\xff\xff\xff"),
        Err(GuardError::Count { field: "topics", count: 0x7fff_ffff, remaining: 0 })
    );
    assert_eq!(metadata(0, b"\xff\xff\xff\xfe"), Err(GuardError::Null("topics")));
    assert_eq!(metadata(1, b"\xff\xff\xff\xfe"), Ok(Bytes::from_static(b"\xff\xff\xff\xff")));
    assert_eq!(metadata(0, b"\0\0\0\x01\xff\xff"), Err(GuardError::Null("name")));
    assert_eq!(metadata(0, b"\0\0\0\x01\0\x05a"), Err(GuardError::Truncated("name")));
    assert_eq!(metadata(9, b"\xff\xff\xff\xff\xff\x0f"), Err(GuardError::Varint("topics")));
    assert_eq!(metadata(99, b""), Err(GuardError::Version { api: "Metadata", version: 99 }));
    assert_eq!(check(999, 0, &Bytes::new()), Err(GuardError::Api(999)));
}

#[test]
fn a_compact_string_is_bounded_like_kafkas() {
    // FindCoordinator version 3: a key, its type, tagged fields.
    let find = |length: usize| {
        let mut body = BytesMut::new();
        let more = u8::try_from((length + 1) & 0x7f).unwrap() | 0x80;
        body.put_slice(&[more, u8::try_from((length + 1) >> 7 & 0x7f).unwrap() | 0x80]);
        body.put_u8(u8::try_from((length + 1) >> 14).unwrap());
        body.put_bytes(b'k', length);
        body.put_slice(&[0, 0]);
        check(10, 3, &body.freeze()).map(|_| ())
    };
    assert_eq!(find(32_767), Ok(()));
    assert_eq!(find(32_768), Err(GuardError::StringLength { field: "key", length: 32_768 }));
}

#[test]
fn repaired_text_that_no_longer_fits_its_length_is_an_error() {
    let mut body = BytesMut::new();
    body.put_i16(20_000);
    body.put_bytes(0xff, 20_000);
    assert_eq!(check(10, 0, &body.freeze()), Err(GuardError::StringLength { field: "key", length: 60_000 }));
}

#[test]
fn a_tagged_field_of_another_version_is_an_error_and_the_last_of_two_counts() {
    // Fetch: no topics, no forgotten ones, no rack; then the tagged fields.
    let fetch = |version: i16, tagged: &[u8]| {
        let mut body = BytesMut::new();
        body.put_bytes(0, if version < 15 { 25 } else { 21 });
        body.put_slice(&[1, 1, 1]);
        body.put_slice(tagged);
        check(1, version, &body.freeze())
    };
    let state = b"\x01\x01\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(fetch(14, state), Err(GuardError::Tag { field: "replica_state", version: 14 }));
    assert!(fetch(15, state).is_ok());
    let body = fetch(15, b"\x02\x00\x02\x02a\x00\x02\x02b").unwrap();
    let request = FetchRequest::decode(&mut body.clone(), 15).unwrap();
    assert_eq!(request.cluster_id.as_deref(), Some("b"));
}

#[test]
fn a_request_made_to_grow_is_refused() {
    // DeleteTopics version 6: topics without a name, each with one empty unknown tagged field.
    let topics = |count: usize| {
        let mut body = BytesMut::new();
        let length = u32::try_from(count + 1).unwrap();
        for shift in [0, 7, 14] {
            body.put_u8((length >> shift).to_le_bytes()[0] | 0x80);
        }
        body.put_u8((length >> 21).to_le_bytes()[0] & 0x7f);
        for _ in 0..count {
            body.put_u8(0);
            body.put_bytes(7, 16);
            body.put_slice(&[1, 9, 0]);
        }
        body.put_slice(&[0, 0, 0, 0, 0]);
        check(20, 6, &body.freeze()).map(|_| ())
    };
    assert_eq!(topics(100_000), Ok(()));
    assert_eq!(topics(110_000), Err(GuardError::Memory { limit: MAX_DECODED_BYTES }));
}

#[test]
fn the_estimate_is_not_below_what_the_decoder_takes() {
    /// What a decoded structure takes by the table: the estimate for one element more.
    fn estimate(key: i16, version: i16, with: &'static [u8], without: &'static [u8]) -> usize {
        let message = schema::request(key).unwrap();
        let estimate = |body: &'static [u8]| {
            let body = Bytes::from_static(body);
            let passes = |bytes| walk::check(message, version, &body, Budget { bytes, ..REQUEST }).is_ok();
            (0..4096).find(|limit| passes(*limit)).unwrap()
        };
        estimate(with) - estimate(without)
    }
    let topic = estimate(3, 0, b"\0\0\0\x01\0\0", b"\0\0\0\0");
    assert!(topic >= size_of::<metadata_request::MetadataRequestTopic>());
    let topic = estimate(20, 6, b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", b"\x01\0\0\0\0\0");
    assert!(topic >= size_of::<delete_topics_request::DeleteTopicState>());
    let resource = estimate(32, 1, b"\0\0\0\x01\x02\0\0\xff\xff\xff\xff\0", b"\0\0\0\0\0");
    assert!(resource >= size_of::<describe_configs_request::DescribeConfigsResource>());
}

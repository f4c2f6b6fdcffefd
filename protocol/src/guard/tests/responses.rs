//! The same for responses: what a client decodes, over every API that it calls and every version.

use super::*;

/// What of the decoder the tests need, for the response of one API.
struct ResponseDecoder {
    key: i16,
    versions: RangeInclusive<i16>,
    is_flexible: fn(i16) -> bool,
    default: fn(i16) -> Result<Bytes, String>,
    decode: fn(i16, &Bytes) -> Result<Decoded, String>,
}

macro_rules! response_decoders {
    ($($request:ident $response:ident)*) => {
        /// Every response that the client decodes.
        const DECODERS: &[ResponseDecoder] = &[$(ResponseDecoder {
            key: <$request as Request>::KEY,
            versions: $response::VERSIONS.min..=$response::VERSIONS.max,
            is_flexible: |version| $request::header_version(version) >= 2,
            default: |version| {
                let mut out = BytesMut::new();
                $response::default().encode(&mut out, version).map_err(|error| error.to_string())?;
                Ok(out.freeze())
            },
            decode: |version, body| {
                let mut rest = body.clone();
                let response = $response::decode(&mut rest, version).map_err(|error| error.to_string())?;
                Ok((format!("{response:?}"), rest.len()))
            },
        }),*];
    };
}

response_decoders! {
    AddOffsetsToTxnRequest AddOffsetsToTxnResponse
    AddPartitionsToTxnRequest AddPartitionsToTxnResponse
    AlterConfigsRequest AlterConfigsResponse
    ApiVersionsRequest ApiVersionsResponse
    ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse
    ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
    CreatePartitionsRequest CreatePartitionsResponse
    CreateTopicsRequest CreateTopicsResponse
    DeleteGroupsRequest DeleteGroupsResponse
    DeleteRecordsRequest DeleteRecordsResponse
    DeleteTopicsRequest DeleteTopicsResponse
    DescribeClusterRequest DescribeClusterResponse
    DescribeConfigsRequest DescribeConfigsResponse
    DescribeGroupsRequest DescribeGroupsResponse
    DescribeLogDirsRequest DescribeLogDirsResponse
    DescribeProducersRequest DescribeProducersResponse
    DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse
    ElectLeadersRequest ElectLeadersResponse
    EndTxnRequest EndTxnResponse
    FetchRequest FetchResponse
    FindCoordinatorRequest FindCoordinatorResponse
    HeartbeatRequest HeartbeatResponse
    IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse
    InitProducerIdRequest InitProducerIdResponse
    JoinGroupRequest JoinGroupResponse
    LeaveGroupRequest LeaveGroupResponse
    ListConfigResourcesRequest ListConfigResourcesResponse
    ListGroupsRequest ListGroupsResponse
    ListOffsetsRequest ListOffsetsResponse
    ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse
    MetadataRequest MetadataResponse
    OffsetCommitRequest OffsetCommitResponse
    OffsetDeleteRequest OffsetDeleteResponse
    OffsetFetchRequest OffsetFetchResponse
    OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse
    ProduceRequest ProduceResponse
    SaslAuthenticateRequest SaslAuthenticateResponse
    SaslHandshakeRequest SaslHandshakeResponse
    SyncGroupRequest SyncGroupResponse
    TxnOffsetCommitRequest TxnOffsetCommitResponse
}

fn each_response() -> impl Iterator<Item = (&'static schema::Message, i16, &'static ResponseDecoder)> {
    DECODERS.iter().flat_map(|decoder| {
        let message = schema::responses::response(decoder.key).unwrap();
        decoder.versions.clone().map(move |version| (message, version, decoder))
    })
}

/// `body` behind a header as the version has it.
fn framed(decoder: &ResponseDecoder, version: i16, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i32(77);
    if ApiKey::try_from(decoder.key).unwrap().response_header_version(version) >= 1 {
        frame.put_slice(b"\x01\x05\x02xx");
    }
    frame.put_slice(body);
    frame.freeze()
}

#[test]
fn the_tables_have_the_versions_that_the_decoder_has() {
    for decoder in DECODERS {
        let message = schema::responses::response(decoder.key).unwrap();
        assert_eq!(message.versions, decoder.versions, "{}", message.name);
        assert_eq!(response_versions(decoder.key), Some(decoder.versions.clone()));
        assert_eq!(message.name, schema::request(decoder.key).unwrap().name);
        for version in decoder.versions.clone() {
            let flexible = (decoder.is_flexible)(version);
            assert_eq!(message.is_flexible(version), flexible, "{} {version}", message.name);
            let header = ApiKey::try_from(decoder.key).unwrap().response_header_version(version);
            assert_eq!(header >= 1, flexible && decoder.key != API_VERSIONS, "{} {version}", message.name);
        }
    }
    let described = (i16::MIN..=i16::MAX).filter(|key| schema::responses::response(*key).is_some()).count();
    assert_eq!(described, DECODERS.len());
}

#[test]
fn a_response_of_defaults_passes_as_it_is() {
    for (message, version, decoder) in each_response() {
        let body = (decoder.default)(version).unwrap();
        let checked = check_response(decoder.key, version, &framed(decoder, version, &body)).unwrap();
        assert_eq!(checked, body, "{} {version}", message.name);
        assert_eq!((decoder.decode)(version, &checked).unwrap().1, 0, "{} {version}", message.name);
    }
}

#[test]
fn a_populated_response_passes_without_a_copy_and_is_decoded_to_its_last_byte() {
    for (message, version, decoder) in each_response() {
        for seed in 0..8 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let body = generate::message(message, version, 0, &mut rng).plain;
            let what = format!("{} {version} seed {seed}", message.name);
            let frame = framed(decoder, version, &body);
            let checked =
                check_response(decoder.key, version, &frame).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(
                checked.as_ptr() as usize + checked.len(),
                frame.as_ptr() as usize + frame.len(),
                "{what}"
            );
            let (_, left) = (decoder.decode)(version, &checked).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(left, 0, "{what}");
        }
    }
}

#[test]
fn a_response_that_only_kafka_would_read_becomes_the_one_it_stands_for() {
    let mut rewritten = 0;
    for (message, version, decoder) in each_response() {
        for seed in 0..8 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let twins = generate::message(message, version, 20, &mut rng);
            let what = format!("{} {version} seed {seed}", message.name);
            let mut odd = twins.odd;
            odd.extend_from_slice(b"behind");
            let frame = framed(decoder, version, &odd);
            let checked =
                check_response(decoder.key, version, &frame).unwrap_or_else(|e| panic!("{what}: {e}"));
            rewritten += usize::from(!frame.as_ptr_range().contains(&checked.as_ptr()));
            let (got, left) = (decoder.decode)(version, &checked).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(got, (decoder.decode)(version, &twins.plain.into()).unwrap().0, "{what}");
            assert_eq!(left, b"behind".len(), "{what}");
        }
    }
    assert!(rewritten > 500, "only {rewritten} were odd");
}

#[test]
fn whatever_passes_is_decoded() {
    let all: Vec<_> = each_response().collect();
    let cases = (any::<Index>(), any::<u64>(), 0_u32..30, mutations());
    runner(4000)
        .run(&cases, |(which, seed, oddness, mutations)| {
            let (message, version, decoder) = *which.get(&all);
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut body = generate::message(message, version, oddness, &mut rng).odd;
            mutate(&mut body, &mutations);
            // Elements have a byte at least, and a structure of any message is far below a kilobyte.
            let limit = 1024 * (1 + body.len());
            match walk::check(message, version, &body.clone().into(), Budget { bytes: limit, ..RESPONSE }) {
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
fn a_hostile_answer_is_refused_before_anything_is_allocated() {
    let metadata = |version, frame: &'static [u8]| check_response(3, version, &Bytes::from_static(frame));
    assert_eq!(
        metadata(0, b"\0\0\0\x07\x7f\xff\xff\xff"),
        Err(GuardError::Count { field: "brokers", count: 0x7fff_ffff, remaining: 0 })
    );
    assert_eq!(metadata(0, b"\0\0\0"), Err(GuardError::Truncated("the response header")));
    assert_eq!(metadata(9, b"\0\0\0\x07"), Err(GuardError::Truncated("tagged fields")));
    assert_eq!(metadata(99, b"\0\0\0\x07\0"), Err(GuardError::Version { api: "Metadata", version: 99 }));
    assert_eq!(check_response(999, 0, &Bytes::from_static(b"\0\0\0\x07")), Err(GuardError::Api(999)));
    assert_eq!(correlation_id(b"\0\0\0\x07rest"), Ok(7));
    assert!(correlation_id(b"\0\0\0").is_err());
}

#[test]
fn a_response_made_to_grow_is_refused() {
    // AddPartitionsToTxn version 3: topics without a name or partitions, each with one empty unknown tagged field.
    let topics = |count: usize| {
        let mut frame = BytesMut::new();
        frame.put_slice(&[0, 0, 0, 7, 0, 0, 0, 0, 0]);
        let length = u32::try_from(count + 1).unwrap();
        for shift in [0, 7, 14] {
            frame.put_u8((length >> shift).to_le_bytes()[0] | 0x80);
        }
        frame.put_u8((length >> 21).to_le_bytes()[0] & 0x7f);
        for _ in 0..count {
            frame.put_slice(&[1, 1, 1, 9, 0]);
        }
        frame.put_u8(0);
        check_response(24, 3, &frame.freeze()).map(|_| ())
    };
    assert_eq!(topics(400_000), Ok(()));
    assert_eq!(topics(600_000), Err(GuardError::Memory { limit: MAX_DECODED_RESPONSE_BYTES }));
}

#[test]
fn the_estimate_is_not_below_what_the_decoder_takes() {
    /// What a decoded structure takes by the table: the estimate for one element more.
    fn estimate(key: i16, version: i16, with: &'static [u8], without: &'static [u8]) -> usize {
        let message = schema::responses::response(key).unwrap();
        let estimate = |body: &'static [u8]| {
            let body = Bytes::from_static(body);
            let passes = |bytes| walk::check(message, version, &body, Budget { bytes, ..RESPONSE }).is_ok();
            (0..4096).find(|limit| passes(*limit)).unwrap()
        };
        estimate(with) - estimate(without)
    }
    let broker = estimate(3, 0, b"\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0");
    assert!(broker >= size_of::<metadata_response::MetadataResponseBroker>());
    let topic = estimate(3, 0, b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0");
    assert!(topic >= size_of::<metadata_response::MetadataResponseTopic>());
    let group = estimate(16, 0, b"\0\0\0\0\0\x01\0\0\0\0", b"\0\0\0\0\0\0");
    assert!(group >= size_of::<list_groups_response::ListedGroup>());
    let topic = estimate(1, 4, b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0", b"\0\0\0\0\0\0\0\0");
    assert!(topic >= size_of::<fetch_response::FetchableTopicResponse>());
}

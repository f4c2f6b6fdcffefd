//! Journals: what a run was, and having it again with equal bytes.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DescribeConfigsRequest, FetchRequest, HeartbeatRequest,
    InitProducerIdRequest, JoinGroupRequest, ListGroupsRequest, MetadataRequest, RequestHeader,
    SyncGroupRequest,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use klamm_broker::{
    ApiKey, Broker, BrokerBuilder, Clock, Fault, Journal, JournalError, JournalOptions, ResponseError,
};

use crate::harness::{START, Wire, broker, commit, fetch, group, join, produce, stable, sync, text, topic};

/// A bit of everything: topics, records, waiting fetches, a rebalance, sessions that end, faults, retention.
fn a_run(broker: &Broker) {
    let (mut one, mut two) = (Wire::connect_as(broker, "one"), Wire::connect_as(broker, "two"));
    one.call(&ApiVersionsRequest::default(), 0);
    one.call(&MetadataRequest::default().with_topics(None), 12);
    use kafka_protocol::messages::create_topics_request::CreatableTopic;
    let new =
        CreatableTopic::default().with_name(topic("made")).with_num_partitions(3).with_replication_factor(1);
    one.call(&CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![new]), 7);
    one.call(&InitProducerIdRequest::default().with_transactional_id(None), 4);
    let faulty = broker
        .faults()
        .add(Fault::on(ApiKey::Produce).probability(0.5).error(ResponseError::NotLeaderOrFollower));
    for _ in 0..10 {
        one.call(&produce(&[("a", 0), ("b", 1)], START), 9);
    }
    broker.faults().remove(faulty.unwrap()).unwrap();
    let opened = one.call(&fetch(&[("a", 0)], 0).with_session_epoch(0), 12);
    assert!(opened.session_id > 0);
    two.send(&fetch(&[("a", 1)], 60_000), 12);
    // Nothing comes for this one: its patience runs out.
    one.call(&fetch(&[("b", 0)], 3), 12);
    one.call(&produce(&[("a", 1)], START), 9);
    two.receive::<FetchRequest>(12);
    let first = stable(&mut one, "g");
    two.send(&join("g", &StrBytes::default()), 3);
    let beat = HeartbeatRequest::default().with_group_id(group("g")).with_member_id(first.member_id.clone());
    // Until the other's join has begun a rebalance.
    while one.call(&beat.clone().with_generation_id(1), 3).error_code == 0 {}
    one.send(&join("g", &first.member_id), 3);
    let first = one.receive::<JoinGroupRequest>(3);
    let second = two.receive::<JoinGroupRequest>(3);
    two.send(&sync("g", &second), 3);
    one.call(&sync("g", &first), 3);
    two.receive::<SyncGroupRequest>(3);
    one.call(&commit("h", "a", 0, 3), 8);
    broker.advance(Duration::from_secs(11));
    broker.run_retention();
    one.call(&ListGroupsRequest::default(), 4);
    broker.faults().add(Fault::on(ApiKey::Fetch).close_before_answer()).unwrap();
    two.send(&fetch(&[("a", 0)], 0), 12);
    assert_eq!(two.rest(), b"");
    broker.faults().clear();
    one.call(&DescribeConfigsRequest::default(), 4);
}

fn journaled(builder: BrokerBuilder) -> Journal {
    let broker = builder.journal(JournalOptions::memory()).start().unwrap();
    a_run(&broker);
    broker.journal().unwrap()
}

#[test]
fn the_same_journal_gives_the_same_bytes_a_hundred_times() {
    let journal = journaled(broker());
    assert!(journal.is_complete());
    for round in 0..100 {
        let replay = journal.replay().unwrap();
        assert!(replay.is_equal(), "round {round}: {}", replay.difference.unwrap());
        assert!(replay.requests > 25 && replay.equal == replay.requests, "{replay:?}");
    }
}

#[test]
fn a_run_by_the_systems_clock_can_be_had_again_too() {
    let builder =
        Broker::builder().topic("a", 2).topic("b", 2).config("log.message.timestamp.type", "LogAppendTime");
    let journal = journaled(builder.clock(Clock::system()));
    for _ in 0..10 {
        let replay = journal.replay().unwrap();
        assert!(replay.is_equal(), "{}", replay.difference.unwrap());
    }
}

#[test]
fn clients_that_get_in_each_others_way_can_be_had_again() {
    let broker = broker().journal(JournalOptions::memory()).start().unwrap();
    broker
        .faults()
        .add(Fault::on(ApiKey::Produce).every(7).error(ResponseError::NotLeaderOrFollower))
        .unwrap();
    broker.faults().add(Fault::on(ApiKey::Fetch).probability(0.2).delay(Duration::from_millis(1))).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut wire = Wire::connect(&broker);
                for _ in 0..40 {
                    wire.call(&produce(&[("a", 0), ("a", 1)], START), 9);
                    wire.call(&InitProducerIdRequest::default().with_transactional_id(None), 4);
                }
            });
            scope.spawn(|| {
                let mut wire = Wire::connect(&broker);
                let opened = wire.call(&fetch(&[("a", 0), ("b", 0)], 1).with_session_epoch(0), 12).session_id;
                for epoch in 1..40 {
                    let next = fetch(&[], 2)
                        .with_session_id(opened)
                        .with_session_epoch(epoch)
                        .with_min_bytes(100_000);
                    wire.call(&next, 12);
                }
            });
            scope.spawn(|| {
                for _ in 0..5 {
                    // Gives up while it waits.
                    Wire::connect(&broker).send(&fetch(&[("b", 1)], 60_000), 12);
                }
            });
        }
    });
    let replay = broker.journal().unwrap().replay().unwrap();
    assert!(replay.is_equal(), "{}", replay.difference.unwrap());
    assert!(replay.requests > 350, "{replay:?}");
}

#[test]
fn two_runs_of_one_seed_write_the_same_journal() {
    let run = || {
        let broker = broker().listen_advertised("127.0.0.1:0", "test:9092").journal(JournalOptions::memory());
        let broker = broker.start().unwrap();
        let mut connection = broker.connect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for id in 0..20 {
                connection.send(metadata(id)).await.unwrap();
                connection.receive().await.unwrap();
            }
        });
        broker.journal().unwrap().to_text()
    };
    let (one, two) = (run(), run());
    let steps = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(steps(&one), steps(&two));
}

fn metadata(correlation_id: i32) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Metadata as i16)
        .with_request_api_version(9)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text("suite")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, 2).unwrap();
    MetadataRequest::default().with_topics(None).encode(&mut frame, 9).unwrap();
    frame.freeze()
}

#[test]
fn the_first_answer_that_differs_is_shown_by_its_field() {
    let journal = journaled(broker());
    // As though the broker had been another then.
    let text = journal.to_text().replacen(r#"["a",2]"#, r#"["a",3]"#, 1);
    let replay = Journal::parse(&text).unwrap().replay().unwrap();
    let difference = replay.difference.unwrap();
    assert_eq!((difference.number, difference.request.as_str()), (2, "Metadata version 12"));
    assert!(difference.place.starts_with("MetadataResponse."), "{difference}");
    assert!(difference.to_string().contains("then: "), "{difference}");
}

#[test]
fn a_journal_lies_in_a_file_and_ends_at_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let broker = broker().journal(JournalOptions::file(&path).limit(10_000)).start().unwrap();
    let mut wire = Wire::connect(&broker);
    for _ in 0..40 {
        wire.call(&produce(&[("a", 0)], START), 9);
    }
    let journal = Journal::read(&path).unwrap();
    assert!(!journal.is_complete() && journal.requests() < 40);
    assert!(std::fs::metadata(&path).unwrap().len() < 10_100);
    let replay = journal.replay().unwrap();
    assert!(replay.is_equal() && !replay.complete);
    assert!(matches!(Journal::read(folder.path().join("no")), Err(JournalError::File { .. })));
    let mut bytes = BytesMut::new();
    bytes.put_slice(b"nonsense\n");
    assert!(matches!(Journal::parse("nonsense\n"), Err(JournalError::Line { line: 1, .. })));
}

#[test]
fn what_cannot_be_had_again_is_refused() {
    assert_eq!(Broker::builder().start().unwrap().journal(), Err(JournalError::NotKept));
    let folder = tempfile::tempdir().unwrap();
    let start = || broker().data_dir(folder.path()).journal(JournalOptions::memory()).start().unwrap();
    let first = start();
    let mut wire = Wire::connect(&first);
    wire.call(&produce(&[("a", 0)], START), 9);
    assert!(first.journal().unwrap().replay().unwrap().is_equal(), "a run that began on an empty folder");
    drop(first);
    assert_eq!(start().journal().unwrap().replay(), Err(JournalError::HadData));
}

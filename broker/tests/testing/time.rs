//! Time in the test's hand: what falls due when the clock moves, and in which order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kafka_protocol::messages::{HeartbeatRequest, InitProducerIdRequest, MetadataRequest};
use klamm_broker::{Broker, Clock, TimeError};

use crate::harness::{DEADLINE, START, Wire, broker, commit, group, produce, stable};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_day_of_retention_in_a_moment() {
    let broker =
        broker().config("log.retention.ms", "86400000").config("log.roll.ms", "3600000").start().unwrap();
    let mut wire = Wire::connect(&broker);
    wire.call(&produce(&[("a", 0)], START), 9);
    let began = Instant::now();
    broker.advance(DAY - HOUR);
    assert_eq!(broker.records("a").unwrap().len(), 1);
    broker.advance(2 * HOUR);
    assert_eq!(broker.records("a").unwrap(), []);
    assert_eq!(broker.topics()[0].partitions[0].log_start_offset, 1);
    assert!(began.elapsed() < DEADLINE);
}

#[test]
fn a_session_ends_with_its_time() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let joined = stable(&mut wire, "g");
    broker.advance(Duration::from_millis(9_999));
    assert_eq!(broker.group("g").unwrap().members.len(), 1);
    broker.set_time(START + 10_000).unwrap();
    assert_eq!(broker.group("g").unwrap().members, []);
    let beat = HeartbeatRequest::default().with_group_id(group("g")).with_member_id(joined.member_id);
    assert_eq!(wire.call(&beat.with_generation_id(1), 3).error_code, 25);
}

#[test]
fn offsets_expire_with_their_time() {
    let broker = broker().config("offsets.retention.minutes", "60").start().unwrap();
    let mut wire = Wire::connect(&broker);
    wire.call(&commit("g", "a", 0, 7), 8);
    broker.advance(HOUR - Duration::from_secs(1));
    assert_eq!(broker.committed("g", "a", 0), Some(7));
    // Looked for every ten minutes, as in Kafka.
    broker.advance(Duration::from_secs(601));
    assert_eq!((broker.committed("g", "a", 0), broker.group("g")), (None, None));
}

#[test]
fn idle_producers_are_forgotten_with_their_time() {
    use kafka_protocol::messages::DescribeProducersRequest;
    use kafka_protocol::messages::describe_producers_request::TopicRequest;
    let broker = broker().config("producer.id.expiration.ms", "3600000").start().unwrap();
    let mut wire = Wire::connect(&broker);
    let init = InitProducerIdRequest::default().with_transactional_id(None);
    let id = wire.call(&init, 4).producer_id.0;
    let mut request = produce(&[("a", 0)], START);
    let options = klamm_storage::batch::BuildOptions {
        producer_id: id,
        producer_epoch: 0,
        base_sequence: 0,
        ..Default::default()
    };
    let record = klamm_storage::batch::RecordToWrite {
        timestamp: START,
        value: Some("v".into()),
        ..Default::default()
    };
    request.topic_data[0].partition_data[0].records = Some(klamm_storage::batch::build([record], &options));
    assert_eq!(crate::harness::errors(&wire.call(&request, 9))[0].2, 0);
    let mut known = || {
        let asked =
            TopicRequest::default().with_name(crate::harness::topic("a")).with_partition_indexes(vec![0]);
        let answer = wire.call(&DescribeProducersRequest::default().with_topics(vec![asked]), 0);
        answer.topics[0].partitions[0].active_producers.len()
    };
    assert_eq!(known(), 1);
    broker.advance(HOUR + Duration::from_secs(600));
    assert_eq!(known(), 0);
}

#[test]
fn time_goes_forward_and_only_where_it_can_be_moved() {
    let broker = broker().start().unwrap();
    broker.set_time(START + 5).unwrap();
    assert_eq!(broker.set_time(START), Err(TimeError::Backwards { now_ms: START + 5, wanted_ms: START }));
    assert_eq!(broker.clock().now_ms(), START + 5);
    let broker = Broker::builder().start().unwrap();
    assert_eq!(broker.set_time(START), Err(TimeError::NotManual));
}

#[test]
fn steady_time_of_the_system_goes_on_by_itself() {
    let clock = Clock::system();
    let before = clock.steady_ms();
    assert!((clock.now_ms() - before).abs() < 60_000);
    assert!(clock.steady_ms() >= before);
}

/// The ids of all topics, and the member id of one that joins.
fn drawn(broker: &Broker) -> (HashMap<String, uuid::Uuid>, String) {
    let mut wire = Wire::connect(broker);
    let member = stable(&mut wire, &format!("g{}", broker.groups().len())).member_id.to_string();
    let metadata = wire.call(&MetadataRequest::default().with_topics(None), 12);
    let ids = metadata.topics.into_iter().map(|topic| (topic.name.unwrap().to_string(), topic.topic_id));
    (ids.collect(), member)
}

#[test]
fn the_same_seed_on_the_same_folder_draws_new_ids_the_same_way() {
    let run = || {
        let folder = tempfile::tempdir().unwrap();
        let start = |topic: &str| broker().data_dir(folder.path()).topic(topic, 1).start().unwrap();
        let first = start("first");
        let before = drawn(&first);
        drop(first);
        let second = start("second");
        (before, drawn(&second))
    };
    let ((before, member), (after, other)) = run();
    let unique: std::collections::HashSet<_> = after.values().collect();
    assert_eq!(unique.len(), after.len(), "no two topics have one id");
    assert!(before.iter().all(|(name, id)| after.get(name) == Some(id)), "a restart changes none");
    assert_ne!(member, other);
    let again = run();
    assert_eq!(((before, member), (after, other)), again, "and each run draws the same");
}

//! Faults by rule: which requests they strike, what becomes of those, and what is left of the rest.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, HeartbeatRequest, MetadataRequest, ProduceRequest,
};
use kafka_protocol::protocol::StrBytes;
use klamm_broker::{ApiKey, Broker, Fault, ResponseError, RuleId};

use crate::harness::{DEADLINE, START, Wire, broker, commit, errors, fetch, join, produce, stable, topic};

const MOVED: ResponseError = ResponseError::NotLeaderOrFollower;
const ALL: [(&str, i32); 4] = [("b", 1), ("a", 0), ("b", 0), ("a", 1)];

fn add(broker: &Broker, fault: Fault) -> RuleId {
    broker.faults().add(fault).unwrap()
}

fn call_produce(wire: &mut Wire, places: &[(&str, i32)]) -> Vec<(String, i32, i16)> {
    errors(&wire.call(&produce(places, START), 9))
}

fn named(list: &[(&str, i32, i16)]) -> Vec<(String, i32, i16)> {
    list.iter().map(|(name, index, code)| ((*name).to_owned(), *index, *code)).collect()
}

#[test]
fn an_error_is_for_the_partition_that_is_named_and_the_others_are_written() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let rule = add(&broker, Fault::on(ApiKey::Produce).topic("b").partition(1).error(MOVED));
    let answered = call_produce(&mut wire, &ALL);
    assert_eq!(
        answered,
        named(&[("b", 1, 6), ("b", 0, 0), ("a", 0, 0), ("a", 1, 0)]),
        "in the order of the request"
    );
    let written: Vec<_> = broker.records("b").unwrap().iter().map(|record| record.partition).collect();
    assert_eq!(written, [0]);
    assert_eq!(broker.records("a").unwrap().len(), 2);
    assert_eq!(broker.faults().hits(rule), Some(1));
    let whole = add(&broker, Fault::on(ApiKey::Produce).topic("a").error(MOVED));
    let answered = call_produce(&mut wire, &ALL);
    assert_eq!(answered, named(&[("b", 1, 6), ("b", 0, 0), ("a", 0, 6), ("a", 1, 6)]));
    let removed = broker.faults().remove(whole).unwrap();
    assert_eq!((removed.matched, removed.hits), (1, 1));
    broker.faults().clear();
    assert!(call_produce(&mut wire, &ALL).iter().all(|(_, _, code)| *code == 0));
    assert_eq!(broker.faults().list(), []);
}

#[test]
fn only_those_requests_are_struck_that_the_rule_chooses() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let mut struck = |fault: Fault, requests: usize| -> Vec<usize> {
        let rule = add(&broker, fault.error(MOVED));
        let hit = (1..=requests).filter(|_| call_produce(&mut wire, &[("a", 0)])[0].2 == 6).collect();
        broker.faults().remove(rule).unwrap();
        hit
    };
    assert_eq!(struck(Fault::on(ApiKey::Produce).nth(2), 5), [2]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).every(2), 6), [2, 4, 6]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).first(2), 5), [1, 2]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).limit(1), 3), [1]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).probability(1.0), 2), [1, 2]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).probability(0.0), 2), [] as [usize; 0]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).client("another"), 2), [] as [usize; 0]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).client("suite").versions(9..=9), 1), [1]);
    assert_eq!(struck(Fault::on(ApiKey::Produce).versions(3..=8), 2), [] as [usize; 0]);
    assert_eq!(struck(Fault::on(ApiKey::Fetch), 2), [] as [usize; 0]);
    assert_eq!(struck(Fault::any().topic("a"), 1), [1]);
    assert_eq!(struck(Fault::any().topic("b"), 1), [] as [usize; 0]);
}

#[test]
fn chance_comes_from_the_seed_and_each_rule_has_its_own() {
    let run = |another_rule: bool| -> Vec<i16> {
        let broker = broker().start().unwrap();
        let mut wire = Wire::connect(&broker);
        add(&broker, Fault::on(ApiKey::Produce).probability(0.5).error(MOVED));
        if another_rule {
            add(&broker, Fault::any().probability(0.5).delay(Duration::from_micros(1)));
        }
        (0..64).map(|_| call_produce(&mut wire, &[("a", 0)])[0].2).collect()
    };
    let first = run(false);
    assert_eq!(first, run(false));
    assert_eq!(first, run(true));
    assert!(first.contains(&0) && first.contains(&6), "{first:?}");
}

#[test]
fn a_lost_acknowledgement_leaves_the_records_behind() {
    let broker = broker().start().unwrap();
    let rule = add(&broker, Fault::on(ApiKey::Produce).limit(1).close_before_answer());
    let mut wire = Wire::connect(&broker);
    wire.send(&produce(&[("a", 0)], START), 9);
    assert_eq!(wire.rest(), b"");
    assert_eq!(broker.records("a").unwrap().len(), 1);
    assert_eq!(broker.faults().hits(rule), Some(1));
    assert_eq!(call_produce(&mut Wire::connect(&broker), &[("a", 0)])[0].2, 0);
    assert_eq!(broker.records("a").unwrap().len(), 2, "one that is not idempotent writes twice");
}

#[test]
fn a_connection_closed_before_the_work_leaves_nothing_behind() {
    let broker = broker().start().unwrap();
    add(&broker, Fault::on(ApiKey::Produce).topic("a").close_before_work());
    let mut wire = Wire::connect(&broker);
    assert_eq!(call_produce(&mut wire, &[("b", 0)])[0].2, 0);
    wire.send(&produce(&[("a", 0)], START), 9);
    assert_eq!(wire.rest(), b"");
    assert_eq!(broker.records("a").unwrap(), []);
}

#[test]
fn an_answer_is_cut_off() {
    let broker = broker().start().unwrap();
    for bytes in [0, 3, 8, 11] {
        let rule = add(&broker, Fault::on(ApiKey::Metadata).truncate(bytes));
        let mut wire = Wire::connect(&broker);
        wire.send(&MetadataRequest::default().with_topics(None), 9);
        assert_eq!(wire.rest().len(), bytes);
        broker.faults().remove(rule).unwrap();
    }
}

#[test]
fn a_throttled_client_is_told_and_its_connection_is_not_read() {
    let broker = broker().start().unwrap();
    add(&broker, Fault::on(ApiKey::Produce).limit(1).throttle(Duration::from_millis(300)));
    add(&broker, Fault::on(ApiKey::Fetch).limit(1).throttle(Duration::from_millis(5)));
    let mut wire = Wire::connect(&broker);
    let began = Instant::now();
    assert_eq!(wire.call(&produce(&[("a", 0)], START), 9).throttle_time_ms, 300);
    assert_eq!(wire.call(&fetch(&[("a", 0)], 0), 12).throttle_time_ms, 5);
    assert!(began.elapsed() >= Duration::from_millis(300), "the next request was read at once");
    assert_eq!(wire.call(&fetch(&[("a", 0)], 0), 12).throttle_time_ms, 0);
}

#[test]
fn a_delay_holds_a_request_and_one_on_the_clock_holds_it_until_the_clock_moves() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    add(&broker, Fault::on(ApiKey::Produce).limit(1).delay(Duration::from_millis(60)));
    let began = Instant::now();
    assert_eq!(call_produce(&mut wire, &[("a", 0)])[0].2, 0);
    assert!(began.elapsed() >= Duration::from_millis(60));
    broker.faults().clear();
    let rule = add(&broker, Fault::on(ApiKey::Produce).delay_on_clock(Duration::from_secs(3_600)));
    wire.send(&produce(&[("a", 0)], START), 9);
    broker.wait_for_hits(rule, 1, DEADLINE).unwrap();
    broker.advance(Duration::from_secs(3_599));
    assert!(wire.is_silent());
    assert_eq!(broker.records("a").unwrap().len(), 1);
    broker.advance(Duration::from_secs(1));
    assert_eq!(errors(&wire.receive::<ProduceRequest>(9))[0].2, 0);
}

#[test]
fn a_delayed_answer_comes_after_the_work() {
    let broker = broker().start().unwrap();
    add(&broker, Fault::on(ApiKey::Produce).delay_answer(Duration::from_secs(3_000)));
    let mut wire = Wire::connect(&broker);
    wire.send(&produce(&[("a", 0)], START), 9);
    broker.wait_for_records("a", 1, DEADLINE).unwrap();
    assert!(wire.is_silent());
}

#[test]
fn acks_of_zero_learn_of_an_error_by_a_closed_connection() {
    let broker = broker().start().unwrap();
    for fault in [Fault::on(ApiKey::Produce).error(MOVED), Fault::on(ApiKey::Produce).topic("a").error(MOVED)]
    {
        add(&broker, fault);
        let mut wire = Wire::connect(&broker);
        wire.send(&produce(&[("a", 0), ("b", 0)], START).with_acks(0), 9);
        assert_eq!(wire.rest(), b"");
        broker.faults().clear();
    }
    assert_eq!(broker.records("b").unwrap().len(), 1, "the part that is not refused is written");
}

#[test]
fn a_fetch_session_is_told_of_a_partition_that_only_the_session_names() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let full = fetch(&[("a", 0), ("b", 1)], 0).with_session_epoch(0);
    let opened = wire.call(&full, 12);
    assert!(opened.session_id > 0);
    let rule = add(&broker, Fault::on(ApiKey::Fetch).topic("b").partition(1).error(MOVED));
    let next = |epoch| fetch(&[], 0).with_session_id(opened.session_id).with_session_epoch(epoch);
    let answer = wire.call(&next(1), 12);
    assert_eq!(answer.responses.len(), 1, "{answer:?}");
    assert_eq!((answer.responses[0].topic.as_str(), answer.responses[0].partitions[0].error_code), ("b", 6));
    broker.faults().remove(rule).unwrap();
    let answer = wire.call(&next(2), 12);
    assert_eq!(answer.responses[0].partitions[0].error_code, 0, "and of its end");
    add(&broker, Fault::on(ApiKey::Fetch).error(ResponseError::FetchSessionIdNotFound));
    let answer = wire.call(&next(3), 12);
    assert_eq!((answer.error_code, answer.responses.len()), (70, 0));
}

#[test]
fn a_waiting_fetch_is_left_alone_by_a_rule_for_others() {
    let broker = broker().start().unwrap();
    add(&broker, Fault::on(ApiKey::Fetch).topic("b").error(MOVED));
    let mut wire = Wire::connect(&broker);
    wire.send(&fetch(&[("a", 0)], 30_000), 12);
    call_produce(&mut Wire::connect(&broker), &[("a", 0)]);
    let answer = wire.receive::<FetchRequest>(12);
    assert!(answer.responses[0].partitions[0].records.as_ref().is_some_and(|records| !records.is_empty()));
}

#[test]
fn groups_are_told_in_their_own_answers() {
    let broker = broker().start().unwrap();
    let mut wire = Wire::connect(&broker);
    let joined = stable(&mut wire, "g");
    add(&broker, Fault::on(ApiKey::Heartbeat).group("g").nth(2).error(ResponseError::RebalanceInProgress));
    let beat = HeartbeatRequest::default()
        .with_group_id(crate::harness::group("g"))
        .with_member_id(joined.member_id.clone())
        .with_generation_id(joined.generation_id);
    let codes: Vec<_> = (0..3).map(|_| wire.call(&beat, 3).error_code).collect();
    assert_eq!(codes, [0, 27, 0]);
    add(&broker, Fault::on(ApiKey::OffsetCommit).group("h").topic("a").error(ResponseError::NotCoordinator));
    let code = |wire: &mut Wire, id: &str, name: &str| {
        wire.call(&commit(id, name, 0, 5), 8).topics[0].partitions[0].error_code
    };
    assert_eq!((code(&mut wire, "h", "a"), code(&mut wire, "h", "b"), code(&mut wire, "i", "a")), (16, 0, 0));
    assert_eq!((broker.committed("h", "a", 0), broker.committed("h", "b", 0)), (None, Some(5)));
    add(&broker, Fault::on(ApiKey::JoinGroup).group("j").error(ResponseError::CoordinatorNotAvailable));
    assert_eq!(wire.call(&join("j", &StrBytes::default()), 3).error_code, 15);
    assert_eq!(broker.group("j"), None, "the group was never asked");
}

#[test]
fn metadata_names_the_brokers_whatever_topics_get() {
    let broker = broker().start().unwrap();
    add(&broker, Fault::on(ApiKey::Metadata).topic("b").error(ResponseError::LeaderNotAvailable));
    let mut wire = Wire::connect(&broker);
    for version in 0..=13 {
        let names = [Some("b"), Some("a"), None];
        for asked in names {
            use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
            let one = |name: &str| MetadataRequestTopic::default().with_name(Some(topic(name)));
            let all = if version == 0 { Some(Vec::new()) } else { None };
            let request =
                MetadataRequest::default().with_topics(asked.map_or(all, |name| Some(vec![one(name)])));
            let answer = wire.call(&request, version);
            assert_eq!(answer.brokers.len(), 1, "version {version}");
            let codes: Vec<_> =
                answer.topics.iter().map(|t| (t.name.as_ref().unwrap().to_string(), t.error_code)).collect();
            let (a, b) = (("a".to_owned(), 0), ("b".to_owned(), 5));
            let expected = match asked {
                Some("a") => vec![a],
                Some(_) => vec![b],
                None => vec![a, b],
            };
            assert_eq!(codes, expected, "version {version}, asked for {asked:?}");
        }
    }
}

#[test]
fn a_rule_that_means_nothing_is_refused_and_changes_nothing() {
    let broker = broker().start().unwrap();
    let error = broker.faults().add(Fault::on(ApiKey::Heartbeat).topic("a").error(MOVED)).unwrap_err();
    assert_eq!(error.to_string(), "Heartbeat names no topics, so that no request of it would match");
    assert_eq!(broker.faults().list(), []);
    assert_eq!(broker.faults().hits(RuleId::from(99)), None);
    assert_eq!(Wire::connect(&broker).call(&ApiVersionsRequest::default(), 0).error_code, 0);
}

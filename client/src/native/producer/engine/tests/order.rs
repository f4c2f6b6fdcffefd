//! Batching, order, retries, expiry and memory.

use super::*;

#[test]
fn a_record_goes_at_once_and_those_behind_it_go_together() {
    let mut bench = Bench::ready(|_| {});
    bench.publish("a");
    let first = bench.take();
    assert_eq!(first.values(0), ["a"]);
    bench.publish("b");
    bench.publish("c");
    assert!(bench.sent.is_empty(), "they wait for the first");
    bench.accept(first, 10);
    let second = bench.take();
    assert_eq!(second.values(0), ["b", "c"]);
    bench.accept(second, 11);
    assert_eq!(bench.told(), ["a@10", "b@11", "c@12"]);
    bench.assert_settled();
}

#[test]
fn a_slow_broker_does_not_hold_records_back_for_long() {
    let mut bench = Bench::ready(|_| {});
    bench.publish("a");
    bench.publish("b");
    assert_eq!(bench.sent.len(), 1);
    bench.pass(ms(1));
    assert_eq!(bench.sent.len(), 2, "no more than a millisecond is waited for the answer");
}

#[test]
fn linger_collects() {
    let mut bench = Bench::ready(|options| options.linger = ms(20));
    bench.pass(ms(0));
    bench.publish("a");
    bench.pass(ms(19));
    bench.publish("b");
    assert!(bench.sent.is_empty());
    bench.pass(ms(1));
    assert_eq!(bench.take().values(0), ["a", "b"]);
    // A full batch does not linger, and neither does what is in a hurry.
    let long = "x".repeat(9000);
    bench.publish(&long);
    bench.publish(&long);
    assert_eq!(bench.take().values(0), [long.as_str()]);
    bench.accumulator.inbox.hurry();
    bench.step();
    assert_eq!(bench.take().values(0), [long.as_str()]);
}

#[test]
fn a_record_larger_than_a_batch_has_one_for_itself() {
    let mut bench = Bench::ready(|options| {
        (options.linger, options.max_request_size) = (ms(1000), 200_000);
    });
    let large = "x".repeat(100_000);
    bench.publish("a");
    bench.publish(&large);
    bench.publish("b");
    bench.accumulator.inbox.hurry();
    bench.step();
    let sizes: Vec<_> = bench.sent.iter().map(|sent| sent.values(0)).collect();
    assert_eq!(sizes, [vec!["a".to_owned()], vec![large.clone()], vec!["b".to_owned()]]);
    let refused = bench.try_publish(0, &"x".repeat(200_000));
    assert!(matches!(refused, Err(Refused::Never(error)) if error.kind() == ErrorKind::TooLarge));
}

#[test]
fn batches_for_a_broker_share_a_request() {
    let mut bench = Bench::ready(|_| {});
    bench.news(&[Some((1, 0)), Some((2, 0)), Some((1, 0))]);
    for partition in [0, 1, 2, 1] {
        bench.publish_to(partition, &format!("to {partition}"));
    }
    bench.step();
    let mut requests: Vec<_> = bench.sent.drain(..).collect();
    requests.sort_by_key(|sent| sent.broker);
    let parts = |sent: &Sent| sent.parts.iter().map(|part| part.partition).collect::<Vec<_>>();
    assert_eq!(requests.iter().map(parts).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
    assert_eq!(requests[1].values(0), ["to 1", "to 1"]);
}

#[test]
fn a_request_is_no_larger_than_allowed() {
    let mut bench = Bench::ready(|options| options.max_request_size = 20_000);
    bench.news(&[Some((1, 0)); 3]);
    for partition in 0..3 {
        bench.publish_to(partition, &"x".repeat(9000));
    }
    bench.step();
    bench.pass(ms(1));
    assert_eq!(bench.sent.iter().map(|sent| sent.parts.len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn no_more_is_under_way_than_allowed() {
    let mut bench = Bench::ready(|options| options.max_in_flight = 2);
    let long = "x".repeat(9000);
    for _ in 0..5 {
        bench.publish(&long);
    }
    assert_eq!(bench.sent.len(), 2);
    let first = bench.take();
    bench.accept(first, 0);
    assert_eq!(bench.sent.len(), 2);
}

#[test]
fn one_at_a_time_keeps_its_order_through_retries() {
    let mut bench = Bench::ready(|options| (options.max_in_flight, options.retries) = (1, 3));
    bench.publish("a");
    bench.publish("b");
    for _ in 0..3 {
        let sent = bench.take();
        assert_eq!(sent.values(0), ["a"]);
        bench.refuse(sent, ResponseError::NotEnoughReplicas);
        assert!(bench.sent.is_empty(), "it rests first");
        bench.pass(ms(1200));
    }
    let sent = bench.take();
    bench.accept(sent, 5);
    let sent = bench.take();
    assert_eq!(sent.values(0), ["b"]);
    bench.accept(sent, 6);
    assert_eq!(bench.told(), ["a@5", "b@6"]);
    bench.assert_settled();
}

#[test]
fn retries_are_counted_but_not_where_nothing_was_sent() {
    let mut bench = Bench::ready(|options| options.retries = 1);
    bench.publish("a");
    for _ in 0..5 {
        let sent = bench.take();
        bench.lose(sent, false);
        bench.pass(ms(1200));
    }
    let sent = bench.take();
    bench.lose(sent, true);
    bench.pass(ms(1200));
    let sent = bench.take();
    bench.lose(sent, true);
    assert_eq!(bench.told(), ["a!Disconnected"]);
    bench.assert_settled();
}

#[test]
fn without_retries_the_first_failure_counts() {
    let mut bench = Bench::ready(|_| {});
    bench.publish("a");
    let sent = bench.take();
    bench.refuse(sent, ResponseError::NotLeaderOrFollower);
    assert_eq!(bench.told(), ["a!Broker"]);
    assert!(matches!(bench.asked.pop(), Some(Action::Refresh)));
    bench.assert_settled();
}

#[test]
fn a_new_leader_gets_what_the_old_one_refused() {
    let mut bench = Bench::ready(|options| options.retries = 5);
    bench.publish("a");
    let sent = bench.take();
    bench.refuse(sent, ResponseError::NotLeaderOrFollower);
    assert!(bench.sent.is_empty());
    bench.news(&[Some((2, 1))]);
    let sent = bench.take();
    assert_eq!((sent.broker, sent.values(0)), (2, vec!["a".to_owned()]));
    // An answer may name the next leader itself.
    let mut answer = response(&sent, &[Some(ResponseError::NotLeaderOrFollower)], -1);
    let leader = &mut answer.responses[0].partition_responses[0].current_leader;
    (leader.leader_id, leader.leader_epoch) = (3.into(), 2);
    bench.engine.answered(sent.request, Ok(Some(answer)), bench.now);
    bench.step();
    assert_eq!(bench.sent.front().map(|sent| sent.broker), Some(3));
    // What the cluster says of the time before is not believed.
    bench.news(&[Some((2, 1))]);
    let sent = bench.take();
    bench.accept(sent, 0);
    bench.publish("b");
    assert_eq!(bench.take().broker, 3);
}

#[test]
fn without_a_leader_records_wait_until_they_are_too_old() {
    let mut bench = Bench::ready(|options| options.delivery_timeout = ms(5000));
    bench.news(&[None]);
    bench.publish("a");
    bench.pass(ms(3000));
    bench.publish("b");
    bench.accumulator.inbox.hurry();
    bench.step();
    bench.publish("c");
    bench.pass(ms(2000));
    assert_eq!(bench.told(), ["a!TimedOut", "b!TimedOut"], "b shares a's batch, and its fate");
    bench.news(&[Some((1, 1))]);
    let sent = bench.take();
    assert_eq!(sent.values(0), ["c"]);
    bench.accept(sent, 0);
    bench.assert_settled();
}

#[test]
fn what_is_under_way_can_be_too_late_too() {
    let mut bench = Bench::ready(|options| options.delivery_timeout = ms(5000));
    bench.publish("a");
    let sent = bench.take();
    bench.pass(ms(5000));
    assert_eq!(bench.told(), ["a!TimedOut"]);
    bench.assert_settled();
    bench.accept(sent, 3);
    assert_eq!(bench.told().len(), 1, "the answer comes too late");
}

#[test]
fn a_batch_that_is_too_large_is_split() {
    for codec in [crate::options::Compression::None, crate::options::Compression::Zstd] {
        let mut bench = Bench::ready(|options| {
            (options.linger, options.compression, options.max_in_flight) = (ms(10), codec, 1);
        });
        for index in 0..8 {
            bench.publish(&format!("{index}{}", "x".repeat(1000)));
        }
        bench.pass(ms(10));
        let mut offset = 0;
        let mut values = Vec::new();
        while let Some(sent) = bench.sent.pop_front() {
            let here = sent.values(0);
            if here.len() > 2 {
                bench.refuse(sent, ResponseError::MessageTooLarge);
                continue;
            }
            bench.accept(sent, offset);
            offset += here.len() as i64;
            values.extend(here);
        }
        let starts: Vec<_> = values.iter().map(|value| value[..1].to_owned()).collect();
        assert_eq!(starts, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        let offsets: Vec<_> =
            bench.fates.lock().iter().map(|(_, fate)| fate.as_ref().unwrap().offset).collect();
        assert_eq!(offsets, (0..8).collect::<Vec<_>>());
        bench.assert_settled();
    }
}

#[test]
fn a_single_record_that_is_too_large_fails() {
    let mut bench = Bench::ready(|options| options.retries = 9);
    bench.publish("a");
    let sent = bench.take();
    bench.refuse(sent, ResponseError::MessageTooLarge);
    assert_eq!(bench.told(), ["a!TooLarge"]);
    bench.assert_settled();
}

#[test]
fn memory_is_bounded_and_room_comes_back() {
    let mut bench = Bench::ready(|options| (options.buffer_memory, options.linger) = (20_000, ms(60_000)));
    let mut accepted = 0;
    while bench.try_publish(0, "x").is_ok() {
        accepted += 1;
        assert!(bench.accumulator.budget.used() <= 20_000);
    }
    assert!(accepted > 100, "{accepted}");
    bench.step();
    let sent = bench.take();
    assert_eq!(sent.values(0).len(), accepted, "nothing lingers when there is no room");
    bench.accept(sent, 0);
    assert!(bench.try_publish(0, "x").is_ok());
    let bare = bench.record("x", Some(0));
    let mut tiny = 0;
    while bench.accumulator.send(&bare, None, None, &|| bench.now).is_ok() {
        tiny += 1;
    }
    assert!(tiny > 1000, "records without a report take their bytes only: {tiny}");
}

#[test]
fn what_nobody_asked_about_comes_back_undelivered() {
    let mut bench = Bench::ready(|options| {
        (options.compression, options.linger) = (crate::options::Compression::Lz4, ms(10));
    });
    let now = bench.now;
    let headers = [("h".to_owned(), Some(Bytes::from_static(b"v"))), ("n".to_owned(), None)];
    let record = RecordToSend {
        key: Some(b"k"),
        headers: &headers,
        timestamp: Some(77),
        ..bench.record("silent", Some(0))
    };
    bench.publish_to(0, "first");
    assert!(bench.accumulator.send(&record, None, None, &|| now).is_ok());
    bench.publish_to(0, "last");
    bench.step();
    bench.pass(ms(10));
    let sent = bench.take();
    bench.refuse(sent, ResponseError::InvalidRecord);
    assert_eq!(bench.told(), ["first!Broker", "last!Broker"]);
    let lost = bench.lost.0.lock();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].value.as_deref(), Some(&b"silent"[..]));
    assert_eq!((lost[0].key.as_deref(), lost[0].partition), (Some(&b"k"[..]), Some(0)));
    assert_eq!((&lost[0].headers[..], lost[0].timestamp), (&headers[..], 77));
    assert_eq!(lost[0].reason.code(), Some(ResponseError::InvalidRecord));
    drop(lost);
    bench.assert_settled();
}

#[test]
fn closing_sends_what_waits_and_gives_the_rest_up() {
    let mut bench = Bench::ready(|options| options.linger = ms(60_000));
    bench.publish("a");
    bench.accumulator.shut();
    assert!(
        matches!(bench.try_publish(0, "late"), Err(Refused::Never(error)) if error.kind() == ErrorKind::NotRunning)
    );
    bench.accumulator.inbox.close(bench.now + ms(100));
    bench.step();
    let sent = bench.take();
    bench.accept(sent, 0);
    assert!(bench.engine.has_ended());

    let mut bench = Bench::ready(|_| {});
    bench.publish("under way");
    bench.publish("waiting");
    bench.accumulator.shut();
    bench.accumulator.inbox.close(bench.now + ms(100));
    bench.step();
    assert!(!bench.engine.has_ended());
    bench.pass(ms(100));
    assert!(bench.engine.has_ended());
    assert_eq!(bench.told(), ["under way!NotRunning", "waiting!NotRunning"]);
    bench.assert_settled();
}

#[test]
fn without_acks_records_count_as_delivered_once_written() {
    let mut bench = Bench::ready(|options| options.acks = Acks::None);
    bench.publish("a");
    let sent = bench.take();
    bench.engine.answered(sent.request, Ok(None), bench.now);
    bench.step();
    assert_eq!(bench.told(), ["a@-1"]);
    bench.assert_settled();
}

#[test]
fn timers_do_not_pile_up() {
    let mut bench = Bench::ready(|_| {});
    for _ in 0..1000 {
        bench.publish("a");
        bench.publish("b");
        bench.pass(ms(1));
        while let Some(sent) = bench.sent.pop_front() {
            bench.accept(sent, 0);
        }
    }
    assert!(bench.engine.timers.len() < 10, "{}", bench.engine.timers.len());
}

//! Sequence numbers and epochs.

use super::*;

fn full(name: &str) -> String {
    format!("{name}{}", "x".repeat(9000))
}

/// Publishes so that each record is a batch and goes at once; five can be under way.
fn publish_full(bench: &mut Bench, names: &[&str]) {
    for name in names {
        bench.publish(&full(name));
        bench.accumulator.inbox.hurry();
        bench.step();
    }
}

fn name(sent: &Sent) -> String {
    sent.values(0)[0][..1].to_owned()
}

#[test]
fn batches_are_numbered() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b", "c", "d", "e", "f"]);
    let stamps: Vec<_> = bench.sent.iter().map(|sent| sent.stamp(0)).collect();
    // The first record made the topic known.
    assert_eq!(stamps, [(7, 0, 1), (7, 0, 2), (7, 0, 3), (7, 0, 4), (7, 0, 5)], "five are under way");
}

#[test]
fn what_is_lost_under_way_is_sent_again_one_after_the_other() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b", "c", "d"]);
    let (a, b) = (bench.take(), bench.take());
    // The answers come in any order.
    bench.lose(b, true);
    bench.lose(a, true);
    bench.pass(ms(1200));
    assert_eq!(bench.sent.len(), 3, "c and d are still under way, and a is");
    let (c, d, a) = (bench.take(), bench.take(), bench.take());
    assert_eq!((name(&a), a.stamp(0)), ("a".to_owned(), (7, 0, 1)));
    bench.refuse(c, ResponseError::OutOfOrderSequenceNumber);
    bench.refuse(d, ResponseError::OutOfOrderSequenceNumber);
    bench.publish("z");
    bench.pass(ms(1200));
    assert!(bench.sent.is_empty(), "all wait for a");
    // It had arrived, and the broker remembers.
    bench.refuse(a, ResponseError::DuplicateSequenceNumber);
    for (expected, sequence) in [("b", 2), ("c", 3), ("d", 4), ("z", 5)] {
        let sent = bench.take();
        assert_eq!((name(&sent), sent.stamp(0)), (expected.to_owned(), (7, 0, sequence)));
        bench.accept(sent, i64::from(sequence));
    }
    bench.assert_settled();
    assert_eq!(bench.fates.lock().iter().filter(|(_, fate)| fate.is_ok()).count(), 5);
}

#[test]
fn a_broker_that_remembers_the_last_batch_only_is_asked_about_it() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b", "c", "d"]);
    while let Some(sent) = bench.sent.pop_front() {
        bench.lose(sent, true);
    }
    bench.pass(ms(1200));
    // All but d have arrived, and c is remembered.
    for (expected, verdict) in [
        ("a", Some(ResponseError::OutOfOrderSequenceNumber)),
        ("b", Some(ResponseError::OutOfOrderSequenceNumber)),
        ("c", None),
        ("d", None),
    ] {
        let sent = bench.take();
        assert_eq!((name(&sent), sent.stamp(0).1), (expected.to_owned(), 0));
        assert!(bench.sent.is_empty());
        bench.answer(sent, &[verdict], 5);
    }
    let offsets: Vec<_> = bench.fates.lock().iter().map(|(_, fate)| fate.as_ref().unwrap().offset).collect();
    assert_eq!(offsets, [-1, -1, 5, 5]);
    bench.assert_settled();

    // Where none is known, they are sent again in a new epoch.
    publish_full(&mut bench, &["a", "b"]);
    while let Some(sent) = bench.sent.pop_front() {
        bench.lose(sent, true);
    }
    bench.pass(ms(1200));
    for _ in 0..2 {
        let sent = bench.take();
        bench.refuse(sent, ResponseError::OutOfOrderSequenceNumber);
    }
    bench.pass(ms(1200));
    for (expected, sequence) in [("a", 0), ("b", 1)] {
        let sent = bench.take();
        assert_eq!((name(&sent), sent.stamp(0)), (expected.to_owned(), (7, 1, sequence)));
        bench.accept(sent, 9);
    }
    bench.assert_settled();
}

#[test]
fn a_gap_begins_a_new_epoch() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b", "c"]);
    let (a, b, c) = (bench.take(), bench.take(), bench.take());
    bench.refuse(a, ResponseError::OutOfOrderSequenceNumber);
    bench.pass(ms(1200));
    assert!(bench.sent.is_empty(), "nothing is sent while the old epoch is under way");
    bench.refuse(b, ResponseError::OutOfOrderSequenceNumber);
    bench.refuse(c, ResponseError::OutOfOrderSequenceNumber);
    bench.pass(ms(1200));
    for (expected, sequence) in [("a", 0), ("b", 1), ("c", 2)] {
        let sent = bench.take();
        assert_eq!((name(&sent), sent.stamp(0)), (expected.to_owned(), (7, 1, sequence)));
        bench.accept(sent, i64::from(sequence));
    }
    assert_eq!(bench.told().len(), 3);
    bench.assert_settled();
}

#[test]
fn a_broker_that_has_forgotten_begins_a_new_epoch() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b"]);
    let (a, b) = (bench.take(), bench.take());
    bench.refuse(a, ResponseError::UnknownProducerId);
    bench.refuse(b, ResponseError::UnknownProducerId);
    bench.pass(ms(1200));
    let a = bench.take();
    assert_eq!((name(&a), a.stamp(0)), ("a".to_owned(), (7, 1, 0)));
}

#[test]
fn a_batch_that_is_given_up_leaves_a_gap() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b"]);
    let (a, b) = (bench.take(), bench.take());
    bench.refuse(a, ResponseError::InvalidRecord);
    bench.refuse(b, ResponseError::OutOfOrderSequenceNumber);
    bench.pass(ms(1200));
    let b = bench.take();
    assert_eq!((name(&b), b.stamp(0)), ("b".to_owned(), (7, 1, 0)));
    bench.accept(b, 0);
    bench.assert_settled();
}

#[test]
fn what_expires_under_way_leaves_a_gap() {
    let mut bench = Bench::ready(|options| {
        idempotent(options);
        options.delivery_timeout = ms(3000);
    });
    publish_full(&mut bench, &["a"]);
    let a = bench.take();
    bench.pass(ms(2000));
    bench.publish("b");
    bench.pass(ms(1));
    bench.pass(ms(999));
    assert_eq!(bench.fates.lock().len(), 1);
    assert!(bench.sent.iter().all(|sent| name(sent) == "b" && sent.stamp(0) == (7, 0, 2)));
    // What was sent after it would fail now; once nothing is under way, the rest goes in a new epoch.
    let b = bench.take();
    bench.refuse(b, ResponseError::OutOfOrderSequenceNumber);
    bench.pass(ms(1200));
    assert!(bench.sent.is_empty());
    bench.lose(a, true);
    let b = bench.take();
    assert_eq!(b.stamp(0), (7, 1, 0));
    bench.accept(b, 0);
    bench.assert_settled();
}

#[test]
fn an_epoch_that_is_not_believed_begins_a_new_identity() {
    let mut bench = Bench::ready(idempotent);
    publish_full(&mut bench, &["a", "b"]);
    let (a, b) = (bench.take(), bench.take());
    bench.refuse(a, ResponseError::InvalidProducerEpoch);
    bench.refuse(b, ResponseError::InvalidProducerEpoch);
    bench.pass(ms(1200));
    assert!(bench.asked.iter().any(|action| matches!(action, Action::Identify)));
    assert!(bench.sent.is_empty());
    bench.engine.identified(Ok((8, 0)), bench.now);
    bench.step();
    let a = bench.take();
    assert_eq!((name(&a), a.stamp(0)), ("a".to_owned(), (8, 0, 0)));
}

#[test]
fn when_epochs_run_out_there_is_a_new_identity() {
    let mut bench = Bench::new(idempotent);
    let record = bench.record("a", Some(0));
    assert!(bench.accumulator.send(&record, None, None, &|| bench.now).is_ok());
    bench.step();
    bench.news(&[Some((1, 0))]);
    bench.engine.identified(Ok((7, i16::MAX)), bench.now);
    bench.step();
    let sent = bench.take();
    assert_eq!(sent.stamp(0), (7, i16::MAX, 0));
    bench.asked.clear();
    bench.refuse(sent, ResponseError::UnknownProducerId);
    bench.pass(ms(1200));
    assert!(bench.sent.is_empty());
    assert!(bench.asked.iter().any(|action| matches!(action, Action::Identify)));
    bench.engine.identified(Ok((8, 0)), bench.now);
    bench.step();
    assert_eq!(bench.take().stamp(0), (8, 0, 0));
}

#[test]
fn a_fenced_producer_says_so() {
    let mut bench = Bench::ready(idempotent);
    bench.publish("a");
    let sent = bench.take();
    bench.refuse(sent, ResponseError::ProducerFenced);
    assert_eq!(bench.told(), ["a!Fenced"]);
    bench.assert_settled();
}

#[test]
fn parts_of_a_split_batch_keep_its_numbers() {
    let mut bench = Bench::ready(|options| {
        idempotent(options);
        options.linger = ms(10);
    });
    for index in 0..4 {
        bench.publish(&format!("{index}{}", "x".repeat(1000)));
    }
    bench.pass(ms(10));
    let whole = bench.take();
    assert_eq!(whole.stamp(0), (7, 0, 1));
    bench.refuse(whole, ResponseError::MessageTooLarge);
    let mut seen = Vec::new();
    while let Some(sent) = bench.sent.pop_front() {
        seen.push((sent.stamp(0).2, sent.values(0).len()));
        bench.accept(sent, 0);
    }
    assert_eq!(seen, [(1, 1), (2, 1), (3, 1), (4, 1)], "a head makes half of four no more than one");
    bench.assert_settled();
}

#[test]
fn records_wait_for_an_identity() {
    let mut bench = Bench::new(idempotent);
    bench.publish("a");
    bench.news(&[Some((1, 0))]);
    assert!(bench.sent.is_empty());
    assert_eq!(bench.asked.iter().filter(|action| matches!(action, Action::Identify)).count(), 1);
    bench.asked.clear();
    let error = |kind| Err(ClientError::new(kind, "asking", "the test says so"));
    bench.engine.identified(error(ErrorKind::Unreachable), bench.now);
    bench.step();
    assert!(bench.asked.is_empty(), "it rests first");
    bench.pass(ms(1200));
    assert!(matches!(bench.asked.pop(), Some(Action::Identify)));
    bench.engine.identified(error(ErrorKind::Authentication), bench.now);
    bench.step();
    assert_eq!(bench.told(), ["a!Authentication"]);
    bench.assert_settled();
}

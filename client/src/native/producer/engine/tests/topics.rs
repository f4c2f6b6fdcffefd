//! Topics that are not known yet, and records that wait for them.

use super::*;

fn missing(kind: ErrorKind) -> News {
    News::Missing(ClientError::new(kind, "asking for metadata", "the test says so"))
}

#[test]
fn records_wait_until_partitions_are_known() {
    let mut bench = Bench::new(|_| {});
    for value in ["a", "b", "c"] {
        bench.publish(value);
    }
    assert_eq!(bench.accumulator.outstanding(), 3);
    assert!(matches!(&bench.asked[..], [Action::Want(topic)] if &**topic == "t"));
    bench.pass(ms(200));
    assert_eq!(bench.asked.len(), 2, "it is asked for again");
    bench.news(&[Some((1, 0))]);
    let sent = bench.take();
    assert_eq!(sent.values(0), ["a", "b", "c"]);
    bench.accept(sent, 4);
    assert_eq!(bench.told(), ["a@4", "b@5", "c@6"]);
    bench.assert_settled();
}

#[test]
fn waiting_has_an_end() {
    let mut bench = Bench::new(|options| options.max_block = ms(5000));
    let bare = bench.record("silent", None);
    assert!(bench.accumulator.send(&bare, None, None, &|| bench.now).is_ok());
    bench.publish("a");
    bench.pass(ms(4000));
    bench.publish("b");
    bench.engine.news("t", &missing(ErrorKind::Unreachable), bench.now);
    bench.pass(ms(1000));
    assert_eq!(bench.told(), ["a!TimedOut"]);
    assert_eq!(bench.lost.0.lock().len(), 1);
    assert_eq!(bench.accumulator.outstanding(), 1);
    bench.pass(ms(4000));
    assert_eq!(bench.told(), ["a!TimedOut", "b!TimedOut"]);
    let fates = bench.fates.lock();
    let why = fates[1].1.as_ref().unwrap_err().to_string();
    assert!(why.contains("publishing to 't'") && why.contains("the test says so"), "{why}");
    drop(fates);
    bench.assert_settled();
}

#[test]
fn what_cannot_be_is_given_up_at_once() {
    let mut bench = Bench::new(|_| {});
    bench.publish("a");
    bench.engine.news("t", &missing(ErrorKind::Authentication), bench.now);
    bench.step();
    assert_eq!(bench.told(), ["a!Authentication"]);
    bench.assert_settled();
}

#[test]
fn memory_of_what_waits_is_bounded() {
    let mut bench = Bench::new(|options| options.buffer_memory = 10_000);
    let mut count = 0;
    while bench.try_publish(0, "x").is_ok() {
        count += 1;
    }
    assert!((10..100).contains(&count), "{count}");
    bench.step();
    bench.news(&[Some((1, 0))]);
    let sent = bench.take();
    assert_eq!(sent.values(0).len(), count);
    bench.accept(sent, 0);
    bench.assert_settled();
}

#[test]
fn a_partition_that_is_not_there_is_looked_for_once_more() {
    let mut bench = Bench::ready(|_| {});
    bench.asked.clear();
    bench.publish_to(2, "there");
    bench.publish_to(5, "nowhere");
    bench.step();
    assert!(matches!(&bench.asked[..], [Action::Want(_)]));
    bench.news(&[Some((1, 0)); 3]);
    let sent = bench.take();
    assert_eq!((sent.parts[0].partition, sent.values(0)), (2, vec!["there".to_owned()]));
    bench.accept(sent, 0);
    bench.news(&[Some((1, 0)); 3]);
    assert_eq!(bench.told(), ["there@0", "nowhere!InvalidArgument"]);
    bench.assert_settled();
}

#[test]
fn records_without_a_key_avoid_partitions_without_a_leader() {
    let mut bench = Bench::ready(|options| options.batch_size = 1000);
    bench.news(&[Some((1, 0)), None, Some((1, 0)), None]);
    let value = "x".repeat(90);
    let record = bench.record(&value, None);
    let mut seen = [0; 4];
    for _ in 0..2000 {
        assert!(bench.accumulator.send(&record, None, None, &|| bench.now).is_ok());
        bench.step();
        while let Some(sent) = bench.sent.pop_front() {
            for (place, part) in sent.parts.iter().enumerate() {
                seen[part.partition as usize] += sent.values(place).len();
            }
            bench.accept(sent, 0);
        }
    }
    assert_eq!((seen[1], seen[3]), (0, 0));
    assert!(seen[0] > 800 && seen[2] > 800, "{seen:?}");
}

#[test]
fn a_batch_without_keys_fills_up_before_the_next_partition_has_its_turn() {
    let mut bench = Bench::ready(|options| (options.batch_size, options.linger) = (1000, ms(1000)));
    bench.news(&[Some((1, 0)); 4]);
    let value = "x".repeat(90);
    let record = bench.record(&value, None);
    for _ in 0..90 {
        assert!(bench.accumulator.send(&record, None, None, &|| bench.now).is_ok());
    }
    bench.step();
    let sizes: Vec<_> = bench
        .sent
        .iter()
        .flat_map(|sent| (0..sent.parts.len()).map(|part| sent.values(part).len()))
        .collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size == 9), "{sizes:?}");
}

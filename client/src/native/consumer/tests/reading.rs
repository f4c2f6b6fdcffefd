use super::*;
use crate::embedded::embedded_broker;
use crate::error::ErrorKind;
use crate::native::consumer::Start;

#[test]
fn a_member_reads_all_partitions_in_order_whatever_they_are_compressed_with() {
    let bed = Bed::new(&[("t", 3)]);
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    for codec in codecs {
        for partition in 0..3 {
            bed.produce_packed("t", partition, &values(20), codec);
        }
    }
    let consumer = bed.member(options("g"), &["t"], None);
    let records = take(&consumer, 3 * 20 * codecs.len());
    for partition in 0..3 {
        let of = records.iter().filter(|record| record.partition == partition);
        let offsets: Vec<i64> = of.clone().map(|record| record.offset).collect();
        assert_eq!(offsets, (0..100).collect::<Vec<_>>());
        assert!(
            of.clone().zip(values(20).iter().cycle()).all(|(record, expected)| value(record) == *expected)
        );
        assert!(of.clone().all(|record| record.headers.len() == 2 && record.timestamp == 1000));
    }
    assert!(consumer.try_next().is_none());
    close(&consumer);
}

#[test]
fn within_the_process_it_reads_too() {
    let name = "consumer reads within the process";
    let _broker = embedded_broker(name, None).unwrap();
    let client = ClientOptions {
        bootstrap: Bootstrap::Embedded { name: name.to_owned(), data_dir: None },
        ..ClientOptions::default()
    };
    let bed = Bed { broker: None, cluster: Cluster::new(client.clone(), true).unwrap(), client };
    bed.produce("t", 0, &values(1000));
    let options = ConsumerOptions { session_timeout: Duration::from_secs(10), ..options("g") };
    let consumer = bed.member(options, &["t"], None);
    assert_eq!(take(&consumer, 1000).iter().map(value).collect::<Vec<_>>(), values(1000));
    bed.produce("t", 0, &values(1));
    assert_eq!(next(&consumer).unwrap().offset, 1000);
    close(&consumer);
}

#[test]
fn a_successor_goes_on_where_was_committed() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(10));
    let consumer = bed.member(manual("g"), &["t"], None);
    take(&consumer, 4);
    block_on(consumer.commit(crate::backend::Commit::HandedOut)).unwrap();
    take(&consumer, 3);
    close(&consumer);
    let consumer = bed.member(manual("g"), &["t"], None);
    assert_eq!(next(&consumer).unwrap().offset, 4);
    block_on(consumer.commit(crate::backend::Commit::Offsets(vec![(tp("t", 0), 8)]))).unwrap();
    let committed = block_on(consumer.committed(vec![tp("t", 0)])).unwrap();
    assert_eq!(committed, [(tp("t", 0), Some(8))]);
    close(&consumer);
    let consumer = bed.member(manual("g"), &["t"], None);
    assert_eq!(next(&consumer).unwrap().offset, 8);
    drop(consumer);
}

#[test]
fn what_was_handed_out_is_committed_at_the_end_and_no_more() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(10));
    let slow = ConsumerOptions { auto_commit_interval: Duration::from_secs(3600), ..options("g") };
    let consumer = bed.member(slow.clone(), &["t"], None);
    take(&consumer, 7);
    wait_until("all is fetched", || consumer.depth() == 3);
    close(&consumer);
    let consumer = bed.member(slow, &["t"], None);
    assert_eq!(next(&consumer).unwrap().offset, 7);
    close(&consumer);
}

#[test]
fn what_was_handed_out_is_committed_in_the_background() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(10));
    let consumer = bed.member(options("g"), &["t"], None);
    take(&consumer, 6);
    let committed = || block_on(consumer.committed(vec![tp("t", 0)])).unwrap()[0].1;
    wait_until("it is committed", || committed() == Some(6));
    close(&consumer);
}

#[test]
fn partitions_given_by_hand_need_no_group() {
    let bed = Bed::new(&[("t", 2)]);
    bed.produce("t", 0, &values(5));
    bed.produce("t", 1, &values(5));
    let options = ConsumerOptions { group_id: String::new(), ..options("") };
    let from_3 = Start::At(crate::backend::SeekTo::Offset(3));
    let assigned = [(tp("t", 0), Start::Committed), (tp("t", 1), from_3)];
    let consumer = NativeConsumer::assign(bed.client.clone(), options, &assigned).unwrap();
    let mut seen: Vec<(i32, i64)> =
        take(&consumer, 7).iter().map(|record| (record.partition, record.offset)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 3), (1, 4)]);
    let error = block_on(consumer.commit(crate::backend::Commit::HandedOut)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    close(&consumer);
    // With a group's name its offsets are used, without joining it.
    let consumer = NativeConsumer::assign(bed.client.clone(), manual("by hand"), &assigned[..1]).unwrap();
    take(&consumer, 2);
    block_on(consumer.commit(crate::backend::Commit::HandedOut)).unwrap();
    drop(consumer);
    let consumer = NativeConsumer::assign(bed.client.clone(), manual("by hand"), &assigned[..1]).unwrap();
    assert_eq!(next(&consumer).unwrap().offset, 2);
}

#[test]
fn a_topic_may_come_later() {
    let bed = Bed::new(&[]);
    let options = ConsumerOptions { allow_auto_create_topics: false, ..options("g") };
    let consumer = bed.member(options, &["later"], None);
    wait_until("it has joined", || consumer.commits.may_commit());
    bed.produce("later", 0, &values(3));
    assert_eq!(take(&consumer, 3).len(), 3);
    close(&consumer);
}

#[test]
fn a_pattern_takes_in_topics_that_come_later() {
    let bed = Bed::new(&[("orders-a", 1), ("others", 1)]);
    bed.produce("orders-a", 0, &values(2));
    bed.produce("others", 0, &values(2));
    let subscription = Subscription::pattern("orders-.*").unwrap();
    let client = ClientOptions { metadata_max_age: Duration::from_millis(200), ..bed.client.clone() };
    let consumer = NativeConsumer::subscribe(client, options("g"), subscription, None).unwrap();
    assert!(take(&consumer, 2).iter().all(|record| &*record.topic == "orders-a"));
    bed.produce("orders-b", 0, &values(1));
    assert_eq!(&*next(&consumer).unwrap().topic, "orders-b");
    assert_eq!(consumer.assignment(), [tp("orders-a", 0), tp("orders-b", 0)]);
    close(&consumer);
}

#[test]
fn a_small_depth_is_kept_to_and_nothing_is_lost() {
    let bed = Bed::new(&[("t", 2)]);
    for number in 0..40 {
        for partition in 0..2 {
            bed.produce("t", partition, &[format!("{partition} {number}")]);
        }
    }
    let options = ConsumerOptions { max_depth: 6, ..options("g") };
    let consumer = bed.member(options, &["t"], None);
    for _ in 0..80 {
        next(&consumer).unwrap();
        assert!(consumer.depth() <= 6, "{}", consumer.depth());
    }
    assert!(consumer.try_next().is_none());
    close(&consumer);
}

#[test]
fn dropping_it_ends_all_that_it_does() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(2));
    let consumer = bed.member(options("g"), &["t"], None);
    take(&consumer, 2);
    let cluster = Arc::downgrade(&consumer.context.cluster);
    drop(consumer);
    wait_until("its tasks have ended", || cluster.upgrade().is_none());
}

use std::sync::atomic::AtomicBool;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::{CreatePartitionsRequest, DeleteTopicsRequest};

use super::*;
use crate::options::Assignor;

fn shares(assignment: &[TopicPartition], count: usize) -> bool {
    assignment.len() == count
}

#[test]
fn three_members_share_and_take_over_from_who_leaves_and_who_crashes() {
    for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
        let bed = Bed::new(&[("t", 6)]);
        let options = ConsumerOptions {
            assignors: vec![assignor],
            session_timeout: Duration::from_millis(500),
            ..options("g")
        };
        let members: Vec<_> = (0..3).map(|_| bed.member(options.clone(), &["t"], None)).collect();
        let mut all: Vec<_> =
            members.iter().flat_map(|member| wait_assigned(member, |has| shares(has, 2))).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 6, "{assignor:?}");
        close(&members[0]);
        for member in &members[1..] {
            wait_assigned(member, |has| shares(has, 3));
        }
        let mut members = members.into_iter().skip(1);
        let last = members.next().unwrap();
        // It goes without a word.
        drop(members);
        wait_assigned(&last, |has| shares(has, 6));
        close(&last);
    }
}

/// Members come and go while records are written: each is seen once.
fn nothing_is_lost_or_repeated(assignor: Assignor) {
    const RECORDS: usize = 3000;
    let bed = Bed::new(&[("t", 4)]);
    let options = ConsumerOptions { assignors: vec![assignor], ..options("g") };
    let (seen, written) = (Seen::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..RECORDS / 10 {
                bed.produce("t", (number % 4) as i32, &values(10));
            }
            written.store(true, Ordering::SeqCst);
        });
        let first = bed.member(options.clone(), &["t"], None);
        wait_until("the first reads", || {
            seen.drain(&first);
            seen.distinct() > 100
        });
        for round in 1..4 {
            let second = bed.member(options.clone(), &["t"], None);
            let before = seen.distinct();
            wait_until("both read", || {
                seen.drain(&first);
                seen.drain(&second);
                let both = second.assignment().len() == 2 && first.assignment().len() == 2;
                both && (written.load(Ordering::SeqCst) || seen.distinct() > before + 100 * round)
            });
            close(&second);
        }
        wait_until("all is seen", || {
            seen.drain(&first);
            seen.distinct() == RECORDS
        });
        close(&first);
    });
    assert_eq!(seen.repeated(), 0, "{assignor:?}");
}

#[test]
fn cooperative_moves_lose_and_repeat_nothing() {
    nothing_is_lost_or_repeated(Assignor::CooperativeSticky);
}

#[test]
fn eager_moves_lose_and_repeat_nothing() {
    nothing_is_lost_or_repeated(Assignor::Range);
    nothing_is_lost_or_repeated(Assignor::Sticky);
}

#[test]
fn only_what_moves_is_given_up_by_cooperative_members() {
    let bed = Bed::new(&[("t", 4)]);
    let options = ConsumerOptions { assignors: vec![Assignor::CooperativeSticky], ..options("g") };
    let notes = Arc::new(Notes::default());
    let first = bed.member(options.clone(), &["t"], Some(&notes));
    wait_assigned(&first, |has| shares(has, 4));
    let second = bed.member(options, &["t"], None);
    let moved = wait_assigned(&second, |has| shares(has, 2));
    let kept = wait_assigned(&first, |has| shares(has, 2));
    assert!(kept.iter().all(|kept| !moved.contains(kept)));
    assert_eq!(notes.of("revoked"), [moved]);
    assert!(notes.of("lost").is_empty());
    close(&first);
    assert_eq!(notes.of("revoked")[1], kept);
    close(&second);
}

#[test]
fn eager_members_give_up_everything_in_between() {
    let bed = Bed::new(&[("t", 2)]);
    let notes = Arc::new(Notes::default());
    let first = bed.member(options("g"), &["t"], Some(&notes));
    let both = wait_assigned(&first, |has| shares(has, 2));
    let second = bed.member(options("g"), &["t"], None);
    wait_assigned(&second, |has| shares(has, 1));
    wait_until("it has been told", || notes.told().len() >= 3);
    let kept = first.assignment();
    assert_eq!(notes.told()[..3], [("assigned", both.clone()), ("revoked", both), ("assigned", kept)]);
    close(&second);
    close(&first);
}

/// Blocks in its callback for longer than the session, and commits there.
#[derive(Debug, Default)]
struct Slow {
    consumer: Mutex<Option<Arc<NativeConsumer>>>,
    asked: AtomicBool,
    committed: AtomicBool,
    go_on: (Mutex<bool>, parking_lot::Condvar),
}

impl RebalanceListener for Slow {
    fn assigned(&self, _: &[TopicPartition]) {}

    fn revoked(&self, _: &[TopicPartition]) {
        self.asked.store(true, Ordering::SeqCst);
        let mut go_on = self.go_on.0.lock();
        while !*go_on {
            self.go_on.1.wait(&mut go_on);
        }
        let consumer = self.consumer.lock().clone();
        if let Some(consumer) = consumer {
            let committed = block_on(consumer.commit(crate::backend::Commit::HandedOut));
            self.committed.store(committed.is_ok(), Ordering::SeqCst);
        }
    }

    fn lost(&self, _: &[TopicPartition]) {}
}

#[test]
fn a_listener_may_take_its_time_and_commit() {
    let bed = Bed::new(&[("t", 2)]);
    bed.produce("t", 0, &values(5));
    let slow = Arc::new(Slow::default());
    let short = ConsumerOptions { session_timeout: Duration::from_millis(300), ..manual("g") };
    let listener = Arc::clone(&slow) as Arc<dyn RebalanceListener>;
    let subscription = Subscription::Topics(vec![Arc::from("t")]);
    let first =
        NativeConsumer::subscribe(bed.client.clone(), short.clone(), subscription, Some(listener)).unwrap();
    let first = Arc::new(first);
    *slow.consumer.lock() = Some(Arc::clone(&first));
    take(&first, 3);
    let second = bed.member(short, &["t"], None);
    wait_until("it is asked to give up", || slow.asked.load(Ordering::SeqCst));
    let longer_than_the_session = Instant::now() + Duration::from_millis(900);
    wait_until("time passes", || Instant::now() > longer_than_the_session);
    assert!(first.try_next().is_none(), "nothing is handed out of what is about to go");
    *slow.go_on.0.lock() = true;
    slow.go_on.1.notify_all();
    wait_assigned(&second, |has| shares(has, 1));
    wait_assigned(&first, |has| shares(has, 1));
    assert!(slow.committed.load(Ordering::SeqCst));
    let committed = block_on(second.committed(vec![tp("t", 0)])).unwrap();
    assert_eq!(committed[0].1, Some(3));
    slow.consumer.lock().take();
}

#[test]
fn a_static_member_comes_back_to_what_it_had() {
    let bed = Bed::new(&[("t", 4)]);
    let of = |instance: &str| ConsumerOptions {
        group_instance_id: Some(instance.to_owned()),
        session_timeout: Duration::from_secs(20),
        ..options("g")
    };
    let notes = Arc::new(Notes::default());
    let stays = bed.member(of("one"), &["t"], Some(&notes));
    let goes = bed.member(of("two"), &["t"], None);
    wait_assigned(&stays, |has| shares(has, 2));
    let had = wait_assigned(&goes, |has| shares(has, 2));
    wait_until("it has been told", || notes.told().last() == Some(&("assigned", stays.assignment())));
    let told = notes.told().len();
    close(&goes);
    let back = bed.member(of("two"), &["t"], None);
    assert_eq!(wait_assigned(&back, |has| shares(has, 2)), had);
    assert_eq!(notes.told().len(), told, "the other has not noticed");
    // Another with the same id takes its place.
    let usurper = bed.member(of("two"), &["t"], None);
    wait_assigned(&usurper, |has| shares(has, 2));
    let error = next(&back).unwrap_err();
    assert_eq!(error.code(), Some(ResponseError::FencedInstanceId));
    assert!(!error.is_retriable() && back.assignment().is_empty());
    close(&back);
    close(&usurper);
    close(&stays);
}

#[test]
fn members_that_share_no_strategy_are_told() {
    let bed = Bed::new(&[("t", 1)]);
    let by = |assignor| ConsumerOptions { assignors: vec![assignor], ..options("g") };
    let first = bed.member(by(Assignor::Range), &["t"], None);
    wait_assigned(&first, |has| shares(has, 1));
    let second = bed.member(by(Assignor::CooperativeSticky), &["t"], None);
    let error = next(&second).unwrap_err();
    assert_eq!(error.code(), Some(ResponseError::InconsistentGroupProtocol));
    close(&second);
    close(&first);
}

#[test]
fn who_takes_nothing_leaves_and_comes_back_when_something_is_taken() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(10));
    let options = ConsumerOptions { max_poll_interval: Duration::from_millis(300), ..options("g") };
    let notes = Arc::new(Notes::default());
    let consumer = bed.member(options, &["t"], Some(&notes));
    take(&consumer, 4);
    wait_until("it has left", || !notes.of("lost").is_empty());
    assert!(consumer.assignment().is_empty());
    // What was handed out had been committed before.
    assert_eq!(next(&consumer).unwrap().offset, 4);
    close(&consumer);
}

#[test]
fn who_waits_for_records_stays() {
    let bed = Bed::new(&[("t", 1)]);
    let options = ConsumerOptions { max_poll_interval: Duration::from_millis(200), ..options("g") };
    let notes = Arc::new(Notes::default());
    let consumer = bed.member(options, &["t"], Some(&notes));
    wait_assigned(&consumer, |has| shares(has, 1));
    let later = Instant::now() + Duration::from_millis(700);
    wait_until("time passes", || Instant::now() > later);
    assert!(notes.of("lost").is_empty());
    close(&consumer);
}

#[test]
fn new_partitions_are_shared_out() {
    let bed = Bed::new(&[("t", 1)]);
    let client = ClientOptions { metadata_max_age: Duration::from_millis(200), ..bed.client.clone() };
    let subscription = Subscription::Topics(vec![Arc::from("t")]);
    let consumer = NativeConsumer::subscribe(client, options("g"), subscription, None).unwrap();
    wait_assigned(&consumer, |has| shares(has, 1));
    let topic = CreatePartitionsTopic::default()
        .with_name(wire::topic_name("t"))
        .with_count(3)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
    let answer = block_on(bed.cluster.call(Node::Controller, Lane::Control, &request, 3, soon())).unwrap();
    assert_eq!(answer.results[0].error_code, 0);
    wait_assigned(&consumer, |has| shares(has, 3));
    close(&consumer);
}

#[test]
fn a_deleted_topic_is_given_up() {
    let bed = Bed::new(&[("t", 1), ("stays", 1)]);
    let options = ConsumerOptions { allow_auto_create_topics: false, ..options("g") };
    let consumer = bed.member(options, &["t", "stays"], None);
    wait_assigned(&consumer, |has| shares(has, 2));
    let request =
        DeleteTopicsRequest::default().with_topic_names(vec![wire::topic_name("t")]).with_timeout_ms(1000);
    let answer = block_on(bed.cluster.call(Node::Controller, Lane::Control, &request, 5, soon())).unwrap();
    assert_eq!(answer.responses[0].error_code, 0);
    wait_assigned(&consumer, |has| has == [tp("stays", 0)]);
    bed.produce("stays", 0, &values(1));
    assert_eq!(&*next(&consumer).unwrap().topic, "stays");
    close(&consumer);
}

/// Panics when it is told.
#[derive(Debug)]
struct Clumsy;

impl RebalanceListener for Clumsy {
    fn assigned(&self, _: &[TopicPartition]) {
        panic!("as the test wants it");
    }

    fn revoked(&self, _: &[TopicPartition]) {}

    fn lost(&self, _: &[TopicPartition]) {}
}

#[test]
fn a_listener_that_panics_keeps_nobody_from_reading() {
    let bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(2));
    let subscription = Subscription::Topics(vec![Arc::from("t")]);
    let consumer =
        NativeConsumer::subscribe(bed.client.clone(), options("g"), subscription, Some(Arc::new(Clumsy)))
            .unwrap();
    assert_eq!(take(&consumer, 2).len(), 2);
    close(&consumer);
}

#[test]
fn a_full_group_is_an_error() {
    let bed = Bed::of(builder(&[("t", 2)]).config("group.max.size", "1").start().unwrap());
    let first = bed.member(options("g"), &["t"], None);
    wait_assigned(&first, |has| shares(has, 2));
    let second = bed.member(options("g"), &["t"], None);
    assert_eq!(next(&second).unwrap_err().code(), Some(ResponseError::GroupMaxSizeReached));
    close(&first);
}

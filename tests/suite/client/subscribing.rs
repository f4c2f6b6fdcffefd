//! Subscribing: commits, where a group goes on, what a subscriber says of itself, and when it holds back.

use std::time::{Duration, Instant};

use klamm_client::{ErrorKind, StartAt};
use serde_json::json;

use super::place::{NOTHING, Place, numbers, read, unique};
use crate::harness::{DEADLINE, wait_for};

super::everywhere! {
    commits_by_hand_say_where_a_group_goes_on
    automatic_commits_take_in_only_what_was_handed_out
    a_group_without_offsets_begins_where_the_config_says
    a_full_queue_holds_back_and_loses_nothing
    details_tell_where_it_stands
    starting_and_stopping
    tasks_read_and_publish_too
    three_groups_each_see_everything
}

fn commits_by_hand_say_where_a_group_goes_on(place: &Place) {
    let (topic, group) = (place.topic(1), unique("group"));
    place.fill(&topic, 0..10);
    let subscriber = place.subscriber(&topic, &group, json!({}));
    let records = read(&subscriber, 6);
    subscriber.commit_record(&records[2]).unwrap();
    assert_eq!(subscriber.committed().unwrap()[0].1, Some(3));
    subscriber.stop().unwrap();

    let subscriber = place.subscriber(&topic, &group, json!({}));
    assert_eq!(numbers(&subscriber, 4), [3, 4, 5, 6]);
    subscriber.commit().unwrap();
    assert_eq!(subscriber.committed().unwrap()[0].1, Some(7));
    // Handed out behind the commit, as if the program died before the next.
    assert_eq!(numbers(&subscriber, 1), [7]);
    subscriber.stop().unwrap();

    let subscriber = place.subscriber(&topic, &group, json!({}));
    assert_eq!(numbers(&subscriber, 3), [7, 8, 9]);
    subscriber.stop().unwrap();
}

fn automatic_commits_take_in_only_what_was_handed_out(place: &Place) {
    let (topic, group) = (place.topic(1), unique("group"));
    place.fill(&topic, 0..100);
    let by_itself =
        json!({ "consumer_config": { "enable_auto_commit": true, "auto_commit_interval_ms": 20 } });
    let subscriber = place.subscriber(&topic, &group, by_itself.clone());
    assert_eq!(numbers(&subscriber, 4), [0, 1, 2, 3]);
    wait_for("the interval's commit", || {
        let committed = subscriber.committed().unwrap()[0].1;
        assert!(committed.is_none_or(|offset| offset <= 4), "{committed:?}");
        (committed == Some(4)).then_some(())
    });
    assert_eq!(numbers(&subscriber, 3), [4, 5, 6]);
    subscriber.stop().unwrap();
    let subscriber = place.subscriber(&topic, &group, by_itself);
    assert_eq!(numbers(&subscriber, 1), [7], "stopping commits what was handed out, and nothing more");
    subscriber.stop().unwrap();
}

fn a_group_without_offsets_begins_where_the_config_says(place: &Place) {
    let topic = place.topic(1);
    place.fill(&topic, 0..3);
    let none = json!({ "consumer_config": { "auto_offset_reset": "none" } });
    let subscriber = place.subscriber(&topic, &unique("group"), none);
    let deadline = Instant::now() + DEADLINE;
    let error = loop {
        match subscriber.get_record(DEADLINE) {
            Err(error) if !error.is_retriable() => break error,
            Ok(record) => assert!(record.is_none(), "{record:?}"),
            Err(_) => {}
        }
        assert!(Instant::now() < deadline);
    };
    assert_eq!(error.kind(), ErrorKind::OffsetOutOfRange, "{error}");
    subscriber.stop().unwrap();

    let latest = json!({ "consumer_config": { "auto_offset_reset": "latest" } });
    let subscriber = place.subscriber(&topic, &unique("group"), latest);
    subscriber.wait_for_assignment(DEADLINE).unwrap();
    let publisher = place.publisher(&topic, json!({}));
    // The end is looked up in the background: what is published before that is not new.
    let first = wait_for("a new record", || {
        publisher.publish_acknowledged(&100).unwrap();
        subscriber.get_record(NOTHING).unwrap()
    });
    assert!(first.offset >= 3, "{first:?}");
    subscriber.stop().unwrap();
}

fn a_full_queue_holds_back_and_loses_nothing(place: &Place) {
    let topic = place.topic(2);
    // Small batches and small answers: what one answer brings may lie above the bound, and not what several bring.
    let publisher = place.publisher(&topic, json!({ "producer_config": { "batch_size": 256 } }));
    for n in 0..3000 {
        publisher.publish(&n).unwrap();
    }
    assert_eq!(publisher.stop().unwrap().failed_count, 0);
    let more = json!({ "max_depth": 50, "consumer_config": { "max_partition_fetch_bytes": 1024 } });
    let subscriber = place.subscriber(&topic, &unique("group"), more);
    wait_for("a full queue", || (subscriber.details().current_depth >= 50).then_some(()));
    let mut all = Vec::new();
    for _ in 0..30 {
        assert!(subscriber.details().current_depth <= 1000, "{:?}", subscriber.details());
        all.extend(numbers(&subscriber, 100));
    }
    all.sort_unstable();
    assert_eq!(all, (0..3000).collect::<Vec<_>>());
    subscriber.stop().unwrap();
}

fn details_tell_where_it_stands(place: &Place) {
    let (topic, group) = (place.topic(2), unique("group"));
    place.fill(&topic, 0..10);
    let subscriber = place.subscriber(&topic, &group, json!({}));
    assert_eq!(subscriber.details().receive_count, 0);
    read(&subscriber, 4);
    let details = wait_for("the lag", || {
        Some(subscriber.details()).filter(|details| details.lag == Some(6) && details.assignment.len() == 2)
    });
    assert_eq!((details.name.as_str(), details.group.as_str()), ("suite", group.as_str()));
    assert_eq!((details.receive_count, details.source), (4, format!("kafka://topic/{topic}")));
    assert!(details.last_receive.is_some());
    assert_eq!(details.library.name(), place.library);
    subscriber.stop().unwrap();
}

fn starting_and_stopping(place: &Place) {
    let (topic, group) = (place.topic(1), unique("group"));
    place.fill(&topic, 0..5);
    let config = place.subscribing(&topic, &group, json!({}));
    let subscriber = klamm_client::create_subscriber("suite", config).unwrap();
    assert_eq!(subscriber.get_record(NOTHING).unwrap_err().kind(), ErrorKind::NotRunning);
    subscriber.start().unwrap();
    assert_eq!(subscriber.start().unwrap_err().kind(), ErrorKind::AlreadyRunning);
    assert_eq!(numbers(&subscriber, 2), [0, 1]);
    subscriber.commit().unwrap();
    subscriber.stop().unwrap();
    subscriber.stop().unwrap();
    assert_eq!(subscriber.get_record(NOTHING).unwrap_err().kind(), ErrorKind::NotRunning);
    assert_eq!(subscriber.commit().unwrap_err().kind(), ErrorKind::NotRunning);
    subscriber.start().unwrap();
    assert_eq!(numbers(&subscriber, 1), [2], "started again it goes on from what was committed");
    subscriber.stop().unwrap();
}

fn tasks_read_and_publish_too(place: &Place) {
    let topic = place.topic(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let publisher = place.publisher(&topic, json!({}));
        let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
        for n in 0..10_u64 {
            publisher.publish_async(&n).await.unwrap();
        }
        let delivered = publisher.publish_acknowledged_async(&10_u64).await.unwrap();
        assert_eq!(delivered.offset, 10);
        for n in 0..11_u64 {
            assert_eq!(subscriber.get_data_async::<u64>(DEADLINE).await.unwrap(), Some(n));
        }
        assert_eq!(subscriber.get_data_async::<u64>(Duration::ZERO).await.unwrap(), None);
        subscriber.replay_async(StartAt::Offset(9)).await.unwrap();
        assert_eq!(subscriber.get_data_async::<u64>(DEADLINE).await.unwrap(), Some(9));
        subscriber.commit_async().await.unwrap();
        subscriber.stop_async().await.unwrap();
        assert_eq!(publisher.stop_async().await.unwrap().failed_count, 0);
    });
}

fn three_groups_each_see_everything(place: &Place) {
    let topic = place.topic(2);
    let groups: Vec<_> = (0..3).map(|_| place.subscriber(&topic, &unique("group"), json!({}))).collect();
    place.fill(&topic, 0..30);
    for subscriber in groups {
        let mut all = numbers(&subscriber, 30);
        all.sort_unstable();
        assert_eq!(all, (0..30).collect::<Vec<_>>());
        subscriber.stop().unwrap();
    }
}

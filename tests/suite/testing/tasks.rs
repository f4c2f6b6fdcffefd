//! Tests that are tasks, on a runtime of one thread and on one of several: nothing that is awaited blocks it.

use std::time::Duration;

use klamm::{ApiKey, Fault, WaitFor, create_subscriber};
use serde_json::json;

/// Runs a test as `#[tokio::test]` does.
fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn waiting_lets_the_other_tasks_of_the_only_thread_work() {
    on_one_thread(async {
        let broker = klamm::testing::broker().topic("orders", 1).start_async().await;
        let publisher = broker.publisher("orders");
        // On this very thread: a wait that blocked it would never see the records.
        let shop = tokio::spawn(async move {
            for order in 0..10 {
                publisher.publish_acknowledged_async(&order).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        broker.wait_for_records("orders", 10).await;
        shop.await.unwrap();
        assert_eq!(broker.values::<u32>("orders"), (0..10).collect::<Vec<_>>());
        let subscriber = broker.subscriber("orders");
        broker.wait_for_group("test", 1).await;
        for order in 0..10 {
            let read: Option<u32> = subscriber.get_data_async(Duration::from_secs(20)).await.unwrap();
            assert_eq!(read, Some(order));
        }
        subscriber.stop_async().await.unwrap();
        broker.wait_for_lag("test", 0).await;
        broker.wait_for_commit("test", "orders", 0, 10).await;
        broker.wait_for_group("test", 0).await;
        broker.wait_idle().await;
    });
}

#[test]
fn time_moves_within_a_task_whatever_falls_due() {
    on_one_thread(async {
        let broker = klamm::testing::broker().topic("orders", 1).start_async().await;
        broker.publish("orders", "a lamp").await;
        let config = json!({
            "source": "kafka://topic/orders",
            "bootstrap_servers": broker.bootstrap_servers(),
            "group_id": "g",
            "consumer_config": { "auto_offset_reset": "earliest", "heartbeat_interval_ms": 50 },
        });
        let subscriber = create_subscriber("s", config).unwrap();
        subscriber.start().unwrap();
        broker.wait_for_group("g", 1).await;
        // Sessions, retention, expiry: journals are written, and segments are rolled and deleted, on this thread.
        broker.advance(Duration::from_secs(8 * 24 * 60 * 60));
        assert_eq!(broker.records("orders"), []);
        broker.wait_for_group("g", 1).await;
        broker.restore(&broker.snapshot());
        broker.reset();
        let fork = broker.fork();
        fork.publish("orders", "in the fork").await;
        assert_eq!((fork.texts("orders").len(), broker.texts("orders").len()), (1, 0));
    });
}

#[test]
fn on_several_threads_and_shared_by_tasks() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = std::sync::Arc::new(klamm::testing::broker().topic("orders", 4).start_async().await);
        let tasks = (0..8).map(|task: u32| {
            let broker = std::sync::Arc::clone(&broker);
            tokio::spawn(async move { broker.publish("orders", &task).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        broker.wait_for_records("orders", 8).await;
        let mut seen = broker.values::<u32>("orders");
        seen.sort_unstable();
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn a_wait_that_is_given_up_leaves_nothing_behind() {
    on_one_thread(async {
        let broker = klamm::testing::broker().topic("orders", 1).start_async().await;
        let rule = broker.fault(Fault::on(ApiKey::Produce).delay(Duration::from_millis(1)));
        let never = broker.wait_for(WaitFor::Records { topic: "orders".to_owned(), count: 1_000 });
        let gave_up = tokio::time::timeout(Duration::from_millis(5), never).await;
        assert!(gave_up.is_err());
        broker.publish("orders", "a lamp").await;
        broker.wait_for_hits(rule, 1).await;
        broker.wait_for_connections(1).await;
        // Dropped within the runtime, which has but this thread.
        drop(broker);
    });
}

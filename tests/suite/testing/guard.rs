//! What a test that fails prints of its broker, and the journal that it leaves behind.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use klamm::{ApiKey, Fault, Message, ResponseError};

use super::children;

/// Where the harness shows what a test has printed, only if it failed.
fn shown(test: &str, journals: Option<&std::path::Path>) -> (bool, String) {
    let output = children::run(test, journals);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn child_that_fails_with_a_subscriber_attached() {
    if !children::is_one() {
        return;
    }
    let broker = klamm::testing::broker().topic("orders", 2).seed(42).start();
    broker.fault(Fault::on(ApiKey::Produce).topic("orders").nth(1).error(ResponseError::NotLeaderOrFollower));
    let publisher = broker.publisher("orders");
    publisher.send_acknowledged(Message::new("a lamp\nin two lines").key("k").partition(1)).unwrap();
    let subscriber = broker.subscriber_in("billing", "orders");
    let read: Option<String> = subscriber.get_data(Duration::from_secs(20)).unwrap();
    broker.advance(Duration::from_secs(61 * 60));
    broker.wait_for_group("billing", 1);
    assert_eq!(read.as_deref(), Some("a chair"));
}

#[test]
fn a_test_that_fails_prints_what_the_broker_saw_and_leaves_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let test = "testing::guard::child_that_fails_with_a_subscriber_attached";
    let (passed, printed) = shown(test, Some(folder.path()));
    assert!(!passed, "{printed}");
    let (panic, report) = printed.split_once("klamm: what the broker saw").expect(&printed);
    assert!(panic.contains("right: Some(\"a chair\")"), "the panic's own message comes first: {printed}");
    for part in [
        "tests/suite/testing/guard.rs",
        "manual, stands at ",
        "moved by 1 h 1 min",
        "42, given by the test",
        "\"orders\"  1 record in 2 partitions",
        r#"orders-1 @0  "#,
        r#""k" = "a lamp\nin two lines""#,
        r#""billing"  Stable, generation "#,
        "of client \"test-subscriber\": has orders [0, 1]",
        r#"struck 1 of "#,
        r#""error":"NOT_LEADER_OR_FOLLOWER""#,
        "Produce v",
        "NOT_LEADER_OR_FOLLOWER",
        "klamm replay ",
    ] {
        assert!(report.contains(part), "{part:?} is missing from:\n{printed}");
    }
    let answered = report.lines().filter(|line| line.contains("Produce v"));
    let last = answered.last().unwrap();
    assert!(last.contains("test-publisher") && last.ends_with("answered"), "{last}");
    // What it says to do next can be done.
    let path = report.lines().find_map(|line| line.trim().strip_prefix("klamm replay ")).unwrap();
    assert!(PathBuf::from(path).starts_with(folder.path()), "{path}");
    let replayed = Command::new(env!("CARGO_BIN_EXE_klamm")).args(["replay", path]).output().unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stdout));
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("ended as they did then"));
}

#[test]
fn child_that_passes() {
    if !children::is_one() {
        return;
    }
    let broker = klamm::testing::broker().topic("orders", 1).start();
    broker.publish("orders", "a lamp");
    // A panic that is caught before it comes to the broker is nobody's business.
    std::panic::catch_unwind(|| panic!("caught")).unwrap_err();
    eprintln!("nothing follows this");
}

#[test]
fn a_test_that_passes_prints_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (passed, printed) = shown("testing::guard::child_that_passes", Some(folder.path()));
    assert!(passed && !printed.contains("what the broker saw"), "{printed}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn child_whose_wait_is_in_vain() {
    if !children::is_one() {
        return;
    }
    let patience = Duration::from_millis(5);
    let broker = klamm::testing::broker().topic("orders", 1).patience(patience).start();
    broker.publish("orders", "a lamp");
    broker.wait_for_records("orders", 2);
}

#[test]
fn a_wait_in_vain_says_what_was_seen_and_where_the_test_waited() {
    let (passed, printed) = shown("testing::guard::child_whose_wait_is_in_vain", None);
    assert!(!passed);
    let wanted = "waited in vain: waited 5 ms for 2 records in 'orders'; seen instead: 1 record in 1 partition of 'orders'";
    assert!(printed.contains(wanted), "{printed}");
    assert!(printed.contains("tests/suite/testing/guard.rs"), "{printed}");
    assert!(printed.contains("KLAMM_SEED=1 has the same choices drawn again"), "{printed}");
    assert!(printed.contains("KLAMM_JOURNAL_DIR=FOLDER has the next run leave one"), "{printed}");
}

#[test]
fn child_that_fails_on_another_thread_with_two_brokers() {
    if !children::is_one() {
        return;
    }
    let one = klamm::testing::broker().topic("one", 1).start();
    let two = klamm::testing::broker().topic("two", 1).start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            one.publish("one", "from a thread");
            two.publish("two", "from a thread");
            panic!("a thread of the test panics");
        });
    });
}

#[test]
fn a_panic_of_a_thread_that_the_test_waits_for_has_all_its_brokers_speak() {
    let (passed, printed) =
        shown("testing::guard::child_that_fails_on_another_thread_with_two_brokers", None);
    assert!(!passed);
    assert_eq!(printed.matches("klamm: what the broker saw").count(), 2, "{printed}");
    for topic in ["one", "two"] {
        assert!(printed.contains(&format!("\"{topic}\"  1 record in 1 partition")), "{printed}");
    }
}

#[test]
fn child_that_fails_in_a_task() {
    if !children::is_one() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = klamm::testing::broker().topic("orders", 1).start_async().await;
        broker.publish("orders", "from a task").await;
        tokio::task::yield_now().await;
        panic!("the task panics");
    });
}

#[test]
fn a_panic_of_a_task_has_its_broker_speak() {
    let (passed, printed) = shown("testing::guard::child_that_fails_in_a_task", None);
    assert!(!passed);
    assert!(printed.contains("\"orders\"  1 record in 1 partition"), "{printed}");
}

#[test]
fn what_a_test_asks_for_and_cannot_have_is_said_in_a_sentence() {
    let why = |act: &dyn Fn(klamm::testing::TestBroker)| {
        let broker = klamm::testing::broker().topic("orders", 1).system_clock().start();
        let act = std::panic::AssertUnwindSafe(|| act(broker));
        let panic = std::panic::catch_unwind(act).expect_err("it cannot be had");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    let moved = why(&|broker| broker.advance(Duration::from_secs(1)));
    assert!(moved.contains("follows the system's clock; start it with Clock::manual"), "{moved}");
    let nothing = why(&|broker| drop(broker.records("order")));
    assert_eq!(nothing, "the records cannot be looked at: there is no topic 'order'");
    let fault = why(&|broker| drop(broker.fault(Fault::on(ApiKey::Produce))));
    assert!(fault.contains("the rule does nothing"), "{fault}");
    let decoded = why(&|broker| {
        broker.publish("orders", "no number");
        broker.values::<u32>("orders");
    });
    assert!(decoded.starts_with("the value of orders-0 at offset 0 does not decode"), "{decoded}");
    let gone = why(&|broker| {
        let rule = broker.fault(Fault::any().delay(Duration::from_millis(1)));
        broker.reset();
        broker.hits(rule);
    });
    assert!(gone.contains("it was removed, or the broker was reset"), "{gone}");
    let start = std::panic::catch_unwind(|| klamm::testing::broker().config("num.partition", "3").start());
    let start = start.expect_err("there is no such config");
    let start = start.downcast_ref::<String>().unwrap();
    assert!(start.starts_with("the test's broker does not start: "), "{start}");
}

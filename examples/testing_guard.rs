//! The guard: a test that fails prints what the broker saw.
//!
//! Notice what is printed below the panic's own message: the clock and the seed, the topic with its last record, the group,
//! the rule that struck, and the last requests with what became of them. In a test the harness shows it with the test that
//! failed. Here a thread stands for the test.
//!
//! `cargo run --example testing_guard`

use std::time::Duration;

use klamm::{ApiKey, Fault, ResponseError};

/// A test that finds less than it wants.
fn all_orders_are_billed() {
    let broker = klamm::testing::broker().topic("orders", 1).start();
    broker.fault(Fault::on(ApiKey::Produce).nth(1).error(ResponseError::NotLeaderOrFollower));
    broker.publish("orders", "a lamp");
    let subscriber = broker.subscriber_in("billing", "orders");
    let order = subscriber.get_data::<String>(Duration::from_secs(10)).expect("the broker is there");
    assert_eq!(order.as_deref(), Some("a chair"));
}

fn main() {
    let test =
        std::thread::Builder::new().name("all_orders_are_billed".to_owned()).spawn(all_orders_are_billed);
    let failed = test.expect("there is a thread for the test").join().is_err();
    println!("the test has failed, and said why: {failed}");
    println!("with KLAMM_JOURNAL_DIR=FOLDER it would have left its journal there, for `klamm replay`");
}

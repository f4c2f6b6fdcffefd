//! Waiting: until the broker has come to a state, woken by what is waited for; never by the clock on the wall.
//!
//! Notice that the test says what it waits for, and that a wait in vain says what was there instead.
//!
//! `cargo run --example testing_waiting`

use std::error::Error;
use std::time::Duration;

use klamm::WaitFor;

fn main() -> Result<(), Box<dyn Error>> {
    let broker = klamm::testing::broker().topic("orders", 2).start();

    // Somebody publishes in the background: the code under test.
    let publisher = broker.publisher("orders");
    let shop = std::thread::spawn(move || (0..100).try_for_each(|order| publisher.publish(&order)));
    broker.wait_for_records("orders", 100);
    println!("100 records are there");
    shop.join().expect("the shop does not panic")?;

    // And two members of a group read them.
    let billing = [broker.subscriber_in("billing", "orders"), broker.subscriber_in("billing", "orders")];
    broker.wait_for_group("billing", 2);
    println!("the group is stable with 2 members");
    let readers = billing.map(|member| {
        std::thread::spawn(move || -> Result<usize, klamm::ClientError> {
            let mut read = 0;
            while member.get_data::<u32>(Duration::from_millis(500))?.is_some() {
                read += 1;
            }
            member.stop()?;
            Ok(read)
        })
    });
    broker.wait_for_lag("billing", 0);
    println!("the group has committed all that it read");
    let mut read = 0;
    for reader in readers {
        read += reader.join().expect("a reader does not panic")?;
    }
    println!("together they have read {read} records");

    // Has everybody gone?
    broker.wait_for_group("billing", 0);
    broker.wait_idle();
    println!("nothing is under way any more");

    // In a test a wait in vain panics with these words. Here they are as a value.
    let wanted = WaitFor::Records { topic: "orders".to_owned(), count: 101 };
    let in_vain = klamm::Broker::wait_for(&broker, wanted, Duration::from_millis(20));
    println!("{}", in_vain.unwrap_err());
    Ok(())
}

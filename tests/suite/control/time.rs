//! Time: moved on command, refused where it cannot be.

use klamm::{Broker, Clock};
use serde_json::json;

use super::{Controlled, START_MS, produce};

const HOUR_MS: i64 = 60 * 60 * 1000;

#[test]
fn a_clock_is_looked_at_and_moved() {
    let controlled = Controlled::start();
    assert_eq!(controlled.get("/time"), json!({ "now_ms": START_MS, "manual": true }));
    assert_eq!(controlled.post("/time/advance", json!({ "by_ms": HOUR_MS }))["now_ms"], START_MS + HOUR_MS);
    assert_eq!(
        controlled.put("/time", json!({ "now_ms": START_MS + 2 * HOUR_MS }))["now_ms"],
        START_MS + 2 * HOUR_MS
    );
    assert_eq!(controlled.broker.clock().now_ms(), START_MS + 2 * HOUR_MS);
}

#[test]
fn what_falls_due_is_done_before_the_answer() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["old"]);
    controlled.post("/time/advance", json!({ "by_ms": 8 * 24 * HOUR_MS }));
    assert_eq!(controlled.get("/topics/orders/records")["records"], json!([]));
}

#[test]
fn housekeeping_is_done_on_demand() {
    let broker = Broker::builder().topic("orders", 1).config("log.retention.ms", "1").start().unwrap();
    let controlled = Controlled::of(broker);
    // Stamped years ago, by the system's clock.
    produce(&controlled.broker, "orders", &["old"]);
    controlled.http.done("POST", "/housekeeping", None);
    assert_eq!(controlled.get("/topics/orders/records")["records"], json!([]));
}

#[test]
fn impossible_times_are_refused_and_the_clock_stands_where_it_stood() {
    let controlled = Controlled::start();
    let refused = |method, path, body, words: &[&str]| {
        controlled.refused(method, path, Some(body), 422, "impossible-time", words);
    };
    refused("PUT", "/time", json!({ "now_ms": START_MS - 1 }), &["cannot go back", "snapshot"]);
    refused("PUT", "/time", json!({ "now_ms": i64::MAX }), &["366 days", "milliseconds"]);
    refused("PUT", "/time", json!({ "now_ms": i64::MIN }), &["cannot go back"]);
    refused("POST", "/time/advance", json!({ "by_ms": u64::MAX }), &["366 days"]);
    refused("POST", "/time/advance", json!({ "by_ms": 367 * 24 * HOUR_MS }), &["several steps"]);
    for (body, words) in [
        (json!({ "by_ms": -1 }), "-1"),
        (json!({ "by_ms": "1h" }), "string"),
        (json!({ "by_ms": 1.5 }), "1.5"),
        (json!({}), "by_ms"),
        (json!({ "by_ms": 1, "unit": "h" }), "unit"),
        (json!([1]), "object"),
    ] {
        controlled.refused("POST", "/time/advance", Some(body), 422, "invalid", &[words]);
    }
    assert_eq!(controlled.get("/time")["now_ms"], START_MS);
}

#[test]
fn a_clock_of_the_system_is_not_moved() {
    let controlled = Controlled::of(Broker::builder().start().unwrap());
    assert_eq!(controlled.get("/time")["manual"], false);
    let body = Some(json!({ "by_ms": 1 }));
    controlled.refused(
        "POST",
        "/time/advance",
        body,
        409,
        "not-manual",
        &["system's clock", "--clock manual"],
    );
    let body = Some(json!({ "now_ms": Clock::system().now_ms() + HOUR_MS }));
    controlled.refused("PUT", "/time", body, 409, "not-manual", &["system's clock"]);
}

//! Looking: what a broker holds and sees, as JSON.

use std::net::TcpStream;

use klamm::control::MAX_RECORDS;
use serde_json::{Value, json};

use super::{Controlled, START_MS, produce, reader};

#[test]
fn records_are_read_without_a_consumer() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one", "two", "three"]);
    let record = |offset: i64, value: &str| json!({ "partition": 0, "offset": offset, "timestamp_ms": START_MS, "key": "key", "value": value, "headers": [] });
    let all = controlled.get("/topics/orders/records");
    assert_eq!(
        all,
        json!({ "records": [record(0, "one"), record(1, "two"), record(2, "three")], "more": false })
    );
    let some = controlled.get("/topics/orders/records?partition=0&offset=1&count=1");
    assert_eq!(some, json!({ "records": [record(1, "two")], "more": true }));
    let none = controlled.get("/topics/orders/records?partition=1");
    assert_eq!(none, json!({ "records": [], "more": false }));
    assert_eq!(controlled.get("/topics/orders")["partitions"][0]["log_end_offset"], 3);
    assert_eq!(controlled.get("/topics")["topics"][0]["name"], "orders");
}

#[test]
fn bytes_that_are_no_text_are_base_64() {
    let controlled = Controlled::start();
    let mut wire = crate::harness::Wire::connect(&controlled.broker.bootstrap_servers());
    let record = klamm_storage::batch::RecordToWrite {
        key: None,
        value: Some(bytes::Bytes::from_static(&[0xff, 0])),
        headers: vec![("h".to_owned(), None)],
        timestamp: START_MS,
    };
    let records = klamm_storage::batch::build([record], &klamm_storage::batch::BuildOptions::default());
    wire.call(&crate::harness::produce_request("orders", 1, records), 9);
    let seen = controlled.get("/topics/orders/records?partition=1");
    assert_eq!(seen["records"][0]["value"], json!({ "base64": "/wA=" }));
    assert_eq!(seen["records"][0]["key"], Value::Null);
    assert_eq!(seen["records"][0]["headers"], json!([["h", null]]));
}

#[test]
fn what_is_not_there_is_told() {
    let controlled = Controlled::start();
    for (path, words) in [
        ("/topics/none", "no topic 'none'"),
        ("/topics/none/records", "no topic 'none'"),
        ("/topics/none/records?partition=0", "no topic 'none'"),
        ("/topics/orders/records?partition=7", "no partition 7"),
        ("/groups/none", "no group 'none'"),
        ("/groups/a%2Fb%20c", "no group 'a/b c'"),
        ("/groups/none/lag", "no group 'none'"),
        ("/nothing", "/nothing"),
        ("/topics/orders/record", "openapi.json"),
    ] {
        controlled.refused("GET", path, None, 404, "not-found", &[words]);
    }
    for (path, words) in [
        ("/topics/orders/records?partition=first", "partition"),
        ("/topics/orders/records?limit=1", "limit"),
        ("/topics/orders/records?count=-1", "count"),
        ("/requests/recent?count=many", "count"),
        ("/topics/%ff", "UTF-8"),
    ] {
        controlled.refused("GET", path, None, 400, "bad-parameter", &[words]);
    }
    let path = format!("/topics/orders/records?count={}", MAX_RECORDS + 1);
    controlled.refused("GET", &path, None, 422, "invalid", &["100000"]);
}

#[test]
fn groups_are_seen_with_their_members_and_what_they_have_to_read() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one", "two"]);
    let reader = reader(&controlled.broker.bootstrap_servers(), 2);
    controlled.post("/wait/group", json!({ "group": "readers", "members": 1 }));
    controlled.post("/wait/lag", json!({ "group": "readers", "lag": 0 }));
    let group = controlled.get("/groups/readers");
    assert_eq!(group["state"], "Stable");
    assert_eq!(group["members"][0]["assignment"], json!([{ "topic": "orders", "partitions": [0, 1] }]));
    assert_eq!(controlled.get("/groups")["groups"][0]["id"], "readers");
    let lag = controlled.get("/groups/readers/lag");
    assert_eq!(lag["lag"], 0);
    assert_eq!(lag["partitions"][0]["committed"], 2);
    reader.stop().unwrap();
}

#[test]
fn connections_and_requests_are_seen() {
    let controlled = Controlled::start();
    assert_eq!(controlled.get("/connections"), json!({ "connections": [] }));
    produce(&controlled.broker, "orders", &["one", "two"]);
    let _silent = TcpStream::connect(controlled.broker.bootstrap_servers()).unwrap();
    controlled.post("/wait/connections", json!({ "count": 1 }));
    assert_eq!(controlled.get("/connections")["connections"][0]["transport"], "tcp");
    let counts = controlled.get("/requests");
    let produced =
        counts["counts"].as_array().unwrap().iter().find(|count| count["api"] == "Produce").unwrap();
    assert_eq!(produced["requests"], 2);
    let recent = controlled.get("/requests/recent?count=1");
    assert_eq!(recent["requests"].as_array().unwrap().len(), 1);
    assert_eq!(recent["requests"][0]["api"], "Produce");
}

#[test]
fn a_broker_says_what_it_is() {
    let controlled = Controlled::start();
    let about = controlled.get("/");
    assert_eq!(about["bootstrap_servers"], controlled.broker.bootstrap_servers());
    assert_eq!(about["seed"], 7);
    assert_eq!(about["manual_clock"], true);
    assert_eq!(about["fork"], Value::Null);
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    controlled.refused("GET", "/journal", None, 409, "conflict", &["no journal", "--journal"]);
    controlled.refused("GET", "/journal/file", None, 409, "conflict", &["no journal"]);
}

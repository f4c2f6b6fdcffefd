//! Waiting: woken by what is waited for, told what was seen instead, ended with its connection.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

use klamm::control::MAX_WAITS;
use serde_json::{Value, json};

use super::{Controlled, check_problem, produce, reader};
use crate::harness::{DEADLINE, wait_for};

#[test]
fn a_wait_ends_when_what_it_waits_for_comes() {
    let controlled = Controlled::start();
    let wanted = json!({ "topic": "orders", "count": 2, "timeout_ms": 30_000 });
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| controlled.post("/wait/records", wanted));
        produce(&controlled.broker, "orders", &["one", "two"]);
        assert!(waiting.join().unwrap()["waited_ms"].as_u64().is_some_and(|ms| ms < 30_000));
    });
    let _reader = reader(&controlled.broker.bootstrap_servers(), 2);
    controlled.post("/wait/group", json!({ "group": "readers", "members": 1 }));
    controlled.post("/wait/lag", json!({ "group": "readers", "lag": 0 }));
    controlled
        .post("/wait/commit", json!({ "group": "readers", "topic": "orders", "partition": 0, "offset": 2 }));
}

#[test]
fn a_wait_that_is_over_says_what_was_seen_instead() {
    let controlled = Controlled::start();
    let wanted = json!({ "topic": "orders", "count": 3, "timeout_ms": 1 });
    let (status, problem) = controlled.http.ask("POST", "/wait/records", Some(wanted));
    check_problem(status, &problem, 409, "wait-timed-out", &["3 records in 'orders'", "seen instead"]);
    assert_eq!(problem["seen"], "0 records in 2 partitions of 'orders'");
    assert_eq!(problem["wanted"], "3 records in 'orders'");
    assert_eq!(problem["waited_ms"], 1);
    for (what, body, seen) in [
        ("group", json!({ "group": "none", "members": 1, "timeout_ms": 0 }), "there is no group 'none'"),
        ("lag", json!({ "group": "none", "lag": 1, "timeout_ms": 0 }), "there is no group 'none'"),
        (
            "commit",
            json!({ "group": "none", "topic": "orders", "partition": 0, "offset": 1, "timeout_ms": 0 }),
            "there is no group 'none'",
        ),
        ("hits", json!({ "rule": 1, "count": 1, "timeout_ms": 0 }), "there is no rule 1"),
        ("connections", json!({ "count": 99, "timeout_ms": 0 }), "0 connections"),
    ] {
        controlled.refused("POST", &format!("/wait/{what}"), Some(body), 409, "wait-timed-out", &[seen]);
    }
}

#[test]
fn waits_that_mean_nothing_are_refused() {
    let controlled = Controlled::start();
    for (what, body, words) in [
        ("records", json!({ "topic": "orders" }), "count"),
        ("records", json!({ "topic": "orders", "count": -1 }), "-1"),
        ("records", json!({ "topic": "orders", "count": 1, "timeout": 5 }), "timeout"),
        ("group", json!({ "group": 7, "members": 1 }), "7"),
        ("idle", json!({ "timeout_ms": 600_001 }), "600000"),
        ("idle", json!({ "timeout_ms": u64::MAX }), "the longest"),
    ] {
        controlled.refused("POST", &format!("/wait/{what}"), Some(body), 422, "invalid", &[words]);
    }
    controlled.refused(
        "POST",
        "/wait/rain",
        Some(json!({})),
        404,
        "not-found",
        &["/wait/rain", "openapi.json"],
    );
}

/// A wait of ten minutes for what does not come, on a connection of its own.
fn hang(controlled: &Controlled) -> TcpStream {
    let mut stream = TcpStream::connect(controlled.server.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let body = r#"{"topic":"never","count":1,"timeout_ms":600000}"#;
    let length = body.len();
    write!(
        stream,
        "POST /wait/records HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}

fn try_a_wait(controlled: &Controlled) -> (u16, Value) {
    controlled.http.ask("POST", "/wait/connections", Some(json!({ "count": 0, "timeout_ms": 0 })))
}

#[test]
fn there_are_only_so_many_waits_and_one_ends_with_its_connection() {
    let controlled = Controlled::start();
    let began = Instant::now();
    let mut waits: Vec<TcpStream> = (0..MAX_WAITS).map(|_| hang(&controlled)).collect();
    let refusal = wait_for("a wait too many", || {
        let (status, problem) = try_a_wait(&controlled);
        if status != 429 {
            // It may have had the place of one of the others, which was refused then.
            waits.push(hang(&controlled));
        }
        (status == 429).then_some(problem)
    });
    check_problem(429, &refusal, 429, "limit-reached", &["256 waits"]);
    // Others are served meanwhile.
    assert_eq!(controlled.get("/time")["manual"], true);
    drop(waits);
    wait_for("room for a wait", || (try_a_wait(&controlled).0 == 200).then_some(()));
    assert!(began.elapsed() < DEADLINE * 2);
}

#[test]
fn a_server_that_stops_ends_its_waits_and_leaves_the_broker() {
    let controlled = Controlled::start();
    let waiting = hang(&controlled);
    let address = controlled.server.address();
    wait_for("the wait to be under way", || {
        let seen = controlled.http.ask("GET", "/time", None);
        (seen.0 == 200).then_some(())
    });
    let Controlled { broker, server, .. } = controlled;
    drop(server);
    let mut line = String::new();
    // Closed, one way or another.
    let _ = BufReader::new(waiting).read_line(&mut line);
    assert_eq!(line, "");
    assert!(TcpStream::connect(address).is_err(), "somebody still listens");
    produce(&broker, "orders", &["it goes on"]);
    std::sync::Arc::into_inner(broker).expect("the server has let go of the broker").shutdown().unwrap();
}

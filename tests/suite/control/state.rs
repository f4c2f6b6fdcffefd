//! State: reset, snapshots by name and as files, forks with controls of their own.

use klamm::control::{MAX_FORKS, MAX_SNAPSHOTS};
use klamm::{Broker, Snapshot};
use serde_json::{Value, json};

use super::{Controlled, Http, START_MS, check_problem, produce};

fn values(http: &Http, topic: &str) -> Vec<String> {
    let records = http.done("GET", &format!("/topics/{topic}/records"), None);
    let value = |record: &Value| record["value"].as_str().unwrap().to_owned();
    records["records"].as_array().unwrap().iter().map(value).collect()
}

fn restore(controlled: &Controlled, name: &str) {
    controlled.http.done("POST", &format!("/snapshots/{name}/restore"), None);
}

#[test]
fn a_reset_has_everything_as_it_was_at_the_start() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one"]);
    controlled.post("/faults", json!({ "api": "Fetch", "throttle_ms": 1 }));
    controlled.post("/time/advance", json!({ "by_ms": 60_000 }));
    controlled.http.done("POST", "/reset", None);
    assert!(values(&controlled.http, "orders").is_empty());
    assert_eq!(controlled.get("/faults"), json!({ "rules": [] }));
    assert_eq!(controlled.get("/time")["now_ms"], START_MS);
}

#[test]
fn a_snapshot_is_kept_by_name_and_gone_back_to() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one"]);
    let taken = controlled.put("/snapshots/one", json!({}));
    assert_eq!(taken["name"], "one");
    assert_eq!(taken["time_ms"], START_MS);
    assert_eq!(taken["topics"], json!([{ "name": "orders", "partitions": 2 }]));
    produce(&controlled.broker, "orders", &["two"]);
    controlled.put("/snapshots/two", json!({}));
    controlled.post("/time/advance", json!({ "by_ms": 5 }));
    restore(&controlled, "one");
    assert_eq!(values(&controlled.http, "orders"), ["one"]);
    assert_eq!(controlled.get("/time")["now_ms"], START_MS);
    restore(&controlled, "two");
    assert_eq!(values(&controlled.http, "orders"), ["one", "two"]);
    // Under a name that is taken, in its place.
    controlled.put("/snapshots/one", json!({}));
    restore(&controlled, "one");
    assert_eq!(values(&controlled.http, "orders"), ["one", "two"]);
    let names = controlled.get("/snapshots");
    let names: Vec<_> =
        names["snapshots"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
    controlled.delete("/snapshots/one");
    controlled.refused("POST", "/snapshots/one/restore", None, 404, "not-found", &["no snapshot 'one'"]);
}

#[test]
fn snapshots_that_cannot_be_are_refused() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one"]);
    for (method, path) in [
        ("GET", "/snapshots/none"),
        ("DELETE", "/snapshots/none"),
        ("POST", "/snapshots/none/restore"),
        ("GET", "/snapshots/none/file"),
    ] {
        controlled.refused(method, path, None, 404, "not-found", &["no snapshot 'none'", "GET /snapshots"]);
    }
    let long = "x".repeat(101);
    for name in ["no%20spaces", "a%2Fb", "caf%C3%A9", long.as_str()] {
        controlled.refused(
            "PUT",
            &format!("/snapshots/{name}"),
            None,
            422,
            "invalid",
            &["no name for a snapshot"],
        );
    }
    assert_eq!(controlled.get("/snapshots"), json!({ "snapshots": [] }));
    assert_eq!(values(&controlled.http, "orders"), ["one"]);
}

#[test]
fn there_are_only_so_many_snapshots() {
    let controlled = Controlled::start();
    for number in 0..MAX_SNAPSHOTS {
        controlled.put(&format!("/snapshots/{number}"), json!({}));
    }
    controlled.refused(
        "PUT",
        "/snapshots/more",
        None,
        429,
        "limit-reached",
        &["100 snapshots", "delete some"],
    );
    controlled.put("/snapshots/7", json!({}));
    controlled.delete("/snapshots/8");
    controlled.put("/snapshots/more", json!({}));
}

#[test]
fn a_snapshot_goes_to_a_file_and_comes_from_one() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one", "two"]);
    controlled.put("/snapshots/here", json!({}));
    let (status, _, file) = controlled.http.send("GET", "/snapshots/here/file", None, &[]);
    assert_eq!(status, 200);
    // The file is the one that a program reads.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot");
    std::fs::write(&path, &file).unwrap();
    let loaded = Broker::builder().from_snapshot(&Snapshot::load(&path).unwrap()).start().unwrap();
    assert_eq!(loaded.records("orders").unwrap().len(), 2);

    let other = Controlled::start();
    let (status, _, _) = other.http.send("PUT", "/snapshots/from-there/file", Some(&file), &[]);
    assert_eq!(status, 201);
    restore(&other, "from-there");
    assert_eq!(values(&other.http, "orders"), ["one", "two"]);

    let mut damaged = file.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x55;
    for wrong in [&damaged[..], &file[..file.len() - 1], b"no snapshot", b""] {
        let (status, _, problem) = other.http.send("PUT", "/snapshots/wrong/file", Some(wrong), &[]);
        let problem: Value = serde_json::from_slice(&problem).unwrap();
        check_problem(status, &problem, 422, "invalid", &["cannot be used as a snapshot"]);
        assert!(!problem["detail"].as_str().unwrap().contains("/tmp"), "{problem}");
    }
    other.refused("GET", "/snapshots/wrong", None, 404, "not-found", &["wrong"]);
}

#[test]
fn a_fork_goes_its_own_way_and_is_controlled_as_the_first() {
    let controlled = Controlled::start();
    produce(&controlled.broker, "orders", &["one"]);
    controlled.put("/snapshots/one", json!({}));
    produce(&controlled.broker, "orders", &["two"]);
    let now = controlled.post("/forks", json!({}));
    let then = controlled.post("/forks", json!({ "snapshot": "one" }));
    assert_eq!((&now["fork"], &then["fork"]), (&json!(1), &json!(2)));
    assert_ne!(now["bootstrap_servers"], controlled.broker.bootstrap_servers());
    assert_eq!(now["control_url"], format!("{}/forks/1", controlled.server.url()));

    let below = |path: &str| format!("/forks/1{path}");
    controlled.post(&below("/time/advance"), json!({ "by_ms": 1000 }));
    assert_eq!(controlled.get(&below("/time"))["now_ms"], START_MS + 1000);
    assert_eq!(controlled.get("/time")["now_ms"], START_MS);
    assert_eq!(controlled.get("/forks/1")["fork"], 1);
    assert_eq!(controlled.get(&below("/topics/orders"))["partitions"][0]["log_end_offset"], 2);
    assert_eq!(controlled.get("/forks/2/topics/orders")["partitions"][0]["log_end_offset"], 1);
    // A fork of a fork is one more of the server's.
    assert_eq!(controlled.post(&below("/forks"), json!({}))["fork"], 3);
    assert_eq!(controlled.get("/forks")["forks"].as_array().unwrap().len(), 3);

    let address = now["bootstrap_servers"].as_str().unwrap();
    controlled.delete("/forks/1");
    assert!(std::net::TcpStream::connect(address).is_err(), "the fork still listens");
    for (method, path) in
        [("GET", "/forks/1"), ("GET", "/forks/1/time"), ("DELETE", "/forks/1"), ("POST", "/forks/1/reset")]
    {
        controlled.refused(method, path, None, 404, "not-found", &["no fork 1"]);
    }
    controlled.refused("GET", "/forks/first/time", None, 400, "bad-parameter", &["first"]);
    controlled.refused("POST", "/forks", Some(json!({ "snapshot": "none" })), 404, "not-found", &["'none'"]);
    controlled.refused("POST", "/forks", Some(json!({ "port": 9092 })), 422, "invalid", &["port"]);
    assert_eq!(values(&controlled.http, "orders"), ["one", "two"]);
}

#[test]
fn there_are_only_so_many_forks() {
    let controlled = Controlled::start();
    for _ in 0..MAX_FORKS {
        controlled.post("/forks", json!({}));
    }
    controlled.refused("POST", "/forks", Some(json!({})), 429, "limit-reached", &["64 forks", "DELETE"]);
    controlled.delete("/forks/3");
    assert_eq!(controlled.post("/forks", json!({}))["fork"], MAX_FORKS + 1);
}

#[test]
fn what_lies_in_a_folder_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let controlled =
        Controlled::of(Broker::builder().topic("orders", 1).data_dir(folder.path()).start().unwrap());
    produce(&controlled.broker, "orders", &["kept"]);
    controlled.put("/snapshots/kept", json!({}));
    controlled.refused("POST", "/reset", None, 409, "conflict", &["there to stay"]);
    controlled.refused("POST", "/snapshots/kept/restore", None, 409, "conflict", &["there to stay"]);
    assert_eq!(values(&controlled.http, "orders"), ["kept"]);
    let fork = controlled.post("/forks", json!({}));
    assert_eq!(
        controlled.get(&format!("/forks/{}/topics/orders", fork["fork"]))["partitions"][0]["log_end_offset"],
        1
    );
}

//! A cluster: looked at, moved, stopped in parts and brought back, over HTTP.

use klamm::Broker;
use serde_json::{Value, json};

use super::Controlled;

fn start() -> Controlled {
    Controlled::of(Broker::builder().brokers(3).racks(["a", "b", "c"]).topic("orders", 1).start().unwrap())
}

/// The first partition of `orders`, as a look at the cluster has it.
fn partition(cluster: &Value) -> Value {
    let all = cluster["partitions"].as_array().unwrap();
    all.iter().find(|one| one["topic"] == "orders" && one["partition"] == 0).unwrap().clone()
}

#[test]
fn a_leader_moves_in_a_new_epoch() {
    let controlled = start();
    let before = partition(&controlled.get("/cluster"));
    let to = before["replicas"].as_array().unwrap().iter().find(|node| **node != before["leader"]).unwrap();
    let wanted = json!({ "topic": "orders", "partition": 0, "node": to });
    let after = partition(&controlled.put("/cluster/leader", wanted));
    assert_eq!(&after["leader"], to);
    assert_eq!(after["leader_epoch"].as_i64(), before["leader_epoch"].as_i64().map(|epoch| epoch + 1));
    let back = partition(&controlled.http.done("POST", "/cluster/elect-preferred-leaders", None));
    assert_eq!(back["leader"], before["replicas"][0]);
}

#[test]
fn a_node_is_stopped_and_brought_back() {
    let controlled = start();
    let node = |state: &str, value: &Value| assert_eq!(value["state"], state, "{value}");
    node("running", &controlled.get("/cluster/nodes/1"));
    node("stopped", &controlled.http.done("POST", "/cluster/nodes/1/stop", None));
    assert_ne!(controlled.get("/cluster")["controller"], 1);
    assert_ne!(partition(&controlled.get("/cluster"))["leader"], 1);
    controlled.refused("POST", "/cluster/nodes/1/stop", None, 409, "conflict", &["node 1", "stopped"]);
    let wanted = Some(json!({ "node": 1 }));
    controlled.refused("PUT", "/cluster/controller", wanted, 409, "conflict", &["node 1"]);
    node("running", &controlled.http.done("POST", "/cluster/nodes/1/bring-back", None));
    node("cut_off", &controlled.http.done("POST", "/cluster/nodes/1/cut-off", None));
    node("running", &controlled.http.done("POST", "/cluster/nodes/1/bring-back", None));
    assert_eq!(controlled.post("/cluster/nodes/1/slow", json!({ "delay_ms": 7 }))["delay_ms"], 7);
    assert_eq!(controlled.get("/cluster/nodes/1")["rack"], "a");
}

#[test]
fn what_cannot_be_moved_is_told_and_nothing_moves() {
    let controlled = start();
    let before = controlled.get("/cluster");
    for (path, body, status, kind, words) in [
        (
            "/cluster/leader",
            json!({ "topic": "none", "partition": 0, "node": 1 }),
            404,
            "not-found",
            "'none'",
        ),
        (
            "/cluster/leader",
            json!({ "topic": "orders", "partition": 9, "node": 1 }),
            404,
            "not-found",
            "no partition 9",
        ),
        (
            "/cluster/leader",
            json!({ "topic": "orders", "partition": 0, "node": 9 }),
            404,
            "not-found",
            "no node 9",
        ),
        ("/cluster/leader", json!({ "topic": "orders", "node": 1 }), 422, "invalid", "partition"),
        ("/cluster/controller", json!({ "node": 9 }), 404, "not-found", "no node 9"),
        ("/cluster/coordinator", json!({ "group": "g", "node": 9 }), 404, "not-found", "no node 9"),
        ("/cluster/controller", json!({ "node": 1, "now": true }), 422, "invalid", "now"),
    ] {
        controlled.refused("PUT", path, Some(body), status, kind, &[words]);
    }
    controlled.refused("POST", "/cluster/nodes/9/stop", None, 404, "not-found", &["no node 9"]);
    controlled.refused("POST", "/cluster/nodes/one/stop", None, 400, "bad-parameter", &["one"]);
    let slow = Some(json!({ "delay_ms": 3_600_001 }));
    controlled.refused("POST", "/cluster/nodes/1/slow", slow, 422, "invalid", &["an hour"]);
    assert_eq!(controlled.get("/cluster"), before);
}

//! Faults: rules added, counted, removed; rules that mean nothing refused with the sentence that says why.

use kafka_protocol::messages::{ListGroupsRequest, ListGroupsResponse};
use klamm::MAX_FAULT_RULES;
use serde_json::{Value, json};

use super::Controlled;
use crate::harness::Wire;

fn list_groups(controlled: &Controlled) -> ListGroupsResponse {
    Wire::connect(&controlled.broker.bootstrap_servers()).call(&ListGroupsRequest::default(), 4)
}

#[test]
fn a_rule_strikes_is_counted_and_ends() {
    let controlled = Controlled::start();
    let rule = json!({ "api": "ListGroups", "first": 1, "error": "COORDINATOR_NOT_AVAILABLE" });
    let added = controlled.post("/faults", rule.clone());
    assert_eq!(added, json!({ "id": 1, "fault": rule, "matched": 0, "hits": 0 }));
    assert_eq!(list_groups(&controlled).error_code, 15);
    assert_eq!(list_groups(&controlled).error_code, 0);
    controlled.post("/wait/hits", json!({ "rule": 1, "count": 1 }));
    assert_eq!(controlled.get("/faults/1")["matched"], 2);
    assert_eq!(controlled.get("/faults")["rules"][0]["hits"], 1);
    assert_eq!(controlled.delete("/faults/1")["hits"], 1);
    assert_eq!(controlled.get("/faults"), json!({ "rules": [] }));
}

#[test]
fn all_rules_end_together() {
    let controlled = Controlled::start();
    for _ in 0..3 {
        controlled.post("/faults", json!({ "api": 16, "error": 15 }));
    }
    controlled.delete("/faults");
    assert_eq!(list_groups(&controlled).error_code, 0);
    assert_eq!(controlled.get("/faults"), json!({ "rules": [] }));
}

#[test]
fn rules_that_mean_nothing_are_refused_and_nothing_is_added() {
    let controlled = Controlled::start();
    for (rule, words) in [
        (
            json!({ "topik": "t", "error": "NOT_LEADER_OR_FOLLOWER" }),
            vec!["topik", "fields", "topic", "delay_answer"],
        ),
        (json!({ "api": "Produse", "error": 6 }), vec!["there is no API 'Produse'"]),
        (json!({ "api": "Produce", "error": "NO_SUCH" }), vec!["there is no error 'NO_SUCH'"]),
        (json!({ "api": "Produce" }), vec!["does nothing"]),
        (json!({}), vec!["does nothing"]),
        (json!({ "api": "Heartbeat", "topic": "t", "error": 6 }), vec!["names no topics"]),
        (json!({ "api": "Produce", "nth": 1, "every": 2, "error": 6 }), vec!["three ways"]),
        (json!({ "api": "Produce", "nth": 0, "error": 6 }), vec!["counts from 1"]),
        (json!({ "api": "Produce", "probability": 2, "error": 6 }), vec!["between 0 and 1"]),
        (json!({ "api": "Produce", "delay": { "min_ms": 1 } }), vec!["max_ms"]),
        (json!({ "api": "Produce", "close": "soon" }), vec!["soon", "before_answer"]),
        (
            json!({ "api": "Produce", "delay": { "min_ms": 0, "max_ms": 99_999_999_999_u64 } }),
            vec!["refused"],
        ),
        (json!({ "min_version": 99_999, "error": 6 }), vec!["99999"]),
        (json!("Produce"), vec!["object"]),
    ] {
        controlled.refused("POST", "/faults", Some(rule), 422, "invalid", &words);
    }
    assert_eq!(controlled.get("/faults"), json!({ "rules": [] }));
}

#[test]
fn a_rule_that_is_not_there_is_told() {
    let controlled = Controlled::start();
    for method in ["GET", "DELETE"] {
        controlled.refused(method, "/faults/9", None, 404, "not-found", &["no rule 9"]);
        controlled.refused(method, "/faults/nine", None, 400, "bad-parameter", &["nine"]);
        controlled.refused(method, "/faults/-1", None, 400, "bad-parameter", &["-1"]);
    }
}

#[test]
fn there_are_only_so_many_rules() {
    let controlled = Controlled::start();
    let rule = json!({ "api": "Vote" });
    controlled.refused("POST", "/faults", Some(rule), 422, "invalid", &["not served"]);
    let fault = klamm::Fault::on(klamm::ApiKey::ListGroups).error(klamm::ResponseError::UnknownServerError);
    for _ in 0..MAX_FAULT_RULES {
        controlled.broker.faults().add(fault.clone()).unwrap();
    }
    let rule = json!({ "api": "ListGroups", "error": -1 });
    controlled.refused("POST", "/faults", Some(rule), 429, "limit-reached", &["1000 rules", "remove"]);
}

#[test]
fn a_disk_is_full_on_command_and_empty_again() {
    let controlled = Controlled::start();
    controlled.put("/disk", json!({ "full": true, "failing_syncs": false }));
    controlled.put("/disk", json!({ "full": false }));
    super::produce(&controlled.broker, "orders", &["there is room"]);
    for (body, words) in [
        (json!({}), "say what"),
        (json!({ "full": Value::Null }), "say what"),
        (json!({ "fool": true }), "fool"),
    ] {
        controlled.refused("PUT", "/disk", Some(body), 422, "invalid", &[words]);
    }
}

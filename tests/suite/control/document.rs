//! The document: it describes every route, and every answer is as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::{Controlled, produce, reader};

/// The document, and which of its operations have been done.
pub(super) struct Document {
    pub(super) json: Value,
    done: Mutex<BTreeSet<String>>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Self {
        Document { json: serde_json::from_str(text).unwrap(), done: Mutex::default() }
    }

    /// The operation that a request is for.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap();
        let matches = |template: &str| {
            let (parts, wanted): (Vec<_>, Vec<_>) =
                (path.split('/').collect(), template.split('/').collect());
            parts.len() == wanted.len()
                && parts.iter().zip(wanted).all(|(part, wanted)| wanted.starts_with('{') || *part == wanted)
        };
        let mut found: Vec<_> = self.json["paths"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(template, _)| matches(template))
            .collect();
        // `/requests/recent` before `/requests/{…}`.
        found.sort_by_key(|(template, _)| template.matches('{').count());
        found.into_iter().find_map(|(_, methods)| methods.get(method.to_ascii_lowercase()))
    }

    #[track_caller]
    fn check(&self, schema: &Value, value: &Value, what: &str) {
        let mut whole = schema.as_object().unwrap().clone();
        whole.insert("components".to_owned(), self.json["components"].clone());
        let validator = jsonschema::draft202012::new(&Value::Object(whole)).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what} is not as the document has it: {errors:?}\n{value}");
    }

    /// That a body that was taken is one that the document describes.
    #[track_caller]
    pub(super) fn check_request(&self, method: &str, path: &str, body: &Value) {
        let path = of_broker(method, path);
        let operation = self.operation(method, path).unwrap();
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            self.check(schema, body, &format!("the body of {method} {path}"));
        }
    }

    /// That an answer is one that the document describes.
    #[track_caller]
    pub(super) fn check_answer(&self, method: &str, path: &str, status: u16, kind: &str, body: &Value) {
        let path = of_broker(method, path);
        let Some(operation) = self.operation(method, path) else {
            assert!(
                matches!(status, 401 | 403 | 404 | 405),
                "{method} {path} is not in the document: {status} {body}"
            );
            return;
        };
        let id = operation["operationId"].as_str().unwrap();
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "the document has no answer {status} to {id}: {body}");
        match response.get("content") {
            None => assert!(body.is_null(), "{id} gives what the document has not: {body}"),
            Some(content) => {
                let schema = &content[kind]["schema"];
                assert!(schema.is_object(), "the document has no {kind} for {id} with {status}");
                self.check(schema, body, &format!("the answer to {id}"));
            }
        }
        if status < 300 {
            self.done.lock().unwrap().insert(id.to_owned());
        }
    }

    /// The operations, by their ids: their methods and paths.
    pub(super) fn operations(&self) -> BTreeMap<String, (String, String)> {
        let mut all = BTreeMap::new();
        for (path, methods) in self.json["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                let before = all.insert(id, (method.to_ascii_uppercase(), path.clone()));
                assert!(before.is_none(), "two operations have one id: {before:?}");
            }
        }
        all
    }
}

/// The path below that of a fork.
fn of_broker<'a>(method: &str, path: &'a str) -> &'a str {
    match path.strip_prefix("/forks/").map(|rest| (rest, rest.find('/'))) {
        Some((rest, Some(at))) => &rest[at..],
        Some((_, None)) if method == "GET" => "/",
        _ => path,
    }
}

#[test]
fn its_schemas_are_schemas_and_its_references_lead_somewhere() {
    let controlled = Controlled::start();
    let document = &controlled.http.document.json;
    assert_eq!(document["openapi"], "3.1.0");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::draft202012::meta::is_valid(schema), "{name} is no schema: {schema}");
        assert!(!schema.to_string().contains("```"), "{name} is described to readers of Rust: {schema}");
    }
    let mut references = Vec::new();
    collect(document, &mut references);
    assert!(references.len() > 50, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(to) if name == "$ref" => references.push(to),
            other => collect(other, references),
        }),
        Value::Array(all) => all.iter().for_each(|one| collect(one, references)),
        _ => {}
    }
}

#[test]
fn every_operation_says_what_it_does_and_how_it_is_refused() {
    let controlled = Controlled::start();
    for (path, methods) in controlled.http.document.json["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(
                operation["summary"].as_str().is_some_and(|summary| summary.len() > 8),
                "{method} {path}"
            );
            assert!(operation["responses"]["401"].is_object(), "{method} {path}");
            let named = path.matches('{').count();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, named, "{method} {path}");
        }
    }
}

/// Does all that can be done, once, in an order in which it can be.
#[test]
fn every_operation_can_be_done_and_answers_as_the_document_says() {
    let controlled = Controlled::of(
        klamm::Broker::builder()
            .brokers(3)
            .topic("orders", 2)
            .clock(klamm::Clock::manual(super::START_MS))
            .journal(klamm::JournalOptions::memory())
            .start()
            .unwrap(),
    );
    produce(&controlled.broker, "orders", &["one", "two"]);
    let _reader = reader(&controlled.broker.bootstrap_servers(), 2);
    for (wait, body) in [
        ("records", json!({ "topic": "orders", "count": 2 })),
        ("group", json!({ "group": "readers", "members": 1 })),
        ("lag", json!({ "group": "readers", "lag": 0 })),
        ("commit", json!({ "group": "readers", "topic": "orders", "partition": 0, "offset": 2 })),
        ("connections", json!({ "count": 1, "timeout_ms": 20_000 })),
        ("idle", json!({})),
    ] {
        controlled.post(&format!("/wait/{wait}"), body);
    }
    for path in [
        "/",
        "/time",
        "/journal",
        "/topics",
        "/topics/orders",
        "/topics/orders/records",
        "/groups",
        "/groups/readers",
        "/groups/readers/lag",
        "/connections",
        "/requests",
        "/requests/recent?count=3",
        "/faults",
        "/snapshots",
        "/forks",
        "/openapi.json",
    ] {
        controlled.get(path);
    }
    let (status, kind, text) = controlled.http.send("GET", "/journal/file", None, &[]);
    assert_eq!((status, kind.as_str()), (200, "application/x-ndjson"));
    assert!(klamm::Journal::parse(std::str::from_utf8(&text).unwrap()).unwrap().requests() > 2);

    let rule =
        controlled.post("/faults", json!({ "api": "ListGroups", "error": "COORDINATOR_NOT_AVAILABLE" }));
    let rule = rule["id"].as_u64().unwrap();
    controlled.post("/wait/hits", json!({ "rule": rule, "count": 0 }));
    controlled.get(&format!("/faults/{rule}"));
    controlled.delete(&format!("/faults/{rule}"));
    controlled.put("/disk", json!({ "full": false }));
    controlled.delete("/faults");

    controlled.get("/cluster");
    controlled.get("/cluster/nodes/2");
    controlled.http.done("POST", "/cluster/nodes/2/stop", None);
    controlled.http.done("POST", "/cluster/nodes/2/bring-back", None);
    controlled.http.done("POST", "/cluster/nodes/3/cut-off", None);
    controlled.http.done("POST", "/cluster/nodes/3/bring-back", None);
    controlled.post("/cluster/nodes/3/slow", json!({ "delay_ms": 1 }));
    controlled.put("/cluster/leader", json!({ "topic": "orders", "partition": 0, "node": 2 }));
    controlled.put("/cluster/coordinator", json!({ "group": "readers", "node": 2 }));
    controlled.put("/cluster/controller", json!({ "node": 2 }));
    controlled.http.done("POST", "/cluster/elect-preferred-leaders", None);

    controlled.put("/snapshots/before", json!({}));
    controlled.get("/snapshots/before");
    let (status, kind, file) = controlled.http.send("GET", "/snapshots/before/file", None, &[]);
    assert_eq!((status, kind.as_str()), (200, "application/octet-stream"));
    let (status, _, answer) = controlled.http.send("PUT", "/snapshots/again/file", Some(&file), &[]);
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
    let fork = controlled.post("/forks", json!({ "snapshot": "again" }));
    controlled.get("/forks");
    controlled.delete(&format!("/forks/{}", fork["fork"]));
    controlled.post("/time/advance", json!({ "by_ms": 1 }));
    controlled.put("/time", json!({ "now_ms": super::START_MS + 5 }));
    controlled.http.done("POST", "/housekeeping", None);
    controlled.http.done("POST", "/snapshots/before/restore", None);
    controlled.delete("/snapshots/before");
    controlled.http.done("POST", "/reset", None);

    let document = &controlled.http.document;
    let mut done = document.done.lock().unwrap().clone();
    // Their bodies are no JSON: looked at above.
    done.extend(["download_journal", "download_snapshot", "upload_snapshot"].map(str::to_owned));
    let all: BTreeSet<String> = document.operations().into_keys().collect();
    assert_eq!(done, all, "left is what was done, right is what the document has");
}

#[test]
fn every_path_of_the_document_is_served_and_no_other_method_of_it() {
    let controlled = Controlled::start();
    let document = &controlled.http.document;
    let operations = document.operations();
    for path in operations.values().map(|(_, path)| path) {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let is_there = operations.values().any(|(of, at)| of == method && at == path);
            // An empty object will not do as a body, and no name names anything: nothing is done.
            let filled = path.replace("{rule}", "99").replace("{fork}", "99").replace("{node}", "99");
            let filled = filled
                .replace("{topic}", "none")
                .replace("{group}", "none")
                .replace("{snapshot}", "no name!");
            let filled = filled.replace(' ', "%20");
            if is_there && (method == "GET" || path.contains('{')) {
                let (status, _, _) =
                    controlled.http.send(method, &filled, (method != "GET").then_some(b"[]"), &[]);
                assert!(!matches!(status, 405), "{method} {path}: {status}");
            } else if !is_there && (method, path.as_str()) != ("GET", "/forks/{fork}") {
                // That one is there: it is the path `/` of the fork.
                let (status, _, body) = controlled.http.send(method, &filled, None, &[]);
                assert_eq!(status, 405, "{method} {path}: {}", String::from_utf8_lossy(&body));
            }
        }
    }
}

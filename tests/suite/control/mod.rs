//! A broker controlled over HTTP: every route, with what it takes and what it refuses, and every answer as the document has it.

mod cluster;
mod ctl;
mod document;
mod faults;
mod looking;
mod python;
mod readme;
mod safety;
mod state;
mod time;
mod waits;

use std::sync::Arc;

use klamm::control::{ControlOptions, ControlServer};
use klamm::{Broker, Clock};
use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
use serde_json::{Value, json};
use ureq::{Agent, SendBody};

use crate::harness::{DEADLINE, Wire, produce_request};
use document::Document;

/// Where the manual clocks of these tests start: in 2023.
const START_MS: i64 = 1_700_000_000_000;

/// A broker, what controls it, and a plain client of that.
struct Controlled {
    broker: Arc<Broker>,
    server: ControlServer,
    http: Http,
}

impl Controlled {
    /// A broker with a manual clock and a topic, `orders`.
    fn start() -> Self {
        Controlled::of(
            Broker::builder().topic("orders", 2).clock(Clock::manual(START_MS)).seed(7).start().unwrap(),
        )
    }

    fn of(broker: Broker) -> Self {
        let broker = Arc::new(broker);
        let server = ControlServer::start(Arc::clone(&broker), ControlOptions::on("127.0.0.1:0")).unwrap();
        let http = Http::to(&server.url());
        Controlled { broker, server, http }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.http.done("GET", path, None)
    }

    #[track_caller]
    fn post(&self, path: &str, body: Value) -> Value {
        self.http.done("POST", path, Some(body))
    }

    #[track_caller]
    fn put(&self, path: &str, body: Value) -> Value {
        self.http.done("PUT", path, Some(body))
    }

    #[track_caller]
    fn delete(&self, path: &str) -> Value {
        self.http.done("DELETE", path, None)
    }

    /// That a request is refused with this status and kind, and a sentence that has these words in it.
    #[track_caller]
    fn refused(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
        kind: &str,
        words: &[&str],
    ) {
        let (got, problem) = self.http.ask(method, path, body);
        check_problem(got, &problem, status, kind, words);
    }
}

#[track_caller]
fn check_problem(got: u16, problem: &Value, status: u16, kind: &str, words: &[&str]) {
    assert_eq!(got, status, "{problem}");
    assert_eq!(problem["status"], status, "{problem}");
    assert_eq!(problem["type"], format!("urn:klamm:problem:{kind}"), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    for word in words {
        assert!(detail.contains(word), "'{word}' is not in: {detail}");
    }
}

/// A client that knows nothing of Klamm, and holds each answer against the document.
struct Http {
    agent: Agent,
    root: String,
    document: Document,
}

impl Http {
    fn to(root: &str) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let agent: Agent = config.into();
        let text =
            agent.get(format!("{root}/openapi.json")).call().unwrap().body_mut().read_to_string().unwrap();
        Http { agent, root: root.to_owned(), document: Document::parse(&text) }
    }

    /// What a request is answered, which is as the document has it.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let text = body.as_ref().map(Value::to_string);
        let (status, kind, bytes) = self.send(method, path, text.as_deref().map(str::as_bytes), &[]);
        let value: Value =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        if status < 300
            && let Some(body) = &body
        {
            self.document.check_request(method, path, body);
        }
        self.document.check_answer(method, path, status, &kind, &value);
        (status, value)
    }

    /// A request as it is, with these headers: its status, the type of its body, and its body.
    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
        headers: &[(&str, &str)],
    ) -> (u16, String, Vec<u8>) {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.root));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(bytes) => SendBody::from_owned_reader(std::io::Cursor::new(bytes.to_vec())),
            None => SendBody::none(),
        };
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let bytes = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        (response.status().as_u16(), kind.unwrap_or_default(), bytes)
    }

    #[track_caller]
    fn done(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, value) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {value}");
        value
    }
}

/// Appends records with these values, stamped with the time at which the clocks start.
fn produce(broker: &Broker, topic: &str, values: &[&str]) {
    let leader = broker.cluster().leader(topic, 0).unwrap().unwrap();
    let mut wire = Wire::connect(&broker.cluster().node(leader).unwrap().bootstrap_server());
    for value in values {
        let value = Some(value.as_bytes().to_vec().into());
        let record =
            RecordToWrite { key: Some("key".into()), value, headers: Vec::new(), timestamp: START_MS };
        let records = batch::build([record], &BuildOptions::default());
        let answer = wire.call(&produce_request(topic, 0, records), 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}

/// A member of the group `readers`, which has read so many records of `orders` from the beginning, and commits behind them.
fn reader(bootstrap_servers: &str, count: usize) -> klamm::Subscriber {
    let config = json!({
        "source": "kafka://topic/orders",
        "bootstrap_servers": bootstrap_servers,
        "group_id": "readers",
        "consumer_config": {
            "auto_offset_reset": "earliest",
            "auto_commit_interval_ms": 50,
            "session_timeout_ms": 45_000,
            "heartbeat_interval_ms": 100,
        },
    });
    let reader = klamm::create_subscriber("reader", config).unwrap();
    reader.start().unwrap();
    for _ in 0..count {
        assert!(reader.get_record(DEADLINE).unwrap().is_some(), "there is a record");
    }
    reader
}

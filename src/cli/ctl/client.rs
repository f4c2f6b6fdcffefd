//! Requests to what `--control` serves, and what it says where it refuses one.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};

/// How long it may take to connect. An answer may take as long as it takes: some are waits.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// How long an answer of JSON may be that is read: the server's own bound for records, with room for what JSON adds.
const MAX_ANSWER_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// How long a refusal may be.
const MAX_REFUSAL_BYTES: u64 = 1024 * 1024;

/// Where requests go.
pub(super) struct Client {
    agent: Agent,
    /// The server's address, without a slash at its end.
    server: String,
    /// What stands before the path of a broker: nothing, or a fork.
    broker: String,
    token: Option<String>,
}

impl Client {
    pub(super) fn new(url: &str, fork: Option<u64>, token: Option<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_PATIENCE))
            .max_redirects(0)
            .proxy(None)
            .build();
        let url = url.trim_end_matches('/');
        let server = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let broker = fork.map_or_else(String::new, |number| format!("/forks/{number}"));
        Client { agent: config.into(), server, broker, token }
    }

    /// Asks for something of the broker.
    pub(super) fn get(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        // The broker's own path has no slash at its end.
        let path = if path == "/" && !self.broker.is_empty() { "" } else { path };
        // The document is the server's.
        let broker = if path == "/openapi.json" { "" } else { &self.broker };
        json(self.send("GET", &format!("{broker}{path}"), SendBody::none())?)
    }

    /// Asks for something of the server, whichever the broker.
    pub(super) fn get_of_server(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        json(self.send("GET", path, SendBody::none())?)
    }

    /// Has the broker do something.
    pub(super) fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Box<dyn Error>> {
        self.change("POST", path, body)
    }

    /// Has something of the broker be another.
    pub(super) fn put(&self, path: &str, body: Option<&Value>) -> Result<Value, Box<dyn Error>> {
        self.change("PUT", path, body)
    }

    /// Takes something of the broker away.
    pub(super) fn delete(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        self.change("DELETE", path, None)
    }

    /// Takes something of the server away.
    pub(super) fn delete_of_server(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        json(self.send("DELETE", path, SendBody::none())?)
    }

    /// Reads a file of the server's.
    pub(super) fn download(&self, path: &str) -> Result<impl Read + use<>, Box<dyn Error>> {
        Ok(self.send("GET", path, SendBody::none())?.into_body().into_reader())
    }

    /// Sends a file to the server.
    pub(super) fn upload(&self, path: &str, file: std::fs::File) -> Result<Value, Box<dyn Error>> {
        json(self.send("PUT", path, SendBody::from_owned_reader(file))?)
    }

    fn change(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Box<dyn Error>> {
        let text = body.map_or_else(String::new, Value::to_string);
        let body = if body.is_some() {
            SendBody::from_owned_reader(std::io::Cursor::new(text))
        } else {
            SendBody::none()
        };
        json(self.send(method, &format!("{}{path}", self.broker), body)?)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: SendBody<'static>,
    ) -> Result<Response<Body>, Box<dyn Error>> {
        let url = format!("{}{path}", self.server);
        let mut request = ureq::http::Request::builder().method(method).uri(&url);
        if method == "POST" || method == "PUT" {
            request = request.header("content-type", "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request
            .body(body)
            .map_err(|error| format!("'{}' is no URL to control a broker: {error}", self.server))?;
        let response = self.agent.run(request);
        let response = response.map_err(|error| {
            format!("no broker can be controlled at {}: {error}; is it running, with --control?", self.server)
        })?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response, &url).into()) }
    }
}

/// What the server says where it refuses.
fn refusal(mut response: Response<Body>, url: &str) -> String {
    let status = response.status();
    let text =
        response.body_mut().with_config().limit(MAX_REFUSAL_BYTES).read_to_string().unwrap_or_default();
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None => format!("{url} answers with {status}, which is not as Klamm does: is it another server?"),
    }
}

fn json(mut response: Response<Body>) -> Result<Value, Box<dyn Error>> {
    let bytes = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(&bytes).map_err(|error| format!("the answer is no JSON: {error}"))?)
}

/// A name as it stands in a path.
pub(super) fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte))
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

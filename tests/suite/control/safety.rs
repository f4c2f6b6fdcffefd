//! Who may control a broker, and what the server makes of input that is not as it should be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use klamm::Broker;
use klamm::control::{ControlError, ControlOptions, ControlServer, MAX_BODY_BYTES, MAX_CONNECTIONS};
use serde_json::{Value, json};

use super::{Controlled, check_problem};
use crate::harness::DEADLINE;

fn start(options: ControlOptions) -> Result<ControlServer, ControlError> {
    ControlServer::start(Arc::new(Broker::builder().start().unwrap()), options)
}

#[test]
fn without_its_token_nothing_is_done() {
    let server = start(ControlOptions::on("127.0.0.1:0").token("secret")).unwrap();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let ask = |path: &str, token: Option<&str>| {
        let mut request = agent.post(format!("{}{path}", server.url()));
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let mut response = request.send_empty().unwrap();
        let challenge =
            response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), challenge, response.body_mut().read_to_string().unwrap())
    };
    for (token, words) in [
        (None, "Bearer TOKEN"),
        (Some("Bearer wrong"), "not the one"),
        (Some("Bearer "), "another form"),
        (Some("secret"), "another form"),
        (Some("Basic c2VjcmV0"), "another form"),
    ] {
        // Also where there is nothing: whoever has no token learns nothing.
        for path in ["/reset", "/nothing", "/faults"] {
            let (status, challenge, text) = ask(path, token);
            let words = if path == "/reset" { words } else { "" };
            check_problem(status, &serde_json::from_str(&text).unwrap(), 401, "unauthorized", &[words]);
            assert_eq!(challenge.as_deref(), Some("Bearer"));
            assert!(!text.contains("secret"), "{text}");
        }
    }
    assert_eq!(ask("/reset", Some("Bearer secret")).0, 204);
}

#[test]
fn other_machines_are_let_in_only_if_that_is_asked_for_and_with_a_token() {
    let refused = |options| start(options).unwrap_err().to_string();
    assert!(refused(ControlOptions::on("0.0.0.0:0")).contains("not on this machine alone"));
    assert!(refused(ControlOptions::on("[::]:0").token("t")).contains("127.0.0.1"));
    assert!(refused(ControlOptions::on("0.0.0.0:0").allow_remote()).contains("needs a token"));
    for token in ["", "two words", "caf\u{e9}", "line\nbreak"] {
        assert!(refused(ControlOptions::on("127.0.0.1:0").token(token)).contains("token"), "{token:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert!(refused(ControlOptions::on(&address)).contains(&address));
    assert!(refused(ControlOptions::on("localhost")).contains("localhost"));
    let server = start(ControlOptions::on("0.0.0.0:0").allow_remote().token("t")).unwrap();
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
}

#[test]
fn a_name_that_a_page_made_up_and_a_page_itself_are_refused() {
    let controlled = Controlled::start();
    for headers in [
        [("host", "evil.example"), ("accept", "*/*")],
        [("host", "127.0.0.1.evil.example"), ("accept", "*/*")],
        [("host", "127.0.0.1"), ("origin", "http://evil.example")],
        [("host", "127.0.0.1"), ("origin", "null")],
    ] {
        for (method, path) in [("POST", "/reset"), ("GET", "/topics"), ("OPTIONS", "/reset")] {
            let (status, _, text) = controlled.http.send(method, path, None, &headers);
            check_problem(status, &serde_json::from_slice(&text).unwrap(), 403, "forbidden", &[]);
        }
    }
    // No page is told that it may read what it gets.
    let answer = raw(&controlled, b"GET /time HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 200") && !answer.to_lowercase().contains("access-control"),
        "{answer}"
    );
}

#[test]
fn what_is_no_json_is_refused_with_its_position() {
    let controlled = Controlled::start();
    for (body, words) in [
        (&b"{\"by_ms\": 1"[..], "line 1 column 11"),
        (b"{\n \"by_ms\": }", "line 2 column 11"),
        (b"by_ms=1", "line 1 column 1"),
        (b"\xff\xfe", "line 1"),
        (b"{\"by_ms\": 1} {}", "trailing"),
    ] {
        let (status, _, text) = controlled.http.send("POST", "/time/advance", Some(body), &[]);
        check_problem(status, &serde_json::from_slice(&text).unwrap(), 400, "bad-json", &["no JSON", words]);
    }
    let deep = "[".repeat(100_000);
    let (status, _, text) = controlled.http.send("POST", "/faults", Some(deep.as_bytes()), &[]);
    assert_eq!(status / 100, 4, "{}", String::from_utf8_lossy(&text));
    let yaml = [("content-type", "application/yaml")];
    let (status, _, text) = controlled.http.send("POST", "/time/advance", Some(b"by_ms: 1"), &yaml);
    check_problem(
        status,
        &serde_json::from_slice(&text).unwrap(),
        415,
        "unsupported-media-type",
        &["yaml", "application/json"],
    );
    for fine in ["application/json; charset=utf-8", "application/x-www-form-urlencoded", "APPLICATION/JSON"] {
        let (status, _, _) =
            controlled.http.send("POST", "/time/advance", Some(b"{\"by_ms\":0}"), &[("content-type", fine)]);
        assert_eq!(status, 200, "{fine}");
    }
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let controlled = Controlled::start();
    let long = vec![b' '; MAX_BODY_BYTES + 1];
    let (status, _, text) = controlled.http.send("POST", "/faults", Some(&long), &[]);
    check_problem(status, &serde_json::from_slice(&text).unwrap(), 413, "too-large", &["1048576 bytes"]);
    // One that only claims to be: it is not waited for.
    let head = "POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(raw(&controlled, head.as_bytes()).starts_with("HTTP/1.1 413"));
    let head = "PUT /snapshots/a/file HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(raw(&controlled, head.as_bytes()).starts_with("HTTP/1.1 413"));
    assert_eq!(controlled.get("/faults"), json!({ "rules": [] }));
}

#[test]
fn who_is_refused_while_still_sending_reads_why_and_goes_on() {
    let controlled = Controlled::start();
    let server = start(ControlOptions::on("127.0.0.1:0").token("secret")).unwrap();
    let body = vec![b'x'; 100_000];
    for (address, path, status) in [
        (controlled.server.address(), "/snapshots/no%20name!/file", "HTTP/1.1 422"),
        (controlled.server.address(), "/nowhere", "HTTP/1.1 404"),
        (server.address(), "/snapshots/a/file", "HTTP/1.1 401"),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        for _ in 0..20 {
            let head =
                format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            for part in body.chunks(10_000) {
                stream.write_all(part).unwrap();
            }
            let mut answer = vec![0; 64 * 1024];
            let length = stream.read(&mut answer).unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]);
            assert!(answer.starts_with(status), "{path}: {answer}");
        }
    }
}

/// What comes back for these bytes, up to where the answer stops for a moment or the connection ends.
fn raw(controlled: &Controlled, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(controlled.server.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = vec![0; 64 * 1024];
    // The server may close before it has read all that was sent.
    let length = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn bytes_that_are_no_http_harm_nobody() {
    let controlled = Controlled::start();
    let long_head = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200_000));
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /time HTTP/1.1\r\n\r\n",
        b"POST /faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /faults HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        long_head.as_bytes(),
    ] {
        let answer = raw(&controlled, bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(controlled.get("/time")["manual"], true);
    assert_eq!(controlled.get("/faults"), json!({ "rules": [] }));
}

#[test]
fn connections_too_many_wait_for_their_turn() {
    let controlled = Controlled::start();
    let address = controlled.server.address();
    let mut idle: Vec<TcpStream> =
        (0..MAX_CONNECTIONS + 8).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut last = idle.pop().unwrap();
    last.write_all(b"GET /time HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    drop(idle);
    last.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap()["manual"], true);
}

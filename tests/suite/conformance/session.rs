//! A session plays a scenario against one broker and keeps what it answered.

use super::normalise::{Normaliser, UNORDERED, hide_local_configs};
use super::recording::Step;
use super::scope::in_scope;
use super::target::Target;
use super::tree::Tree;
use super::wire::{self, Incoming, PATIENCE, Wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, DescribeConfigsRequest};
use kafka_protocol::protocol::{Message, Request, VersionRange};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// The versions that Apache Kafka 4.3 and the protocol crate share, where the crate knows more than Kafka serves.
/// (Where it knows less, its own range decides.)
pub(crate) fn versions<R: Request>() -> std::ops::RangeInclusive<i16> {
    let VersionRange { min, max } = <R as Message>::VERSIONS;
    min..=max
}

/// What a scenario sees of a request that is on its way.
pub(crate) struct Pending<R: Request> {
    connection: String,
    correlation: i32,
    version: i16,
    request: String,
    kind: PhantomData<R>,
}

/// Plays the steps of one scenario.
pub(crate) struct Session<'a> {
    target: &'a Target,
    normaliser: Normaliser,
    connections: BTreeMap<String, Wire>,
    current: String,
    steps: Vec<Step>,
    sorting: Vec<(&'static str, &'static str)>,
    no_internal: bool,
}

impl<'a> Session<'a> {
    pub(crate) fn new(target: &'a Target) -> Session<'a> {
        Session {
            target,
            normaliser: Normaliser::new(target.address.port()),
            connections: BTreeMap::new(),
            current: "main".to_string(),
            steps: Vec::new(),
            sorting: Vec::new(),
            no_internal: false,
        }
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The next steps go over the connection of this name, opened on first use.
    pub(crate) fn on(&mut self, connection: &str) -> &mut Self {
        self.current = connection.to_string();
        self
    }

    /// The next answers' lists of this name are in the order of a hash table in Kafka: they are sorted by a field.
    pub(crate) fn sorted(&mut self, list: &'static str, by: &'static str) -> &mut Self {
        self.sorting.push((list, by));
        self
    }

    /// The next answer's internal topics are left out: whether they are there depends on what was done before.
    pub(crate) fn without_internal_topics(&mut self) -> &mut Self {
        self.no_internal = true;
        self
    }

    /// From here on the broker compresses what it stores.
    pub(crate) fn recompressed(&mut self) {
        self.normaliser.recompressed = true;
    }

    fn wire(&mut self) -> &mut Wire {
        let address = self.target.address;
        self.connections.entry(self.current.clone()).or_insert_with(|| Wire::connect(address))
    }

    /// Sends a request and records what comes of it. The decoded answer, if there is one, is for later steps.
    pub(crate) fn call<R>(&mut self, name: impl Into<String>, version: i16, request: R) -> Option<R::Response>
    where
        R: Request + Debug,
        R::Response: Debug,
    {
        let pending = self.begin(version, request);
        self.finish(name, pending)
    }

    /// Sends a request at every version.
    pub(crate) fn each<R>(&mut self, name: &str, mut request: impl FnMut(i16) -> R)
    where
        R: Request + Debug,
        R::Response: Debug,
    {
        for version in versions::<R>() {
            self.call(name, version, request(version));
        }
    }

    /// Sends a request; its answer is recorded by [`finish`](Self::finish).
    pub(crate) fn begin<R>(&mut self, version: i16, request: R) -> Pending<R>
    where
        R: Request + Debug,
    {
        let text = format!("{request:?}");
        let wire = self.wire();
        let correlation = wire.next_correlation();
        let frame = wire::encode(&request, version, correlation)
            .unwrap_or_else(|e| panic!("the request can be said at version {version}: {e}: {text}"));
        wire.write(&frame);
        Pending { connection: self.current.clone(), correlation, version, request: text, kind: PhantomData }
    }

    /// Waits for the answer and records it.
    pub(crate) fn finish<R>(&mut self, name: impl Into<String>, pending: Pending<R>) -> Option<R::Response>
    where
        R: Request,
        R::Response: Debug,
    {
        let name = format!("{} v{} | {}", api_name(R::KEY), pending.version, name.into());
        let before = std::mem::replace(&mut self.current, pending.connection.clone());
        let incoming = self.wire().read(PATIENCE);
        let (lines, answer) = match incoming {
            Incoming::Frame(frame) => self.read_answer::<R>(&frame, pending.correlation, pending.version),
            other => (vec![self.without_answer(&other)], None),
        };
        self.current = before;
        self.push(name, pending.request, lines);
        answer
    }

    fn read_answer<R>(
        &mut self,
        frame: &Bytes,
        correlation: i32,
        version: i16,
    ) -> (Vec<String>, Option<R::Response>)
    where
        R: Request,
        R::Response: Debug,
    {
        if wire::correlation_of(frame) != Some(correlation) {
            return (vec![format!("! another correlation id than {correlation}")], None);
        }
        match wire::decode::<R::Response>(frame, version) {
            Ok(decoded) => {
                let mut tree = Tree::of(&decoded.body);
                let unordered = UNORDERED.iter().filter(|(key, ..)| *key == R::KEY);
                unordered.for_each(|(_, list, by)| tree.sort(list, by));
                self.sorting.drain(..).for_each(|(list, by)| tree.sort(list, by));
                if R::KEY == DescribeConfigsRequest::KEY {
                    hide_local_configs(&mut tree);
                }
                if self.no_internal {
                    tree.remove_internal_topics();
                }
                if R::KEY == ApiVersionsRequest::KEY {
                    tree.retain("api_keys", in_scope);
                }
                let mut lines: Vec<_> = decoded.oddities.iter().map(|o| format!("! {o}")).collect();
                lines.extend(tree.lines(&mut self.normaliser));
                (lines, Some(decoded.body))
            }
            Err(e) => {
                let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
                (vec![format!("! cannot be decoded: {e}: {hex}")], None)
            }
        }
    }

    fn without_answer(&mut self, incoming: &Incoming) -> String {
        match incoming {
            Incoming::Closed => {
                let current = self.current.clone();
                self.connections.remove(&current);
                "! closed".to_string()
            }
            _ => {
                let current = self.current.clone();
                self.connections.remove(&current);
                "! no answer".to_string()
            }
        }
    }

    /// Sends a request that gets no answer, and a second one behind it that shows whether the connection goes on.
    /// Whichever answer comes first tells.
    pub(crate) fn call_silent<R>(&mut self, name: impl Into<String>, version: i16, request: R)
    where
        R: Request + Debug,
        R::Response: Debug,
    {
        let name = format!("{} v{} | {}", api_name(R::KEY), version, name.into());
        let text = format!("{request:?}");
        let wire = self.wire();
        let correlation = wire.next_correlation();
        let frame = wire::encode(&request, version, correlation).expect("the request can be said");
        wire.write(&frame);
        let lines = self.silence(correlation, |s, frame| s.read_answer::<R>(frame, correlation, version).0);
        self.push(name, text, lines);
    }

    /// Sends bytes as they are (a frame with its length), and a good request behind them.
    pub(crate) fn raw(&mut self, name: impl Into<String>, bytes: &[u8]) {
        let name = format!("raw | {}", name.into());
        self.wire().write(bytes);
        let lines = self.silence(-1, |_, frame| vec![format!(". answer=b\"{}\"", frame.escape_ascii())]);
        self.push(name, format!("{}", bytes.escape_ascii()), lines);
    }

    /// Sends bytes as they are and nothing behind them.
    pub(crate) fn raw_last(&mut self, name: impl Into<String>, bytes: &[u8], finish_writing: bool) {
        let name = format!("raw | {}", name.into());
        let patience = self.target.silence;
        self.wire().write(bytes);
        if finish_writing {
            self.wire().finish_writing();
        }
        let lines = match self.wire().read(patience) {
            Incoming::Frame(frame) => vec![format!(". answer=b\"{}\"", frame.escape_ascii())],
            other => vec![self.without_answer(&other)],
        };
        let current = self.current.clone();
        self.connections.remove(&current);
        self.push(name, format!("{}", bytes.escape_ascii()), lines);
    }

    /// Sends a body of raw bytes under a good header and decodes the answer as that API's.
    pub(crate) fn body<R>(&mut self, name: String, version: i16, body: &[u8])
    where
        R: Request,
        R::Response: Debug,
    {
        let name = format!("{} v{} | {}", api_name(R::KEY), version, name);
        let wire = self.wire();
        let correlation = wire.next_correlation();
        let header = wire::header(R::KEY, version, R::header_version(version), correlation);
        wire.write(&wire::frame(&header, body));
        let lines = self.silence(correlation, |s, frame| s.read_answer::<R>(frame, correlation, version).0);
        self.push(name, format!("{}", body.escape_ascii()), lines);
    }

    /// What comes when nothing may come: a request with a known answer is sent behind, so that silence does not
    /// have to be waited for.
    fn silence(&mut self, awaited: i32, read: impl FnOnce(&mut Self, &Bytes) -> Vec<String>) -> Vec<String> {
        let patience = self.target.silence;
        let wire = self.wire();
        let fence = wire.next_correlation();
        let probe = wire::encode(&ApiVersionsRequest::default(), 0, fence).expect("can be said");
        wire.write(&probe);
        match wire.read(patience) {
            Incoming::Frame(frame) if wire::correlation_of(&frame) == Some(fence) => {
                vec!["! no answer; the connection goes on".to_string()]
            }
            Incoming::Frame(frame) => {
                let mut lines = read(self, &frame);
                match self.wire().read(patience) {
                    Incoming::Frame(_) => {}
                    Incoming::Closed => lines.push(self.without_answer(&Incoming::Closed)),
                    Incoming::Nothing => lines.push("! the connection is stuck".to_string()),
                }
                if awaited == -1 {
                    lines.dedup();
                }
                lines
            }
            Incoming::Nothing => {
                let current = self.current.clone();
                self.connections.remove(&current);
                vec!["! no answer; the connection is stuck".to_string()]
            }
            closed => vec![self.without_answer(&closed)],
        }
    }

    fn push(&mut self, name: String, request: String, lines: Vec<String>) {
        self.sorting.clear();
        self.no_internal = false;
        if self.target.verbose {
            println!("--- {name}\n    {request}\n    {}", lines.join("\n    "));
        }
        self.steps.push(Step { name, request, lines });
    }

    /// Sends a request that is not a step: preparation. It must be answered.
    pub(crate) fn quietly<R>(&mut self, version: i16, request: R) -> R::Response
    where
        R: Request + Debug,
    {
        let address = self.target.address;
        let wire = self.connections.entry("quiet".to_string()).or_insert_with(|| Wire::connect(address));
        ask(wire, version, &request)
    }

    /// Prepares until a condition holds: what a broker does in the background.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "within the time limit: {what}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits until the broker has taken over what its controller decided (Kafka's does so in the background).
    pub(crate) fn settle(&mut self) {
        self.target.settle();
    }
}

/// Sends a request and waits for its answer.
pub(crate) fn ask<R: Request + Debug>(wire: &mut Wire, version: i16, request: &R) -> R::Response {
    let correlation = wire.next_correlation();
    let frame: BytesMut = wire::encode(request, version, correlation).expect("the request can be said");
    wire.write(&frame);
    match wire.read(PATIENCE) {
        Incoming::Frame(frame) => {
            wire::decode::<R::Response>(&frame, version)
                .unwrap_or_else(|e| panic!("the answer to {request:?} can be read: {e}"))
                .body
        }
        other => panic!("an answer to {request:?}, not {other:?}"),
    }
}

fn api_name(key: i16) -> String {
    kafka_protocol::messages::ApiKey::try_from(key)
        .map_or_else(|()| format!("api {key}"), |key| format!("{key:?}").trim_end_matches("Key").to_string())
}

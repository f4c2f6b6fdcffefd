//! What the tests of the suite share: a broker process, a raw connection, and waiting for a condition.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, RequestHeader, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// How long a test waits for what must happen. Long, because the machine may be busy; never slept through.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until `condition` gives something.
///
/// # Panics
/// If it does not within the deadline.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A `klamm serve` of this build on a free port. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

impl Process {
    /// Starts it on a data folder, and returns once clients can connect.
    pub(crate) fn start(folder: &Path, address: &str, more: &[&str]) -> Process {
        let mut command = Process::command(address, more);
        command.arg("--data-dir").arg(folder);
        Process::spawn(command)
    }

    /// Starts it in memory, and returns once clients can connect.
    pub(crate) fn start_in_memory(address: &str, more: &[&str]) -> Process {
        Process::spawn(Process::command(address, more))
    }

    fn command(address: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        command.args(["serve", "--listen", address]).args(more);
        command
    }

    fn spawn(mut command: Command) -> Process {
        let mut child =
            command.stdout(Stdio::piped()).spawn().expect("the klamm binary was built with this test");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("stdout is text");
        let address = line.trim().rsplit('=').next().unwrap_or_default().to_owned();
        assert!(line.starts_with("Klamm is ready"), "klamm said: {line:?}");
        Process { child, address }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours");
    }

    /// The most memory that it has ever held, in bytes. None where the system does not tell.
    pub(crate) fn peak_memory(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok().map(|kilobytes| kilobytes * 1024)
    }

    /// Asks it to stop with SIGTERM and gives its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let told =
            Command::new("kill").arg(self.child.id().to_string()).status().expect("there is a kill command");
        assert!(told.success());
        self.child.wait().expect("the process is ours").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A blocking connection that speaks the protocol and nothing more.
pub(crate) struct Wire {
    stream: TcpStream,
    correlation_id: i32,
}

impl Wire {
    pub(crate) fn connect(address: &str) -> Wire {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_nodelay(true).expect("a socket takes options");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        Wire { stream, correlation_id: 0 }
    }

    /// Sends a request without waiting for the answer.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> std::io::Result<()> {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("suite")));
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        header.encode(&mut frame, R::header_version(version)).expect("a header can be written");
        request.encode(&mut frame, version).expect("the test's request can be written");
        let length = i32::try_from(frame.len() - 4).expect("the test's request is short");
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)
    }

    /// Reads the next answer, to a request of type `R`.
    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> std::io::Result<R::Response> {
        let mut frame = self.receive_frame()?;
        ResponseHeader::decode(&mut frame, R::Response::header_version(version))
            .expect("an answer has a header");
        let response = R::Response::decode(&mut frame, version).expect("the broker's answer can be read");
        assert!(!frame.has_remaining(), "the answer has {} bytes too many", frame.remaining());
        Ok(response)
    }

    /// Sends a request and waits for the answer.
    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version).expect("the connection is open");
        self.receive::<R>(version).expect("the connection is open")
    }

    /// Reads the next frame as it is.
    pub(crate) fn receive_frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame =
            vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length is not negative")];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }
}

/// A request that produces a batch to a partition, with acks=all. For versions up to 12, which name topics.
pub(crate) fn produce_request(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
        .with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![topic])
}

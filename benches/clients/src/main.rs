//! The same work by the client's two libraries and by the Python originals, interleaved in one run; prints a table of medians.
//!
//! Each measurement is a process of its own, beside a broker of its own: this program again with `one`, or `original.py`.
//! Linux only, as it reads `/proc`.

mod one;
mod table;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

/// What a measurement says of itself, in a line of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// Records in a second, where that was measured.
    pub records_per_second: Option<f64>,
    /// Microseconds of processor time that the client's process took for each.
    pub cpu_microseconds: f64,
    /// Milliseconds from publishing to `get_data`, where that was measured.
    pub p50: Option<f64>,
    pub p99: Option<f64>,
}

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    NativeInProcess,
    NativeTcp,
    Rdkafka,
    ConfluentKafka,
    KafkaPython,
}

impl Client {
    pub const ALL: [Client; 5] = [
        Client::NativeInProcess,
        Client::NativeTcp,
        Client::Rdkafka,
        Client::ConfluentKafka,
        Client::KafkaPython,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Client::NativeInProcess => "native, in process",
            Client::NativeTcp => "native, TCP",
            Client::Rdkafka => "rdkafka, TCP",
            Client::ConfluentKafka => "confluent-kafka (Python), TCP",
            Client::KafkaPython => "kafka-python, TCP",
        }
    }

    /// How many records are enough for a few seconds.
    fn records(self, work: Work) -> u64 {
        match (work, self) {
            // Ten thousand in a second, for five.
            (Work::Latency, _) => 50_000,
            (_, Client::NativeInProcess | Client::NativeTcp) => 4_000_000,
            (_, Client::Rdkafka) => 2_000_000,
            (_, Client::ConfluentKafka) => 500_000,
            (_, Client::KafkaPython) => 100_000,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Publish and read at the same time, as fast as it goes.
    Through,
    /// Publish alone, as fast as it goes.
    Publish,
    /// Publish ten thousand a second, and read them.
    Latency,
}

impl Work {
    pub const ALL: [Work; 3] = [Work::Through, Work::Publish, Work::Latency];

    fn name(self) -> &'static str {
        match self {
            Work::Through => "through",
            Work::Publish => "publish",
            Work::Latency => "latency",
        }
    }
}

/// A broker of the measurement's own, in memory.
struct Broker {
    process: Child,
    address: String,
}

impl Broker {
    fn start() -> Broker {
        let mut command = Command::new(variable("CLIENTS_KLAMM"));
        let command = command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("klamm can be started");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("klamm says that it is ready");
        let address = line.trim().rsplit('=').next().unwrap_or_default().to_owned();
        Broker { process, address }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It holds nothing that anybody misses.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start this by ./run"))
}

fn measure(client: Client, work: Work, scale: u64) -> Figures {
    let broker = (client != Client::NativeInProcess).then(Broker::start);
    let bootstrap = broker.as_ref().map_or("embedded://bench".to_owned(), |broker| broker.address.clone());
    let records = (client.records(work) / scale).to_string();
    let python = |place: &str, name: &str| {
        let folder = variable("CLIENTS_PYTHON");
        let mut command = Command::new(format!("{folder}/{place}/bin/python"));
        command.args([&variable("CLIENTS_ORIGINAL"), name]);
        command
    };
    let this = |library: &str| {
        let mut command = Command::new(std::env::current_exe().expect("a program has a path"));
        command.args(["one", library]);
        command
    };
    let mut command = match client {
        Client::NativeInProcess | Client::NativeTcp => this("native"),
        Client::Rdkafka => this("rdkafka"),
        Client::ConfluentKafka => python("confluent", "confluent-kafka"),
        Client::KafkaPython => python("kafka-python", "kafka-python"),
    };
    let output = command.args([work.name(), &bootstrap, &records]).stderr(Stdio::inherit()).output();
    let output = output.expect("a measurement can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    figures.unwrap_or_else(|| panic!("{client:?} at {work:?} said {said:?}"))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if let [one, library, work, bootstrap, records] = &arguments[..]
        && one == "one"
    {
        let records = records.parse().expect("a number of records");
        let figures = one::run(library, work, bootstrap, records);
        println!("{}", serde_json::to_string(&figures).expect("figures are numbers"));
        return;
    }
    let (rounds, scale) = if has("--quick") { (1, 10) } else { (5, 1) };
    let mut taken = Vec::new();
    for round in 0..rounds {
        for work in Work::ALL {
            for client in Client::ALL {
                if has("--no-python") && matches!(client, Client::ConfluentKafka | Client::KafkaPython) {
                    continue;
                }
                eprintln!("round {} of {rounds}: {}, {}", round + 1, work.name(), client.title());
                taken.push((client, work, measure(client, work, scale)));
            }
        }
    }
    table::print(&taken, rounds);
}

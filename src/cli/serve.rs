//! `klamm serve`: a broker as a process of its own.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm::control::ControlServer;
use klamm::{Broker, BrokerBuilder};

use super::broker_args::BrokerArgs;
use super::control_args::{self, ControlArgs};
use super::logging;
use super::signals::Signals;

/// Where a broker listens if nothing else is said: where Kafka's clients look first.
const DEFAULT_LISTEN: &str = "127.0.0.1:9092";

// What `klamm serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Listen on this address; can be given several times. Port 0 takes a free one. [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<String>,

    /// Tell clients to connect to this address instead of the one listened on; in the order of --listen.
    #[arg(long, value_name = "HOST[:PORT]")]
    advertise: Vec<String>,

    #[command(flatten)]
    broker: BrokerArgs,

    #[command(flatten)]
    control: ControlArgs,

    /// Write the port of the first address listened on into this file once clients can connect.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,

    /// How to say on stdout that clients can connect: a line for people, or one of JSON for programs.
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Ready::Text)]
    ready: Ready,

    /// What to log to stderr: a level, or a filter such as `warn,klamm_broker=debug`. [default: $KLAMM_LOG, or warn]
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

/// How it is said that clients can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ready {
    Text,
    Json,
}

impl Serve {
    /// Serves until the process is told to stop.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        logging::start(self.log.as_deref())?;
        // Before anybody is told that the broker is ready: who is told may at once ask it to stop.
        let signals = Signals::listen()?;
        let broker = Arc::new(self.builder()?.start()?);
        let control = self.control.start(&broker)?;
        if let Some(file) = &self.port_file {
            write_port(file, &broker)?;
        }
        self.say_ready(&broker, control.as_ref())?;
        // An idle broker is small: what start-up alone needed goes.
        signals.wait(klamm_storage::release_program);
        drop(control);
        control_args::shut_down(broker)
    }

    /// Says in one line, flushed, that clients can connect: whoever started us may wait for it.
    fn say_ready(&self, broker: &Broker, control: Option<&ControlServer>) -> Result<(), Box<dyn Error>> {
        let servers = broker.bootstrap_servers();
        let mut out = std::io::stdout().lock();
        match self.ready {
            Ready::Json => writeln!(out, "{}", self.ready_json(broker, control))?,
            Ready::Text => match control {
                None => writeln!(out, "Klamm is ready: bootstrap.servers={servers}")?,
                Some(control) => {
                    writeln!(out, "Klamm is ready: bootstrap.servers={servers} control={}", control.url())?
                }
            },
        }
        if self.ready == Ready::Text && out.is_terminal() {
            writeln!(out, "{}", self.what_to_try(&servers))?;
        }
        Ok(out.flush()?)
    }

    /// The ready line for programs. Its fields may become more; these stay.
    fn ready_json(&self, broker: &Broker, control: Option<&ControlServer>) -> serde_json::Value {
        let topics: Vec<&str> = self.broker.topics().collect();
        serde_json::json!({
            "event": "ready",
            "bootstrap_servers": broker.bootstrap_servers(),
            "listening": broker.addresses(),
            "control": control.map(ControlServer::url),
            "topics": topics,
            "data_dir": self.broker.data_dir(),
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        })
    }

    /// What a person who watches may want to do next.
    fn what_to_try(&self, servers: &str) -> String {
        let server = servers.split(',').next().unwrap_or(servers);
        let topic = self.broker.topics().next().unwrap_or("events");
        let kept = match self.broker.data_dir() {
            Some(folder) => format!("Everything is kept in {}.", folder.display()),
            None => {
                "Everything lives in memory and goes with this process; --data-dir DIR keeps it.".to_owned()
            }
        };
        format!(
            "{kept} Any Kafka client can connect; for instance:\n\n    \
             echo hello | kcat -b {server} -t {topic} -P\n    \
             kcat -b {server} -t {topic} -C -o beginning\n\n\
             Ctrl-C stops it."
        )
    }

    fn builder(&self) -> Result<BrokerBuilder, Box<dyn Error>> {
        let mut builder = self.broker.builder()?;
        let mut listen = self.listen.clone();
        if listen.is_empty() && !builder.has_listeners() {
            listen.push(DEFAULT_LISTEN.to_owned());
        }
        if self.advertise.len() > listen.len() {
            let (told, heard) = (self.advertise.len(), listen.len());
            return Err(
                format!("--advertise is given {told} times for {heard} addresses to listen on").into()
            );
        }
        let mut advertise = self.advertise.iter();
        for address in listen {
            builder = match advertise.next() {
                Some(told) => builder.listen_advertised(address, told),
                None => builder.listen(address),
            };
        }
        Ok(builder)
    }
}

/// Writes the port into the file at once: whoever finds the file finds the whole number in it.
fn write_port(file: &Path, broker: &Broker) -> Result<(), Box<dyn Error>> {
    let told = |error: std::io::Error| {
        format!(
            "cannot write the port into {}: {error}; give a file in a folder that can be written",
            file.display()
        )
    };
    let port = broker.addresses().first().ok_or("the broker listens on no port")?.port();
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, format!("{port}\n")).map_err(told)?;
    std::fs::rename(&new, file).map_err(told)?;
    Ok(())
}

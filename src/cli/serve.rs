//! `klamm serve`: a broker as a process of its own.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use klamm::{Broker, BrokerBuilder, JournalOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where a broker listens if nothing else is said: where Kafka's clients look first.
const DEFAULT_LISTEN: &str = "127.0.0.1:9092";

/// What `klamm serve` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Listen on this address; can be given several times. Port 0 takes a free one. [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Vec<String>,

    /// Tell clients to connect to this address instead of the one listened on; in the order of --listen.
    #[arg(long, value_name = "HOST[:PORT]")]
    advertise: Vec<String>,

    /// Keep everything in this folder, so that it survives a restart. Without it the broker lives in memory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Create this topic unless it is there; can be given several times.
    #[arg(long, value_name = "NAME[:PARTITIONS]")]
    topic: Vec<String>,

    /// Set any broker config by Kafka's name for it; can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<String>,

    /// Draw every random choice from this seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Write the run down in this file, to have it again with `klamm replay`.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Take configs from a server.properties file; --config goes before what it says.
    #[arg(long, value_name = "FILE")]
    properties: Option<PathBuf>,
}

impl Serve {
    /// Serves until the process is told to stop.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        start_logging();
        // Before anybody is told that the broker is ready: who is told may at once ask it to stop.
        let signals = Signals::listen()?;
        let broker = self.builder()?.start()?;
        // One line, flushed: whoever started us may wait for it.
        let mut out = std::io::stdout().lock();
        writeln!(out, "Klamm is ready: bootstrap.servers={}", broker.bootstrap_servers())?;
        out.flush()?;
        drop(out);
        signals.wait();
        broker.shutdown()?;
        Ok(())
    }

    fn builder(&self) -> Result<BrokerBuilder, Box<dyn Error>> {
        let mut builder = Broker::builder();
        if let Some(file) = &self.properties {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read the properties file {}: {error}", file.display()))?;
            builder = builder.properties(&text)?;
        }
        for pair in &self.config {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(format!("--config takes KEY=VALUE, but got '{pair}'").into());
            };
            builder = builder.config(key.trim(), value);
        }
        builder = self.listeners(builder)?;
        if let Some(seed) = self.seed {
            builder = builder.seed(seed);
        }
        if let Some(journal) = &self.journal {
            builder = builder.journal(JournalOptions::file(journal));
        }
        for topic in &self.topic {
            builder = match topic.rsplit_once(':') {
                Some((name, partitions)) => {
                    let count = partitions.parse().map_err(|_| {
                        format!("--topic takes NAME or NAME:PARTITIONS, but '{partitions}' in '{topic}' is no number")
                    })?;
                    builder.topic(name, count)
                }
                None => builder.topic_with_default_partitions(topic),
            };
        }
        Ok(match &self.data_dir {
            Some(folder) => builder.data_dir(folder),
            None => builder,
        })
    }

    fn listeners(&self, mut builder: BrokerBuilder) -> Result<BrokerBuilder, Box<dyn Error>> {
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

/// Warnings go to stderr; `KLAMM_LOG` asks for more, in the syntax of `RUST_LOG`.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .with_env_var("KLAMM_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// The signals that ask a broker to stop, from the moment on that they are listened to.
struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        Ok(Signals { runtime, interrupt, terminate })
    }

    /// Returns on SIGINT or SIGTERM.
    fn wait(self) {
        let Signals { runtime, mut interrupt, mut terminate } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
    }
}

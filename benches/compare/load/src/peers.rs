//! The servers: how each is started, measured from outside, and ended.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::wire::{self, Connection};

/// What Kafka's own start script gives its JVM.
const KAFKA_FLAGS: &str = "-Xmx1G -Xms1G -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
     -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -XX:MaxInlineLevel=15 -Djava.awt.headless=true";

/// How long a server may take to acknowledge its first record.
const START_PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    KlammMemory,
    KlammFolder,
    Kfake,
    Kafka,
}

impl Peer {
    pub const ALL: [Peer; 4] = [Peer::KlammMemory, Peer::KlammFolder, Peer::Kfake, Peer::Kafka];

    pub fn label(self) -> &'static str {
        match self {
            Peer::KlammMemory => "Klamm, memory",
            Peer::KlammFolder => "Klamm, folder",
            Peer::Kfake => "kfake",
            Peer::Kafka => "Apache Kafka",
        }
    }

    /// Whether `name` chooses it on the command line: `klamm` is both of Klamm's homes.
    pub fn answers_to(self, name: &str) -> bool {
        match self {
            Peer::KlammMemory => matches!(name, "klamm" | "klamm-memory"),
            Peer::KlammFolder => matches!(name, "klamm" | "klamm-folder"),
            Peer::Kfake => name == "kfake",
            Peer::Kafka => name == "kafka",
        }
    }
}

/// Where the programs are, and where servers may write.
pub struct Programs {
    pub klamm: PathBuf,
    pub kfake: PathBuf,
    pub kafka_libs: PathBuf,
    pub work: PathBuf,
}

impl Programs {
    /// From the environment that `run` sets.
    pub fn from_env() -> Result<Programs> {
        let path = |name: &str| {
            std::env::var_os(name).map(PathBuf::from).with_context(|| format!("{name} is not set: start ../run"))
        };
        Ok(Programs {
            klamm: path("COMPARE_KLAMM")?,
            kfake: path("COMPARE_KFAKE")?,
            kafka_libs: path("KAFKA_LIBS")?,
            work: path("COMPARE_WORK")?,
        })
    }
}

/// A running server; killed when dropped, and its data removed.
pub struct Server {
    child: Child,
    pub port: u16,
    folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    /// Starts a server with empty data. Returns it with the time from exec to the first acknowledged record.
    pub fn start(peer: Peer, programs: &Programs) -> Result<(Server, Duration)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = programs.work.join(format!("{peer:?}-{port}"));
        fs::create_dir_all(&folder)?;
        let log = folder.join("log");
        let output = File::create(&log)?;
        let mut command = command(peer, programs, port, &folder)?;
        command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
        let requests = [wire::create_topic_frame("first")?, wire::produce("first", 0, wire::batch(1, 100)?)?].concat();
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", peer.label()))?;
        let mut server = Server { child, port, folder };
        while !server.acknowledges(&requests).unwrap_or(false) {
            if server.child.try_wait()?.is_some() || began.elapsed() > START_PATIENCE {
                bail!("{} does not start: {}", peer.label(), fs::read_to_string(&log)?);
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok((server, began.elapsed()))
    }

    /// Sends a request that creates a topic and one that produces to it. An error of the connection: not there yet.
    fn acknowledges(&self, requests: &[u8]) -> Result<bool> {
        let mut connection = Connection::open(self.port)?;
        connection.send(requests)?;
        connection.receive()?;
        Ok(wire::produce_error(connection.receive()?, "first")? == 0)
    }

    /// The processor time that the server has used, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        /// What the kernel counts in: `USER_HZ`, on every architecture that Kafka runs on.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program may hold anything: fields are counted from behind it.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
    }

    /// The server's resident memory in bytes.
    pub fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024.0)
    }
}

fn command(peer: Peer, programs: &Programs, port: u16, folder: &Path) -> Result<Command> {
    let mut command = match peer {
        Peer::KlammMemory | Peer::KlammFolder => {
            let mut command = Command::new(&programs.klamm);
            command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]);
            if peer == Peer::KlammFolder {
                command.arg("--data-dir").arg(folder.join("data"));
            }
            command
        }
        Peer::Kfake => {
            let mut command = Command::new(&programs.kfake);
            command.arg(port.to_string());
            command
        }
        Peer::Kafka => return kafka(programs, port, folder),
    };
    command.current_dir(folder);
    Ok(command)
}

/// One node of Apache Kafka in its default configuration, its storage formatted.
fn kafka(programs: &Programs, port: u16, folder: &Path) -> Result<Command> {
    let controller = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let properties = folder.join("server.properties");
    fs::write(
        &properties,
        format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\n\
             log.dirs={}\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            folder.join("data").display()
        ),
    )?;
    let java = || {
        let mut command = Command::new("java");
        command.args(KAFKA_FLAGS.split_whitespace());
        command.arg("-cp").arg(programs.kafka_libs.join("*")).current_dir(folder);
        command
    };
    let format = java()
        .args(["kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"])
        .arg(&properties)
        .output()?;
    ensure!(format.status.success(), "Kafka's storage cannot be formatted: {}", String::from_utf8_lossy(&format.stderr));
    let mut command = java();
    command.arg("kafka.Kafka").arg(&properties);
    Ok(command)
}

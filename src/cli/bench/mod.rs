//! `klamm bench`: how fast a cluster takes records, gives them back, and passes them on.

mod consume;
mod latency;
mod produce;
mod report;
mod topic;

use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use self::report::{Figures, write_table};
use self::topic::Topic;
use super::connect::{Cluster, ConnectArgs};
use super::data::options::SendArgs;
use super::error::{Failure, Usage, say};
use super::output::{Form, Output};
use super::signals::Interrupt;

/// The largest record that can be asked for.
const LARGEST_RECORD: i64 = 100_000_000;

/// How long after a record's own time-out the end waits for the client to say so.
const GRACE: Duration = Duration::from_secs(5);

// What `klamm bench` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  klamm bench                                    all three tests, on a topic that is made for them and deleted
  klamm bench produce --size 1000 --acks 1 --compression lz4
  klamm bench consume --topic orders --records 500000
  klamm bench latency --rate 500 --json")]
pub(crate) struct Bench {
    /// What to measure: how fast records are taken, how fast they are read, and how long one takes from producer to
    /// consumer. [default: all of it]
    #[arg(value_name = "TEST", value_enum)]
    tests: Vec<Test>,

    /// The topic; it is created and deleted again unless it is there. [default: a new one]
    #[arg(short = 't', long, value_name = "NAME")]
    topic: Option<String>,

    /// Partitions of a topic that is created.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    partitions: i32,

    /// Keep a topic that was created.
    #[arg(long)]
    keep: bool,

    /// Records to produce and to consume.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,

    /// Records whose latency is measured.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    samples: u64,

    /// Bytes of a record's value.
    #[arg(short = 's', long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(i64).range(0..=LARGEST_RECORD))]
    size: i64,

    /// Produce no more than so many records a second. [default: as many as go; for latency 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    sending: SendArgs,

    #[command(flatten)]
    connect: ConnectArgs,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Test {
    /// How fast records are taken, and how long each takes to be acknowledged.
    Produce,
    /// How fast records are read.
    Consume,
    /// How long a record takes from producer to consumer.
    Latency,
}

impl Bench {
    /// Runs the tests, and gives what they found. Ctrl-C ends the test that is running; what it has found so far counts.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let cluster = self.connect.settle()?;
        let tests = if self.tests.is_empty() { Test::value_variants() } else { self.tests.as_slice() };
        if tests.first() == Some(&Test::Consume) && self.topic.is_none() {
            return Err(Usage::failure(
                "a new topic has nothing to be consumed; name one with --topic, or produce first: \
                 klamm bench produce consume",
            ));
        }
        let interrupt = Interrupt::listen()?;
        let topic = Topic::prepare(&cluster, self.topic.as_deref(), self.partitions)?;
        let measured = self.measure(tests, &cluster, &topic, &interrupt);
        // The topic goes whatever became of the tests.
        let removed = if self.keep { Ok(()) } else { topic.remove(&cluster) };
        let (figures, failed) = measured;
        self.tell(&figures)?;
        if let Some(error) = failed {
            return Err(error);
        }
        removed?;
        let lost: u64 = figures.iter().map(|figures| figures.lost).sum();
        if lost > 0 {
            say(format_args!("{lost} records were not delivered"));
        }
        Ok(if lost > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn measure(
        &self,
        tests: &[Test],
        cluster: &Cluster,
        topic: &Topic,
        interrupt: &Interrupt,
    ) -> (Vec<Figures>, Option<Failure>) {
        let mut all = Vec::new();
        for test in tests {
            let measured = match test {
                Test::Produce => self.produce(cluster, topic, interrupt),
                Test::Consume => self.consume(cluster, topic, interrupt),
                Test::Latency => self.latency(cluster, topic, interrupt),
            };
            match measured {
                Ok(figures) => all.push(figures),
                Err(error) => return (all, Some(error)),
            }
            if interrupt.is_asked() {
                break;
            }
        }
        (all, None)
    }

    fn tell(&self, figures: &[Figures]) -> Result<(), Failure> {
        let mut out = Output::new();
        match self.form.json {
            true => figures.iter().try_for_each(|figures| out.json(&figures.row()))?,
            false => write_table(&mut out, figures)?,
        }
        Ok(out.flush()?)
    }

    /// The bytes of a record's value.
    fn value_size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(0)
    }
}

//! `klamm copy`: the records of a topic to another topic, of the same cluster or of another one.

mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use klamm::raw::{Producer, RecordToSend};
use klamm::{OffsetReset, ProducerOptions, Record};
use serde::Serialize;

use self::target::{Offsets, Target};
use super::connect::{Cluster, ConnectArgs};
use super::data::options::{self, Isolation, SendArgs};
use super::data::places::{self, Place, Start, Wanted};
use super::data::reading::{Reading, UpTo};
use super::error::{Failure, Usage, say};
use super::output::{Form, Output, bytes, count, grouped};
use super::signals::Interrupt;
use super::terminal::{self, Progress};
use super::times;

/// The largest record that is passed on, unless one says otherwise: whether it is too large is the target's to say.
const LARGEST_RECORD: usize = 64 * 1024 * 1024;

/// How often it is looked whether the end is asked for, and how far the work has come, while records come.
const RECORDS_PER_LOOK: u64 = 512;

/// How long after a record's own time-out the end waits for the client to say so.
const GRACE: Duration = Duration::from_secs(5);

// What `klamm copy` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  klamm copy orders orders-again
  klamm copy orders --target-bootstrap-server other:9092 --group move-orders
  klamm copy orders recent --since -1h --count 1000")]
pub(crate) struct Copy {
    /// The topic to copy.
    #[arg(value_name = "SOURCE")]
    source: String,

    /// The topic to copy to; it is created unless it is there. [default: of the same name, in another cluster]
    #[arg(value_name = "TARGET")]
    target: Option<String>,

    /// A broker of the target's cluster. [default: the source's cluster]
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    target_bootstrap_server: Option<String>,

    /// Options of the connection to the target's cluster, from a file.
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    target_command_config: Option<PathBuf>,

    /// Go by this profile for the target's cluster.
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    target_profile: Option<String>,

    /// Set an option of the client of the target's cluster; can be given several times.
    #[arg(long = "target-option", value_name = "NAME=VALUE", help_heading = "Target")]
    target_options: Vec<String>,

    /// Fail if the target is not there, instead of creating it.
    #[arg(long, help_heading = "Target")]
    no_create: bool,

    /// Give records the partitions of their keys in the target, instead of those that they have.
    #[arg(long, help_heading = "Target", conflicts_with = "keep_offsets")]
    by_key: bool,

    /// Fail rather than give a record another offset than it has.
    #[arg(long, help_heading = "Target")]
    keep_offsets: bool,

    /// These partitions only: 0,2,4-6.
    #[arg(short = 'p', long = "partition", value_name = "LIST")]
    partitions: Option<String>,

    /// Where to begin: beginning, end, an offset, or -N for N before the end. [default: beginning, or where --group stands]
    #[arg(short = 'o', long, value_name = "WHERE", value_parser = Start::parse, allow_hyphen_values = true, conflicts_with = "since")]
    offset: Option<Start>,

    /// Begin at the first record of this time or later: milliseconds since 1970, 2026-11-21T17:30:00Z, or -15m.
    #[arg(long, value_name = "TIME", value_parser = times::moment, allow_hyphen_values = true)]
    since: Option<i64>,

    /// End before the first record of this time or later.
    #[arg(long, value_name = "TIME", value_parser = times::moment, allow_hyphen_values = true)]
    until: Option<i64>,

    /// Keep in this group of the source's cluster how far the copy has come, and go on from there the next time.
    #[arg(short = 'G', long, value_name = "GROUP", conflicts_with_all = ["offset", "since"])]
    group: Option<String>,

    /// Stop after so many records.
    #[arg(short = 'c', long, value_name = "N")]
    count: Option<u64>,

    /// Go on as records come, instead of stopping where the source ends now.
    #[arg(long)]
    follow: bool,

    /// What is copied of transactions. [default: read_committed]
    #[arg(long, value_enum, value_name = "LEVEL")]
    isolation_level: Option<Isolation>,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    sending: SendArgs,

    #[command(flatten)]
    connect: ConnectArgs,
}

/// What was done, as JSON has it.
#[derive(Debug, Serialize)]
struct Report {
    source: String,
    target: String,
    records: u64,
    bytes: u64,
    seconds: f64,
    /// Whether each record has the offset that it had.
    offsets_kept: bool,
    /// Whether everything that was to be copied has been.
    complete: bool,
}

/// A copy under way.
struct Run<'a> {
    target: Arc<str>,
    by_key: bool,
    keep_offsets: bool,
    producer: &'a Producer,
    lost: &'a AtomicU64,
    offsets: Offsets,
    copied: u64,
    bytes: u64,
    most: u64,
}

impl Copy {
    /// Copies. The exit code is 1 where not everything was.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let source = self.connect.settle()?;
        let target = self.target_cluster(&source)?;
        let target_name = self.target_name()?;
        let (client, mut sending) = self.sending.settle(&target)?;
        if !target.config().has("max.request.size") {
            sending.max_request_size = LARGEST_RECORD;
            sending.buffer_memory = sending.buffer_memory.max(2 * LARGEST_RECORD);
        }
        let interrupt = Interrupt::listen()?;
        let admin = source.admin()?;
        let places = self.places(&source, &admin)?;
        let prepared = Target { cluster: &target, admin: target.admin()?, name: &target_name };
        let partitions = prepared.prepare((&source, &admin, &self.source), self.no_create)?;
        let offsets = prepared.offsets(&places, partitions, self.by_key)?;

        let lost = Arc::new(AtomicU64::new(0));
        let producer = Producer::new(&client, &sending, {
            let lost = Arc::clone(&lost);
            move |records, why| {
                let before = lost.fetch_add(records.len() as u64, Ordering::SeqCst);
                if before == 0 {
                    say(format_args!("{} not delivered: {why}", count(records.len() as u64, "record")));
                }
            }
        })?;
        let began = Instant::now();
        let mut run = Run {
            target: Arc::from(target_name.as_str()),
            by_key: self.by_key,
            keep_offsets: self.keep_offsets,
            producer: &producer,
            lost: &lost,
            offsets,
            copied: 0,
            bytes: 0,
            most: self.count.unwrap_or(u64::MAX),
        };
        let outcome = self.copy((&source, &admin), &places, &mut run, &interrupt, &sending);
        let (copied, size, kept) = (run.copied, run.bytes, run.offsets.are_kept());
        producer.close(GRACE)?;
        let is_done = outcome?;
        let lost = lost.load(Ordering::SeqCst);
        let report = Report {
            source: self.source.clone(),
            target: target_name,
            records: copied.saturating_sub(lost),
            bytes: size,
            seconds: began.elapsed().as_secs_f64(),
            offsets_kept: kept && lost == 0,
            complete: is_done && lost == 0,
        };
        self.tell(&report, is_done)?;
        let asked_to_end = self.follow && lost == 0;
        Ok(if report.complete || asked_to_end { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn target_cluster(&self, source: &Cluster) -> Result<Cluster, Failure> {
        if !self.is_across() {
            return Ok(source.clone());
        }
        let (servers, file) = (self.target_bootstrap_server.clone(), self.target_command_config.clone());
        let (profile, options) = (self.target_profile.clone(), self.target_options.clone());
        ConnectArgs::of_other(servers, file, profile, options, source.timeout()).settle()
    }

    /// Whether another cluster is named.
    fn is_across(&self) -> bool {
        self.target_bootstrap_server.is_some()
            || self.target_command_config.is_some()
            || self.target_profile.is_some()
    }

    fn target_name(&self) -> Result<String, Failure> {
        match &self.target {
            Some(name) if *name != self.source || self.is_across() => Ok(name.clone()),
            None if self.is_across() => Ok(self.source.clone()),
            _ => Err(Usage::failure(
                "a topic is not copied to itself; name another topic, or another cluster with \
                 --target-bootstrap-server",
            )),
        }
    }

    fn places(&self, source: &Cluster, admin: &klamm::Admin) -> Result<Vec<Place>, Failure> {
        let partitions = self.partitions.as_deref().map(places::parse_partitions).transpose();
        let start = self.offset.or(self.since.map(Start::Time)).unwrap_or(Start::Beginning);
        let wanted = Wanted {
            topics: std::slice::from_ref(&self.source),
            regex: false,
            partitions: &partitions.map_err(Usage::failure)?.unwrap_or_default(),
            start,
            until: self.until,
        };
        places::find(source, admin, &wanted)
    }

    /// Copies until all is done, or the end is asked for. True if it is done.
    fn copy(
        &self,
        (source, admin): (&Cluster, &klamm::Admin),
        places: &[Place],
        run: &mut Run<'_>,
        interrupt: &Interrupt,
        sending: &ProducerOptions,
    ) -> Result<bool, Failure> {
        let isolation = self.isolation_level.unwrap_or(Isolation::ReadCommitted);
        let mut settings = options::consumer(source, self.group.as_deref(), Some(isolation))?;
        if self.group.is_some() {
            settings.1.auto_offset_reset = OffsetReset::Earliest;
        }
        let interval = settings.1.auto_commit_interval;
        let up_to = if self.follow { UpTo::Place } else { UpTo::End };
        let from_group = self.group.is_some();
        let mut reading = Reading::begin((source, admin), settings, places, up_to, from_group)?;
        let progress = Progress::new(format!("copying {}", self.source), self.expected(places));
        let settle_within = sending.delivery_timeout.saturating_add(GRACE);
        let mut due = Instant::now() + interval;
        let mut is_done = true;
        while run.copied < run.most && !reading.is_done() {
            let next = match reading.try_next()? {
                None => reading.wait()?,
                next => next,
            };
            if let Some(record) = &next {
                run.pass_on(record)?;
            }
            if next.is_some() && !run.copied.is_multiple_of(RECORDS_PER_LOOK) {
                continue;
            }
            progress.set(run.copied);
            if interrupt.is_asked() || run.lost.load(Ordering::SeqCst) > 0 {
                is_done = false;
                break;
            }
            if from_group && Instant::now() >= due {
                // What is committed has been acknowledged: whatever happens then, nothing is left out.
                commit(&reading, run, settle_within, source)?;
                due = Instant::now() + interval;
            }
        }
        run.producer.settle(settle_within);
        if from_group {
            commit(&reading, run, settle_within, source)?;
        }
        reading.consumer.close(GRACE)?;
        Ok(is_done)
    }

    /// How many records there are to be copied, where that is known.
    fn expected(&self, places: &[Place]) -> Option<u64> {
        let of = |place: &Place| {
            let end = place.end.map_or(place.latest, |end| end.min(place.latest));
            u64::try_from(end.saturating_sub(place.begin)).unwrap_or(0)
        };
        let all = places.iter().map(of).sum::<u64>();
        (!self.follow).then(|| self.count.map_or(all, |most| most.min(all)))
    }

    fn tell(&self, report: &Report, is_done: bool) -> Result<(), Failure> {
        if self.form.json {
            let mut out = Output::new();
            out.json(report)?;
            return Ok(out.flush()?);
        }
        if is_done && report.complete && !terminal::is_watched() {
            return Ok(());
        }
        let how = if is_done { "" } else { "ended early; " };
        let offsets = match (report.offsets_kept, report.records) {
            (_, 0) => "",
            (true, _) => ", at the same offsets",
            (false, _) => ", at other offsets",
        };
        let next = if is_done || self.group.is_none() { "" } else { "; the same command goes on from there" };
        say(format_args!(
            "{how}{} ({}) copied from '{}' to '{}' in {:.3} s: {} records/s{offsets}{next}",
            count(report.records, "record"),
            bytes(report.bytes),
            report.source,
            report.target,
            report.seconds,
            grouped((report.records as f64 / report.seconds.max(0.001)) as u64)
        ));
        Ok(())
    }
}

/// Commits how far the copy has come, once all of it is acknowledged; nothing where something was lost.
fn commit(reading: &Reading<'_>, run: &Run<'_>, within: Duration, source: &Cluster) -> Result<(), Failure> {
    let settled = run.producer.settle(within);
    if settled && run.lost.load(Ordering::SeqCst) == 0 {
        reading.consumer.commit().map_err(|error| source.explain(error))?;
    }
    Ok(())
}

impl Run<'_> {
    /// Sends a record on as it is.
    #[inline]
    fn pass_on(&mut self, record: &Record) -> Result<(), Failure> {
        if let Some(why) = self.offsets.take(record).filter(|_| self.keep_offsets) {
            return Err(why.into());
        }
        let copy = RecordToSend {
            topic: &self.target,
            partition: (!self.by_key).then_some(record.partition),
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &record.headers,
            // A record of a client from before there were timestamps has none to keep.
            timestamp: (record.timestamp >= 0).then_some(record.timestamp),
        };
        let size = copy.key.map_or(0, <[u8]>::len) + copy.value.map_or(0, <[u8]>::len);
        self.producer.send(&copy, self.copied)?;
        self.copied += 1;
        self.bytes += size as u64;
        Ok(())
    }
}

//! `klamm consume`: records of topics to standard output.

mod args;
mod group;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use klamm::Record;

pub(crate) use self::args::Consume;
use super::data::options;
use super::data::places::{self, Wanted};
use super::data::reading::{Reading, UpTo};
use super::data::render::Render;
use super::data::sink::Sink;
use super::error::{Failure, say};
use super::output::{bytes, count, grouped};
use super::signals::Interrupt;
use super::terminal;

/// How often it is looked whether the end is asked for, and whether a commit is due, while records come.
const RECORDS_PER_LOOK: u64 = 512;

/// How long leaving a group and the last commit may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// What came of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// All that was to be read has been.
    Done,
    Interrupted,
}

/// Where records are written, and how many have been.
struct Writer {
    sink: Sink,
    render: Render,
    written: u64,
    bytes: u64,
    most: u64,
    until_look: u64,
}

impl Consume {
    /// Reads and writes until there is nothing more to be read, or somebody asks it to end.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let render = self.render()?;
        let cluster = self.connect.settle()?;
        let interrupt = Interrupt::listen()?;
        let mut writer = Writer {
            sink: Sink::stdout(self.unbuffered)?,
            render,
            written: 0,
            bytes: 0,
            most: self.count.unwrap_or(u64::MAX),
            until_look: RECORDS_PER_LOOK,
        };
        let began = Instant::now();
        let stop = if self.joins_group() {
            group::run(&self, &cluster, &interrupt, &mut writer)?
        } else {
            self.run_by_hand(&cluster, &interrupt, &mut writer)?
        };
        let was_asked = stop == Stop::Interrupted;
        if !self.quiet && terminal::is_watched() && (was_asked || !writer.is_to_terminal()) {
            let seconds = began.elapsed().as_secs_f64().max(0.001);
            let how = if was_asked { "interrupted; " } else { "" };
            say(format_args!(
                "{how}{} ({}) read in {seconds:.3} s: {} records/s",
                count(writer.written, "record"),
                bytes(writer.bytes),
                grouped((writer.written as f64 / seconds) as u64)
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn run_by_hand(
        &self,
        cluster: &super::connect::Cluster,
        interrupt: &Interrupt,
        writer: &mut Writer,
    ) -> Result<Stop, Failure> {
        let admin = cluster.admin()?;
        let wanted = Wanted {
            topics: &self.topics,
            regex: self.regex,
            partitions: &self.partitions(),
            start: self.start(),
            until: self.until,
        };
        let places = places::find(cluster, &admin, &wanted)?;
        let group = self.group.as_deref();
        let mut settings = options::consumer(cluster, group, self.isolation_level)?;
        if group.is_some() {
            settings.1.auto_offset_reset = self.reset();
        }
        let up_to = if self.ends() { UpTo::End } else { UpTo::Place };
        let from_group = group.is_some() && !self.says_where();
        let interval = settings.1.auto_commit_interval;
        let mut reading = Reading::begin((cluster, &admin), settings, &places, up_to, from_group)?;
        let mut commits = Commits { due: group.is_some().then(|| Instant::now() + interval), interval };
        let stop = read(&mut reading, interrupt, writer, &mut commits)?;
        writer.sink.flush()?;
        if commits.due.is_some() {
            reading.consumer.commit().map_err(|error| cluster.explain(error))?;
        }
        reading.consumer.close(CLOSE_WITHIN)?;
        Ok(stop)
    }
}

/// When the next commit is due; never without a group.
struct Commits {
    due: Option<Instant>,
    interval: Duration,
}

impl Commits {
    /// Has what was written committed, if that is due.
    fn commit(
        &mut self,
        writer: &mut Writer,
        commit: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(due) = self.due.filter(|due| *due <= Instant::now()) else { return Ok(()) };
        writer.sink.flush()?;
        commit()?;
        self.due = Some((due + self.interval).max(Instant::now()));
        Ok(())
    }
}

fn read(
    reading: &mut Reading<'_>,
    interrupt: &Interrupt,
    writer: &mut Writer,
    commits: &mut Commits,
) -> Result<Stop, Failure> {
    while !writer.is_full() && !reading.is_done() {
        let next = match reading.try_next()? {
            Some(record) => Some(record),
            None => {
                writer.sink.flush()?;
                writer.sink.check_reader()?;
                reading.wait()?
            }
        };
        let look = match &next {
            Some(record) => writer.write(record)?,
            None => true,
        };
        if look {
            commits.commit(writer, || Ok(reading.consumer.commit()?))?;
            if interrupt.is_asked() {
                return Ok(Stop::Interrupted);
            }
        }
    }
    Ok(Stop::Done)
}

impl Writer {
    /// Writes a record. True every so often: it is time to look at other things.
    #[inline]
    fn write(&mut self, record: &Record) -> std::io::Result<bool> {
        let before = self.sink.buffer.len();
        self.render.write(&mut self.sink.buffer, record);
        self.bytes += (self.sink.buffer.len() - before) as u64;
        self.written += 1;
        self.sink.end_record()?;
        self.until_look -= 1;
        if self.until_look == 0 {
            self.until_look = RECORDS_PER_LOOK;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether as much has been written as is wanted.
    #[inline]
    fn is_full(&self) -> bool {
        self.written >= self.most
    }

    fn is_to_terminal(&self) -> bool {
        use std::io::IsTerminal;
        std::io::stdout().is_terminal()
    }
}

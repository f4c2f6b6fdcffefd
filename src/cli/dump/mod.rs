//! `klamm dump`: what is in the files of a data folder, Klamm's or Apache Kafka's.

mod internal;
mod log;
mod small;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use klamm_storage::inspect::{self, FileKind};

use super::error::{Failure, Usage};
use super::output::{Form, Output};
use super::signals::Interrupt;

/// Folders within folders that are looked into: that of the data, and those of its partitions.
const DEEPEST: usize = 2;

// What `klamm dump` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  klamm dump data/orders-0                                 the batches and indexes of a partition
  klamm dump data/orders-0/00000000000000000000.log --records
  klamm dump data/__consumer_offsets-7 --records           what groups have committed")]
pub(crate) struct Dump {
    /// Files of segments (.log, .index, .timeindex, .snapshot, .txnindex), folders of partitions, or a whole data folder.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Show the records of each batch.
    #[arg(short = 'r', long)]
    records: bool,

    /// Show logs only, without their indexes and snapshots.
    #[arg(long)]
    logs_only: bool,

    /// Show what lies at this offset or behind it.
    #[arg(long, value_name = "OFFSET")]
    from_offset: Option<i64>,

    /// Show no more than so many batches of each log.
    #[arg(short = 'c', long, value_name = "N")]
    count: Option<u64>,

    #[command(flatten)]
    form: Form,
}

/// A file that is shown.
struct File<'a> {
    path: &'a Path,
    base_offset: i64,
    /// The topic that its folder is named after, where it is in one.
    topic: Option<&'a str>,
}

impl Dump {
    /// Shows everything, one file after the other. The exit code is 1 where something in them is damaged.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let mut files = Vec::new();
        for path in &self.paths {
            self.find(path, 0, &mut files)?;
        }
        let interrupt = Interrupt::listen()?;
        let mut out = Output::new();
        let mut sound = true;
        for (path, base_offset, kind) in &files {
            let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            let topic = folder.and_then(|name| name.rsplit_once('-')).map(|(topic, _)| topic);
            let file = File { path, base_offset: *base_offset, topic };
            sound &= self.file(&mut out, &file, *kind, &interrupt)?;
            if interrupt.is_asked() {
                out.flush()?;
                return Ok(ExitCode::FAILURE);
            }
        }
        out.flush()?;
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn find(
        &self,
        path: &Path,
        depth: usize,
        into: &mut Vec<(PathBuf, i64, FileKind)>,
    ) -> Result<(), Failure> {
        let told = |error: io::Error| format!("cannot read {}: {error}", path.display());
        if !std::fs::metadata(path).map_err(told)?.is_dir() {
            return match inspect::kind_of(path) {
                Some((base_offset, kind)) => {
                    into.push((path.to_owned(), base_offset, kind));
                    Ok(())
                }
                None => Err(Usage::failure(format!(
                    "{} is no file of a segment: those are called OFFSET.log, .index, .timeindex, .snapshot or .txnindex",
                    path.display()
                ))),
            };
        }
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(path).map_err(told)? {
            let entry = entry.map_err(told)?.path();
            match inspect::kind_of(&entry) {
                Some((base_offset, kind)) if !self.logs_only || kind == FileKind::Log => {
                    files.push((base_offset, kind, entry));
                }
                Some(_) => {}
                None if entry.is_dir() && depth + 1 < DEEPEST => folders.push(entry),
                None => {}
            }
        }
        files.sort();
        folders.sort();
        into.extend(files.into_iter().map(|(base_offset, kind, file)| (file, base_offset, kind)));
        for folder in folders {
            self.find(&folder, depth + 1, into)?;
        }
        if depth == 0 && into.is_empty() {
            return Err(format!(
                "{} has no segments in it; give the folder of a partition, or that of --data-dir or log.dirs",
                path.display()
            )
            .into());
        }
        Ok(())
    }

    /// Shows a file. False if it is damaged.
    fn file(
        &self,
        out: &mut Output,
        file: &File<'_>,
        kind: FileKind,
        interrupt: &Interrupt,
    ) -> Result<bool, Failure> {
        if !self.form.json {
            out.line(file.path.display())?;
        }
        match kind {
            FileKind::Log => self.log(out, file, interrupt),
            _ => self.small_file(out, file, kind),
        }
    }

    /// Whether what ends at this offset is to be shown.
    fn wants(&self, last_offset: i64) -> bool {
        self.from_offset.is_none_or(|from| last_offset >= from)
    }
}

//! Checking the files of logs against each other.
//!
//! A finding is told and nothing is repaired: a broker repairs what can be when it opens the log.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{FileKind, FoundBatch, Rest, SegmentReader, kind_of, offset_index, producers, time_index};
use crate::batch::for_each_record;
use crate::checkpoint;

/// The format of batches whose records are read. Older ones are counted, and their heads are not understood.
const MAGIC: u8 = 2;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in the file, in bytes.
    pub position: Option<u64>,
    /// What is wrong, as the part of a sentence behind the file's name: `has a batch whose checksum is wrong`.
    pub what: String,
    /// Whether a broker puts it right by itself, without losing anything acknowledged, when it opens the log after a crash:
    /// an end that is cut off, an index that is missing.
    pub repairable: bool,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Segments that were read.
    pub segments: usize,
    /// Whole batches in them.
    pub batches: u64,
    /// Records in those batches.
    pub records: u64,
    /// Bytes of those batches.
    pub bytes: u64,
    /// The offset of the first batch.
    pub first_offset: Option<i64>,
    /// The offset behind the last batch.
    pub end_offset: Option<i64>,
    /// What is not as it should be, in the order of the files.
    pub findings: Vec<Finding>,
}

impl Checked {
    fn find(&mut self, file: &Path, position: Option<u64>, repairable: bool, what: impl Into<String>) {
        self.findings.push(Finding { file: file.to_owned(), position, what: what.into(), repairable });
    }
}

/// Where a batch is, what it ends with, and its largest timestamp.
struct Place {
    position: u64,
    base_offset: i64,
    last_offset: i64,
    max_timestamp: i64,
}

/// Checks the folder of a partition: every batch's checksum, offsets and records, and that the indexes lead where they
/// say.
///
/// # Errors
/// If the folder or a file in it cannot be read. What is read and is wrong is a [`Finding`].
pub fn check_partition(folder: &Path) -> io::Result<Checked> {
    let mut files: BTreeMap<i64, BTreeMap<FileKind, PathBuf>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some((base_offset, kind)) = kind_of(&path) {
            files.entry(base_offset).or_default().insert(kind, path);
        }
    }
    let mut checked = Checked::default();
    let last =
        files.iter().rev().find(|(_, files)| files.contains_key(&FileKind::Log)).map(|(base, _)| *base);
    for (base_offset, files) in &files {
        if let Some(log) = files.get(&FileKind::Log) {
            let places = check_log(log, *base_offset, last == Some(*base_offset), &mut checked)?;
            check_offset_index(files.get(&FileKind::OffsetIndex), *base_offset, &places, log, &mut checked);
            check_time_index(files.get(&FileKind::TimeIndex), *base_offset, &places, log, &mut checked);
        }
        if let Some(snapshot) = files.get(&FileKind::Snapshot)
            && let Err(error) = producers(snapshot)
        {
            checked.find(snapshot, None, true, format!("cannot be used: {error}"));
        }
    }
    let epochs = folder.join("leader-epoch-checkpoint");
    if let Ok(text) = std::fs::read_to_string(&epochs)
        && crate::epochs::LeaderEpochs::from_text(&text).is_err()
    {
        checked.find(&epochs, None, true, "is no checkpoint of leader epochs");
    }
    Ok(checked)
}

fn check_log(log: &Path, base_offset: i64, is_last: bool, checked: &mut Checked) -> io::Result<Vec<Place>> {
    let mut reader = SegmentReader::open(log)?;
    let mut places = Vec::new();
    checked.segments += 1;
    for found in &mut reader {
        let found = found?;
        let header = &found.batch.header;
        checked.batches += 1;
        checked.bytes += found.batch.bytes.len() as u64;
        checked.first_offset.get_or_insert(header.base_offset);
        let faults = faults_of(&found, base_offset, checked.end_offset);
        if faults.is_empty() {
            checked.end_offset = Some(header.last_offset().saturating_add(1));
        }
        for what in faults {
            checked.find(log, Some(found.position), false, what);
        }
        if header.magic == MAGIC {
            checked.records += u64::try_from(header.record_count).unwrap_or(0);
        }
        places.push(Place {
            position: found.position,
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
        });
    }
    if let Some(Rest::NoBatch(bytes)) = reader.rest() {
        let at = places.last().map_or(0, |place| place.position);
        let what = format!("has {bytes} bytes behind its last whole batch that are none");
        checked.find(log, Some(at), is_last, what);
    }
    Ok(places)
}

/// What is wrong with a batch, given the offset that has to come next at the least.
fn faults_of(found: &FoundBatch, segment: i64, next: Option<i64>) -> Vec<String> {
    let header = &found.batch.header;
    let mut faults = Vec::new();
    if header.magic != MAGIC {
        faults.push(format!("has a batch of format {}, which is not read", header.magic));
        return faults;
    }
    if !found.checksum_is_right {
        faults.push(format!("has a batch at offset {} whose checksum is wrong", header.base_offset));
        return faults;
    }
    if header.base_offset < next.unwrap_or(segment).max(segment) || header.last_offset_delta < 0 {
        let least = next.unwrap_or(segment).max(segment);
        faults.push(format!("has a batch at offset {} where {least} or more has to be", header.base_offset));
    }
    let mut before = header.base_offset.checked_sub(1);
    let read = for_each_record(&found.batch, |record| {
        if before.is_some_and(|before| record.offset <= before) || record.offset > header.last_offset() {
            faults.push(format!("has a record at offset {} that is out of its place", record.offset));
            return ControlFlow::Break(());
        }
        before = Some(record.offset);
        ControlFlow::Continue(())
    });
    if let Err(error) = read {
        faults.push(format!("has a batch at offset {} that cannot be read: {error}", header.base_offset));
    }
    faults
}

fn check_offset_index(
    index: Option<&PathBuf>,
    base: i64,
    places: &[Place],
    log: &Path,
    checked: &mut Checked,
) {
    let Some(index) = index else {
        return missing(log, "index", places, checked);
    };
    let entries = match offset_index(index, base) {
        Ok(entries) => entries,
        Err(error) => return checked.find(index, None, true, format!("cannot be used: {error}")),
    };
    let mut before: Option<(i64, u32)> = None;
    for entry in entries {
        let rises = before.is_none_or(|before| entry.offset > before.0 && entry.position > before.1);
        let place = places.binary_search_by_key(&u64::from(entry.position), |place| place.position);
        let leads = place.is_ok_and(|at| {
            places
                .get(at)
                .is_some_and(|place| (place.base_offset..=place.last_offset).contains(&entry.offset))
        });
        if !rises || !leads {
            let what = format!("says that offset {} is at {}, where it is not", entry.offset, entry.position);
            return checked.find(index, None, true, what);
        }
        before = Some((entry.offset, entry.position));
    }
}

fn check_time_index(index: Option<&PathBuf>, base: i64, places: &[Place], log: &Path, checked: &mut Checked) {
    let Some(index) = index else {
        return missing(log, "timeindex", places, checked);
    };
    let entries = match time_index(index, base) {
        Ok(entries) => entries,
        Err(error) => return checked.find(index, None, true, format!("cannot be used: {error}")),
    };
    let mut before = None;
    for entry in entries {
        let at = places.partition_point(|place| place.last_offset < entry.offset);
        let leads = places
            .get(at)
            .is_some_and(|place| place.base_offset <= entry.offset && place.max_timestamp == entry.timestamp);
        if before.is_some_and(|before| entry.timestamp <= before) || !leads {
            let what =
                format!("says that offset {} is of {}, which it is not", entry.offset, entry.timestamp);
            return checked.find(index, None, true, what);
        }
        before = Some(entry.timestamp);
    }
}

/// An index may be missing while its segment is being written, and where nothing is written.
fn missing(log: &Path, kind: &str, places: &[Place], checked: &mut Checked) {
    if !places.is_empty() {
        checked.find(log, None, true, format!("has no .{kind} beside it"));
    }
}

/// Checks a whole data folder: every partition in it, and the checkpoints. Hands what it found of each partition to
/// `visit` as soon as it is known.
///
/// # Errors
/// If the folder or a file in it cannot be read.
pub fn check_folder(folder: &Path, mut visit: impl FnMut(&Path, &Checked)) -> io::Result<()> {
    let mut partitions = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            partitions.push(entry.path());
        }
    }
    partitions.sort();
    for partition in partitions {
        visit(&partition, &check_partition(&partition)?);
    }
    let mut own = Checked::default();
    for name in [checkpoint::RECOVERY_POINTS, checkpoint::LOG_STARTS] {
        let path = folder.join(name);
        if let Ok(text) = std::fs::read_to_string(&path)
            && checkpoint::offsets_from_text(&text).is_err()
        {
            own.find(&path, None, false, "is no checkpoint of offsets");
        }
    }
    visit(folder, &own);
    Ok(())
}

//! Opening a log: finding its segments, recovering what a crash left, and learning about producers and epochs.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use super::{Log, Segments, State};
use crate::epochs::{self, LeaderEpochs};
use crate::error::{OpenError, ReadError};
use crate::options::LogOptions;
use crate::producer::{Producers, snapshot};
use crate::segment::open::{Opening, Recovered};
use crate::segment::{Place, Segment, name, remove_if_there};
use crate::shared::Shared;

/// The file that says which topic a folder belongs to.
const METADATA_FILE: &str = "partition.metadata";
/// What is left of files that were being written or deleted when the process died.
const LEFTOVERS: [&str; 4] = [".tmp", ".deleted", ".cleaned", ".swap"];

/// What is known of a log from before it is opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct History {
    /// Whether it was closed cleanly.
    pub(crate) clean: bool,
    /// Up to here it was known to be on the disk.
    pub(crate) recovery_point: Option<i64>,
    /// The log start offset, where it lies within a segment.
    pub(crate) log_start: Option<i64>,
}

impl Log {
    /// A log in memory, without any records.
    pub(crate) fn in_memory(
        shared: Arc<Shared>,
        topic: &str,
        partition: i32,
        topic_id: Uuid,
        options: Arc<LogOptions>,
        now_ms: i64,
    ) -> Arc<Self> {
        let found = Found::nothing();
        Arc::new(Log::new(shared, Place::Memory, (topic, partition, topic_id), options, found, now_ms))
    }

    /// Opens the log in `folder`. One that is not there is an empty log's, and is made by its first batch: a partition
    /// that nobody uses costs the disk nothing.
    pub(crate) fn in_folder(
        shared: Arc<Shared>,
        folder: &Path,
        name: (&str, i32, Uuid),
        options: Arc<LogOptions>,
        history: History,
        now_ms: i64,
    ) -> Result<Arc<Self>, OpenError> {
        let path: Arc<Path> = Arc::from(folder);
        let exists = folder.try_exists().map_err(|error| OpenError::file(folder, error))?;
        let found = if exists {
            let found = find(&shared, &path, &options, history, now_ms)?;
            check_topic_id(folder, name.2)?;
            found
        } else {
            Found::nothing()
        };
        let log = Log::new(shared, Place::Folder(path), name, options, found, now_ms);
        log.has_folder.store(exists, Ordering::Relaxed);
        if exists {
            // No snapshot has what the folder holds.
            log.touch(&mut log.state.lock());
        }
        Ok(Arc::new(log))
    }

    /// Makes the log's folder if it has none yet. The caller holds `state`.
    pub(super) fn make_folder(&self) -> io::Result<()> {
        let Some(folder) = self.folder().filter(|_| !self.has_folder.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(METADATA_FILE), metadata_text(self.topic_id))?;
        if let Some(parent) = folder.parent().filter(|_| self.options().flush_messages != i64::MAX) {
            // Records that are to survive a loss of power need a folder that does.
            self.shared.disk.sync_folder(parent)?;
        }
        self.has_folder.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        place: Place,
        (topic, partition, topic_id): (&str, i32, Uuid),
        options: Arc<LogOptions>,
        found: Found,
        now_ms: i64,
    ) -> Self {
        let unstable = found.producers.first_open_transaction().unwrap_or(i64::MAX);
        Log {
            topic: Arc::from(topic),
            partition,
            topic_id,
            place,
            shared,
            options: RwLock::new(options),
            segments: RwLock::new(found.segments),
            log_start: AtomicI64::new(found.log_start),
            log_end: AtomicI64::new(found.log_end),
            first_unstable: AtomicI64::new(unstable),
            recovery_point: AtomicI64::new(found.recovery_point),
            deleted: AtomicBool::new(false),
            has_folder: AtomicBool::new(false),
            epochs: RwLock::new(found.epochs),
            state: Mutex::new(State {
                producers: found.producers,
                last_flush_ms: now_ms,
                changed: false,
                out_of_use: None,
            }),
        }
    }
}

/// What a log begins with.
pub(super) struct Found {
    pub(super) segments: Segments,
    pub(super) log_start: i64,
    pub(super) log_end: i64,
    pub(super) recovery_point: i64,
    pub(super) producers: Producers,
    pub(super) epochs: LeaderEpochs,
}

impl Found {
    /// A log that has a leader of epoch 0, and no records.
    fn nothing() -> Self {
        let mut epochs = LeaderEpochs::default();
        epochs.assign(0, 0);
        let producers = Producers::default();
        Found { segments: Arc::default(), log_start: 0, log_end: 0, recovery_point: 0, producers, epochs }
    }
}

fn find(
    shared: &Arc<Shared>,
    folder: &Arc<Path>,
    options: &LogOptions,
    history: History,
    now_ms: i64,
) -> Result<Found, OpenError> {
    let failed = |error: io::Error| OpenError::file(folder.as_ref(), error);
    remove_leftovers(folder).map_err(failed)?;
    let opening = Opening {
        shared,
        folder,
        limit: options.segment_bytes as usize,
        interval: options.index_interval_bytes,
        now_ms,
    };
    let segments = open_segments(&opening, history).map_err(failed)?;
    let log_end = segments.last().map_or(history.log_start.unwrap_or(0), |last| last.end_offset());
    let first = segments.first().map_or(log_end, |first| first.base_offset());
    // One above the end is that of another log of this name: it says nothing of the records that are here.
    let log_start = history.log_start.filter(|start| *start <= log_end).unwrap_or(first).max(first);
    // One that is damaged is as good as none: the batches know their epochs.
    let mut epochs = match std::fs::read(folder.join(epochs::FILE)) {
        Ok(text) => LeaderEpochs::from_text(&String::from_utf8_lossy(&text)).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => LeaderEpochs::default(),
        Err(error) => return Err(failed(error)),
    };
    epochs.truncate_end(log_end);
    let producers = find_producers(folder, &segments, log_start, log_end, &mut epochs).map_err(failed)?;
    if epochs.latest().is_none() {
        epochs.assign(0, log_start);
    }
    let recovery_point = if history.clean {
        log_end
    } else {
        history.recovery_point.filter(|end| *end <= log_end).unwrap_or(0)
    };
    let segments = Arc::new(segments);
    Ok(Found { segments, log_start, log_end, recovery_point, producers, epochs })
}

/// Opens the segments in order. From the first on that a crash cut short, the later ones are deleted: nothing can follow
/// a gap. Damage to what was known to be on the disk says nothing against what lies behind it.
fn open_segments(opening: &Opening<'_>, history: History) -> io::Result<Vec<Arc<Segment>>> {
    let mut bases = files_of_kind(opening.folder, name::LOG)?;
    bases.sort_unstable();
    remove_orphans(opening.folder, &bases)?;
    let recovery_point = history.recovery_point.unwrap_or(0);
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
    for (index, base) in bases.iter().enumerate() {
        let next = bases.get(index + 1).copied();
        // Up to here the segment was known to be whole.
        let synced = history.clean || next.is_some_and(|next| next <= recovery_point);
        let known_end = synced.then(|| next.unwrap_or(recovery_point));
        let trusted = if synced { opening.trust(*base, next)? } else { None };
        if let Some(segment) = trusted.filter(|segment| known_end <= Some(segment.end_offset())) {
            segments.push(segment);
            continue;
        }
        let recovered = opening.recover(*base, known_end)?;
        let end = recovered.segment.end_offset();
        if next.is_some() || recovered.kept {
            recovered.segment.seal()?;
        }
        segments.push(Arc::clone(&recovered.segment));
        if recovered.damage.is_some() || next.is_some_and(|next| next < end) {
            tell_of_damage(opening.folder, *base, &recovered);
        }
        if recovered.kept && next.is_none() {
            segments.push(opening.begin(end));
        } else if !recovered.kept && (recovered.damage.is_some() || next.is_some_and(|next| next < end)) {
            return cut_behind(opening, segments, bases.get(index + 1..).unwrap_or_default());
        }
    }
    Ok(segments)
}

fn tell_of_damage(folder: &Path, base: i64, recovered: &Recovered) {
    let (why, bytes) = recovered.damage.unwrap_or(("its offsets reach into the next segment", 0));
    let folder = folder.display();
    if recovered.kept {
        tracing::error!(
            "{folder}: the segment at offset {base} is damaged, because {why}; its last {bytes} bytes cannot be read and \
             are left as they are"
        );
    } else {
        let end = recovered.segment.end_offset();
        tracing::warn!(
            "{folder}: the segment at offset {base} was cut at offset {end}, because {why}; {bytes} bytes of it are gone, \
             and the segments behind it"
        );
    }
}

/// Deletes the segments behind a cut, and opens the one that was cut for appending.
fn cut_behind(
    opening: &Opening<'_>,
    mut segments: Vec<Arc<Segment>>,
    later: &[i64],
) -> io::Result<Vec<Arc<Segment>>> {
    for base in later {
        for kind in [name::LOG, name::OFFSET_INDEX, name::TIME_INDEX, name::TXN_INDEX] {
            remove_if_there(&name::path(opening.folder, *base, kind))?;
        }
    }
    if let Some(cut) = segments.pop() {
        // Once more, because the last segment is not sealed.
        let again = if cut.is_sealed() { opening.recover(cut.base_offset(), None)?.segment } else { cut };
        segments.push(again);
    }
    Ok(segments)
}

/// The producers as the latest snapshot has them, and what the batches behind it say; those tell of epochs too.
fn find_producers(
    folder: &Path,
    segments: &[Arc<Segment>],
    log_start: i64,
    log_end: i64,
    epochs: &mut LeaderEpochs,
) -> io::Result<Producers> {
    let mut snapshots = files_of_kind(folder, name::SNAPSHOT)?;
    snapshots.sort_unstable();
    let (mut producers, mut from) = (Producers::default(), log_start);
    let mut found = false;
    for offset in snapshots.into_iter().rev() {
        let path = name::path(folder, offset, name::SNAPSHOT);
        if offset > log_end {
            remove_if_there(&path)?;
        } else if !found {
            match snapshot::read(&std::fs::read(&path)?) {
                Some(read) => (producers, from, found) = (read, offset.max(log_start), true),
                None => remove_if_there(&path)?,
            }
        }
    }
    for segment in segments.iter().filter(|segment| segment.end_offset() > from) {
        let read = segment.for_each_batch(from, |header, _, _| {
            producers.appended(header);
            epochs.assign(header.leader_epoch, header.base_offset);
            ControlFlow::Continue(())
        });
        match read {
            // Nothing can be learnt from the rest of a damaged segment.
            Ok(()) | Err(ReadError::Corrupt(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(producers)
}

/// The offsets in the names of the files of a kind.
pub(super) fn files_of_kind(folder: &Path, wanted: &str) -> io::Result<Vec<i64>> {
    let mut offsets = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file_name = entry?.file_name();
        if let Some((offset, kind)) = file_name.to_str().and_then(name::parse)
            && kind == wanted
        {
            offsets.push(offset);
        }
    }
    Ok(offsets)
}

fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        if file_name.to_str().is_some_and(|name| LEFTOVERS.iter().any(|end| name.ends_with(end))) {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes indexes that have no records beside them.
fn remove_orphans(folder: &Path, bases: &[i64]) -> io::Result<()> {
    for kind in [name::OFFSET_INDEX, name::TIME_INDEX, name::TXN_INDEX] {
        for base in files_of_kind(folder, kind)? {
            if bases.binary_search(&base).is_err() {
                remove_if_there(&name::path(folder, base, kind))?;
            }
        }
    }
    Ok(())
}

/// Makes sure that the folder belongs to the topic; a folder that does not say is given to it.
fn check_topic_id(folder: &Path, wanted: Uuid) -> Result<(), OpenError> {
    match read_topic_id(folder)? {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(OpenError::OtherTopic { folder: folder.to_owned(), found, wanted }),
        None => {
            let path = folder.join(METADATA_FILE);
            std::fs::write(&path, metadata_text(wanted)).map_err(|error| OpenError::file(path, error))
        }
    }
}

fn metadata_text(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {}", to_base64(topic_id))
}

/// The id of the topic that a partition's folder belongs to, if it says.
pub(crate) fn read_topic_id(folder: &Path) -> Result<Option<Uuid>, OpenError> {
    let path = folder.join(METADATA_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::file(path, error)),
    };
    // A crash may leave the file empty.
    if text.is_empty() {
        return Ok(None);
    }
    let id =
        text.lines().find_map(|line| line.strip_prefix("topic_id:")).and_then(|id| from_base64(id.trim()));
    id.map(Some).ok_or_else(|| {
        OpenError::file(path, "it has no topic_id that can be read: delete the file, or restore it")
    })
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id as Kafka prints it: base64 for addresses, without padding.
fn to_base64(id: Uuid) -> String {
    let number = id.as_u128();
    // 22 digits of six bits; the last one has two bits of the id and four zeros.
    let digit = |index: u32| match index {
        21 => (number << 4) & 0x3f,
        index => (number >> (122 - 6 * index)) & 0x3f,
    };
    (0..22).map(|index| char::from(BASE64[digit(index) as usize])).collect()
}

fn from_base64(text: &str) -> Option<Uuid> {
    if text.len() != 22 {
        return None;
    }
    let mut number = 0_u128;
    for (index, digit) in text.bytes().enumerate() {
        let value = BASE64.iter().position(|known| *known == digit)? as u128;
        number = if index == 21 { (number << 2) | (value >> 4) } else { (number << 6) | value };
    }
    Some(Uuid::from_u128(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        // What Java's Base64.getUrlEncoder().withoutPadding() makes of these 16 bytes.
        let id = Uuid::from_u128(0x0001_0203_0405_0607_0809_0a0b_0c0d_0eff);
        assert_eq!(to_base64(id), "AAECAwQFBgcICQoLDA0O_w");
        for id in [id, Uuid::nil(), Uuid::max(), Uuid::from_u128(1)] {
            assert_eq!(from_base64(&to_base64(id)), Some(id));
        }
        assert_eq!(from_base64("AAECAwQFBgcICQoLDA0O+w"), None);
    }
}

//! The data folder itself: whose it is, what it says about itself, what lies in it.

use std::fs::File;
use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::checkpoint::{self, Offsets};
use crate::error::OpenError;
use crate::fs::{self, Disk};
use crate::log::read_topic_id;

/// A log that lies in the data folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundLog {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The topic's id, if the folder says.
    pub topic_id: Option<Uuid>,
}

/// The file that says whose folder it is: Kafka's, with a line of our own.
const META: &str = "meta.properties";
/// The line by which a folder is known to be ours, and not Apache Kafka's, whose topics are described elsewhere.
const OURS: &str = "klamm.version=1";
const CLUSTER_ID: &str = "cluster.id=";
const LOCK: &str = ".lock";
const CLEAN_MARKER: &str = ".kafka_cleanshutdown";
/// What a new file system has in it.
const NOBODYS: [&str; 2] = [LOCK, "lost+found"];
/// The end of the name of a partition's folder that is being deleted.
const DELETE_SUFFIX: &str = "-delete";
/// The end of the name of a partition's folder that belongs to no topic, as in Kafka: it is left to whoever looks.
const STRAY_SUFFIX: &str = "-stray";
/// The longest name that file systems take.
const LONGEST_FILE_NAME: usize = 255;

/// Creates the folder if it is not there, locks it, and makes sure that it is ours. What was being deleted when the process
/// died is deleted.
pub(super) fn enter(folder: &Path) -> Result<File, OpenError> {
    let not_writable = |why| OpenError::NotWritable { folder: folder.to_owned(), why };
    std::fs::create_dir_all(folder).map_err(not_writable)?;
    check_ours(folder)?;
    let lock = fs::lock(&folder.join(LOCK)).map_err(|why| match why.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(folder.to_owned()),
        _ => not_writable(why),
    })?;
    // Once more under the lock: two may have found the folder empty.
    if !check_ours(folder)? {
        std::fs::write(folder.join(META), format!("version=1\n{OURS}\n")).map_err(not_writable)?;
    }
    for entry in std::fs::read_dir(folder).map_err(not_writable)? {
        let entry = entry.map_err(not_writable)?;
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(DELETE_SUFFIX) && name.contains('.'))
        {
            std::fs::remove_dir_all(entry.path()).map_err(not_writable)?;
        }
    }
    Ok(lock)
}

/// Whether the folder is ours already; otherwise it has to be empty.
fn check_ours(folder: &Path) -> Result<bool, OpenError> {
    let failed = |why| OpenError::NotWritable { folder: folder.to_owned(), why };
    let not_ours = |found: String| OpenError::NotOurs { folder: folder.to_owned(), found };
    match std::fs::read_to_string(folder.join(META)) {
        Ok(text) if text.lines().any(|line| line == OURS) => return Ok(true),
        Ok(_) => return Err(not_ours(format!("{META} of Apache Kafka"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !NOBODYS.iter().any(|nobodys| name.as_os_str() == *nobodys) {
            return Err(not_ours(format!("for instance '{}'", name.display())));
        }
    }
    Ok(false)
}

/// The id in `meta.properties`, or a new one, which is written there.
pub(super) fn cluster_id(
    folder: &Path,
    disk: &Disk,
    new: impl FnOnce() -> String,
) -> Result<String, OpenError> {
    let path = folder.join(META);
    let failed = |error: io::Error| OpenError::file(&path, error);
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    if let Some(id) = text.lines().find_map(|line| line.strip_prefix(CLUSTER_ID)) {
        return Ok(id.to_owned());
    }
    let id = new();
    disk.replace_durably(&path, format!("{}\n{CLUSTER_ID}{id}\n", text.trim_end()).as_bytes())
        .map_err(failed)?;
    Ok(id)
}

/// The folders of partitions, in order.
pub(super) fn find_logs(folder: &Path) -> Result<Vec<FoundLog>, OpenError> {
    let failed = |error: io::Error| OpenError::file(folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let parsed = name.to_str().and_then(|name| name.rsplit_once('-'));
        let Some((topic, Ok(partition))) = parsed.map(|(topic, partition)| (topic, partition.parse::<u16>()))
        else {
            continue;
        };
        if entry.file_type().map_err(failed)?.is_dir() {
            let topic_id = read_topic_id(&entry.path())?;
            found.push(FoundLog { topic: topic.to_owned(), partition: i32::from(partition), topic_id });
        }
    }
    found.sort();
    Ok(found)
}

/// Takes the folder of a log out of the way: deletes it, or leaves it under a name that is no log's.
pub(super) fn take_away(folder: &Path, log: &FoundLog, keep: bool) -> io::Result<()> {
    let id = log.topic_id.unwrap_or_default().simple();
    let end = format!("-{}.{id}{}", log.partition, if keep { STRAY_SUFFIX } else { DELETE_SUFFIX });
    let topic = log.topic.get(..LONGEST_FILE_NAME.saturating_sub(end.len())).unwrap_or(&log.topic);
    let away = folder.join(format!("{topic}{end}"));
    std::fs::rename(folder.join(format!("{}-{}", log.topic, log.partition)), &away)?;
    if keep { Ok(()) } else { std::fs::remove_dir_all(&away) }
}

/// Offsets from a checkpoint. One that is damaged is as good as none: then more has to be recovered.
pub(super) fn read_offsets(folder: &Path, name: &str) -> Result<Offsets, OpenError> {
    let path = folder.join(name);
    match std::fs::read(&path) {
        Ok(text) => {
            Ok(checkpoint::offsets_from_text(&String::from_utf8_lossy(&text)).unwrap_or_else(|error| {
                tracing::warn!("{} is not used: {error}", path.display());
                Offsets::new()
            }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Offsets::new()),
        Err(error) => Err(OpenError::file(path, error)),
    }
}

/// Whether the folder was left cleanly. That holds for once.
pub(super) fn take_clean_marker(folder: &Path) -> Result<bool, OpenError> {
    let path = folder.join(CLEAN_MARKER);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::file(path, error)),
    }
}

/// Says that the folder is left cleanly, as Kafka does.
pub(super) fn leave_clean_marker(folder: &Path, disk: &Disk) -> io::Result<()> {
    disk.replace_durably(&folder.join(CLEAN_MARKER), br#"{"version":0,"brokerEpoch":-1}"#)
}

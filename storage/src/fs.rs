//! The file system and what differs between systems: reserving blocks, syncing, locking, how much room there is.
//!
//! The only file with code for one system alone. It knows nothing of records, segments or logs. Every write and sync
//! of the crate goes through [`Disk`], so that tests can have them fail ([`Faults`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock, statvfs};
use rustix::mm::Advice as MapAdvice;

use crate::mmap::Advice;

/// The advice that fills in pages ahead of the writer, where there is one.
#[cfg(target_os = "linux")]
pub(crate) const POPULATE: Option<Advice> = Some(Advice::PopulateWrite);
/// The advice that fills in pages ahead of the writer, where there is one.
#[cfg(not(target_os = "linux"))]
pub(crate) const POPULATE: Option<Advice> = None;

/// The advice that has maps use small pages, where there is a choice.
#[cfg(target_os = "linux")]
pub(crate) const SMALL_PAGES: Option<Advice> = Some(Advice::NoHugePage);
/// The advice that has maps use small pages, where there is a choice.
#[cfg(not(target_os = "linux"))]
pub(crate) const SMALL_PAGES: Option<Advice> = None;

/// The advice that has pages be read from their file again when they are next needed, where there is one.
#[cfg(target_os = "linux")]
pub(crate) const READ_AGAIN: Option<MapAdvice> = Some(MapAdvice::LinuxDontNeed);
/// The advice that has pages be read from their file again when they are next needed, where there is one.
#[cfg(not(target_os = "linux"))]
pub(crate) const READ_AGAIN: Option<MapAdvice> = None;

/// Faults to be had on purpose: a full disk, failing writes and syncs. For tests; by default there are none.
///
/// Shared by all logs of a [`LogManager`](crate::LogManager) through its settings.
#[derive(Debug, Default)]
pub struct Faults {
    disk_full: AtomicBool,
    failing_syncs: AtomicBool,
    failing_writes: AtomicBool,
    syncs: AtomicU64,
}

impl Faults {
    /// From now on no more blocks can be had, or they can again.
    pub fn set_disk_full(&self, full: bool) {
        self.disk_full.store(full, Ordering::SeqCst);
    }

    /// From now on every sync fails, or none.
    pub fn set_failing_syncs(&self, failing: bool) {
        self.failing_syncs.store(failing, Ordering::SeqCst);
    }

    /// From now on every write of a file other than through a map fails, or none.
    pub fn set_failing_writes(&self, failing: bool) {
        self.failing_writes.store(failing, Ordering::SeqCst);
    }

    /// How many syncs there have been.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }
}

/// The way to the disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    faults: Arc<Faults>,
}

impl Disk {
    pub(crate) fn new(faults: Arc<Faults>) -> Self {
        Disk { faults }
    }

    /// Whether there is to be no room, on purpose.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.disk_full.load(Ordering::SeqCst)
    }

    /// Has the file have blocks for its first `len` bytes, and be at least that long.
    ///
    /// # Errors
    /// If the disk is full. The file is as it was, or longer.
    pub(crate) fn reserve(&self, file: &File, len: u64) -> io::Result<()> {
        if self.is_full() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let have = file.metadata()?.len();
        if have >= len {
            return Ok(());
        }
        allocate(file, have, len - have)
    }

    /// Runs a sync, or has it fail where that is asked for.
    pub(crate) fn sync_with(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        if self.faults.failing_syncs.load(Ordering::SeqCst) {
            return Err(io::Error::other("the sync failed on purpose"));
        }
        sync()
    }

    /// Waits until what a file holds is on the disk.
    pub(crate) fn sync(&self, file: &File) -> io::Result<()> {
        self.sync_with(|| file.sync_all())
    }

    /// Waits until the names in a folder are on the disk.
    pub(crate) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.sync_with(|| File::open(folder)?.sync_all())
    }

    /// Writes a file anew, without waiting for the disk: whoever looks sees the old contents or the new.
    pub(crate) fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        self.replace_with(path, contents, false)
    }

    /// Like [`Disk::replace`], and returns once the new contents are on the disk.
    pub(crate) fn replace_durably(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        self.replace_with(path, contents, true)
    }

    fn replace_with(&self, path: &Path, contents: &[u8], durably: bool) -> io::Result<()> {
        if self.faults.failing_writes.load(Ordering::SeqCst) {
            return Err(io::Error::other("the write failed on purpose"));
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let mut file = File::create(&temporary)?;
        file.write_all(contents)?;
        if durably {
            self.sync(&file)?;
        }
        drop(file);
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(folder) if durably => self.sync_folder(folder),
            _ => Ok(()),
        }
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), from, len) {
        // File systems that cannot reserve: zeros are written, which comes to the same.
        Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(file, from, len),
        done => Ok(done?),
    }
}

/// macOS reserves with `F_PREALLOCATE`, which rustix offers as `fallocate`; it does not make the file longer.
#[cfg(target_vendor = "apple")]
fn allocate(file: &File, from: u64, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), from, len) {
        Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::INVAL) => write_zeros(file, from, len),
        done => {
            done?;
            file.set_len(from + len)
        }
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn allocate(file: &File, from: u64, len: u64) -> io::Result<()> {
    write_zeros(file, from, len)
}

fn write_zeros(file: &File, from: u64, len: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    let mut done = 0;
    while done < len {
        let step = ZEROS.len().min(usize::try_from(len - done).unwrap_or(ZEROS.len()));
        let zeros = ZEROS.get(..step).unwrap_or_default();
        file.write_all_at(zeros, from + done)?;
        done += step as u64;
    }
    Ok(())
}

/// Takes the lock that keeps a second process, or a second manager in this one, out of a folder. It is held as long
/// as the file is open.
///
/// # Errors
/// `WouldBlock` if somebody else has it.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Where this program's own code and constants lie, as far as no byte of them differs from its file: no relocation, no
/// breakpoint. They stay mapped as long as the process lives. Empty where a system does not tell.
pub(crate) fn unchanged_program() -> Vec<Range<usize>> {
    // A header line for each mapping, "START-END PERMISSIONS OFFSET DEVICE INODE PATH", then "KEY: VALUE" lines.
    let Ok(told) = fs::read_to_string("/proc/self/smaps") else { return Vec::new() };
    let here = unchanged_program as fn() -> Vec<Range<usize>> as usize;
    let (mut mappings, mut own) = (Vec::new(), None);
    for line in told.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(first), Some(second)) = (fields.next(), fields.next()) else { continue };
        if let Some(range) = address_range(first) {
            let file = fields.skip(1).take(2).map(str::to_owned).collect::<Vec<_>>();
            if range.contains(&here) {
                own = Some(file.clone());
            }
            let may_change = !second.starts_with("r-") || !second.ends_with('p');
            mappings.push((range, file, may_change));
        } else if first == "Anonymous:"
            && let Some((_, _, changed)) = mappings.last_mut()
        {
            *changed |= second != "0";
        }
    }
    let is_own = |(range, file, changed): (_, Vec<_>, bool)| {
        (!changed && own.as_ref() == Some(&file)).then_some(range)
    };
    mappings.into_iter().filter_map(is_own).collect()
}

/// The range that `START-END` is, in hexadecimal digits.
fn address_range(text: &str) -> Option<Range<usize>> {
    let (start, end) = text.split_once('-')?;
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

/// The size of the file system that `path` is on, and how much of it can be used, in bytes.
pub(crate) fn disk_space(path: &Path) -> Option<(u64, u64)> {
    let stat = statvfs(path).ok()?;
    Some((stat.f_frsize.saturating_mul(stat.f_blocks), stat.f_frsize.saturating_mul(stat.f_bavail)))
}

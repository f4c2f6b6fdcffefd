//! The journal of a test's run: in a file from the first request on, so that it is there however the test ends, and gone if
//! the test ends well.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::JournalOptions;

/// The variable that says where journals are left.
const VARIABLE: &str = "KLAMM_JOURNAL_DIR";

/// The longest part of a test's name that goes into a file's name.
const NAME_CHARS: usize = 100;

/// The file. Deleted when this is dropped, unless it is to be kept.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    kept: AtomicBool,
}

/// The folder that the environment asks journals to be left in.
pub(super) fn folder_of_environment() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

impl JournalFile {
    /// A file of its own in `folder`, named after the test: the harness gives the thread its name.
    pub(super) fn new(folder: &Path) -> Result<Self, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        std::fs::create_dir_all(folder).map_err(|error| {
            format!("the folder for journals {} cannot be made: {error}", folder.display())
        })?;
        let thread = std::thread::current();
        let letters = thread.name().unwrap_or("test").chars().take(NAME_CHARS);
        let name: String = letters.map(|c| if c.is_alphanumeric() || c == '_' { c } else { '-' }).collect();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = format!("{name}-{}-{number}.journal", std::process::id());
        Ok(JournalFile { path: folder.join(file), kept: AtomicBool::new(false) })
    }

    /// What has the broker write it.
    pub(super) fn options(&self) -> JournalOptions {
        JournalOptions::file(&self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the file behind.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for JournalFile {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Relaxed)
            && let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            eprintln!("klamm: the journal {} of a test that went well is left: {error}", self.path.display());
        }
    }
}

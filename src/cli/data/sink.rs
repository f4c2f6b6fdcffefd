//! Standard output for records: written in large pieces, and seen as soon as nothing more is on its way.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec};

/// Written at a time.
const FULL_BYTES: usize = 256 * 1024;

/// Asked of the system for a pipe.
const PIPE_BYTES: usize = 1024 * 1024;

/// Where records go.
pub(crate) struct Sink {
    file: File,
    /// What has not been written yet: records are rendered straight into it.
    pub(crate) buffer: Vec<u8>,
    full: usize,
}

impl Sink {
    /// Standard output. Each record is written at once where that is asked for.
    pub(crate) fn stdout(unbuffered: bool) -> io::Result<Sink> {
        let stdout = io::stdout();
        let file = File::from(stdout.as_fd().try_clone_to_owned()?);
        if !stdout.is_terminal() {
            // Where it is no pipe, or the system allows no more, it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(&file, PIPE_BYTES);
        }
        let full = if unbuffered { 0 } else { FULL_BYTES };
        Ok(Sink { file, buffer: Vec::with_capacity(FULL_BYTES + FULL_BYTES / 4), full })
    }

    /// Says that a record is complete.
    #[inline]
    pub(crate) fn end_record(&mut self) -> io::Result<()> {
        if self.buffer.len() >= self.full { self.flush() } else { Ok(()) }
    }

    /// Fails as writing would if nobody reads on. To be called while there is nothing to be written.
    pub(crate) fn check_reader(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.file, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_closed = |flags: PollFlags| flags.intersects(PollFlags::ERR | PollFlags::HUP);
        match rustix::event::poll(&mut fds, Some(&at_once)) {
            Ok(1..) if is_closed(fds[0].revents()) => Err(io::ErrorKind::BrokenPipe.into()),
            // What else may be wrong with it is found when it is written to.
            _ => Ok(()),
        }
    }

    /// Writes what has not been written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        // One huge record is not to be paid for ever after.
        self.buffer.shrink_to(FULL_BYTES * 4);
        Ok(())
    }
}

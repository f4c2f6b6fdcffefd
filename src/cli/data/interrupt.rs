//! Ctrl-C and SIGTERM, for commands that finish what they have begun.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::cli::signals::Signals;

/// What a shell calls a command that Ctrl-C has ended.
const ENDED_AT_ONCE: i32 = 130;

/// Whether somebody has asked the command to end. The first time it is to finish what it has begun; the second time it
/// ends at once.
#[derive(Debug)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
    /// Readable from the moment on that somebody has.
    wake: UnixStream,
}

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> io::Result<Interrupt> {
        let signals = Signals::listen()?;
        let (wake, told) = UnixStream::pair()?;
        let asked = Arc::new(AtomicBool::new(false));
        let interrupt = Interrupt { asked: Arc::clone(&asked), wake };
        std::thread::Builder::new().name("klamm-signals".to_owned()).spawn(move || {
            signals.wait();
            asked.store(true, Ordering::SeqCst);
            drop(told);
            if let Ok(again) = Signals::listen() {
                again.wait();
                process::exit(ENDED_AT_ONCE);
            }
        })?;
        Ok(interrupt)
    }

    /// Whether somebody has asked.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits until there is something to be read, or its end. False where somebody asks the command to end meanwhile.
    pub(crate) fn wait_readable(&self, input: BorrowedFd<'_>) -> io::Result<bool> {
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(input, PollFlags::IN),
                PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN),
            ];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) if self.is_set() => return Ok(false),
                Ok(_) if !fds[0].revents().is_empty() => return Ok(true),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets time go by until then. False where somebody asks the command to end meanwhile.
    pub(crate) fn wait_until(&self, then: Instant) -> bool {
        loop {
            let left = then.saturating_duration_since(Instant::now());
            if self.is_set() || left.is_zero() {
                return !self.is_set();
            }
            let mut fds = [PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
            // An error is a signal's; what is left is computed anew.
            let _ = rustix::event::poll(&mut fds, Some(&timespec(left)));
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    let tv_sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: i64::from(time.subsec_nanos()) }
}

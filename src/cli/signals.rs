//! Ctrl-C and SIGTERM.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// After how long a broker has settled: whoever started it has begun by then.
const SETTLED: Duration = Duration::from_millis(200);

/// The signals that ask a broker to stop, from the moment on that they are listened to.
pub(crate) struct Signals {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        Ok(Signals { runtime, interrupt, terminate })
    }

    /// Returns on SIGINT or SIGTERM. Runs `settled` once if none has come for a while.
    pub(crate) fn wait(self, settled: impl FnOnce()) {
        let Signals { runtime, mut interrupt, mut terminate } = self;
        runtime.block_on(async {
            let mut asked = pin!(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            if tokio::time::timeout(SETTLED, &mut asked).await.is_err() {
                settled();
                asked.await;
            }
        });
    }
}

/// What a process ends with that the second Ctrl-C ended: 128 and the signal's number, as shells have it.
const INTERRUPTED: i32 = 130;

/// Asks for the end of work that goes on until it is asked to end: the first Ctrl-C or SIGTERM lets it finish what it has
/// begun, the second ends the process. Cheap to clone; all clones are of one.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<Asked>);

#[derive(Debug)]
struct Asked {
    asked: Mutex<bool>,
    changed: Condvar,
    /// Readable from the moment on that the end is asked for: its other end is dropped then.
    wake: UnixStream,
    other_end: Mutex<Option<UnixStream>>,
}

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let Signals { runtime, mut interrupt, mut terminate } = Signals::listen()?;
        let (wake, other_end) = UnixStream::pair()?;
        let asked = Arc::new(Asked {
            asked: Mutex::new(false),
            changed: Condvar::new(),
            wake,
            other_end: Mutex::new(Some(other_end)),
        });
        let told = Arc::clone(&asked);
        let listening = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                told.ask();
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                std::process::exit(INTERRUPTED);
            });
        };
        std::thread::Builder::new().name("klamm-signals".to_owned()).spawn(listening)?;
        Ok(Interrupt(asked))
    }

    /// Whether the end has been asked for.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until the end is asked for; says whether it is.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut asked = self.0.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while !*asked {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            asked = self.0.changed.wait_timeout(asked, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *asked
    }

    /// Waits until there is something to be read, or nothing more will be. False where the end is asked for meanwhile.
    pub(crate) fn wait_readable(&self, input: BorrowedFd<'_>) -> std::io::Result<bool> {
        loop {
            let mut fds = [
                PollFd::from_borrowed_fd(input, PollFlags::IN),
                PollFd::from_borrowed_fd(self.0.wake.as_fd(), PollFlags::IN),
            ];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) => {
                    let [input, wake] = fds.map(|fd| !fd.revents().is_empty());
                    if input || wake {
                        return Ok(!wake);
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Asked {
    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
        drop(self.other_end.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

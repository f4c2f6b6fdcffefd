//! The runtime on which all clients of a process do their work in the background, whatever the caller runs on.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{ClientError, ErrorKind};

/// Threads that send, fetch and keep groups alive, for all publishers and subscribers of a process.
const WORKERS: usize = 2;

/// The runtime's handle. It is started at first use and lives as long as the process.
///
/// # Errors
/// If the system gives no threads.
pub(crate) fn handle() -> Result<&'static Handle, ClientError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(WORKERS).thread_name("klamm-client").enable_all();
        builder.build().map_err(|error| error.to_string())
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle()),
        Err(why) => Err(ClientError::new(ErrorKind::System, "starting the client's threads", why.clone())
            .remedy("raise the limit on threads of this process")),
    }
}

/// Wakes a thread that waits for a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks the thread until the future is done. Unlike a runtime's own form it may be called anywhere, from a task of
/// the caller's runtime too, which then blocks that runtime's thread.
///
/// # Errors
/// If the system gives no threads.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, ClientError> {
    let _timers = handle()?.enter();
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Ok(output),
            // A wake-up that came between the poll and here is not lost: it lets `park` return at once.
            Poll::Pending => std::thread::park(),
        }
    }
}

//! A thread that has the kernel fill in pages ahead of the writers, so that appends do not wait for it.
//!
//! Started by the first that asks; ends with its last handle. It only ever helps: a request that finds the queue full
//! is dropped, and the append meets the pages as they are.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock, Weak};

use crate::mmap::Map;

/// How many requests may wait.
const QUEUE: usize = 64;
/// How much is filled in by one call, so that the map's lock in the kernel is not held for long.
const STEP_BYTES: usize = 512 * 1024;

/// Pages to be filled in.
pub(crate) struct Request {
    map: Weak<Map>,
    range: Range<usize>,
}

impl Request {
    /// Does not keep the map alive.
    pub(crate) fn new(map: &Arc<Map>, range: Range<usize>) -> Self {
        Request { map: Arc::downgrade(map), range }
    }
}

/// The way to the thread.
#[derive(Default)]
pub(crate) struct Populate {
    queue: OnceLock<Option<SyncSender<Request>>>,
}

impl Populate {
    /// Has the pages filled in some time soon. Says whether they will be.
    pub(crate) fn ask(&self, request: Request) -> bool {
        let queue = self.queue.get_or_init(start);
        queue.as_ref().is_some_and(|queue| queue.try_send(request).is_ok())
    }
}

/// `None` where no thread can be had.
fn start() -> Option<SyncSender<Request>> {
    let (queue, requests) = sync_channel(QUEUE);
    let thread = std::thread::Builder::new().name("klamm-populate".to_owned());
    thread.spawn(move || run(&requests)).ok().map(|_| queue)
}

fn run(requests: &Receiver<Request>) {
    while let Ok(request) = requests.recv() {
        let mut from = request.range.start;
        while from < request.range.end {
            let Some(map) = request.map.upgrade() else { break };
            // What the writer has reached meanwhile is there already.
            from = from.max(map.readable());
            let to = (from + STEP_BYTES).min(request.range.end);
            map.populate(from..to);
            from = to;
        }
    }
}

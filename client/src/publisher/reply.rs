//! Waiting for what became of one record.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::backend::Report;
use crate::error::{ClientError, ErrorKind};
use crate::record::Delivered;
use crate::signal::Signal;

#[derive(Debug, Default)]
struct Slot {
    outcome: Mutex<Option<Result<Delivered, ClientError>>>,
    told: Signal,
}

/// The waiting end of a report.
#[derive(Debug)]
pub(crate) struct Reply(Arc<Slot>);

/// The telling end. A library that forgets it tells that, too: nobody waits for ever.
struct Teller(Arc<Slot>);

impl Teller {
    fn tell(&self, outcome: Result<Delivered, ClientError>) {
        self.0.outcome.lock().get_or_insert(outcome);
        self.0.told.raise();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell(Err(ClientError::new(
            ErrorKind::NotRunning,
            "publishing",
            "the library ended before it knew",
        )));
    }
}

impl Reply {
    /// A report and the end that waits for it.
    pub(crate) fn new() -> (Report, Reply) {
        let slot = Arc::new(Slot::default());
        let teller = Teller(Arc::clone(&slot));
        (Box::new(move |outcome| teller.tell(outcome)), Reply(slot))
    }

    /// Blocks until it is told.
    pub(crate) fn wait(self) -> Result<Delivered, ClientError> {
        self.0.told.wait(None, || self.0.outcome.lock().take()).unwrap_or_else(never_told)
    }

    /// As [`wait`](Reply::wait), for a task.
    pub(crate) async fn wait_async(self) -> Result<Delivered, ClientError> {
        self.0.told.wait_async(None, || self.0.outcome.lock().take()).await.unwrap_or_else(never_told)
    }
}

/// Without a deadline a wait ends only with an outcome; this is for the type.
fn never_told() -> Result<Delivered, ClientError> {
    Err(ClientError::new(ErrorKind::NotRunning, "publishing", "the library ended before it knew"))
}

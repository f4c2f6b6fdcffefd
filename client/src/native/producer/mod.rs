//! The native producer.
//!
//! Threads that send encode their records straight into the batch of a partition ([`accumulator`]); one task sends batches, and
//! sends them again where that is needed ([`sender`], which runs the state machine in [`engine`]). Between them is an
//! [`inbox`].

mod accumulator;
mod batch;
mod budget;
mod engine;
mod inbox;
mod numbers;
mod partition;
mod partitioner;
mod request;
mod sender;
mod settings;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use self::accumulator::Accumulator;
use self::engine::Engine;
use self::sender::{Ended, Sender};
use self::settings::Settings;
use super::Cluster;
use crate::backend::{BoxFuture, OnUndelivered, ProducerBackend, RecordToSend, Refused, Report};
use crate::error::ClientError;
use crate::options::{ClientOptions, ProducerOptions};
use crate::signal::Signal;

/// The producer of the native library. Dropped without being closed, it gives up at once what is not settled.
#[derive(Debug)]
pub(crate) struct NativeProducer {
    accumulator: Arc<Accumulator>,
    ended: Arc<Ended>,
}

impl NativeProducer {
    /// A producer with connections of its own. Nothing is connected to before the first record.
    ///
    /// # Errors
    /// If options contradict each other or ask for what there is not, or the system gives no threads.
    pub(crate) fn new(
        client: &ClientOptions,
        options: &ProducerOptions,
        undelivered: Arc<dyn OnUndelivered>,
    ) -> Result<Self, ClientError> {
        let accumulator = Arc::new(Accumulator::new(Settings::new(client, options)?));
        let cluster = Cluster::new(client.clone(), true)?;
        let ended = Arc::new(Ended::default());
        let engine = Engine::new(Arc::clone(&accumulator), undelivered);
        let sender = Sender::new(engine, Arc::clone(&accumulator), cluster, Arc::clone(&ended));
        crate::runtime::handle()?.spawn(sender.run());
        Ok(NativeProducer { accumulator, ended })
    }

    /// As [`send`](ProducerBackend::send), of a record that has a number of its sender's. A sender gives numbers
    /// to all of its records that have no report, or to none. What cannot be delivered is told by them, to [`OnUndelivered::lost`].
    #[inline]
    pub(crate) fn send_numbered(&self, record: &RecordToSend<'_>, number: u64) -> Result<(), Refused> {
        self.accumulator.send(record, None, Some(number), &Instant::now)
    }

    fn has_ended(&self) -> Option<()> {
        self.ended.done.load(Ordering::SeqCst).then_some(())
    }
}

impl ProducerBackend for NativeProducer {
    #[inline]
    fn send(&self, record: &RecordToSend<'_>, report: Option<Report>) -> Result<(), Refused> {
        self.accumulator.send(record, report, None, &Instant::now)
    }

    fn room(&self) -> &Signal {
        self.accumulator.budget.room()
    }

    fn hurry(&self) {
        self.accumulator.inbox.hurry();
    }

    fn unacknowledged(&self) -> usize {
        self.accumulator.outstanding()
    }

    fn settled(&self) -> &Signal {
        &self.accumulator.settled
    }

    fn close(&self, deadline: Instant) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.accumulator.shut();
            self.accumulator.inbox.close(deadline);
            // The sender keeps the deadline itself.
            self.ended.signal.wait_async(None, || self.has_ended()).await;
        })
    }
}

impl Drop for NativeProducer {
    fn drop(&mut self) {
        self.accumulator.shut();
        self.accumulator.inbox.close(Instant::now());
    }
}

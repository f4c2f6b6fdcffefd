//! A producer of bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::{OnUndelivered, ProducerBackend, RecordToSend, Refused, Report};
use crate::details::after;
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};
use crate::factory::{Backends, Libraries};
use crate::native::producer::NativeProducer;
use crate::options::{ClientOptions, ProducerOptions};
use crate::record::{Delivered, Undelivered};
use crate::runtime;

/// Sends records of bytes to any topic. Made of options; may be shared between threads.
///
/// Each record has a number of its sender's, such as that of the line it came from. What cannot be delivered is told by these
/// numbers, many at a time, on a thread of the client's. Dropped without being closed, it gives up what is not delivered.
#[derive(Debug)]
pub struct Producer {
    backend: NativeProducer,
    max_block: Duration,
    delivery_timeout: Duration,
    _broker: Option<EmbeddedBroker>,
}

/// Told the numbers of records that could not be delivered, and why.
type OnLost = dyn Fn(&[u64], &ClientError) + Send + Sync;

/// Who wants to know what could not be delivered.
struct Lost(Box<OnLost>);

impl std::fmt::Debug for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lost")
    }
}

impl OnUndelivered for Lost {
    fn undelivered(&self, records: Vec<Undelivered>) {
        if let Some(first) = records.first() {
            (self.0)(&[], &first.reason);
        }
    }

    fn lost(&self, numbers: Vec<u64>, reason: &ClientError) {
        (self.0)(&numbers, reason);
    }
}

impl Producer {
    /// A producer with connections of its own. Nothing is connected to before the first record. `lost` is told of what
    /// could not be delivered; it must not block.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if options contradict each other; [`ErrorKind::System`] if the system gives no threads.
    pub fn new(
        client: &ClientOptions,
        options: &ProducerOptions,
        lost: impl Fn(&[u64], &ClientError) + Send + Sync + 'static,
    ) -> Result<Producer, ClientError> {
        let broker = Libraries.broker(&client.bootstrap)?;
        let backend = NativeProducer::new(client, options, Arc::new(Lost(Box::new(lost))))?;
        let (max_block, delivery_timeout) = (options.max_block, options.delivery_timeout);
        Ok(Producer { backend, max_block, delivery_timeout, _broker: broker })
    }

    /// Has a record accepted, without waiting: false if there is no room for it now. Order within a partition is that of
    /// acceptance.
    ///
    /// # Errors
    /// If it can never be sent as it is.
    #[inline]
    pub fn try_send(&self, record: &RecordToSend<'_>, number: u64) -> Result<bool, ClientError> {
        match self.backend.send_numbered(record, number) {
            Ok(()) => Ok(true),
            Err(Refused::Full(_)) => Ok(false),
            Err(Refused::Never(error)) => Err(error),
        }
    }

    /// Has a record accepted, waiting for room up to `max_block_ms`.
    ///
    /// # Errors
    /// As [`try_send`](Producer::try_send); [`ErrorKind::BufferFull`] if there was no room for so long.
    #[inline]
    pub fn send(&self, record: &RecordToSend<'_>, number: u64) -> Result<(), ClientError> {
        if self.try_send(record, number)? {
            return Ok(());
        }
        let again = |()| match self.try_send(record, number) {
            Ok(true) => Some(Ok(())),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        };
        self.when_there_is_room(record, again)
    }

    /// As [`send`](Producer::send), with a report of what became of the record, on a thread of the client's; it must not
    /// block. A record that is not accepted is not reported.
    ///
    /// # Errors
    /// As [`send`](Producer::send).
    pub fn send_reported(
        &self,
        record: &RecordToSend<'_>,
        report: impl FnOnce(Result<Delivered, ClientError>) + Send + 'static,
    ) -> Result<(), ClientError> {
        let mut report: Option<Report> = Some(Box::new(report));
        let attempt = |()| match self.backend.send(record, report.take()) {
            Ok(()) => Some(Ok(())),
            Err(Refused::Full(unused)) => {
                report = unused;
                None
            }
            Err(Refused::Never(error)) => Some(Err(error)),
        };
        self.when_there_is_room(record, attempt)
    }

    #[cold]
    fn when_there_is_room(
        &self,
        record: &RecordToSend<'_>,
        mut attempt: impl FnMut(()) -> Option<Result<(), ClientError>>,
    ) -> Result<(), ClientError> {
        let deadline = Instant::now().checked_add(self.max_block);
        self.backend.room().wait(deadline, || attempt(())).unwrap_or_else(|| {
            let why = format!(
                "{} records wait, and there was no room for another within max_block_ms ({})",
                self.unacknowledged(),
                self.max_block.as_millis()
            );
            let asked = format!("publishing to '{}'", record.topic);
            let remedy = "check that the broker can be reached, or make buffer_memory larger";
            Err(ClientError::new(ErrorKind::BufferFull, asked, why).remedy(remedy))
        })
    }

    /// Sends what waits, without lingering.
    pub fn hurry(&self) {
        self.backend.hurry();
    }

    /// Records that were accepted and are neither acknowledged nor given up.
    pub fn unacknowledged(&self) -> usize {
        self.backend.unacknowledged()
    }

    /// Waits until every record is acknowledged or given up; false if some are not by then. Where it gives true, all that
    /// was given up has been told.
    pub fn settle(&self, within: Duration) -> bool {
        let deadline = after(within);
        let mut settled = || (self.backend.unacknowledged() == 0).then_some(());
        loop {
            // Again and again: what learns only now where it goes would linger otherwise.
            self.backend.hurry();
            let next = (Instant::now() + HURRY_AGAIN).min(deadline);
            if self.backend.settled().wait(Some(next), &mut settled).is_some() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
        }
    }

    /// How long a record may take to be delivered before it is given up (`delivery_timeout_ms`).
    pub fn delivery_timeout(&self) -> Duration {
        self.delivery_timeout
    }

    /// Sends what waits, for so long at the most; gives up and tells what is left; and ends.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn close(&self, within: Duration) -> Result<(), ClientError> {
        runtime::block_on(self.backend.close(after(within)))
    }
}

/// How often waiting for the last acknowledgements hurries what lingers.
const HURRY_AGAIN: Duration = Duration::from_millis(50);

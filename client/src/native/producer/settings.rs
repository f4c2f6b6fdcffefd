//! A producer's options, checked and brought into the form in which they are used.

use std::time::Duration;

use klamm_protocol::batch::Codec;

use crate::error::{ClientError, ErrorKind};
use crate::options::{Acks, ClientOptions, Compression, Partitioner, ProducerOptions};

/// Requests that an idempotent producer may have under way: brokers remember that many batches of a partition.
pub(super) const MAX_IN_FLIGHT_IDEMPOTENT: usize = 5;

/// A batch has 32 bits for its length; this leaves room for what surrounds it in a request.
const MAX_BATCH_BYTES: usize = i32::MAX as usize - 65_536;

/// How long records wait behind a request that is under way where there is no linger, before they go out beside it.
const PATIENCE: Duration = Duration::from_millis(1);

/// Longer times than this are as good as for ever, and can be added to a clock's.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What the producer goes by.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) acks: Acks,
    pub(super) retries: u32,
    pub(super) batch_size: usize,
    /// Records of a batch at the most.
    pub(super) batch_records: i32,
    pub(super) linger: Duration,
    /// Without a linger: how long records wait while a request is under way to their broker.
    pub(super) patience: Duration,
    pub(super) codec: Codec,
    pub(super) max_in_flight: usize,
    pub(super) buffer_memory: usize,
    pub(super) idempotent: bool,
    pub(super) max_block: Duration,
    pub(super) delivery_timeout: Duration,
    pub(super) max_request_size: usize,
    pub(super) partitioner: Partitioner,
    pub(super) request_timeout: Duration,
    pub(super) retry_backoff: Duration,
    pub(super) retry_backoff_max: Duration,
}

impl Settings {
    /// # Errors
    /// If options contradict each other, or ask for what there is not.
    pub(super) fn new(client: &ClientOptions, producer: &ProducerOptions) -> Result<Self, ClientError> {
        let refuse = |kind, why: String, remedy: &str| {
            Err(ClientError::new(kind, "creating a producer", why).remedy(remedy))
        };
        if let Some(id) = &producer.transactional_id {
            return refuse(
                ErrorKind::Unsupported,
                format!("the native library has no transactions yet, and transactional_id is '{id}'"),
                "leave transactional_id out",
            );
        }
        let idempotent = producer.is_idempotent();
        if idempotent && producer.acks != Acks::All {
            let why = format!("enable_idempotence needs acks=all, and acks is {:?}", producer.acks);
            return refuse(ErrorKind::Config, why, "set acks to all, or enable_idempotence to false");
        }
        if producer.max_in_flight == 0 {
            let why = "max_in_flight_requests_per_connection is 0".to_owned();
            return refuse(ErrorKind::Config, why, "set it to 1 or more");
        }
        let asked_for = producer.enable_idempotence == Some(true);
        if asked_for && producer.max_in_flight > MAX_IN_FLIGHT_IDEMPOTENT {
            let why = format!(
                "enable_idempotence needs max_in_flight_requests_per_connection of {MAX_IN_FLIGHT_IDEMPOTENT} at the most, \
                 and it is {}",
                producer.max_in_flight
            );
            return refuse(ErrorKind::Config, why, "lower it, or set enable_idempotence to false");
        }
        let most = if idempotent { MAX_IN_FLIGHT_IDEMPOTENT } else { usize::MAX };
        Ok(Settings {
            acks: producer.acks,
            retries: if idempotent { u32::MAX } else { producer.retries },
            batch_size: producer.batch_size.min(MAX_BATCH_BYTES),
            batch_records: producer
                .batch_records
                .map_or(i32::MAX, |most| i32::try_from(most.max(1)).unwrap_or(i32::MAX)),
            linger: producer.linger.min(FOR_EVER),
            patience: PATIENCE,
            codec: match producer.compression {
                Compression::None => Codec::None,
                Compression::Gzip => Codec::Gzip,
                Compression::Snappy => Codec::Snappy,
                Compression::Lz4 => Codec::Lz4,
                Compression::Zstd => Codec::Zstd,
            },
            max_in_flight: producer.max_in_flight.min(most),
            buffer_memory: producer.buffer_memory,
            idempotent,
            max_block: producer.max_block.min(FOR_EVER),
            delivery_timeout: producer.delivery_timeout.min(FOR_EVER),
            max_request_size: producer.max_request_size.min(MAX_BATCH_BYTES),
            partitioner: producer.partitioner,
            request_timeout: client.request_timeout,
            retry_backoff: client.retry_backoff.min(FOR_EVER),
            retry_backoff_max: client.retry_backoff_max.min(FOR_EVER),
        })
    }

    /// Whether a partition may have one request under way only, so that its order outlives a retry.
    pub(super) fn one_at_a_time(&self) -> bool {
        !self.idempotent && self.max_in_flight == 1
    }

    /// The pause after so many failures in a row, 1 or more; `chance`, below 1000, spreads it by a fifth either way.
    pub(super) fn backoff(&self, failures: u32, chance: usize) -> Duration {
        let doubled = self.retry_backoff.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let spread = 800 + u32::try_from(chance).unwrap_or(0) * 400 / 1000;
        doubled.min(self.retry_backoff_max).saturating_mul(spread) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut ProducerOptions)) -> Result<Settings, ClientError> {
        let mut options = ProducerOptions::default();
        change(&mut options);
        Settings::new(&ClientOptions::default(), &options)
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let refused = |change: fn(&mut ProducerOptions)| settings(change).unwrap_err().kind();
        assert_eq!(refused(|o| o.transactional_id = Some("t".to_owned())), ErrorKind::Unsupported);
        assert_eq!(refused(|o| o.enable_idempotence = Some(true)), ErrorKind::Config);
        assert_eq!(refused(|o| o.max_in_flight = 0), ErrorKind::Config);
        let both = |o: &mut ProducerOptions| {
            (o.acks, o.enable_idempotence, o.max_in_flight) = (Acks::All, Some(true), 6);
        };
        assert_eq!(refused(both), ErrorKind::Config);
    }

    #[test]
    fn acks_of_all_make_it_idempotent() {
        let idempotent = settings(|o| (o.acks, o.max_in_flight) = (Acks::All, 8)).unwrap();
        assert!(idempotent.idempotent && idempotent.retries == u32::MAX);
        assert_eq!(idempotent.max_in_flight, MAX_IN_FLIGHT_IDEMPOTENT);
        let plain = settings(|o| o.max_in_flight = 8).unwrap();
        assert_eq!((plain.idempotent, plain.retries, plain.max_in_flight), (false, 0, 8));
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let settings = settings(|_| {}).unwrap();
        assert_eq!(settings.backoff(1, 500), Duration::from_millis(100));
        assert_eq!(settings.backoff(3, 500), Duration::from_millis(400));
        assert_eq!(settings.backoff(99, 0), Duration::from_millis(800));
        assert_eq!(settings.backoff(99, 999), Duration::from_millis(1199));
    }
}

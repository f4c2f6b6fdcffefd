//! How fast records are taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use klamm::raw::{Producer, RecordToSend};

use super::report::Figures;
use super::topic::Topic;
use super::{Bench, GRACE};
use crate::cli::connect::Cluster;
use crate::cli::data::histogram::Histogram;
use crate::cli::data::pace::Pace;
use crate::cli::error::Failure;
use crate::cli::output::grouped;
use crate::cli::signals::Interrupt;
use crate::cli::terminal::Progress;

/// At full speed the time of one in so many records is taken.
const SAMPLE_EVERY: u64 = 64;

/// Below this rate the time of each is.
const SAMPLE_ALL_BELOW: u32 = 20_000;

/// How often a person sees how far the test has come, and it is looked whether the end is asked for, in records.
const RECORDS_PER_LOOK: u64 = 1024;

/// Bytes that values are cut from.
const POOL_BYTES: usize = 64 * 1024;

impl Bench {
    pub(super) fn produce(
        &self,
        cluster: &Cluster,
        topic: &Topic,
        interrupt: &Interrupt,
    ) -> Result<Figures, Failure> {
        let (client, options) = self.sending.settle(cluster)?;
        let lost = Arc::new(AtomicU64::new(0));
        let first_loss = Arc::new(Mutex::new(None));
        let producer = Producer::new(&client, &options, {
            let (lost, first_loss) = (Arc::clone(&lost), Arc::clone(&first_loss));
            move |records, why| {
                lost.fetch_add(records.len() as u64, Ordering::SeqCst);
                let mut first = first_loss.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| why.clone());
            }
        })?;
        let latency = Arc::new(Mutex::new(Histogram::default()));
        let values = Values::new(self.value_size());
        let all = self.rate.is_some_and(|rate| rate < SAMPLE_ALL_BELOW);
        let every = if all { 1 } else { SAMPLE_EVERY };
        let mut pace = self.rate.map(Pace::new);
        let progress = Progress::new("produce", Some(self.records));
        let began = Instant::now();
        let mut sent = 0;
        while sent < self.records {
            if sent % RECORDS_PER_LOOK == 0 {
                progress.set(sent);
                progress.say(speed("produce", sent, began));
                if interrupt.is_asked() || lost.load(Ordering::Relaxed) > 0 {
                    break;
                }
            }
            if let Some(pace) = &mut pace
                && !pace.wait(interrupt)
            {
                break;
            }
            let record = RecordToSend {
                topic: &topic.name,
                partition: None,
                key: None,
                value: Some(values.get(sent)),
                headers: &[],
                timestamp: None,
            };
            if sent % every == 0 {
                let (begin, latency) = (Instant::now(), Arc::clone(&latency));
                let lost = Arc::clone(&lost);
                producer.send_reported(&record, move |done| match done {
                    Ok(_) => latency.lock().unwrap_or_else(PoisonError::into_inner).add(begin.elapsed()),
                    Err(_) => drop(lost.fetch_add(1, Ordering::SeqCst)),
                })?;
            } else {
                producer.send(&record, sent)?;
            }
            sent += 1;
        }
        producer.settle(options.delivery_timeout.saturating_add(GRACE));
        let took = began.elapsed();
        producer.close(GRACE)?;
        if let Some(error) = first_loss.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(cluster.explain(error).into());
        }
        let lost = lost.load(Ordering::SeqCst);
        let records = sent.saturating_sub(lost);
        let latency = latency.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = records.saturating_mul(self.value_size() as u64);
        Ok(Figures { test: "produce", records, bytes, took, lost, latency: Some(latency) })
    }
}

/// How fast it goes, for a person.
pub(super) fn speed(test: &str, records: u64, began: Instant) -> String {
    let seconds = began.elapsed().max(Duration::from_millis(1)).as_secs_f64();
    format!("{test}: {} records/s", grouped((records as f64 / seconds) as u64))
}

/// Values of letters and digits without a pattern, so that compression has something to do and not too much.
pub(super) struct Values {
    pool: Vec<u8>,
    size: usize,
}

impl Values {
    pub(super) fn new(size: usize) -> Self {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            LETTERS.get((state >> 58) as usize).copied().unwrap_or(b'_')
        };
        let pool = (0..size + POOL_BYTES).map(|_| letter()).collect();
        Values { pool, size }
    }

    /// The value of the record of this number.
    #[inline]
    pub(super) fn get(&self, number: u64) -> &[u8] {
        // Far apart, so that neighbours have nothing in common.
        let at = (number.wrapping_mul(8191) % POOL_BYTES as u64) as usize;
        self.pool.get(at..at + self.size).unwrap_or_default()
    }
}

//! How long a record takes from producer to consumer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use klamm::raw::{Producer, RecordToSend};
use klamm::{ClientError, ProducerOptions};

use super::produce::Values;
use super::report::Figures;
use super::topic::Topic;
use super::{Bench, GRACE};
use crate::cli::connect::Cluster;
use crate::cli::data::histogram::Histogram;
use crate::cli::data::options;
use crate::cli::data::pace::Pace;
use crate::cli::data::places::{self, Start, Wanted};
use crate::cli::data::reading::{Reading, UpTo};
use crate::cli::error::Failure;
use crate::cli::signals::Interrupt;
use crate::cli::terminal::Progress;

/// Records a second, unless one says otherwise: few enough to never wait for each other.
const RATE: u32 = 1000;

/// How long the last records are waited for once all are acknowledged.
const LAST_RECORDS: Duration = Duration::from_secs(10);

/// Bytes of the number at the beginning of each value.
const NUMBER_BYTES: usize = 8;

impl Bench {
    pub(super) fn latency(
        &self,
        cluster: &Cluster,
        topic: &Topic,
        interrupt: &Interrupt,
    ) -> Result<Figures, Failure> {
        let (client, mut sending) = self.sending.settle(cluster)?;
        if !self.sending.says_linger() && !cluster.config().has("linger.ms") {
            sending.linger = Duration::ZERO;
        }
        let name = topic.name.to_string();
        let wanted = Wanted {
            topics: std::slice::from_ref(&name),
            regex: false,
            partitions: &[],
            start: Start::End,
            until: None,
        };
        let places = places::find(cluster, &topic.admin, &wanted)?;
        let settings = options::consumer(cluster, None, None)?;
        let reading = Reading::begin((cluster, &topic.admin), settings, &places, UpTo::Place, false)?;
        let failed = Arc::new(Mutex::new(None));
        let lost = Arc::new(AtomicU64::new(0));
        let producer = Producer::new(&client, &sending, {
            let (failed, lost) = (Arc::clone(&failed), Arc::clone(&lost));
            move |records, why| {
                lost.fetch_add(records.len() as u64, Ordering::SeqCst);
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                let _: &mut ClientError = failed.get_or_insert_with(|| why.clone());
            }
        })?;
        let run = Run { began: Instant::now(), sent: AtomicU64::new(0), all_sent: AtomicBool::new(false) };
        let (took, latency) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| run.read(reading).map_err(|error| error.to_string()));
            let sent = self.send(&producer, topic, &sending, interrupt, &run);
            run.all_sent.store(true, Ordering::SeqCst);
            let latency = reader.join().map_err(|_| "the reading thread panicked".to_owned())??;
            Ok::<_, Failure>((sent?, latency))
        })?;
        producer.close(GRACE)?;
        if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(cluster.explain(error).into());
        }
        let records = latency.count();
        let bytes = records.saturating_mul(self.value_size().max(NUMBER_BYTES) as u64);
        let lost = lost.load(Ordering::SeqCst);
        Ok(Figures { test: "latency", records, bytes, took, lost, latency: Some(latency) })
    }

    fn send(
        &self,
        producer: &Producer,
        topic: &Topic,
        sending: &ProducerOptions,
        interrupt: &Interrupt,
        run: &Run,
    ) -> Result<Duration, Failure> {
        let values = Values::new(self.value_size().max(NUMBER_BYTES));
        let mut value = Vec::new();
        let mut pace = Pace::new(self.rate.unwrap_or(RATE));
        let progress = Progress::new("latency", Some(self.samples));
        for number in 0..self.samples {
            if !pace.wait(interrupt) {
                break;
            }
            value.clear();
            value.extend_from_slice(values.get(number));
            let record = |value| RecordToSend {
                topic: &topic.name,
                partition: None,
                key: None,
                value: Some(value),
                headers: &[],
                timestamp: None,
            };
            run.stamp(&mut value);
            producer.send(&record(&value), number)?;
            run.sent.fetch_add(1, Ordering::SeqCst);
            progress.set(number);
        }
        let took = run.began.elapsed();
        producer.settle(sending.delivery_timeout.saturating_add(GRACE));
        Ok(took)
    }
}

/// What the two sides know in common.
struct Run {
    began: Instant,
    sent: AtomicU64,
    all_sent: AtomicBool,
}

impl Run {
    /// Writes the present time to the beginning of a value.
    fn stamp(&self, value: &mut [u8]) {
        let nanos = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(place) = value.first_chunk_mut::<NUMBER_BYTES>() {
            *place = nanos.to_be_bytes();
        }
    }

    /// Reads until all that was sent has come, and says how long each took.
    fn read(&self, mut reading: Reading<'_>) -> Result<Histogram, Failure> {
        let mut latency = Histogram::default();
        let mut nothing_since = None;
        loop {
            let next = match reading.try_next()? {
                None => reading.wait()?,
                next => next,
            };
            let Some(record) = next else {
                // Known first: what is sent later than that is not all.
                let all_sent = self.all_sent.load(Ordering::SeqCst);
                if all_sent && latency.count() >= self.sent.load(Ordering::SeqCst) {
                    break;
                }
                let since = *nothing_since.get_or_insert_with(Instant::now);
                if all_sent && since.elapsed() >= LAST_RECORDS {
                    break;
                }
                continue;
            };
            nothing_since = None;
            let stamp = record.value.as_deref().and_then(|value| value.first_chunk::<NUMBER_BYTES>());
            // Others may write to the topic: what cannot be a time of this run is theirs.
            let sent = stamp.map(|stamp| Duration::from_nanos(u64::from_be_bytes(*stamp)));
            let now = self.began.elapsed();
            if let Some(took) = sent.and_then(|sent| now.checked_sub(sent)) {
                latency.add(took);
            }
        }
        reading.consumer.close(GRACE)?;
        Ok(latency)
    }
}

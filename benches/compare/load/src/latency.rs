//! librdkafka's end-to-end latency: from handing a record to a producer to getting it from a consumer.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

/// Records a second.
const RATE: u32 = 1000;

/// Records at the start that are not counted, while both clients find their feet.
const WARM_UP: usize = 500;

/// Median and 99th percentile in milliseconds, of `seconds` seconds at 1,000 records a second.
pub fn measure(port: u16, topic: &str, seconds: u32) -> Result<(f64, f64)> {
    let servers = format!("127.0.0.1:{port}");
    let count = (RATE * seconds) as usize + WARM_UP;
    let began = Instant::now();
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &servers).set("group.id", "compare").create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let reader = std::thread::spawn(move || -> Result<Vec<Duration>> {
        let mut latencies = Vec::with_capacity(count);
        let deadline = Instant::now() + Duration::from_secs(u64::from(seconds) + 30);
        while latencies.len() < count {
            ensure!(Instant::now() < deadline, "only {} of {count} records came back", latencies.len());
            let Some(message) = consumer.poll(Duration::from_millis(200)) else { continue };
            let message = message?;
            let sent = message.payload().and_then(|bytes| bytes.first_chunk::<8>()).map(|b| u64::from_be_bytes(*b));
            latencies.push(began.elapsed() - Duration::from_nanos(sent.unwrap_or(0)));
        }
        Ok(latencies)
    });
    let producer: ThreadedProducer<_> =
        ClientConfig::new().set("bootstrap.servers", &servers).set("linger.ms", "0").create()?;
    let start = Instant::now();
    for n in 0..count {
        let due = start + Duration::from_secs(1) / RATE * n as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut payload = [b'x'; 100];
        payload[..8].copy_from_slice(&(began.elapsed().as_nanos() as u64).to_be_bytes());
        let record: BaseRecord<'_, (), [u8]> = BaseRecord::to(topic).partition(0).payload(&payload);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(30))?;
    let latencies = reader.join().map_err(|_| anyhow::anyhow!("the consumer panicked"))??;
    let mut counted = latencies[WARM_UP..].to_vec();
    counted.sort();
    let percentile = |p: usize| counted[(counted.len() - 1) * p / 100].as_secs_f64() * 1000.0;
    Ok((percentile(50), percentile(99)))
}

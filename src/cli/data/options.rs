//! What producing and consuming commands are told of their clients, over defaults that suit whole streams of records.

use std::time::Duration;

use klamm::{ClientOptions, CommandConfig, ConsumerOptions, IsolationLevel, OffsetReset, ProducerOptions};

use crate::cli::connect::Cluster;
use crate::cli::error::Failure;
use crate::cli::times::duration;

/// What a client calls itself unless it is told otherwise.
const CLIENT_ID: &str = "klamm";

/// Bytes of a batch, unless one says otherwise: large enough for a request to cost little, and far below what brokers take.
const BATCH_BYTES: usize = 256 * 1024;

/// How long records wait for more to go with them, unless one says otherwise.
const LINGER: Duration = Duration::from_millis(5);

/// Bytes of a partition that are fetched at a time, and all that wait, unless one says otherwise.
const PARTITION_FETCH_BYTES: i32 = 4 * 1024 * 1024;
const FETCHED_BYTES: usize = 32 * 1024 * 1024;

// How records are sent.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Sending")]
pub(crate) struct SendArgs {
    /// Who has to have a record before it counts as delivered: 0 (nobody), 1 (the leader), all. [default: all]
    #[arg(long, value_name = "ACKS", allow_hyphen_values = true)]
    acks: Option<String>,

    /// How batches are compressed: none, gzip, snappy, lz4, zstd. [default: none]
    #[arg(short = 'z', long, value_name = "CODEC")]
    compression: Option<String>,

    /// Bytes of records that go together. [default: 262144]
    #[arg(long, value_name = "BYTES")]
    batch_size: Option<u32>,

    /// How long records wait for more to go with them. [default: 5ms]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    linger: Option<Duration>,
}

impl SendArgs {
    /// Whether it is said here how long records wait for more.
    pub(crate) fn says_linger(&self) -> bool {
        self.linger.is_some()
    }

    /// What a producer to the cluster is told: what is said here before what is said by `-X` and in files.
    pub(crate) fn settle(&self, cluster: &Cluster) -> Result<(ClientOptions, ProducerOptions), Failure> {
        let numbers = [
            ("batch.size", self.batch_size.map(|bytes| bytes.to_string())),
            ("linger.ms", self.linger.map(|time| time.as_millis().to_string())),
        ];
        let words = [("acks", self.acks.clone()), ("compression.type", self.compression.clone())];
        let pairs: Vec<_> =
            words.into_iter().chain(numbers).filter_map(|(name, value)| Some((name, value?))).collect();
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        let told = CommandConfig::from_pairs(pairs, "the command line")?.over(cluster.config().clone());
        let safe = CommandConfig::from_pairs([("acks", "all")], "the defaults")?;
        let with_acks = if told.has("enable.idempotence") { told.clone() } else { told.clone().over(safe) };
        let (client, mut producer) = with_acks.producer(CLIENT_ID)?;
        if !told.has("batch.size") {
            producer.batch_size = BATCH_BYTES;
        }
        if !told.has("linger.ms") {
            producer.linger = LINGER;
        }
        Ok((connect_in_time(client, cluster), producer))
    }
}

/// What is seen of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Isolation {
    /// Everything.
    ReadUncommitted,
    /// Only what was committed, or is part of no transaction.
    ReadCommitted,
}

/// What a consumer of the cluster's is told. Nothing is committed by itself, and an offset that is not there is an error.
pub(crate) fn consumer(
    cluster: &Cluster,
    group: Option<&str>,
    isolation: Option<Isolation>,
) -> Result<(ClientOptions, ConsumerOptions), Failure> {
    let told = cluster.config();
    let (client, mut consumer) = told.consumer(CLIENT_ID)?;
    if let Some(group) = group {
        group.clone_into(&mut consumer.group_id);
    }
    match isolation {
        Some(Isolation::ReadCommitted) => consumer.isolation_level = IsolationLevel::ReadCommitted,
        Some(Isolation::ReadUncommitted) => consumer.isolation_level = IsolationLevel::ReadUncommitted,
        None => {}
    }
    if !told.has("max.partition.fetch.bytes") {
        consumer.max_partition_fetch_bytes = PARTITION_FETCH_BYTES;
    }
    if !told.has("queued.max.messages.kbytes") {
        consumer.max_fetched_bytes = FETCHED_BYTES;
        // Bytes are what is bounded; small records may be many.
        consumer.max_depth = usize::MAX;
    }
    // Commits come after what was read has been written.
    consumer.enable_auto_commit = false;
    consumer.auto_offset_reset = OffsetReset::None;
    // Reading never makes a topic.
    consumer.allow_auto_create_topics = false;
    Ok((connect_in_time(client, cluster), consumer))
}

/// An attempt to connect may take no longer than the whole.
fn connect_in_time(mut client: ClientOptions, cluster: &Cluster) -> ClientOptions {
    client.connect_timeout = client.connect_timeout.min(cluster.timeout());
    client
}

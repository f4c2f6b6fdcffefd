//! What a client can be told, as types: what the config's keys come to, whatever spelling they were given in.
//!
//! Knows nothing of names and texts of options; those are the config's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where the first connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bootstrap {
    /// To the first of these addresses (`HOST:PORT`) that answers.
    Servers(Vec<String>),
    /// To the broker of this name within the process, started at first use.
    Embedded {
        /// The broker's name.
        name: String,
        /// The folder that it keeps its data in; none keeps it in memory.
        data_dir: Option<PathBuf>,
    },
}

/// What every client has in common.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Where the first connection goes.
    pub bootstrap: Bootstrap,
    /// The name by which a broker knows the client (`client_id`).
    pub client_id: String,
    /// How long an answer may take (`request_timeout_ms`).
    pub request_timeout: Duration,
    /// How long setting up a connection may take, handshakes included (`socket_connection_setup_timeout_ms`).
    pub connect_timeout: Duration,
    /// The pause before a broker that could not be reached is tried again, at first (`reconnect_backoff_ms`).
    pub reconnect_backoff: Duration,
    /// The longest such pause (`reconnect_backoff_max_ms`).
    pub reconnect_backoff_max: Duration,
    /// The pause before a request is tried again, at first (`retry_backoff_ms`).
    pub retry_backoff: Duration,
    /// The longest such pause (`retry_backoff_max_ms`).
    pub retry_backoff_max: Duration,
    /// After how long what is known of the cluster is asked for anew (`metadata_max_age_ms`).
    pub metadata_max_age: Duration,
    /// After how long an unused connection is closed (`connections_max_idle_ms`).
    pub connections_max_idle: Duration,
    /// The largest answer that is taken from a broker, in bytes (`receive_message_max_bytes`).
    pub max_answer_bytes: usize,
    /// How connections are secured.
    pub security: Security,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            bootstrap: Bootstrap::Servers(vec!["localhost:9092".to_owned()]),
            client_id: "klamm-client".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            connections_max_idle: Duration::from_secs(540),
            max_answer_bytes: 128 * 1024 * 1024,
            security: Security::default(),
        }
    }
}

/// How connections are secured (`security_protocol`): none of both, either, or both.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// Encryption, for `SSL` and `SASL_SSL`.
    pub tls: Option<TlsOptions>,
    /// Authentication, for `SASL_PLAINTEXT` and `SASL_SSL`.
    pub sasl: Option<SaslOptions>,
}

/// Encryption by TLS.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// A PEM file of the authorities to believe (`ssl_cafile`); none believes those that the system believes.
    pub ca_file: Option<PathBuf>,
    /// A PEM file of the client's own certificate (`ssl_certfile`).
    pub certificate_file: Option<PathBuf>,
    /// A PEM file of the client's own key (`ssl_keyfile`).
    pub key_file: Option<PathBuf>,
    /// Whether the broker's certificate must be for the host that was connected to (`ssl_check_hostname`).
    pub check_hostname: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        TlsOptions { ca_file: None, certificate_file: None, key_file: None, check_hostname: true }
    }
}

/// A way to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// `PLAIN`: the password goes over the connection.
    Plain,
    /// `SCRAM-SHA-256`.
    ScramSha256,
    /// `SCRAM-SHA-512`.
    ScramSha512,
}

/// Authentication by SASL.
#[derive(Clone)]
pub struct SaslOptions {
    /// The mechanism (`sasl_mechanism`).
    pub mechanism: SaslMechanism,
    /// The user's name (`sasl_plain_username`).
    pub username: String,
    /// The password (`sasl_plain_password`).
    pub password: String,
}

impl std::fmt::Debug for SaslOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaslOptions")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Who has to have a record before it counts as delivered (`acks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nobody: it counts once it is sent, and its offset is not known.
    None,
    /// The partition's leader.
    Leader,
    /// All replicas that are in sync.
    All,
}

/// How batches are compressed (`compression_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// How a record without a given partition finds one (`partitioner`). A record without a key goes to the partition whose
/// batch is being filled, and to another once that batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioner {
    /// The key's murmur2 hash, as Kafka's own clients do it.
    Murmur2,
    /// The key's CRC-32, as librdkafka does it by default.
    Consistent,
    /// Any, whatever the key.
    Random,
}

/// What a producer can be told.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// Who has to have a record before it counts as delivered.
    pub acks: Acks,
    /// How often a batch is sent again (`retries`). An idempotent producer tries until `delivery_timeout`.
    pub retries: u32,
    /// Bytes of records that are collected for a partition before they are sent (`batch_size`).
    pub batch_size: usize,
    /// Records that are collected for a partition before they are sent, however small they are
    /// (`batch.num.messages`); none: as many as `batch_size` takes.
    pub batch_records: Option<usize>,
    /// How long records wait for more to go with them (`linger_ms`).
    pub linger: Duration,
    /// How batches are compressed.
    pub compression: Compression,
    /// Requests that may be under way to a broker (`max_in_flight_requests_per_connection`).
    pub max_in_flight: usize,
    /// Bytes of records that may wait to be sent or acknowledged (`buffer_memory`).
    pub buffer_memory: usize,
    /// Records that may wait to be sent or acknowledged (`queue.buffering.max.messages`); none: as many as
    /// `buffer_memory` takes. Kept by the publisher, whatever the library.
    pub max_queued_records: Option<usize>,
    /// Whether the broker drops what it has already got (`enable_idempotence`); none: where `acks` is all.
    pub enable_idempotence: Option<bool>,
    /// The transactional id (`transactional_id`).
    pub transactional_id: Option<String>,
    /// How long publishing may wait for room in the buffer or for metadata (`max_block_ms`).
    pub max_block: Duration,
    /// How long after publishing a record that is not acknowledged counts as failed (`delivery_timeout_ms`).
    pub delivery_timeout: Duration,
    /// The largest request, and with it the largest record, in bytes (`max_request_size`).
    pub max_request_size: usize,
    /// How records find their partition.
    pub partitioner: Partitioner,
    /// Options of librdkafka's that have no counterpart here; for the `rdkafka` library only.
    pub passthrough: BTreeMap<String, String>,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        ProducerOptions {
            acks: Acks::Leader,
            retries: 0,
            batch_size: 16_384,
            batch_records: None,
            linger: Duration::ZERO,
            compression: Compression::None,
            max_in_flight: 5,
            buffer_memory: 33_554_432,
            max_queued_records: None,
            enable_idempotence: None,
            transactional_id: None,
            max_block: Duration::from_secs(60),
            delivery_timeout: Duration::from_secs(120),
            max_request_size: 1_048_576,
            partitioner: Partitioner::Murmur2,
            passthrough: BTreeMap::new(),
        }
    }
}

impl ProducerOptions {
    /// Whether the broker is to drop what it has already got.
    pub fn is_idempotent(&self) -> bool {
        self.enable_idempotence.unwrap_or(self.acks == Acks::All)
    }
}

/// Where a group begins that has committed nothing, or whose offset is gone (`auto_offset_reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record that is still there.
    Earliest,
    /// Behind the last record.
    Latest,
    /// Nowhere: it is an error.
    None,
}

/// What a reader sees of transactions (`isolation_level`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// Everything.
    ReadUncommitted,
    /// Only what is not part of a transaction, or of one that was committed.
    ReadCommitted,
}

/// How a group shares out partitions (`partition_assignment_strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignor {
    /// Each topic's partitions in ranges.
    Range,
    /// All partitions in turn.
    RoundRobin,
    /// As even as can be, with as few moves as can be; everybody gives up everything in between.
    Sticky,
    /// As sticky, but only what moves is given up.
    CooperativeSticky,
}

/// What a consumer can be told.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// The consumer group (`group_id`).
    pub group_id: String,
    /// The member's own lasting id, for static membership (`group_instance_id`).
    pub group_instance_id: Option<String>,
    /// Where to begin without a committed offset.
    pub auto_offset_reset: OffsetReset,
    /// Whether what was handed out is committed in the background (`enable_auto_commit`).
    pub enable_auto_commit: bool,
    /// How often (`auto_commit_interval_ms`).
    pub auto_commit_interval: Duration,
    /// Records that are handed out at a time, where they are handed out many at a time (`max_poll_records`).
    pub max_poll_records: usize,
    /// After how long without a heartbeat the group gives a member up (`session_timeout_ms`).
    pub session_timeout: Duration,
    /// How often a heartbeat is sent (`heartbeat_interval_ms`).
    pub heartbeat_interval: Duration,
    /// How long members have to join a rebalance (`max_poll_interval_ms`), and how long nothing may be taken while
    /// records wait before the member leaves its group.
    pub max_poll_interval: Duration,
    /// Bytes that a broker waits for before it answers a fetch (`fetch_min_bytes`).
    pub fetch_min_bytes: i32,
    /// How long it waits for them (`fetch_max_wait_ms`).
    pub fetch_max_wait: Duration,
    /// The most bytes of an answer to a fetch (`fetch_max_bytes`).
    pub fetch_max_bytes: i32,
    /// The most bytes of a partition in it (`max_partition_fetch_bytes`).
    pub max_partition_fetch_bytes: i32,
    /// What is seen of transactions.
    pub isolation_level: IsolationLevel,
    /// How partitions are shared out; the first that all members know.
    pub assignors: Vec<Assignor>,
    /// Whether checksums of batches are checked (`check_crcs`).
    pub check_crcs: bool,
    /// The rack that the client is in, to fetch from a replica near by (`client_rack`).
    pub client_rack: Option<String>,
    /// Whether asking for a topic may create it (`allow_auto_create_topics`).
    pub allow_auto_create_topics: bool,
    /// Whether internal topics can be subscribed to by pattern (`exclude_internal_topics`).
    pub exclude_internal_topics: bool,
    /// Records that may wait to be handed out; at that many fetching stops (`max_depth`).
    pub max_depth: usize,
    /// Bytes of fetched batches that may wait to be handed out; at that many fetching stops.
    pub max_fetched_bytes: usize,
    /// Options of librdkafka's that have no counterpart here; for the `rdkafka` library only.
    pub passthrough: BTreeMap<String, String>,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        ConsumerOptions {
            group_id: String::new(),
            group_instance_id: None,
            auto_offset_reset: OffsetReset::Latest,
            enable_auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            max_poll_records: 500,
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            fetch_min_bytes: 1,
            fetch_max_wait: Duration::from_millis(500),
            fetch_max_bytes: 52_428_800,
            max_partition_fetch_bytes: 1_048_576,
            isolation_level: IsolationLevel::ReadUncommitted,
            assignors: vec![Assignor::Range, Assignor::RoundRobin],
            check_crcs: true,
            client_rack: None,
            allow_auto_create_topics: true,
            exclude_internal_topics: true,
            max_depth: 100_000,
            max_fetched_bytes: 64 * 1024 * 1024,
            passthrough: BTreeMap::new(),
        }
    }
}

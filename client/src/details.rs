//! What publishers and subscribers say of themselves.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::factory::Library;
use crate::record::TopicPartition;

/// What a publisher says of itself. Serialises to JSON, times as milliseconds since 1970.
#[derive(Debug, Clone, Serialize)]
pub struct PublisherDetails {
    /// Its name.
    pub name: String,
    /// Where it publishes to: `kafka://topic/NAME`.
    pub destination: String,
    /// The library behind it.
    pub library: Library,
    /// Records that were accepted so far.
    pub publish_count: u64,
    /// When the last one was; none before the first.
    #[serde(serialize_with = "milliseconds")]
    pub last_publish: Option<SystemTime>,
    /// Records that were accepted and are neither acknowledged nor given up.
    pub queue_depth: usize,
    /// Accepted records that could not be delivered.
    pub failed_count: u64,
}

/// What a subscriber says of itself. Serialises to JSON, times as milliseconds since 1970.
#[derive(Debug, Clone, Serialize)]
pub struct SubscriberDetails {
    /// Its name.
    pub name: String,
    /// Where it reads from: `kafka://topic/NAME`.
    pub source: String,
    /// Its consumer group.
    pub group: String,
    /// The library behind it.
    pub library: Library,
    /// Records that were handed out so far, those that did not decode included.
    pub receive_count: u64,
    /// When the last one was; none before the first.
    #[serde(serialize_with = "milliseconds")]
    pub last_receive: Option<SystemTime>,
    /// Records that were fetched and wait to be handed out.
    pub current_depth: usize,
    /// The partitions that are its own now, with where reading stands.
    pub assignment: Vec<AssignedPartition>,
    /// Records that were written and not handed out yet, over all its partitions; none while that is not known.
    pub lag: Option<i64>,
    /// Payloads that did not decode.
    pub undecodable_count: u64,
    /// Records that went to the dead-letter topic.
    pub dead_letter_count: u64,
}

/// A partition that a subscriber reads, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssignedPartition {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset of the record that is handed out next; none until reading has begun.
    pub position: Option<i64>,
    /// Records between that and the end of the partition; none while the end is not known.
    pub lag: Option<i64>,
}

impl AssignedPartition {
    /// Topic and partition.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.partition)
    }
}

fn milliseconds<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).serialize(serializer)
}

/// So long from now; what no clock can hold is a year.
pub(crate) fn after(time: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(31_536_000);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + YEAR)
}

/// The present time in milliseconds since 1970.
pub(crate) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time that was kept as milliseconds since 1970; 0 is none.
pub(crate) fn time_of(millis: i64) -> Option<SystemTime> {
    let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0)?;
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

//! Topic configs as the options of the logs that hold the topic's records: the one place where names become fields.

use klamm_storage::{CompressionType, LogOptions, TimestampType};

use crate::config::layers::{Layers, Overrides, topic_definition};
use crate::config::value::Value;

impl Layers {
    /// What a topic with these configs of its own asks of its logs.
    pub(crate) fn log_options(&self, overrides: &Overrides) -> LogOptions {
        let value = |name: &str| topic_definition(name).and_then(|known| self.topic_value(known, overrides));
        let number = |name: &str| match value(name) {
            Some(Value::Number(number)) => number,
            _ => 0,
        };
        // Byte counts are checked to be positive ints.
        let bytes = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
        let level = |name: &str| i32::try_from(number(name)).unwrap_or(-1);
        let policies = match value("cleanup.policy") {
            Some(Value::List(policies)) => policies,
            _ => Vec::new(),
        };
        let has = |policy: &str| policies.iter().any(|one| one == policy);
        let text = |name: &str| value(name).map(|value| value.to_string()).unwrap_or_default();
        // A test's segments may be smaller than `segment.bytes` allows.
        let segment_bytes = match number("internal.segment.bytes") {
            0 => bytes("segment.bytes"),
            _ => bytes("internal.segment.bytes"),
        };
        LogOptions {
            segment_bytes,
            segment_ms: number("segment.ms"),
            segment_jitter_ms: number("segment.jitter.ms"),
            segment_index_bytes: bytes("segment.index.bytes"),
            index_interval_bytes: bytes("index.interval.bytes"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
            flush_messages: number("flush.messages"),
            flush_ms: number("flush.ms"),
            max_message_bytes: bytes("max.message.bytes"),
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            timestamp_type: match text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            compact: has("compact"),
            delete: has("delete"),
            compression: match text("compression.type").as_str() {
                "uncompressed" => CompressionType::Uncompressed,
                "gzip" => CompressionType::Gzip,
                "snappy" => CompressionType::Snappy,
                "lz4" => CompressionType::Lz4,
                "zstd" => CompressionType::Zstd,
                _ => CompressionType::Producer,
            },
            gzip_level: level("compression.gzip.level"),
            lz4_level: level("compression.lz4.level"),
            zstd_level: level("compression.zstd.level"),
            delete_retention_ms: number("delete.retention.ms"),
            file_delete_delay_ms: number("file.delete.delay.ms"),
            preallocate: matches!(value("preallocate"), Some(Value::Bool(true))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_of_defaults_has_the_storage_crates_defaults() {
        let options = Layers::default().log_options(&Overrides::new());
        assert_eq!(format!("{options:?}"), format!("{:?}", LogOptions::default()));
    }

    #[test]
    fn names_become_fields() {
        let own = [
            ("cleanup.policy", "compact, delete"),
            ("segment.bytes", "2000000"),
            ("retention.ms", "-1"),
            ("compression.type", "zstd"),
            ("message.timestamp.type", "LogAppendTime"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let options = Layers::default().log_options(&own);
        assert!(options.compact && options.delete);
        assert_eq!((options.segment_bytes, options.retention_ms), (2_000_000, -1));
        assert!(matches!(options.compression, CompressionType::Zstd));
        assert!(matches!(options.timestamp_type, TimestampType::LogAppendTime));
    }
}

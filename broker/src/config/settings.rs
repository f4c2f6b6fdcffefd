//! The broker configs that other parts act on, typed, as one value that is replaced whole when a config changes.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::config::layers::Layers;
use crate::config::value::{Value, split_list};

/// The selector of replicas that sends readers to one in their rack (KIP-392).
const BY_RACK: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

impl BrokerSettings {
    /// Whether a reader that tells its rack is sent to a replica in it.
    pub(crate) fn selects_by_rack(&self) -> bool {
        self.replica_selector_class.as_deref() == Some(BY_RACK)
    }

    /// How many connections `ip` may have at once.
    pub(crate) fn max_connections_from(&self, ip: IpAddr) -> usize {
        let limit = self.max_connections_per_ip_overrides.0.get(&ip).copied();
        limit.unwrap_or_else(|| usize::try_from(self.max_connections_per_ip).unwrap_or(0))
    }
}

/// A type that a config's value can be read as.
trait FromValue {
    fn from_value(value: Option<Value>) -> Self;
}

impl FromValue for i64 {
    fn from_value(value: Option<Value>) -> i64 {
        match value {
            Some(Value::Number(number)) => number,
            _ => 0,
        }
    }
}

impl FromValue for i32 {
    fn from_value(value: Option<Value>) -> i32 {
        i32::try_from(i64::from_value(value)).unwrap_or(i32::MAX)
    }
}

impl FromValue for bool {
    fn from_value(value: Option<Value>) -> bool {
        value == Some(Value::Bool(true))
    }
}

impl FromValue for Option<String> {
    fn from_value(value: Option<Value>) -> Option<String> {
        value.map(|value| value.to_string())
    }
}

/// How many connections each of some addresses may have. A host that is given by its name is left out: only addresses
/// are looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ConnectionLimits(HashMap<IpAddr, usize>);

impl FromValue for ConnectionLimits {
    fn from_value(value: Option<Value>) -> ConnectionLimits {
        let text = value.map(|value| value.to_string()).unwrap_or_default();
        let pairs = split_list(&text).into_iter().filter_map(|pair| {
            let (host, count) = pair.rsplit_once(':')?;
            Some((host.trim().trim_matches(['[', ']']).parse().ok()?, count.trim().parse().unwrap_or(0)))
        });
        ConnectionLimits(pairs.collect())
    }
}

macro_rules! settings {
    ($($field:ident: $type:ty = $name:literal;)*) => {
        /// The broker's configs that something acts on. Each field is named after its config.
        #[derive(Debug, Clone)]
        pub(crate) struct BrokerSettings {
            $(#[doc = concat!("`", $name, "`")] pub(crate) $field: $type,)*
        }

        impl BrokerSettings {
            pub(crate) fn of(layers: &Layers) -> BrokerSettings {
                BrokerSettings { $($field: <$type>::from_value(layers.value($name)),)* }
            }

            /// The configs behind the fields.
            #[cfg(test)]
            pub(crate) const NAMES: &[&str] = &[$($name),*];
        }
    };
}

settings! {
    node_id: i32 = "node.id";
    broker_rack: Option<String> = "broker.rack";
    replica_selector_class: Option<String> = "replica.selector.class";
    num_partitions: i32 = "num.partitions";
    default_replication_factor: i32 = "default.replication.factor";
    auto_create_topics_enable: bool = "auto.create.topics.enable";
    delete_topic_enable: bool = "delete.topic.enable";
    fetch_max_bytes: i32 = "fetch.max.bytes";
    max_incremental_fetch_session_cache_slots: i32 = "max.incremental.fetch.session.cache.slots";
    max_request_partition_size_limit: i32 = "max.request.partition.size.limit";
    socket_request_max_bytes: i32 = "socket.request.max.bytes";
    queued_max_request_bytes: i64 = "queued.max.request.bytes";
    connections_max_idle_ms: i64 = "connections.max.idle.ms";
    max_connections: i32 = "max.connections";
    max_connections_per_ip: i32 = "max.connections.per.ip";
    max_connections_per_ip_overrides: ConnectionLimits = "max.connections.per.ip.overrides";
    log_retention_check_interval_ms: i64 = "log.retention.check.interval.ms";
    log_flush_scheduler_interval_ms: i64 = "log.flush.scheduler.interval.ms";
    log_flush_offset_checkpoint_interval_ms: i32 = "log.flush.offset.checkpoint.interval.ms";
    producer_id_expiration_ms: i32 = "producer.id.expiration.ms";
    group_min_session_timeout_ms: i32 = "group.min.session.timeout.ms";
    group_max_session_timeout_ms: i32 = "group.max.session.timeout.ms";
    group_initial_rebalance_delay_ms: i32 = "group.initial.rebalance.delay.ms";
    group_max_size: i32 = "group.max.size";
    offset_metadata_max_bytes: i32 = "offset.metadata.max.bytes";
    offsets_retention_minutes: i32 = "offsets.retention.minutes";
    offsets_retention_check_interval_ms: i64 = "offsets.retention.check.interval.ms";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_a_config_and_reads_its_default() {
        for name in BrokerSettings::NAMES {
            assert!(crate::config::layers::broker_definition(name).is_some(), "{name}");
        }
        let settings = BrokerSettings::of(&Layers::default());
        assert_eq!(settings.num_partitions, 1);
        assert_eq!(settings.socket_request_max_bytes, 104_857_600);
        assert_eq!(settings.max_connections, i32::MAX);
        assert_eq!(settings.queued_max_request_bytes, -1);
        assert!(settings.auto_create_topics_enable);
        assert_eq!(settings.broker_rack, None);
    }

    #[test]
    fn an_address_can_have_a_limit_of_its_own() {
        let overrides = "127.0.0.1:5, ::1:6,some.host:7".to_owned();
        let fixed = [("max.connections.per.ip.overrides".to_owned(), overrides)].into();
        let settings = BrokerSettings::of(&Layers { fixed, ..Layers::default() });
        assert_eq!(settings.max_connections_from("127.0.0.1".parse().unwrap()), 5);
        assert_eq!(settings.max_connections_from("::1".parse().unwrap()), 6);
        assert_eq!(settings.max_connections_from("127.0.0.2".parse().unwrap()), i32::MAX as usize);
    }
}

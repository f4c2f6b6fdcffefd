//! Broker and topic configs (placeholder until the real store lands).
use klamm_storage::LogOptions;
use std::collections::BTreeMap;
use std::sync::Arc;
/// A config that cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);
impl ConfigError {
    pub(crate) fn new(s: impl Into<String>) -> Self {
        ConfigError(s.into())
    }
}
#[derive(Debug, Clone)]
pub(crate) struct BrokerSettings {
    pub(crate) node_id: i32,
    pub(crate) broker_rack: Option<String>,
    pub(crate) num_partitions: i32,
    pub(crate) auto_create_topics_enable: bool,
    pub(crate) fetch_max_bytes: i32,
    pub(crate) socket_request_max_bytes: i32,
    pub(crate) connections_max_idle_ms: i64,
    pub(crate) max_connections: i32,
    pub(crate) max_connections_per_ip: i32,
    pub(crate) queued_max_request_bytes: i64,
    pub(crate) max_incremental_fetch_session_cache_slots: i32,
    pub(crate) log_retention_check_interval_ms: i64,
}
pub(crate) struct ConfigStore(Arc<BrokerSettings>);
impl ConfigStore {
    pub(crate) fn new(_s: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Ok(ConfigStore(Arc::new(BrokerSettings {
            node_id: 1,
            broker_rack: None,
            num_partitions: 1,
            auto_create_topics_enable: true,
            fetch_max_bytes: 57_671_680,
            socket_request_max_bytes: 104_857_600,
            connections_max_idle_ms: 600_000,
            max_connections: i32::MAX,
            max_connections_per_ip: i32::MAX,
            queued_max_request_bytes: -1,
            max_incremental_fetch_session_cache_slots: 1000,
            log_retention_check_interval_ms: 300_000,
        })))
    }
    pub(crate) fn settings(&self) -> Arc<BrokerSettings> {
        self.0.clone()
    }
    pub(crate) fn topic_options(&self, _o: &BTreeMap<String, String>) -> Arc<LogOptions> {
        Arc::new(LogOptions::default())
    }
    pub(crate) fn internal_topic(&self, _name: &str) -> (i32, BTreeMap<String, String>) {
        (50, BTreeMap::new())
    }
    pub(crate) fn apply(&self, _t: i8, _n: &str, _k: &str, _v: Option<&str>) {}
}

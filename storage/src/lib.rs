//! TEMPORARY stand-in with the public signatures, replaced by the real crate.
#![allow(missing_docs)]
use bytes::{BufMut, Bytes, BytesMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use uuid::Uuid;
#[derive(Debug, Clone)]
pub enum Home {
    Memory,
    Folder(PathBuf),
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionType {
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub segment_bytes: u32,
    pub segment_ms: i64,
    pub retention_ms: i64,
    pub retention_bytes: i64,
    pub max_message_bytes: u32,
    pub timestamp_type: TimestampType,
    pub compact: bool,
    pub delete: bool,
    pub compression: CompressionType,
}
impl Default for LogOptions {
    fn default() -> Self {
        LogOptions {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            compact: false,
            delete: true,
            compression: CompressionType::Producer,
        }
    }
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub String);
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StorageErrorOld(pub String);
pub struct ActiveProducer {
    pub producer_id: i64,
    pub epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: i64,
}
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("x")]
    OffsetOutOfRange { offset: i64, start: i64, end: i64 },
    #[error("{0}")]
    Failed(String),
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AppendError(pub String);
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("out of range")]
    OffsetOutOfRange { offset: i64 },
    #[error("{0}")]
    Other(String),
}
#[derive(Debug, Default)]
pub struct ManagerSettings {}
pub struct LogManager {
    home: Home,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Client,
    Coordinator,
}
#[derive(Debug, Clone, Copy)]
pub struct AppendContext {
    pub now_ms: i64,
    pub leader_epoch: i32,
    pub origin: Origin,
}
#[derive(Debug, Clone, Copy)]
pub struct Appended {
    pub base_offset: i64,
    pub last_offset: i64,
    pub log_append_time: i64,
    pub log_start_offset: i64,
    pub duplicate: bool,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUpTo {
    HighWatermark,
    LastStableOffset,
    LogEnd,
}
#[derive(Debug)]
pub struct Read {
    pub records: Bytes,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub log_end_offset: i64,
}
impl LogManager {
    pub fn open(home: &Home, _s: ManagerSettings) -> Result<Self, OpenError> {
        Ok(LogManager { home: home.clone() })
    }
    pub fn open_log(
        &self,
        topic: &str,
        partition: i32,
        _id: Uuid,
        options: Arc<LogOptions>,
        _now: i64,
    ) -> Result<Arc<Log>, OpenError> {
        Ok(Arc::new(Log {
            topic: topic.into(),
            partition,
            options: Mutex::new(options),
            data: Mutex::default(),
        }))
    }
    pub fn delete_log(&self, _l: &Arc<Log>) -> Result<(), StorageError> {
        Ok(())
    }
    pub fn checkpoint(&self) -> Result<(), StorageError> {
        Ok(())
    }
    pub fn close(&self) -> Result<(), StorageError> {
        Ok(())
    }
    pub fn home(&self) -> &Home {
        &self.home
    }
    pub fn disk_space(&self) -> Option<(u64, u64)> {
        None
    }
    pub fn cluster_id(&self, f: impl FnOnce() -> String) -> Result<String, OpenError> {
        Ok(f())
    }
}
pub struct Log {
    topic: String,
    partition: i32,
    options: Mutex<Arc<LogOptions>>,
    data: Mutex<Data>,
}
#[derive(Default)]
struct Data {
    batches: Vec<(i64, Bytes)>,
    end: i64,
}
impl Log {
    pub fn topic(&self) -> &str {
        &self.topic
    }
    pub fn partition(&self) -> i32 {
        self.partition
    }
    pub fn append(&self, records: &Bytes, cx: &AppendContext) -> Result<Appended, AppendError> {
        let mut d = self.data.lock().unwrap_or_else(|e| e.into_inner());
        let base = d.end;
        let Some(n) = records.get(57..61).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes) else {
            return Err(AppendError("short".into()));
        };
        let mut b = BytesMut::from(&records[..]);
        (&mut b[0..8]).put_i64(base);
        (&mut b[12..16]).put_i32(cx.leader_epoch);
        d.batches.push((base, b.freeze()));
        d.end += i64::from(n);
        Ok(Appended {
            base_offset: base,
            last_offset: d.end - 1,
            log_append_time: -1,
            log_start_offset: 0,
            duplicate: false,
        })
    }
    pub fn read(&self, offset: i64, max: usize, one: bool, _u: ReadUpTo) -> Result<Read, ReadError> {
        let d = self.data.lock().unwrap_or_else(|e| e.into_inner());
        if offset < 0 || offset > d.end {
            return Err(ReadError::OffsetOutOfRange { offset });
        }
        let i = d.batches.partition_point(|(b, _)| *b <= offset).saturating_sub(1);
        let mut out = BytesMut::new();
        if offset < d.end {
            for (_, b) in &d.batches[i..] {
                if out.len() + b.len() > max && !(one && out.is_empty()) {
                    break;
                }
                out.extend_from_slice(b);
            }
        }
        Ok(Read {
            records: out.freeze(),
            high_watermark: d.end,
            last_stable_offset: d.end,
            log_start_offset: 0,
            log_end_offset: d.end,
        })
    }
    pub fn log_start_offset(&self) -> i64 {
        0
    }
    pub fn high_watermark(&self) -> i64 {
        self.log_end_offset()
    }
    pub fn last_stable_offset(&self) -> i64 {
        self.log_end_offset()
    }
    pub fn log_end_offset(&self) -> i64 {
        self.data.lock().unwrap_or_else(|e| e.into_inner()).end
    }
    pub fn end_offset_for_epoch(&self, e: i32) -> (i32, i64) {
        (e, self.log_end_offset())
    }
    pub fn delete_records(&self, b: i64) -> Result<i64, StorageError> {
        Ok(b)
    }
    pub fn options(&self) -> Arc<LogOptions> {
        self.options.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
    pub fn set_options(&self, o: Arc<LogOptions>) {
        *self.options.lock().unwrap_or_else(|e| e.into_inner()) = o;
    }
    pub fn roll_if_due(&self, _n: i64) -> Result<(), StorageError> {
        Ok(())
    }
    pub fn apply_retention(&self, _n: i64) -> Result<(), StorageError> {
        Ok(())
    }
    pub fn flush_if_due(&self, _n: i64) -> Result<(), StorageError> {
        Ok(())
    }
    pub fn expire_producers(&self, _n: i64) {}
    pub fn offset_for_timestamp(&self, _ts: i64) -> Result<Option<(i64, i64)>, ReadError> {
        Ok(None)
    }
    pub fn max_timestamp(&self) -> Result<Option<(i64, i64)>, ReadError> {
        Ok(None)
    }
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        Vec::new()
    }
    pub fn size_bytes(&self) -> u64 {
        0
    }
}
pub mod batch {
    use super::*;
    pub struct RecordToWrite {
        pub key: Option<Bytes>,
        pub value: Option<Bytes>,
        pub headers: Vec<(String, Option<Bytes>)>,
        pub timestamp: i64,
    }
    #[derive(Default)]
    pub struct BuildOptions {}
    pub fn build(_r: impl IntoIterator<Item = RecordToWrite>, _o: &BuildOptions) -> Bytes {
        Bytes::new()
    }
    pub fn uses_zstd(_r: &Bytes) -> bool {
        false
    }
    pub struct Record {
        pub key: Option<Bytes>,
        pub value: Option<Bytes>,
        pub offset: i64,
    }
    pub fn batches(_b: &Bytes) -> Vec<Bytes> {
        Vec::new()
    }
    pub fn records(_b: &Bytes) -> Result<Vec<Record>, StorageError> {
        Ok(Vec::new())
    }
}

//! The partition log of Klamm: segmented, memory-mapped, in Apache Kafka's own format on disk.
//!
//! A [`LogManager`] has a [`Home`], in memory or in a data folder, and opens [`Log`]s in it. Appending assigns offsets;
//! reading gives slices of the memory map, without a lock and without a copy. What clients send is checked as Kafka checks
//! it ([`AppendError`]).
//!
//! Synchronous throughout. Knows nothing of networks, async or requests.
//!
//! ```
//! use klamm_storage::batch::{self, BuildOptions, RecordToWrite};
//! use klamm_storage::{AppendContext, Home, LogManager, LogOptions, ManagerSettings, Origin, ReadUpTo};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let logs = LogManager::open(&Home::Memory, ManagerSettings::default())?;
//! let log = logs.open_log("events", 0, uuid::Uuid::from_u128(1), LogOptions::default().into(), 0)?;
//! let record = RecordToWrite { value: Some("hello".into()), ..Default::default() };
//! let appended = log.append(
//!     &batch::build([record], &BuildOptions::default()),
//!     &AppendContext { now_ms: 0, leader_epoch: 0, origin: Origin::Client, fault: None },
//! )?;
//! let read = log.read(appended.base_offset, 1024, true, ReadUpTo::HighWatermark)?;
//! let batch = batch::batches(&read.records).next().ok_or("nothing was read")?;
//! assert_eq!(batch::records(&batch)?[0].value.as_deref(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod epochs;
mod error;
mod fs;
mod image;
pub mod inspect;
mod log;
mod manager;
mod mmap;
mod options;
mod populate;
mod producer;
mod recompress;
mod segment;
mod shared;
mod validate;

pub use error::{AppendError, OpenError, ReadError, StorageError};
pub use fs::Faults;
pub use image::{ImageError, LogImage};
pub use klamm_protocol::batch;
pub use log::{AppendContext, Appended, DiskFault, Log, Origin, Read, ReadUpTo, RetentionDone};
pub use manager::{FoundLog, FrozenLog, LogManager};
pub use mmap::release_program;
pub use options::{CompressionType, Home, LogOptions, ManagerSettings, TimestampType};
pub use producer::ProducerInfo;
pub use segment::read::TimestampOffset;

//! What stands between a Fetch request and the logs: sessions, reading and waiting, and the answer's bytes.

mod answer;
mod reader;
mod session;

pub(crate) use answer::{Endpoint, FetchAnswer, FetchedPartition, FetchedTopic};
pub(crate) use reader::{Near, Reader, Target};
pub(crate) use session::{FetchSessions, PartitionKey, Plan, SessionRequest};

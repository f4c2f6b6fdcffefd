//! The ways to a broker: TCP, and a channel within the process. Both end in the same dispatch.

mod in_process;
pub(crate) mod tcp;

pub(crate) use in_process::connect;
pub use in_process::{InProcessConnection, InProcessReceiver, InProcessSender, Unsent};

//! The runtime on which all clients of a process do their work in the background, whatever the caller runs on.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{ClientError, ErrorKind};

/// Threads that send, fetch and keep groups alive, for all publishers and subscribers of a process.
const WORKERS: usize = 2;

/// The runtime's handle. It is started at first use and lives as long as the process.
///
/// # Errors
/// If the system gives no threads.
pub(crate) fn handle() -> Result<&'static Handle, ClientError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(WORKERS).thread_name("klamm-client").enable_all();
        builder.build().map_err(|error| error.to_string())
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle()),
        Err(why) => Err(ClientError::new(ErrorKind::System, "starting the client's threads", why.clone())
            .remedy("raise the limit on threads of this process")),
    }
}

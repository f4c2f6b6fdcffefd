//! Producers and consumers that outlast their broker, over either library.

mod buffering;
mod consumer;
mod producer;

use std::time::Duration;

pub use consumer::ResilientConsumer;
pub use producer::{ResilientDetails, ResilientProducer};

use crate::options::Bootstrap;

/// Whether somebody listens at one of the addresses. An embedded broker is always there.
async fn reachable(bootstrap: &Bootstrap, timeout: Duration) -> bool {
    let Bootstrap::Servers(servers) = bootstrap else { return true };
    for server in servers {
        let connecting = tokio::net::TcpStream::connect(server.as_str());
        if let Ok(Ok(_)) = tokio::time::timeout(timeout, connecting).await {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests;

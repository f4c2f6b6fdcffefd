//! Who coordinates which group: asked for once, remembered until somebody says that it is wrong.

use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Cluster, Lane, Node};
use crate::error::{ClientError, ErrorKind};
use crate::native::retry::{Remedy, remedy};

/// The version from which on one request can ask for several.
const BATCHED: i16 = 4;

/// How many coordinators are remembered; beyond that all are asked for anew.
const MOST_REMEMBERED: usize = 100_000;

impl Cluster {
    /// The broker that coordinates a group. Asks as often as it takes until one is there.
    pub(crate) async fn coordinator(&self, group: &str, deadline: Instant) -> Result<i32, ClientError> {
        if let Some(node) = self.coordinators.lock().get(group) {
            return Ok(*node);
        }
        let mut backoff = self.retry_backoff();
        loop {
            let error = match self.ask_for_coordinator(group, deadline).await {
                Ok(node) => {
                    let mut known = self.coordinators.lock();
                    if known.len() >= MOST_REMEMBERED {
                        known.clear();
                    }
                    known.insert(Arc::from(group), node);
                    return Ok(node);
                }
                Err(error) => error,
            };
            let passes = match error.code() {
                Some(code) => remedy(code) != Remedy::None,
                None => error.is_retriable(),
            };
            let pause = Instant::now() + backoff.next();
            if !passes || pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep_until(pause.into()).await;
        }
    }

    /// Forgets who coordinates: it has said that it does not, or cannot be reached.
    pub(crate) fn forget_coordinator(&self, group: &str) {
        self.coordinators.lock().remove(group);
    }

    async fn ask_for_coordinator(&self, group: &str, deadline: Instant) -> Result<i32, ClientError> {
        let asked = || format!("looking for the coordinator of the group '{group}'");
        let connection = self.connection(Node::Any, Lane::Control, deadline).await?;
        let version = connection.version::<FindCoordinatorRequest>(i16::MAX)?;
        let name = StrBytes::from_string(group.to_owned());
        let request = if version >= BATCHED {
            FindCoordinatorRequest::default().with_coordinator_keys(vec![name])
        } else {
            FindCoordinatorRequest::default().with_key(name)
        };
        let answer = connection.call(&request, version, self.patience(deadline)).await?;
        let Some(found) = found(&answer, version) else {
            return Err(ClientError::new(ErrorKind::MalformedAnswer, asked(), "the answer names nobody"));
        };
        if let Some(error) = ResponseError::try_from_code(found.code) {
            return Err(ClientError::from_code(error, asked(), found.message));
        }
        self.note_address(found.node, found.host, found.port);
        Ok(found.node)
    }
}

struct Found<'a> {
    code: i16,
    message: Option<&'a str>,
    node: i32,
    host: &'a str,
    port: i32,
}

fn found(answer: &FindCoordinatorResponse, version: i16) -> Option<Found<'_>> {
    if version < BATCHED {
        return Some(Found {
            code: answer.error_code,
            message: answer.error_message.as_deref(),
            node: answer.node_id.0,
            host: &answer.host,
            port: answer.port,
        });
    }
    answer.coordinators.first().map(|first| Found {
        code: first.error_code,
        message: first.error_message.as_deref(),
        node: first.node_id.0,
        host: &first.host,
        port: first.port,
    })
}

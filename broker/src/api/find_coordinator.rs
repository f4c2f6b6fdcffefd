//! FindCoordinator, versions 0 to 6: which broker looks after a group, a transactional id or a share partition.
//!
//! After a group looks the node that leads its partition of the topic of offsets; after the rest the one that is asked. From
//! version 4 several keys are asked for at once (KIP-699). The topic of offsets
//! is created by the first that asks for a group, and is there when the answer comes: Kafka answers
//! COORDINATOR_NOT_AVAILABLE meanwhile, and the client asks again. Share partitions are known from version 6 on.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::context::{Answer, RequestContext, code};

/// From this version on, keys come and are answered in a list.
const BATCHED: i16 = 4;

/// From this version on, share partitions have coordinators.
const SHARE: i16 = 6;

/// What Kafka calls success where an error message is expected.
const NO_ERROR: &str = "NONE";

/// What Kafka says of a request that makes no sense.
const INVALID_REQUEST: &str = "This most likely occurs because of a request being malformed by the client library or \
                               the message was sent to an incompatible broker. See the broker logs for more details.";

/// Who looks after a key, or why nobody does.
type Found = Result<(i32, String, u16), ResponseError>;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: FindCoordinatorRequest,
) -> Answer<FindCoordinatorResponse> {
    let known_type = (0..=2).contains(&request.key_type);
    if cx.version() < BATCHED {
        let found = if known_type { find(cx, request.key_type, &request.key) } else { invalid() };
        return Ok(single(found));
    }
    let answer = |key: StrBytes| {
        if known_type {
            let found = find(cx, request.key_type, &key);
            return one_of_many(key, found, "");
        }
        one_of_many(key, invalid(), INVALID_REQUEST)
    };
    let coordinators = request.coordinator_keys.into_iter().map(answer).collect();
    Ok(FindCoordinatorResponse::default().with_coordinators(coordinators))
}

fn invalid() -> Found {
    Err(ResponseError::InvalidRequest)
}

fn find(cx: &RequestContext, key_type: i8, key: &str) -> Found {
    const GROUP_KEY: i8 = 0;
    const SHARE_KEY: i8 = 2;
    if key_type == SHARE_KEY && (cx.version() < SHARE || !is_share_partition(key)) {
        return invalid();
    }
    let mut node = cx.node();
    if key_type == GROUP_KEY {
        cx.broker.group_coordinator().map_err(|_| ResponseError::CoordinatorNotAvailable)?;
        let leader = cx.broker.coordinator_of(key).filter(|leader| cx.broker.is_alive(*leader));
        node = leader.ok_or(ResponseError::CoordinatorNotAvailable)?;
    }
    let (host, port) = cx.endpoint(node);
    Ok((node, host, port))
}

/// Whether `key` is a group, a topic id and a partition, with colons between them.
fn is_share_partition(key: &str) -> bool {
    let mut parts = key.rsplitn(3, ':');
    let partition = parts.next().is_some_and(|partition| partition.parse::<i32>().is_ok());
    let topic = parts.next().is_some_and(|id| crate::ids::from_base64(id).is_some_and(|id: Uuid| !id.is_nil()));
    partition && topic && parts.next().is_some_and(|group| !group.trim().is_empty())
}

fn single(found: Found) -> FindCoordinatorResponse {
    match found {
        Ok((node, host, port)) => FindCoordinatorResponse::default()
            .with_error_message(Some(StrBytes::from_static_str(NO_ERROR)))
            .with_node_id(BrokerId(node))
            .with_host(StrBytes::from_string(host))
            .with_port(i32::from(port)),
        Err(error) => {
            let message = match error {
                ResponseError::InvalidRequest => INVALID_REQUEST,
                _ => "The coordinator is not available.",
            };
            FindCoordinatorResponse::default()
                .with_error_code(error.code())
                .with_error_message(Some(StrBytes::from_static_str(message)))
                .with_node_id(BrokerId(-1))
                .with_port(-1)
        }
    }
}

fn one_of_many(key: StrBytes, found: Found, message: &'static str) -> Coordinator {
    let error_code = code(found.as_ref().err().copied());
    let (node, host, port) = found.map_or((-1, String::new(), -1), |(n, host, port)| (n, host, i32::from(port)));
    Coordinator::default()
        .with_key(key)
        .with_node_id(BrokerId(node))
        .with_host(StrBytes::from_string(host))
        .with_port(port)
        .with_error_code(error_code)
        .with_error_message(Some(StrBytes::from_static_str(message)))
}

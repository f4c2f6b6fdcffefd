//! InitProducerId, versions 0 to 5: ids for idempotent producers (KIP-98, KIP-360).
//!
//! A producer without a transactional id gets a new id with epoch 0 each time, also where it names the id and epoch that
//! it has (version 3 on): as in Kafka only a transactional producer's epoch is bumped here, an idempotent one bumps its
//! own. An id without an epoch, or an epoch without an id, is INVALID_REQUEST.
//!
//! Gap: transactions are not served. A transactional id gets TRANSACTIONAL_ID_AUTHORIZATION_FAILED: of the errors that
//! this API has it is the one that every client takes for final, so that it fails at once with a sentence about
//! transactional ids, rather than asking again until it times out.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::context::{Answer, RequestContext};

/// No producer id, and no epoch.
const NONE: i64 = -1;

pub(crate) async fn handle(
    cx: &RequestContext,
    request: InitProducerIdRequest,
) -> Answer<InitProducerIdResponse> {
    Ok(match check(&request).and_then(|()| new_id(cx)) {
        Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)),
        Err(error) => {
            InitProducerIdResponse::default().with_error_code(error.code()).with_producer_epoch(-1)
        }
    })
}

fn check(request: &InitProducerIdRequest) -> Result<(), ResponseError> {
    let has_id = request.producer_id.0 != NONE;
    let has_epoch = i64::from(request.producer_epoch) != NONE;
    match &request.transactional_id {
        Some(id) if id.is_empty() => Err(ResponseError::InvalidRequest),
        _ if has_id != has_epoch => Err(ResponseError::InvalidRequest),
        Some(_) => Err(ResponseError::TransactionalIdAuthorizationFailed),
        None => Ok(()),
    }
}

fn new_id(cx: &RequestContext) -> Result<i64, ResponseError> {
    let broker = &cx.broker;
    broker.producer_ids.next(&broker.metadata, broker.clock.now_ms()).map_err(|error| {
        tracing::warn!("no producer id can be given out: {error}");
        ResponseError::KafkaStorageError
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::TransactionalId;
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    fn checked(transactional_id: Option<&'static str>, id: i64, epoch: i16) -> i16 {
        let name = transactional_id.map(|name| TransactionalId(StrBytes::from_static_str(name)));
        let request = InitProducerIdRequest::default()
            .with_transactional_id(name)
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch);
        check(&request).err().map_or(0, |error| error.code())
    }

    #[test]
    fn an_id_comes_with_an_epoch_or_neither_does() {
        assert_eq!(checked(None, -1, -1), 0);
        assert_eq!(checked(None, 5, 32_767), 0);
        assert_eq!(checked(None, -2, -2), 0);
        assert_eq!(checked(None, 5, -1), 42);
        assert_eq!(checked(None, -1, 5), 42);
        assert_eq!(checked(Some(""), -1, -1), 42);
        assert_eq!(checked(Some("t"), -1, -1), 53);
    }
}

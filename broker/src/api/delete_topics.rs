//! DeleteTopics, versions 1 to 6: deletes topics with their records and committed offsets.
//!
//! By name up to version 5, by name or id from 6 (KIP-516). Deletion is complete once this answers: a topic of the same
//! name can be created, and is another. With `delete.topic.enable=false` all are refused (KIP-322), and, as
//! in Kafka, with a time-out of 0 or below. Sentences come with version 5 (KIP-599).

use std::collections::HashSet;
use std::sync::Arc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::context::{Answer, RequestContext};
use crate::error_code::Told;
use crate::topics::Topic;

/// From this version on topics can be given by their ids.
const TOPIC_IDS: i16 = 6;

/// From this version on there is an error for topics that may not be deleted.
const DELETION_DISABLED: i16 = 3;

/// What an answer takes for each topic that is named.
const ANSWER_BYTES: usize = 256;

pub(crate) async fn handle(cx: &RequestContext, request: DeleteTopicsRequest) -> Answer<DeleteTopicsResponse> {
    let named = request.topics.len().saturating_add(request.topic_names.len());
    cx.spend(named.saturating_mul(ANSWER_BYTES))?;
    let asked = if cx.version() >= TOPIC_IDS {
        request.topics
    } else {
        let by_name = |name| DeleteTopicState::default().with_name(Some(name));
        request.topic_names.into_iter().map(by_name).collect()
    };
    let responses = match refusal(cx, request.timeout_ms) {
        None => tokio::task::block_in_place(|| delete_all(cx, asked)),
        Some(error) => {
            let refused = |one: DeleteTopicState| {
                result(one.name, one.topic_id, Err(Told { error, message: None }))
            };
            asked.into_iter().map(refused).collect()
        }
    };
    Ok(DeleteTopicsResponse::default().with_responses(responses))
}

/// Why no topic at all is deleted, if so.
fn refusal(cx: &RequestContext, timeout_ms: i32) -> Option<ResponseError> {
    if !cx.broker.config.settings().delete_topic_enable {
        return Some(if cx.version() < DELETION_DISABLED {
            ResponseError::InvalidRequest
        } else {
            ResponseError::TopicDeletionDisabled
        });
    }
    (timeout_ms <= 0).then_some(ResponseError::RequestTimedOut)
}

/// What the names and ids of a request come to.
#[derive(Default)]
struct Sorted {
    names: Vec<TopicName>,
    ids: Vec<Uuid>,
    refused: Vec<DeletableTopicResult>,
}

/// Sorts out what cannot be meant: neither name nor id, both of them, or the same one twice.
fn sort(asked: Vec<DeleteTopicState>) -> Sorted {
    let invalid = |sentence: &str| Err(Told::new(ResponseError::InvalidRequest, sentence));
    let mut sorted = Sorted::default();
    let (mut seen_names, mut repeated_names) = (HashSet::new(), HashSet::new());
    let (mut seen_ids, mut repeated_ids) = (HashSet::new(), HashSet::new());
    for DeleteTopicState { name, topic_id, .. } in asked {
        match name {
            None if topic_id.is_nil() => {
                let told = invalid("Neither topic name nor id were specified.");
                sorted.refused.push(result(None, topic_id, told));
            }
            Some(name) if !topic_id.is_nil() => {
                let told = invalid("You may not specify both topic name and topic id.");
                sorted.refused.push(result(Some(name), topic_id, told));
            }
            Some(name) if seen_names.insert(name.clone()) => sorted.names.push(name),
            Some(name) => {
                repeated_names.insert(name);
            }
            None if seen_ids.insert(topic_id) => sorted.ids.push(topic_id),
            None => {
                repeated_ids.insert(topic_id);
            }
        }
    }
    let Sorted { names, ids, refused } = &mut sorted;
    names.retain(|name| !repeated_names.contains(name));
    ids.retain(|id| !repeated_ids.contains(id));
    let names = repeated_names.into_iter();
    refused.extend(names.map(|name| result(Some(name), Uuid::nil(), invalid("Duplicate topic name."))));
    refused.extend(repeated_ids.into_iter().map(|id| result(None, id, invalid("Duplicate topic id."))));
    sorted
}

fn delete_all(cx: &RequestContext, asked: Vec<DeleteTopicState>) -> Vec<DeletableTopicResult> {
    let topics = &cx.broker.topics;
    let Sorted { names, mut ids, refused: mut results } = sort(asked);
    let mut found: Vec<Arc<Topic>> = Vec::new();
    for name in names {
        let Some(topic) = topics.get(&name) else {
            results.push(result(Some(name), Uuid::nil(), Err(missing(ResponseError::UnknownTopicOrPartition))));
            continue;
        };
        let before = ids.len();
        ids.retain(|id| *id != topic.id());
        if ids.len() == before {
            found.push(topic);
        } else {
            let sentence = "The provided topic name maps to an ID that was already supplied.";
            let told = Told::new(ResponseError::InvalidRequest, sentence);
            results.push(result(Some(name), topic.id(), Err(told)));
        }
    }
    for id in ids {
        match topics.by_id(id) {
            Some(topic) => found.push(topic),
            None => results.push(result(None, id, Err(missing(ResponseError::UnknownTopicId)))),
        }
    }
    for topic in found {
        let deleted = cx.broker.delete_topic(&topic).map_err(Told::from);
        let name = TopicName(StrBytes::from_string(topic.name().to_string()));
        results.push(result(Some(name), topic.id(), deleted));
    }
    results
}

fn missing(error: ResponseError) -> Told {
    let what = if error == ResponseError::UnknownTopicId { "topic ID" } else { "topic-partition" };
    Told::new(error, format!("This server does not host this {what}."))
}

fn result(name: Option<TopicName>, id: Uuid, deleted: Result<(), Told>) -> DeletableTopicResult {
    let result = DeletableTopicResult::default().with_name(name).with_topic_id(id);
    match deleted {
        Ok(()) => result,
        Err(told) => result
            .with_error_code(told.error.code())
            .with_error_message(told.message.map(StrBytes::from_string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: Option<&'static str>, id: u128) -> DeleteTopicState {
        let name = name.map(|name| TopicName(StrBytes::from_static_str(name)));
        DeleteTopicState::default().with_name(name).with_topic_id(Uuid::from_u128(id))
    }

    #[test]
    fn what_is_given_twice_or_in_two_ways_is_refused() {
        let sorted = sort(vec![
            asked(Some("a"), 0),
            asked(Some("b"), 0),
            asked(Some("a"), 0),
            asked(None, 7),
            asked(None, 8),
            asked(None, 7),
            asked(None, 0),
            asked(Some("c"), 9),
        ]);
        assert_eq!(sorted.names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(sorted.ids, [Uuid::from_u128(8)]);
        assert_eq!(sorted.refused.len(), 4);
        assert!(sorted.refused.iter().all(|result| result.error_code == 42));
    }
}

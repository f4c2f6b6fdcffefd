//! Requests about topics and their configs: an error for each topic, and in descriptions for each partition.

use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeConfigsRequest, DescribeConfigsResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{Faulty, Refused, merge, refused, topic_name};
use crate::context::RequestContext;
use crate::faults::names::error_name;
use crate::faults::verdict::{Subject, Verdict};
use crate::operations::NOT_ASKED;

/// The config resource type of topics.
const TOPIC: i8 = 2;

/// REBOOTSTRAP_REQUIRED: the one error that Metadata has for itself, from version 13 on.
const REBOOTSTRAP: (i16, i16) = (129, 13);

fn message(code: i16) -> Option<StrBytes> {
    let error = kafka_protocol::error::ResponseError::try_from_code(code)?;
    Some(StrBytes::from_string(error_name(error)))
}

/// A topic and its partitions, as far as it is there.
fn described(cx: &RequestContext, name: &str) -> Vec<Subject> {
    let partitions = cx.broker.topics.get(name).map_or(0, |topic| topic.partition_count());
    let partitions = (0..partitions).map(|index| Subject::partition(name, index));
    std::iter::once(Subject::topic(name)).chain(partitions).collect()
}

fn all_described(cx: &RequestContext) -> Vec<Subject> {
    cx.broker.topics.all().iter().flat_map(|topic| described(cx, topic.name())).collect()
}

fn failed_topic(name: Option<TopicName>, id: Uuid, code: i16) -> MetadataResponseTopic {
    let failed = MetadataResponseTopic::default().with_name(name).with_topic_id(id).with_error_code(code);
    failed.with_topic_authorized_operations(NOT_ASKED)
}

impl Faulty for MetadataRequest {
    type Reply = MetadataResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        let named = self.topics.as_ref().filter(|topics| cx.version() > 0 || !topics.is_empty());
        let name =
            |name: &Option<TopicName>, id| topic_name(cx, name.as_deref().map_or("", |n| n.as_str()), id);
        match named {
            None => all_described(cx),
            Some(topics) => topics.iter().flat_map(|t| described(cx, &name(&t.name, t.topic_id))).collect(),
        }
    }

    /// The brokers are told of whatever the topics get: without them a client could not go on.
    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<MetadataResponse> {
        if !verdict.refuses() {
            return Refused::Nothing;
        }
        let (verdict, cx) = (verdict.clone(), cx.clone());
        if let Some(code) = verdict.of_request(None).filter(|code| (*code, cx.version()) == REBOOTSTRAP) {
            return refused(true, move |reply: &mut MetadataResponse| reply.error_code = code);
        }
        let named = self.topics.as_mut().filter(|topics| cx.version() > 0 || !topics.is_empty());
        let mut all_refused = false;
        let taken = named.map_or_else(Vec::new, |topics| {
            let taken = merge::take(topics, |topic| {
                let name =
                    topic_name(&cx, topic.name.as_deref().map_or("", |name| name.as_str()), topic.topic_id);
                Some(failed_topic(topic.name.clone(), topic.topic_id, verdict.of_topic(&name)?))
            });
            all_refused = topics.is_empty();
            taken
        });
        refused(true, move |reply: &mut MetadataResponse| {
            if all_refused {
                // Version 0 takes an empty list for all topics.
                reply.topics.clear();
            }
            overlay(&cx, &mut reply.topics, &verdict);
            merge::put_back(&mut reply.topics, taken);
        })
    }
}

/// Puts errors into descriptions of topics that were not asked for by name, and of partitions.
fn overlay(cx: &RequestContext, topics: &mut [MetadataResponseTopic], verdict: &Verdict) {
    for topic in topics {
        let name = topic_name(cx, topic.name.as_deref().map_or("", |name| name.as_str()), topic.topic_id);
        if let Some(code) = verdict.of_topic(&name) {
            *topic = failed_topic(topic.name.clone(), topic.topic_id, code);
        }
        for partition in &mut topic.partitions {
            if let Some(code) = verdict.of_partition(&name, partition.partition_index) {
                partition.error_code = code;
            }
        }
    }
}

impl Faulty for DescribeTopicPartitionsRequest {
    type Reply = DescribeTopicPartitionsResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        if self.topics.is_empty() {
            return all_described(cx);
        }
        self.topics.iter().flat_map(|topic| described(cx, &topic.name)).collect()
    }

    fn refuse(
        &mut self,
        _cx: &RequestContext,
        verdict: &Verdict,
    ) -> Refused<DescribeTopicPartitionsResponse> {
        let failed = |name: TopicName, code| {
            let failed =
                DescribeTopicPartitionsResponseTopic::default().with_name(Some(name)).with_error_code(code);
            failed.with_topic_authorized_operations(NOT_ASKED)
        };
        if !verdict.refuses() {
            return Refused::Nothing;
        }
        let (verdict, all) = (verdict.clone(), self.topics.is_empty());
        let mut taken = Vec::new();
        self.topics.retain(|topic| match verdict.of_topic(&topic.name) {
            Some(code) => {
                taken.push(failed(topic.name.clone(), code));
                false
            }
            None => true,
        });
        refused(all || !self.topics.is_empty(), move |reply: &mut DescribeTopicPartitionsResponse| {
            for topic in &mut reply.topics {
                let Some(name) = topic.name.clone() else { continue };
                for partition in &mut topic.partitions {
                    let code = verdict.of_partition(&name, partition.partition_index);
                    partition.error_code = code.unwrap_or(partition.error_code);
                }
                if let Some(code) = verdict.of_topic(&name) {
                    *topic = failed(name, code);
                }
            }
            reply.topics.extend(taken);
            // In the order of their names, as the answer has them.
            reply.topics.sort_by(|a, b| a.name.cmp(&b.name));
        })
    }
}

impl Faulty for CreateTopicsRequest {
    type Reply = CreateTopicsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        self.topics.iter().map(|topic| Subject::topic(topic.name.as_str())).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<CreateTopicsResponse> {
        let taken = merge::take(&mut self.topics, |topic| {
            let code = verdict.of_topic(&topic.name)?;
            let answer = CreatableTopicResult::default().with_name(topic.name.clone()).with_error_code(code);
            let answer = answer.with_error_message(message(code)).with_configs(Some(Vec::new()));
            Some(answer.with_num_partitions(-1).with_replication_factor(-1))
        });
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.topics.is_empty(), move |reply: &mut CreateTopicsResponse| {
            merge::put_back(&mut reply.topics, taken);
        })
    }
}

impl Faulty for DeleteTopicsRequest {
    type Reply = DeleteTopicsResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        let by_name = self.topic_names.iter().map(|name| name.to_string());
        let states = self.topics.iter();
        let states =
            states.map(|t| topic_name(cx, t.name.as_deref().map_or("", |name| name.as_str()), t.topic_id));
        by_name.chain(states).map(Subject::topic).collect()
    }

    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<DeleteTopicsResponse> {
        let failed = |name: Option<TopicName>, id, code| {
            let failed =
                DeletableTopicResult::default().with_name(name).with_topic_id(id).with_error_code(code);
            failed.with_error_message(message(code))
        };
        let mut taken = merge::take(&mut self.topic_names, |name| {
            Some(failed(Some(name.clone()), Uuid::nil(), verdict.of_topic(name)?))
        });
        taken.extend(merge::take(&mut self.topics, |topic| {
            let name = topic_name(cx, topic.name.as_deref().map_or("", |name| name.as_str()), topic.topic_id);
            Some(failed(topic.name.clone(), topic.topic_id, verdict.of_topic(&name)?))
        }));
        if taken.is_empty() {
            return Refused::Nothing;
        }
        let rest = !self.topic_names.is_empty() || !self.topics.is_empty();
        refused(rest, move |reply: &mut DeleteTopicsResponse| merge::put_back(&mut reply.responses, taken))
    }
}

impl Faulty for CreatePartitionsRequest {
    type Reply = CreatePartitionsResponse;

    fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
        self.topics.iter().map(|topic| Subject::topic(topic.name.as_str())).collect()
    }

    fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<CreatePartitionsResponse> {
        let taken = merge::take(&mut self.topics, |topic| {
            let code = verdict.of_topic(&topic.name)?;
            let answer =
                CreatePartitionsTopicResult::default().with_name(topic.name.clone()).with_error_code(code);
            Some(answer.with_error_message(message(code)))
        });
        if taken.is_empty() {
            return Refused::Nothing;
        }
        refused(!self.topics.is_empty(), move |reply: &mut CreatePartitionsResponse| {
            merge::put_back(&mut reply.results, taken);
        })
    }
}

/// The error of a resource whose configs a request is about. A rule with a topic is for resources that are topics.
fn of_resource(verdict: &Verdict, resource_type: i8, name: &str) -> Option<i16> {
    if resource_type == TOPIC { verdict.of_topic(name) } else { verdict.of_request(None) }
}

macro_rules! configs {
    ($($request:ident => $reply:ident, $answers:ident: $answer:ident;)*) => {
        $(impl Faulty for $request {
            type Reply = $reply;

            fn subjects(&self, _cx: &RequestContext) -> Vec<Subject> {
                let topics = self.resources.iter().filter(|resource| resource.resource_type == TOPIC);
                topics.map(|topic| Subject::topic(topic.resource_name.as_str())).collect()
            }

            fn refuse(&mut self, _cx: &RequestContext, verdict: &Verdict) -> Refused<$reply> {
                let taken = merge::take(&mut self.resources, |resource| {
                    let code = of_resource(verdict, resource.resource_type, &resource.resource_name)?;
                    let answer = $answer::default().with_resource_type(resource.resource_type);
                    let answer = answer.with_resource_name(resource.resource_name.clone());
                    Some(answer.with_error_code(code).with_error_message(message(code)))
                });
                if taken.is_empty() {
                    return Refused::Nothing;
                }
                refused(!self.resources.is_empty(), move |reply: &mut $reply| {
                    merge::put_back(&mut reply.$answers, taken);
                })
            }
        })*
    };
}

configs! {
    DescribeConfigsRequest => DescribeConfigsResponse, results: DescribeConfigsResult;
    AlterConfigsRequest => AlterConfigsResponse, responses: AlterConfigsResourceResponse;
    IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse, responses: IncrementalResponse;
}

//! Produce and Fetch: errors for each partition, in requests that are too large to be copied and that go on from what
//! was said before.

use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{FetchRequest, ProduceRequest, ProduceResponse};

use super::merge::Nested;
use super::{Faulty, Refused, refused, topic_name};
use crate::context::RequestContext;
use crate::faults::verdict::{Subject, Verdict};
use crate::fetch::FetchAnswer;

impl Faulty for ProduceRequest {
    type Reply = ProduceResponse;

    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for topic in &self.topic_data {
            let name = topic_name(cx, &topic.name, topic.topic_id);
            subjects.extend(topic.partition_data.iter().map(|p| Subject::partition(name.clone(), p.index)));
        }
        subjects
    }

    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<ProduceResponse> {
        let cx = cx.clone();
        let name = move |name: &str, id| topic_name(&cx, name, id);
        let taken = Nested::take(
            &mut self.topic_data,
            |topic| name(&topic.name, topic.topic_id),
            |topic| &mut topic.partition_data,
            |topic, partition| {
                let code = verdict.of_partition(topic, partition.index)?;
                let answer =
                    PartitionProduceResponse::default().with_index(partition.index).with_error_code(code);
                Some(answer.with_base_offset(-1).with_log_append_time_ms(-1).with_log_start_offset(-1))
            },
            |topic, answers| {
                let answer = TopicProduceResponse::default().with_name(topic.name.clone());
                answer.with_topic_id(topic.topic_id).with_partition_responses(answers)
            },
        );
        if taken.is_empty() {
            return Refused::Nothing;
        }
        if self.acks == 0 && self.topic_data.is_empty() {
            // Nothing is answered, so that there is no other way to tell of an error.
            return Refused::Close("it produced with acks=0, and a fault refused all of it".to_owned());
        }
        refused(!self.topic_data.is_empty(), move |reply: &mut ProduceResponse| {
            let key = |topic: &TopicProduceResponse| name(&topic.name, topic.topic_id);
            taken.put_back(&mut reply.responses, key, |topic| &mut topic.partition_responses);
        })
    }
}

impl Faulty for FetchRequest {
    type Reply = FetchAnswer;

    /// The partitions that are named, and those that the session remembers.
    fn subjects(&self, cx: &RequestContext) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for topic in &self.topics {
            let name = topic_name(cx, &topic.topic, topic.topic_id);
            subjects.extend(topic.partitions.iter().map(|p| Subject::partition(name.clone(), p.partition)));
        }
        for (name, id, index) in cx.broker.sessions.followed(self.session_id) {
            subjects.push(Subject::partition(topic_name(cx, &name, id), index));
        }
        subjects
    }

    /// Errors of sessions stand above the partitions, from version 7 on, where there is a place for them. Those of
    /// partitions are put in by the handler, which knows those of the session.
    fn refuse(&mut self, cx: &RequestContext, verdict: &Verdict) -> Refused<FetchAnswer> {
        const SESSION_ERRORS: [i16; 3] = [70, 71, 106];
        let whole =
            verdict.of_request(None).filter(|code| SESSION_ERRORS.contains(code) && cx.version() >= 7);
        match whole {
            Some(error_code) => Refused::Whole(FetchAnswer { error_code, ..FetchAnswer::default() }),
            None => Refused::Nothing,
        }
    }
}

//! Requests that name partitions topic by topic, and are answered for each of them: taking some out and putting their
//! answers back is the same for all.

use kafka_protocol::messages::{
    TopicName, delete_records_request, delete_records_response, describe_producers_request,
    describe_producers_response, elect_leaders_request, elect_leaders_response, list_offsets_request,
    list_offsets_response, offset_commit_request, offset_commit_response, offset_delete_request,
    offset_delete_response, offset_fetch_request, offset_fetch_response, offset_for_leader_epoch_request,
    offset_for_leader_epoch_response,
};

use super::merge::Nested;
use super::{Refused, refused};
use crate::faults::verdict::Subject;

/// A topic in a request or an answer, with what is said of its partitions.
pub(super) trait Parted {
    /// What is said of one partition.
    type Part;

    /// A topic with these.
    fn new(name: TopicName, parts: Vec<Self::Part>) -> Self;

    fn name(&self) -> &TopicName;

    fn parts(&self) -> &[Self::Part];

    fn parts_mut(&mut self) -> &mut Vec<Self::Part>;
}

macro_rules! parted {
    ($($module:ident::$topic:ident: $name:ident, $parts:ident of $part:ty;)*) => {
        $(impl Parted for $module::$topic {
            type Part = $part;

            fn new(name: TopicName, parts: Vec<$part>) -> Self {
                let mut topic = Self::default();
                (topic.$name, topic.$parts) = (name, parts);
                topic
            }

            fn name(&self) -> &TopicName {
                &self.$name
            }

            fn parts(&self) -> &[$part] {
                &self.$parts
            }

            fn parts_mut(&mut self) -> &mut Vec<$part> {
                &mut self.$parts
            }
        })*
    };
}

parted! {
    list_offsets_request::ListOffsetsTopic: name, partitions of list_offsets_request::ListOffsetsPartition;
    list_offsets_response::ListOffsetsTopicResponse: name, partitions of list_offsets_response::ListOffsetsPartitionResponse;
    delete_records_request::DeleteRecordsTopic: name, partitions of delete_records_request::DeleteRecordsPartition;
    delete_records_response::DeleteRecordsTopicResult: name, partitions of delete_records_response::DeleteRecordsPartitionResult;
    offset_for_leader_epoch_request::OffsetForLeaderTopic: topic, partitions of offset_for_leader_epoch_request::OffsetForLeaderPartition;
    offset_for_leader_epoch_response::OffsetForLeaderTopicResult: topic, partitions of offset_for_leader_epoch_response::EpochEndOffset;
    describe_producers_request::TopicRequest: name, partition_indexes of i32;
    describe_producers_response::TopicResponse: name, partitions of describe_producers_response::PartitionResponse;
    elect_leaders_request::TopicPartitions: topic, partitions of i32;
    elect_leaders_response::ReplicaElectionResult: topic, partition_result of elect_leaders_response::PartitionResult;
    offset_commit_request::OffsetCommitRequestTopic: name, partitions of offset_commit_request::OffsetCommitRequestPartition;
    offset_commit_response::OffsetCommitResponseTopic: name, partitions of offset_commit_response::OffsetCommitResponsePartition;
    offset_delete_request::OffsetDeleteRequestTopic: name, partitions of offset_delete_request::OffsetDeleteRequestPartition;
    offset_delete_response::OffsetDeleteResponseTopic: name, partitions of offset_delete_response::OffsetDeleteResponsePartition;
    offset_fetch_request::OffsetFetchRequestTopic: name, partition_indexes of i32;
    offset_fetch_response::OffsetFetchResponseTopic: name, partitions of offset_fetch_response::OffsetFetchResponsePartition;
    offset_fetch_request::OffsetFetchRequestTopics: name, partition_indexes of i32;
    offset_fetch_response::OffsetFetchResponseTopics: name, partitions of offset_fetch_response::OffsetFetchResponsePartitions;
}

/// What was taken out of the topics of a request, as it is answered.
pub(super) type Taken<R> = Nested<R, <R as Parted>::Part>;

/// The partitions that topics of a request name.
pub(super) fn subjects<T: Parted>(topics: &[T], index: impl Fn(&T::Part) -> i32) -> Vec<Subject> {
    let of = |topic: &T| {
        let name = topic.name().to_string();
        topic.parts().iter().map(|part| Subject::partition(name.clone(), index(part))).collect::<Vec<_>>()
    };
    topics.iter().flat_map(of).collect()
}

/// Takes the partitions out for which `refuse` has an answer.
pub(super) fn take<T: Parted, R: Parted>(
    topics: &mut Vec<T>,
    refuse: impl Fn(&str, &T::Part) -> Option<R::Part>,
) -> Taken<R> {
    Nested::take(
        topics,
        |topic| topic.name().to_string(),
        T::parts_mut,
        refuse,
        |topic, answers| R::new(topic.name().clone(), answers),
    )
}

/// Puts what was taken out into the topics of an answer.
pub(super) fn put_back<R: Parted>(taken: Taken<R>, topics: &mut Vec<R>) {
    taken.put_back(topics, |topic| topic.name().to_string(), R::parts_mut);
}

/// Takes the partitions out for which `refuse` has an answer, and has their answers come back at their places in the
/// topics of the reply.
pub(super) fn refuse<T, R, Reply>(
    topics: &mut Vec<T>,
    of_reply: fn(&mut Reply) -> &mut Vec<R>,
    refuse: impl Fn(&str, &T::Part) -> Option<R::Part>,
) -> Refused<Reply>
where
    T: Parted,
    R: Parted + Send + 'static,
    R::Part: Send + 'static,
    Reply: Default + 'static,
{
    let taken = take::<T, R>(topics, refuse);
    if taken.is_empty() {
        return Refused::Nothing;
    }
    refused(!topics.is_empty(), move |reply: &mut Reply| put_back(taken, of_reply(reply)))
}

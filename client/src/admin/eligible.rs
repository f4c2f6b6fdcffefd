//! The replicas of partitions that may become leaders though they are not in sync, where brokers tell.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::{BrokerId, DescribeTopicPartitionsRequest, TopicName};

use super::fan_out::{self, Charge, Errand, Outcomes};
use super::{Admin, Call, text};
use crate::error::{ClientError, ErrorKind};
use crate::native::connection::{Connection, RequestError};
use crate::record::TopicPartition;

/// How many partitions an answer has at most: Kafka's own limit.
const PARTITIONS_PER_ANSWER: i32 = 2000;

/// Which replicas of a partition may become its leader without being in sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EligibleLeaders {
    /// Those that have everything that is committed.
    pub eligible: Vec<i32>,
    /// Those that were eligible last, where none is now.
    pub last_known: Vec<i32>,
}

impl Admin {
    /// Which replicas may become leaders without being in sync, of all partitions of topics. None where the brokers are too
    /// old to tell.
    pub fn eligible_leaders<N: Into<String>>(
        &self,
        topics: impl IntoIterator<Item = N>,
    ) -> Call<Option<HashMap<TopicPartition, EligibleLeaders>>> {
        let topics: Vec<String> = topics.into_iter().map(Into::into).collect();
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let mut found = HashMap::new();
            for (_, answered) in fan_out::run(&cluster, DescribeTopicPartitions, topics, deadline).await {
                match answered {
                    Ok(partitions) => found.extend(partitions),
                    Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            Ok(Some(found))
        })
    }
}

struct DescribeTopicPartitions;

impl Errand for DescribeTopicPartitions {
    type Item = String;
    type Answer = Vec<(TopicPartition, EligibleLeaders)>;

    fn asked(&self, name: &String) -> String {
        format!("asking for the replicas of the topic '{name}'")
    }

    fn charge(&self, _: &String) -> Charge {
        Charge::Any
    }

    async fn ask(
        &self,
        connection: Connection,
        mut names: Vec<String>,
        deadline: Instant,
    ) -> Result<Outcomes<String, Self::Answer>, RequestError> {
        // The cursor goes by the order of names.
        names.sort_unstable();
        let mut found: HashMap<String, Vec<_>> = HashMap::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let is_left =
                |name: &&String| cursor.as_ref().is_none_or(|at| name.as_str() >= at.topic_name.as_str());
            let left = names.iter().filter(is_left);
            let topics = left.map(|name| TopicRequest::default().with_name(TopicName(text(name))));
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(topics.collect())
                .with_response_partition_limit(PARTITIONS_PER_ANSWER)
                .with_cursor(cursor.clone());
            let answer = super::call(&connection, &request, deadline).await?;
            for topic in &answer.topics {
                let Some(name) = topic.name.as_ref().map(|name| name.to_string()) else { continue };
                let partitions = found.entry(name.clone()).or_default();
                partitions.extend(topic.partitions.iter().map(|partition| {
                    let told = EligibleLeaders {
                        eligible: ids(partition.eligible_leader_replicas.as_deref()),
                        last_known: ids(partition.last_known_elr.as_deref()),
                    };
                    (TopicPartition::new(name.as_str(), partition.partition_index), told)
                }));
            }
            let next = answer.next_cursor.map(|next| {
                Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index)
            });
            // An answer that does not get on would be asked for again and again.
            if next.is_none() || next == cursor {
                break;
            }
            cursor = next;
        }
        let told = |name: String| {
            let partitions = found.remove(&name);
            let lost =
                || ClientError::new(ErrorKind::MalformedAnswer, self.asked(&name), "it was not answered");
            let outcome = partitions.ok_or_else(lost);
            (name, outcome)
        };
        Ok(names.into_iter().map(told).collect())
    }
}

fn ids(brokers: Option<&[BrokerId]>) -> Vec<i32> {
    brokers.unwrap_or_default().iter().map(|id| id.0).collect()
}

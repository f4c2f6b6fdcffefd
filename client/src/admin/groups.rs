//! Groups: listing, describing and deleting them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup as NewDescribedGroup,
};
use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest,
};
use kafka_protocol::protocol::Request;

use super::fan_out::{self, Charge, Errand, Outcomes};
use super::{Admin, Call, Each, outcome, text};
use crate::error::ClientError;
use crate::native::connection::{Connection, RequestError};
use crate::record::TopicPartition;

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSummary {
    /// Its id.
    pub id: String,
    /// What state it is in, in Kafka's words (`Stable`, `Empty`, …), where the broker tells.
    pub state: Option<String>,
    /// By which protocol it is coordinated (`classic`, `consumer`, …), where the broker tells.
    pub kind: Option<String>,
    /// What it is for: `consumer` for consumers, empty for offsets alone.
    pub protocol_type: String,
    /// The broker that coordinates it.
    pub coordinator: i32,
}

/// A group in detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// What state it is in, in Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, `Dead` where there is none, …
    pub state: String,
    /// By which protocol it is coordinated: `classic` or `consumer`.
    pub kind: String,
    /// What it is for: `consumer` for consumers.
    pub protocol_type: String,
    /// How it shares out partitions: the assignor's name.
    pub assignor: String,
    /// Its members.
    pub members: Vec<MemberDescription>,
    /// Its epoch; none of a classic group.
    pub epoch: Option<i32>,
    /// The epoch of the assignment that its members are on their way to; none of a classic group.
    pub assignment_epoch: Option<i32>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub id: String,
    /// Its lasting id, where it has one.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it is connected from.
    pub client_host: String,
    /// What it reads.
    pub assignment: Vec<TopicPartition>,
    /// What it is to read; none in a classic group.
    pub target: Option<Vec<TopicPartition>>,
    /// Its epoch; none in a classic group.
    pub epoch: Option<i32>,
    /// Whether it uses the new protocol itself, where the broker tells.
    pub upgraded: Option<bool>,
}

impl Admin {
    /// All groups of the cluster, by id. Each broker is asked for those that it coordinates.
    pub fn list_groups(&self) -> Call<Vec<GroupSummary>> {
        let (cluster, deadline) = (Arc::clone(&self.cluster), self.deadline());
        Call::begin(async move {
            let brokers: Vec<i32> = cluster.refreshed(deadline).await?.brokers.keys().copied().collect();
            let mut groups: BTreeMap<String, GroupSummary> = BTreeMap::new();
            for (_, listed) in fan_out::run(&cluster, ListGroups, brokers, deadline).await {
                // One that is just moving may be told by two brokers.
                groups.extend(listed?.into_iter().map(|group| (group.id.clone(), group)));
            }
            Ok(groups.into_values().collect())
        })
    }

    /// Groups in detail: their state, members, and who reads what.
    pub fn describe_groups<N: Into<String>>(
        &self,
        ids: impl IntoIterator<Item = N>,
    ) -> Call<Each<String, GroupDescription>> {
        self.each(DescribeGroups, ids.into_iter().map(Into::into).collect())
    }

    /// Deletes groups with their committed offsets. They must have no members.
    pub fn delete_groups<N: Into<String>>(&self, ids: impl IntoIterator<Item = N>) -> Call<Each<String, ()>> {
        self.each(DeleteGroups, ids.into_iter().map(Into::into).collect())
    }
}

struct ListGroups;

impl Errand for ListGroups {
    type Item = i32;
    type Answer = Vec<GroupSummary>;

    fn asked(&self, broker: &i32) -> String {
        format!("listing the groups of broker {broker}")
    }

    fn charge(&self, broker: &i32) -> Charge {
        Charge::Broker(*broker)
    }

    async fn ask(
        &self,
        connection: Connection,
        brokers: Vec<i32>,
        deadline: Instant,
    ) -> Result<Outcomes<i32, Vec<GroupSummary>>, RequestError> {
        let answer = super::call(&connection, &ListGroupsRequest::default(), deadline).await?;
        let listed = brokers.into_iter().map(|broker| {
            let told = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let groups = answer.groups.iter().map(|group| GroupSummary {
                id: group.group_id.to_string(),
                state: told(&group.group_state),
                kind: told(&group.group_type).map(|kind| kind.to_lowercase()),
                protocol_type: group.protocol_type.to_string(),
                coordinator: broker,
            });
            (broker, outcome(answer.error_code, || self.asked(&broker), None, groups.collect()))
        });
        Ok(listed.collect())
    }
}

struct DescribeGroups;

impl Errand for DescribeGroups {
    type Item = String;
    type Answer = GroupDescription;

    fn asked(&self, id: &String) -> String {
        format!("describing the group '{id}'")
    }

    fn charge(&self, id: &String) -> Charge {
        Charge::Coordinator(Arc::from(id.as_str()))
    }

    async fn ask(
        &self,
        connection: Connection,
        ids: Vec<String>,
        deadline: Instant,
    ) -> Result<Outcomes<String, GroupDescription>, RequestError> {
        // Of which protocol a group is, only its coordinator knows: what is not of the new one is of the old one.
        let mut described = Vec::with_capacity(ids.len());
        let mut classic = ids;
        if connection.versions().serves(ConsumerGroupDescribeRequest::KEY) {
            let groups = classic.iter().map(|id| GroupId(text(id))).collect();
            let request = ConsumerGroupDescribeRequest::default().with_group_ids(groups);
            let answer = super::call(&connection, &request, deadline).await?;
            for group in &answer.groups {
                let code = ResponseError::try_from_code(group.error_code);
                if matches!(code, Some(ResponseError::GroupIdNotFound | ResponseError::UnsupportedVersion)) {
                    continue;
                }
                let id = group.group_id.to_string();
                classic.retain(|classic| *classic != id);
                let (message, description) = (group.error_message.as_deref(), of_new(group));
                let outcome = outcome(group.error_code, || self.asked(&id), message, description);
                described.push((id, outcome));
            }
        }
        if !classic.is_empty() {
            let groups = classic.iter().map(|id| GroupId(text(id))).collect();
            let request = DescribeGroupsRequest::default().with_groups(groups);
            let answer = super::call(&connection, &request, deadline).await?;
            for group in &answer.groups {
                let id = group.group_id.to_string();
                let description =
                    match outcome(group.error_code, || self.asked(&id), group.error_message.as_deref(), ()) {
                        Ok(()) => of_classic(group).map_err(|why| malformed(self.asked(&id), why)),
                        Err(error) => Err(error),
                    };
                described.push((id, description));
            }
        }
        Ok(described)
    }
}

fn malformed(asked: String, why: &str) -> ClientError {
    ClientError::new(crate::ErrorKind::MalformedAnswer, asked, why)
}

fn of_new(group: &NewDescribedGroup) -> GroupDescription {
    let members = group.members.iter().map(|member| MemberDescription {
        id: member.member_id.to_string(),
        instance_id: member.instance_id.as_ref().map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        client_host: member.client_host.to_string(),
        assignment: assigned(&member.assignment),
        target: Some(assigned(&member.target_assignment)),
        epoch: Some(member.member_epoch),
        upgraded: match member.member_type {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    });
    GroupDescription {
        id: group.group_id.to_string(),
        state: group.group_state.to_string(),
        kind: "consumer".to_owned(),
        protocol_type: "consumer".to_owned(),
        assignor: group.assignor_name.to_string(),
        members: members.collect(),
        epoch: Some(group.group_epoch),
        assignment_epoch: Some(group.assignment_epoch),
    }
}

fn assigned(assignment: &Assignment) -> Vec<TopicPartition> {
    let topics = assignment.topic_partitions.iter().flat_map(|topic| {
        let name: Arc<str> = Arc::from(topic.topic_name.as_str());
        topic.partitions.iter().map(move |partition| TopicPartition::new(Arc::clone(&name), *partition))
    });
    let mut partitions: Vec<_> = topics.collect();
    partitions.sort_unstable();
    partitions
}

fn of_classic(group: &DescribedGroup) -> Result<GroupDescription, &'static str> {
    let mut members = Vec::with_capacity(group.members.len());
    for member in &group.members {
        // Only of consumers is it known how an assignment is written.
        let assignment = match group.protocol_type.as_str() {
            "consumer" => {
                read_assignment(&member.member_assignment).ok_or("a member's assignment makes no sense")?
            }
            _ => Vec::new(),
        };
        members.push(MemberDescription {
            id: member.member_id.to_string(),
            instance_id: member.group_instance_id.as_ref().map(|id| id.to_string()),
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            assignment,
            target: None,
            epoch: None,
            upgraded: None,
        });
    }
    Ok(GroupDescription {
        id: group.group_id.to_string(),
        state: group.group_state.to_string(),
        kind: "classic".to_owned(),
        protocol_type: group.protocol_type.to_string(),
        assignor: group.protocol_data.to_string(),
        members,
        epoch: None,
        assignment_epoch: None,
    })
}

/// Reads the partitions that a consumer was given by its group's leader: a version, topics with their partitions, and
/// what else the assignor wrote. Any member can have written it: nothing is allocated by what it merely claims.
fn read_assignment(mut bytes: &[u8]) -> Option<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let bytes = &mut bytes;
    take(bytes, 2)?;
    let mut partitions = Vec::new();
    for _ in 0..number(bytes)? {
        let length = i16::from_be_bytes(take(bytes, 2)?.try_into().ok()?);
        let name = std::str::from_utf8(take(bytes, usize::try_from(length).ok()?)?).ok()?;
        let name: Arc<str> = Arc::from(name);
        for _ in 0..number(bytes)? {
            partitions.push(TopicPartition::new(Arc::clone(&name), number(bytes)?));
        }
    }
    partitions.sort_unstable();
    Some(partitions)
}

fn number(bytes: &mut &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(take(bytes, 4)?.try_into().ok()?))
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

struct DeleteGroups;

impl Errand for DeleteGroups {
    type Item = String;
    type Answer = ();

    fn asked(&self, id: &String) -> String {
        format!("deleting the group '{id}'")
    }

    fn charge(&self, id: &String) -> Charge {
        Charge::Coordinator(Arc::from(id.as_str()))
    }

    fn may_repeat(&self) -> bool {
        false
    }

    async fn ask(
        &self,
        connection: Connection,
        ids: Vec<String>,
        deadline: Instant,
    ) -> Result<Outcomes<String, ()>, RequestError> {
        let groups = ids.iter().map(|id| GroupId(text(id))).collect();
        let request = DeleteGroupsRequest::default().with_groups_names(groups);
        let answer = super::call(&connection, &request, deadline).await?;
        let deleted = answer.results.iter().map(|group| {
            let id = group.group_id.to_string();
            let outcome = outcome(group.error_code, || self.asked(&id), None, ());
            (id, outcome)
        });
        Ok(deleted.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_and_a_malformed_one_is_not() {
        let bytes =
            b"\0\x01\0\0\0\x02\0\x01b\0\0\0\x02\0\0\0\x01\0\0\0\0\0\x01a\0\0\0\x01\0\0\0\x07\xff\xff\xff\xff";
        let partition = |topic: &str, partition| TopicPartition::new(topic, partition);
        let expected = vec![partition("a", 7), partition("b", 0), partition("b", 1)];
        assert_eq!(read_assignment(bytes), Some(expected));
        assert_eq!(read_assignment(b""), Some(Vec::new()));
        for cut in 1..bytes.len() - 4 {
            assert_eq!(read_assignment(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(read_assignment(b"\0\x01\x7f\xff\xff\xff"), None);
        assert_eq!(read_assignment(b"\0\x01\0\0\0\x01\xff\xff"), None);
    }
}

//! What the leader of a group does for all of its members: it shares out the partitions.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;

use super::Member;
use crate::native::consumer::assignors::{self, PartitionCounts};
use crate::native::consumer::protocol::{self, NO_GENERATION, Subscription};
use crate::native::consumer::wire;
use crate::options::Assignor;

impl Member {
    /// What each member is given.
    pub(super) async fn share_out(
        &mut self,
        assignor: Assignor,
        members: &[JoinGroupResponseMember],
    ) -> Vec<SyncGroupRequestAssignment> {
        let counts = self.counts_of(members, assignor).await;
        let members = read(members, assignor);
        let assignment = assignors::assign(assignor, &counts, &members);
        tracing::debug!(group = self.group_id(), ?assignor, ?assignment, "shared out");
        self.led = Some(counts);
        let of = |(member, partitions): (String, Vec<_>)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(wire::text(&member))
                .with_assignment(protocol::encode_assignment(&partitions))
        };
        assignment.into_iter().map(of).collect()
    }

    /// How many partitions the topics have that any member subscribes to, asked for anew unless that was just done. Those are kept up to
    /// date.
    pub(super) async fn counts_of(
        &self,
        members: &[JoinGroupResponseMember],
        assignor: Assignor,
    ) -> PartitionCounts {
        let topics: BTreeSet<Arc<str>> = read(members, assignor)
            .into_iter()
            .flat_map(|member| member.topics)
            .chain(self.topics.iter().cloned())
            .collect();
        let cluster = &self.context.cluster;
        topics.iter().for_each(|topic| cluster.want(topic));
        if let Err(error) = cluster.fresh(self.deadline()).await {
            // What is known serves as well; a change is noticed later.
            tracing::debug!(%error, "sharing out by what is known");
        }
        self.counts(topics.iter())
    }

    /// How many partitions these topics have, as far as they are known to exist.
    pub(super) fn counts<'a>(&self, topics: impl Iterator<Item = &'a Arc<str>>) -> PartitionCounts {
        let metadata = self.context.cluster.metadata();
        let count = |topic: &Arc<str>| {
            let count = metadata.topic(topic)?.partitions.len();
            Some((Arc::clone(topic), i32::try_from(count).ok()?))
        };
        topics.filter_map(count).collect()
    }
}

/// The members as the assignor sees them. One whose subscription cannot be read asks for nothing.
fn read(members: &[JoinGroupResponseMember], assignor: Assignor) -> Vec<assignors::Member> {
    let nothing = || Subscription {
        topics: Vec::new(),
        user_data: None,
        owned: Vec::new(),
        generation: NO_GENERATION,
        rack: None,
    };
    let of = |member: &JoinGroupResponseMember| {
        let subscription = Subscription::decode(&member.metadata).unwrap_or_else(|| {
            tracing::warn!(member = %member.member_id, "a member's subscription cannot be read");
            nothing()
        });
        let instance = member.group_instance_id.as_ref().map(ToString::to_string);
        assignors::Member::new(assignor, member.member_id.to_string(), instance, subscription)
    };
    members.iter().map(of).collect()
}

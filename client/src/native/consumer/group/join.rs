//! Joining: JoinGroup, sharing out where this member leads, SyncGroup.

use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};

use super::state::{Asked, Verdict, judge};
use super::{Member, Trouble};
use crate::error::{ClientError, ErrorKind};
use crate::native::cluster::Lane;
use crate::native::consumer::offsets::passes;
use crate::native::consumer::protocol::{self, Subscription};
use crate::native::consumer::{assignors, wire};
use crate::options::Assignor;

const PROTOCOL_TYPE: &str = "consumer";
const JOIN_MOST: i16 = 9;
const JOIN_WITH_INSTANCES: i16 = 5;
const SYNC_MOST: i16 = 5;
const SYNC_WITH_INSTANCES: i16 = 3;
const SYNC_WITH_NAMES: i16 = 5;

/// What a coordinator may take beyond the time that members have to join.
const SPARE: Duration = Duration::from_secs(5);

impl Member {
    /// Joins the group and takes what it is given. Says whether it has to join once more at once: where it had to give
    /// something up that others wait for.
    pub(super) async fn join(&mut self) -> Result<bool, Trouble> {
        self.membership.joining();
        let joined = self.send_join().await?;
        let assignor = self.assignor_named(joined.protocol_name.as_deref().unwrap_or_default())?;
        let leads = joined.leader == joined.member_id;
        self.membership.joined(joined.member_id.to_string(), joined.generation_id);
        let assignments = if leads && !joined.skip_assignment {
            self.share_out(assignor, &joined.members).await
        } else {
            // The leader of a group that goes on as it was still watches over its partitions.
            self.led = if leads { Some(self.counts_of(&joined.members, assignor).await) } else { None };
            Vec::new()
        };
        let synced = self.send_sync(assignor, assignments).await?;
        let given = protocol::decode_assignment(&synced.assignment).ok_or_else(|| {
            let why = "what the leader has assigned cannot be read";
            Trouble::Fatal(ClientError::new(ErrorKind::MalformedAnswer, self.asked("joining"), why))
        })?;
        self.membership.synced();
        self.commits.set_identity(Some(self.membership.identity().clone()));
        tracing::debug!(group = self.group_id(), generation = joined.generation_id, ?given, "joined");
        self.last = (given.clone(), joined.generation_id);
        Ok(self.take(given).await)
    }

    async fn send_join(&mut self) -> Result<JoinGroupResponse, Trouble> {
        // Only the answer waits for other members; finding whom to ask takes no longer than for any other request.
        let found = self.context.cluster.coordinator(self.group_id(), self.deadline()).await;
        found.map_err(|error| self.no_answer(error))?;
        let options = &self.context.options;
        let patience = options
            .max_poll_interval
            .saturating_add(SPARE)
            .max(self.context.cluster.options().request_timeout);
        let build = |version| self.join_request(version);
        let answer = wire::call_coordinator::<JoinGroupRequest>(
            &self.context.cluster,
            self.group_id(),
            Lane::Group,
            JOIN_MOST,
            patience,
            build,
        )
        .await;
        let answer = answer.map_err(|error| self.no_answer(error))?;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(answer),
            Some(code) => Err(self.refused(Asked::Join, code, &answer.member_id)),
        }
    }

    fn join_request(&self, version: i16) -> JoinGroupRequest {
        let options = &self.context.options;
        let protocols = options.assignors.iter().map(|assignor| {
            JoinGroupRequestProtocol::default()
                .with_name(wire::text(assignors::name(*assignor)))
                .with_metadata(self.subscription_for(*assignor).encode())
        });
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(wire::text(&options.group_id)))
            .with_session_timeout_ms(milliseconds(options.session_timeout))
            .with_rebalance_timeout_ms(milliseconds(options.max_poll_interval))
            .with_member_id(wire::text(&self.membership.identity().member_id))
            .with_protocol_type(wire::text(PROTOCOL_TYPE))
            .with_protocols(protocols.collect());
        match &options.group_instance_id {
            Some(instance) if version >= JOIN_WITH_INSTANCES => {
                request.with_group_instance_id(Some(wire::text(instance)))
            }
            _ => request,
        }
    }

    fn subscription_for(&self, assignor: Assignor) -> Subscription {
        let (last, generation) = &self.last;
        Subscription {
            topics: self.topics.clone(),
            user_data: assignors::user_data(assignor, last, *generation),
            owned: self.owned.clone(),
            generation: *generation,
            rack: self.context.options.client_rack.clone(),
        }
    }

    fn assignor_named(&self, name: &str) -> Result<Assignor, Trouble> {
        let offered = &self.context.options.assignors;
        offered.iter().copied().find(|assignor| assignors::name(*assignor) == name).ok_or_else(|| {
            let why = format!("it shares out by '{name}', which was not offered");
            Trouble::Fatal(ClientError::new(ErrorKind::MalformedAnswer, self.asked("joining"), why))
        })
    }

    async fn send_sync(
        &mut self,
        assignor: Assignor,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<SyncGroupResponse, Trouble> {
        let options = &self.context.options;
        let patience = options
            .max_poll_interval
            .saturating_add(SPARE)
            .max(self.context.cluster.options().request_timeout);
        let build = |version| {
            let identity = self.membership.identity();
            let mut request = SyncGroupRequest::default()
                .with_group_id(GroupId(wire::text(&options.group_id)))
                .with_generation_id(identity.generation)
                .with_member_id(wire::text(&identity.member_id))
                .with_assignments(assignments);
            if let Some(instance) =
                options.group_instance_id.as_ref().filter(|_| version >= SYNC_WITH_INSTANCES)
            {
                request = request.with_group_instance_id(Some(wire::text(instance)));
            }
            if version >= SYNC_WITH_NAMES {
                request = request
                    .with_protocol_type(Some(wire::text(PROTOCOL_TYPE)))
                    .with_protocol_name(Some(wire::text(assignors::name(assignor))));
            }
            request
        };
        let answer = wire::call_coordinator::<SyncGroupRequest>(
            &self.context.cluster,
            self.group_id(),
            Lane::Group,
            SYNC_MOST,
            patience,
            build,
        )
        .await;
        let answer = answer.map_err(|error| self.no_answer(error))?;
        match ResponseError::try_from_code(answer.error_code) {
            None => Ok(answer),
            Some(code) => Err(self.refused(Asked::Sync, code, "")),
        }
    }

    /// No answer came: whoever coordinates the group then is asked.
    pub(super) fn no_answer(&mut self, error: ClientError) -> Trouble {
        self.membership.rejoin();
        if !passes(&error) {
            return Trouble::Fatal(error.asked(self.asked("joining")));
        }
        tracing::debug!(%error, "the group's coordinator cannot be asked");
        let now = Instant::now();
        // What passes is told once it has lasted as long as a request may.
        let (since, told) = self.unanswered.get_or_insert((now, false));
        if !*told && now.duration_since(*since) >= self.context.cluster.options().request_timeout {
            *told = true;
            self.context.shelf.tell(error.asked(self.asked("joining")));
        }
        Trouble::Again { pause: true }
    }

    /// What is to be done about an error.
    pub(super) fn refused(&mut self, asked: Asked, code: ResponseError, member_id: &str) -> Trouble {
        let verdict = judge(asked, code);
        tracing::debug!(group = self.group_id(), ?asked, ?code, ?verdict, "the coordinator refuses");
        self.membership.take_in(verdict, member_id);
        if !self.membership.is_known() && verdict != Verdict::TakeId {
            self.commits.set_identity(None);
            self.last = (Vec::new(), protocol::NO_GENERATION);
        }
        match verdict {
            Verdict::TakeId | Verdict::Lost { .. } => Trouble::Again { pause: false },
            // While members join, who was not quick enough asks again.
            Verdict::Rejoin => Trouble::Again { pause: asked == Asked::Join },
            Verdict::Wait => Trouble::Again { pause: true },
            Verdict::FindCoordinator => {
                wire::forget_coordinator(&self.context.cluster, self.group_id());
                Trouble::Again { pause: true }
            }
            Verdict::Fatal => {
                let what = if asked == Asked::Heartbeat { "staying in" } else { "joining" };
                Trouble::Fatal(with_remedy(ClientError::from_code(code, self.asked(what), None), code))
            }
        }
    }

    /// The time until which an answer of the coordinator is waited for.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.patience()
    }
}

fn with_remedy(error: ClientError, code: ResponseError) -> ClientError {
    match code {
        ResponseError::FencedInstanceId => {
            error.remedy("another consumer has joined with the same group_instance_id: give each its own")
        }
        ResponseError::InconsistentGroupProtocol => {
            error.remedy("choose a partition_assignment_strategy that the group's other members offer too")
        }
        ResponseError::InvalidSessionTimeout => {
            error.remedy("choose a session_timeout_ms that the broker allows (group.min.session.timeout.ms)")
        }
        ResponseError::GroupMaxSizeReached => {
            error.remedy("stop a member, or have the broker allow more (group.max.size)")
        }
        ResponseError::GroupAuthorizationFailed => {
            error.remedy("have the user be given the right to read the group")
        }
        _ => error,
    }
}

pub(super) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

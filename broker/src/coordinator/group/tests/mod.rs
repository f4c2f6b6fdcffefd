//! The state machine driven by hand and at random, without a socket or a clock.

mod joins;
mod offsets;
mod random;
mod records;
mod service;
mod statics;

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;

use super::classic::ClassicGroup;
use super::event::{Cx, GroupSettings, Join, Joined, Leaving, Protocol, Reply, Step, Sync, Synced, Ticket};
use super::record::GroupRecord;

/// A group on a bench: its records go to a list, its answers to a map, and time is a number.
pub(super) struct Bench {
    pub(super) group: ClassicGroup,
    pub(super) settings: GroupSettings,
    pub(super) now: i64,
    pub(super) log: Vec<GroupRecord>,
    pub(super) log_fails: bool,
    pub(super) joined: HashMap<Ticket, Joined>,
    pub(super) synced: HashMap<Ticket, Synced>,
    next: Ticket,
}

pub(super) fn settings() -> GroupSettings {
    GroupSettings {
        max_size: usize::MAX,
        initial_rebalance_delay_ms: 0,
        min_session_timeout_ms: 6000,
        max_session_timeout_ms: 1_800_000,
        offset_metadata_max: 4096,
        offsets_retention_ms: 7 * 24 * 3_600_000,
        offsets_check_interval_ms: 600_000,
    }
}

/// Consumer protocol metadata that subscribes to `topics`.
pub(super) fn subscription(topics: &[&str]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(1);
    out.put_i32(topics.len() as i32);
    for topic in topics {
        out.put_i16(topic.len() as i16);
        out.put_slice(topic.as_bytes());
    }
    out.put_i32(-1);
    out.freeze()
}

pub(super) fn protocol(name: &str, topics: &[&str]) -> Protocol {
    Protocol { name: name.to_owned(), metadata: subscription(topics) }
}

/// A join of a consumer of the topic "t" that assigns by range.
pub(super) fn join(member_id: &str) -> Join {
    Join {
        ticket: 0,
        member_id: member_id.to_owned(),
        new_member_id: String::new(),
        instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", &["t"])],
        member_id_required: false,
        may_skip_assignment: false,
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Bench {
            group: ClassicGroup::new("g"),
            settings: settings(),
            now: 1_000_000,
            log: Vec::new(),
            log_fails: false,
            joined: HashMap::new(),
            synced: HashMap::new(),
            next: 0,
        }
    }

    pub(super) fn run<T>(&mut self, act: impl FnOnce(&mut ClassicGroup, Cx<'_>) -> (T, Step)) -> T {
        let settings = self.settings.clone();
        let cx = Cx { now: self.now, steady: self.now, settings: &settings };
        let (out, step) = act(&mut self.group, cx);
        self.follow(step, cx);
        let mut expired = 0;
        while let Some(step) = self.group.expire(cx) {
            self.follow(step, cx);
            expired += 1;
            assert!(expired < 1_000, "what falls due never ends");
        }
        out
    }

    fn follow(&mut self, mut step: Step, cx: Cx<'_>) {
        loop {
            for reply in std::mem::take(&mut step.replies) {
                let again = match reply {
                    Reply::Join(ticket, answer) => self.joined.insert(ticket, answer).is_some(),
                    Reply::Sync(ticket, answer) => self.synced.insert(ticket, answer).is_some(),
                };
                assert!(!again, "a request was answered twice");
            }
            let Some(append) = step.append.take() else { return };
            let result = if self.log_fails { Err(ResponseError::NotCoordinator) } else { Ok(()) };
            if result.is_ok() {
                self.log.extend(append.records.iter().cloned());
            }
            step = self.group.appended(cx, append, result);
        }
    }

    pub(super) fn start_join(&mut self, mut join: Join) -> Ticket {
        self.next += 1;
        let ticket = self.next;
        join.ticket = ticket;
        join.new_member_id = format!("{}-{ticket}", join.instance_id.as_deref().unwrap_or("client"));
        self.run(|group, cx| ((), group.join(cx, join)));
        ticket
    }

    /// A join that is answered at once.
    pub(super) fn join(&mut self, join: Join) -> Joined {
        let ticket = self.start_join(join);
        self.joined.get(&ticket).expect("the join waits").clone()
    }

    pub(super) fn start_sync(&mut self, member: &str, generation: i32, assign: &[(&str, &str)]) -> Ticket {
        self.next += 1;
        let sync = Sync {
            ticket: self.next,
            member_id: member.to_owned(),
            instance_id: None,
            generation,
            protocol_type: None,
            protocol_name: None,
            assignments: assign
                .iter()
                .map(|(id, what)| ((*id).to_owned(), Bytes::copy_from_slice(what.as_bytes())))
                .collect(),
        };
        let ticket = sync.ticket;
        self.run(|group, _| ((), group.sync(sync)));
        ticket
    }

    pub(super) fn sync(&mut self, member: &str, generation: i32, assign: &[(&str, &str)]) -> Synced {
        let ticket = self.start_sync(member, generation, assign);
        self.synced.get(&ticket).expect("the sync waits").clone()
    }

    pub(super) fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), ResponseError> {
        self.run(|group, cx| (group.heartbeat(cx, member, None, generation), Step::default()))
    }

    pub(super) fn leave(&mut self, member: &str, instance: Option<&str>) -> Option<ResponseError> {
        let one =
            Leaving { member_id: member.to_owned(), instance_id: instance.map(str::to_owned), error: None };
        self.run(|group, cx| group.leave(cx, vec![one]))[0].error
    }

    /// Lets time pass, stopping at each deadline.
    pub(super) fn pass(&mut self, ms: i64) {
        let target = self.now + ms;
        while let Some(at) = self.group.next_deadline().filter(|at| *at <= target) {
            self.now = self.now.max(at);
            self.run(|_, _| ((), Step::default()));
        }
        self.now = target;
    }

    /// One member, alone in a stable group: its id and generation.
    pub(super) fn stable_alone(&mut self) -> (String, i32) {
        let joined = self.join(join(""));
        assert_eq!(joined.error, None);
        let synced = self.sync(&joined.member_id, joined.generation, &[(&joined.member_id, "all")]);
        assert_eq!((synced.error, synced.assignment), (None, Bytes::from("all")));
        (joined.member_id, joined.generation)
    }

    /// The group as a restart would bring it back.
    pub(super) fn restarted(&self) -> ClassicGroup {
        let mut group = ClassicGroup::new("g");
        for record in &self.log {
            group.replay(record);
        }
        group
    }
}

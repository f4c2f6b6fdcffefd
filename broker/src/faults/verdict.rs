//! What the rules that strike a request come to together.
//!
//! Knows nothing of requests' types and of how rules are counted.

use std::time::Duration;

use super::rule::{Close, DelayClock, DiskTrouble};

/// One thing that a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) topic: Option<String>,
    pub(crate) partition: Option<i32>,
    pub(crate) group: Option<String>,
}

impl Subject {
    pub(crate) fn topic(name: impl Into<String>) -> Self {
        Subject { topic: Some(name.into()), ..Subject::default() }
    }

    pub(crate) fn partition(topic: impl Into<String>, index: i32) -> Self {
        Subject { partition: Some(index), ..Subject::topic(topic) }
    }

    pub(crate) fn group(id: impl Into<String>) -> Self {
        Subject { group: Some(id.into()), ..Subject::default() }
    }

    pub(crate) fn in_group(mut self, id: &str) -> Self {
        self.group = Some(id.to_owned());
        self
    }
}

/// What a rule asks of the things that a request is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) topic: Option<String>,
    pub(crate) partition: Option<i32>,
    pub(crate) group: Option<String>,
}

impl Filter {
    /// Whether it asks nothing.
    pub(crate) fn is_open(&self) -> bool {
        self.topic.is_none() && self.partition.is_none() && self.group.is_none()
    }

    /// Whether it asks for a topic or a partition.
    fn names_topics(&self) -> bool {
        self.topic.is_some() || self.partition.is_some()
    }

    pub(crate) fn takes(&self, topic: Option<&str>, partition: Option<i32>, group: Option<&str>) -> bool {
        self.topic.as_deref().is_none_or(|wanted| topic == Some(wanted))
            && self.partition.is_none_or(|wanted| partition == Some(wanted))
            && self.group.as_deref().is_none_or(|wanted| group == Some(wanted))
    }

    pub(crate) fn takes_one_of(&self, subjects: &[Subject]) -> bool {
        let takes = |one: &Subject| self.takes(one.topic.as_deref(), one.partition, one.group.as_deref());
        self.is_open() || subjects.iter().any(takes)
    }
}

/// How long to wait, and by whose clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) time: Duration,
    pub(crate) clock: DelayClock,
}

/// What is to be done to one request. Of several errors for the same thing that of the earlier rule counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    pub(crate) errors: Vec<(Filter, i16)>,
    pub(crate) disk: Vec<(Filter, DiskTrouble)>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) waits_before_answer: Vec<Wait>,
    pub(crate) close: Option<Close>,
    pub(crate) truncate: Option<usize>,
    pub(crate) throttle: Option<Duration>,
}

impl Verdict {
    /// The error of the request as a whole: of a rule that names no topic. `group` is the one that the request is of.
    pub(crate) fn of_request(&self, group: Option<&str>) -> Option<i16> {
        let whole = |(filter, _): &&(Filter, i16)| !filter.names_topics() && filter.takes(None, None, group);
        self.errors.iter().find(whole).map(|(_, code)| *code)
    }

    /// The error of a group.
    pub(crate) fn of_group(&self, group: &str) -> Option<i16> {
        self.of_request(Some(group))
    }

    /// The error of a topic as a whole: of a rule that names no partition.
    pub(crate) fn of_topic(&self, topic: &str) -> Option<i16> {
        let whole = |(filter, _): &&(Filter, i16)| filter.takes(Some(topic), None, None);
        self.errors.iter().find(whole).map(|(_, code)| *code)
    }

    /// The error of a partition, in a request of no group.
    pub(crate) fn of_partition(&self, topic: &str, index: i32) -> Option<i16> {
        self.of_partition_in(topic, index, None)
    }

    /// The error of a partition in a request of a group.
    pub(crate) fn of_partition_in(&self, topic: &str, index: i32, group: Option<&str>) -> Option<i16> {
        let one = |(filter, _): &&(Filter, i16)| filter.takes(Some(topic), Some(index), group);
        self.errors.iter().find(one).map(|(_, code)| *code)
    }

    /// What the disk does to a partition.
    pub(crate) fn disk(&self, topic: &str, index: i32) -> Option<DiskTrouble> {
        let one = |(filter, _): &&(Filter, DiskTrouble)| filter.takes(Some(topic), Some(index), None);
        self.disk.iter().find(one).map(|(_, trouble)| *trouble)
    }

    /// Whether any part of the request is refused.
    pub(crate) fn refuses(&self) -> bool {
        !self.errors.is_empty()
    }
}

//! Where a group stands: its partitions, how far behind it is in each, and who reads it.

use std::collections::{BTreeMap, HashMap};

use klamm::{CommittedOffset, GroupDescription, MemberDescription, OffsetAt, ResponseError, TopicPartition};
use serde_json::{Value, json};

use crate::cli::error::Failure;
use crate::cli::session::{Named, Session};
use crate::cli::terminal::Style;

/// A group, and its partitions by topic and number.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) group: GroupDescription,
    pub(super) partitions: Vec<Place>,
}

/// Where the group stands in a partition.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) offset: CommittedOffset,
    pub(super) member: Option<MemberDescription>,
}

/// A group in detail. One that has neither members nor offsets does not exist.
pub(super) fn describe(session: &Session, id: &str) -> Result<GroupDescription, Failure> {
    let described = session.wait(session.admin.describe_groups([id]))?;
    let Some((_, outcome)) = described.into_iter().next() else {
        return Err(format!("the broker's answer says nothing of the group '{id}'").into());
    };
    let group = outcome.map_err(|error| session.explain_name(Named::Group, id, error))?;
    if group.state == "Dead" {
        // Older brokers say so instead of that there is none.
        let error = klamm::ClientError::from_code(
            ResponseError::GroupIdNotFound,
            format!("describing the group '{id}'"),
            None,
        );
        return Err(session.unknown(Named::Group, id, &error).into());
    }
    Ok(group)
}

impl Standing {
    /// How the group stands now: in all partitions that it has committed in or that a member reads.
    pub(super) fn of(session: &Session, id: &str) -> Result<Standing, Failure> {
        let group = describe(session, id)?;
        let committed = session.wait(session.admin.group_offsets(id, None))?;
        let mut places: BTreeMap<TopicPartition, Place> = committed
            .into_iter()
            .map(|offset| (offset.partition.clone(), Place { offset, member: None }))
            .collect();
        let unread = group.members.iter().flat_map(|member| &member.assignment);
        let unread: Vec<_> = unread.filter(|partition| !places.contains_key(partition)).cloned().collect();
        for offset in without_commits(session, unread)? {
            places.insert(offset.partition.clone(), Place { offset, member: None });
        }
        for member in &group.members {
            for partition in &member.assignment {
                if let Some(place) = places.get_mut(partition) {
                    place.member = Some(member.clone());
                }
            }
        }
        Ok(Standing { group, partitions: places.into_values().collect() })
    }

    /// By how many records the group is behind in all, as far as that is known.
    pub(super) fn lag(&self) -> i64 {
        self.partitions.iter().filter_map(|place| place.offset.lag()).fold(0, i64::saturating_add)
    }

    /// The columns of [`Place::row`].
    pub(super) const HEAD: [&'static str; 7] =
        ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "CLIENT", "HOST"];
    /// Which of them are numbers.
    pub(super) const NUMBERS: [usize; 4] = [1, 2, 3, 4];
}

/// Where partitions begin and end that are read, and in which nothing was committed yet.
fn without_commits(
    session: &Session,
    partitions: Vec<TopicPartition>,
) -> Result<Vec<CommittedOffset>, Failure> {
    let both = [OffsetAt::Earliest, OffsetAt::Latest];
    let wanted: Vec<_> =
        partitions.iter().flat_map(|partition| both.map(|at| (partition.clone(), at))).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let found = session.wait(session.admin.list_offsets(wanted))?;
    let found: HashMap<_, _> =
        found.into_iter().filter_map(|(asked, found)| Some((asked, found.ok()??.offset))).collect();
    let end = |partition: &TopicPartition, at| found.get(&(partition.clone(), at)).copied();
    let of = |partition: TopicPartition| CommittedOffset {
        offset: None,
        leader_epoch: -1,
        metadata: String::new(),
        log_start: end(&partition, OffsetAt::Earliest),
        log_end: end(&partition, OffsetAt::Latest),
        partition,
    };
    Ok(partitions.into_iter().map(of).collect())
}

impl Place {
    /// The partition as a row of a table.
    pub(super) fn row(&self) -> (Style, Vec<String>) {
        let number = |number: Option<i64>, none: &str| {
            number.map_or_else(|| none.to_owned(), |number| number.to_string())
        };
        let (client, host) = self.member.as_ref().map_or_else(Default::default, |member| {
            (member.client_id.clone(), member.client_host.trim_start_matches('/').to_owned())
        });
        let row = vec![
            self.offset.partition.topic.to_string(),
            self.offset.partition.partition.to_string(),
            number(self.offset.offset, "none"),
            number(self.offset.log_end, "?"),
            number(self.offset.lag(), "?"),
            client,
            host,
        ];
        (if self.offset.lag().is_some_and(|lag| lag > 0) { Style::Warning } else { Style::Plain }, row)
    }

    /// The partition as a JSON object.
    pub(super) fn json(&self, group: &GroupDescription) -> Value {
        let of_member = |field: fn(&MemberDescription) -> &str| self.member.as_ref().map(field);
        json!({
            "group": group.id,
            "state": group.state,
            "topic": &*self.offset.partition.topic,
            "partition": self.offset.partition.partition,
            "committed": self.offset.offset,
            "log_start": self.offset.log_start,
            "log_end": self.offset.log_end,
            "lag": self.offset.lag(),
            "metadata": self.offset.metadata,
            "member": of_member(|member| &member.id),
            "client_id": of_member(|member| &member.client_id),
            "host": of_member(|member| member.client_host.trim_start_matches('/')),
        })
    }
}

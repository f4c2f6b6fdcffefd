//! Looking at a broker: topics and their records, groups, connections and requests.

use std::sync::Arc;

use klamm_broker::Broker;
use klamm_broker::look::{
    Connection, Group, Lag, LookError, MAX_LOOKED_BYTES, Record, RequestCount, SeenRequest, Topic,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::body::{Answer, Answered, InPath, InQuery};
use super::brokers::Target;
use super::problem::{Kind, Problem};
use super::route::Route;

/// Records that one answer holds, where nothing else is said, and at the most.
pub const DEFAULT_RECORDS: usize = 10_000;
/// See [`DEFAULT_RECORDS`].
pub const MAX_RECORDS: usize = 100_000;

/// Topics whose records are looked at at the same time; others wait for their turn. Each may take as much memory as
/// [`klamm_broker::look::MAX_LOOKED_BYTES`].
pub const MAX_RECORD_LOOKS: usize = 2;

/// Requests that are given, where nothing else is said.
pub const DEFAULT_RECENT_REQUESTS: usize = 64;

/// Topics, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Topics {
    /// The broker's own are among them.
    topics: Vec<Topic>,
}

/// Records of a topic.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Records {
    /// By partition and offset.
    records: Vec<Record>,
    /// Whether there are more than these.
    more: bool,
}

/// Which records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Of this partition alone.
    partition: Option<i32>,
    /// From this offset on, in each partition.
    #[serde(default)]
    offset: i64,
    /// So many, at the most: 10,000 where nothing is said, and 100,000 at the most.
    count: Option<usize>,
}

/// Groups, by id.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Groups {
    /// With their members and offsets.
    groups: Vec<Group>,
}

/// What a group has yet to read.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LagOfGroup {
    /// All partitions together.
    lag: u64,
    /// Each partition of which the group has an offset, or that a member is assigned.
    partitions: Vec<Lag>,
}

/// Connections that are open.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Connections {
    /// In the order in which they were opened.
    connections: Vec<Connection>,
}

/// How many requests came.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Counts {
    /// By API and client.
    counts: Vec<RequestCount>,
}

/// The last requests.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Recent {
    /// The newest last.
    requests: Vec<SeenRequest>,
}

/// How many requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HowMany {
    /// So many, at the most: 64 where nothing is said, which is also what is remembered of each connection.
    count: Option<usize>,
}

/// The topic that a path names.
#[derive(Deserialize)]
pub(crate) struct TopicPath {
    topic: String,
}

/// The group that a path names.
#[derive(Deserialize)]
pub(crate) struct GroupPath {
    group: String,
}

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    const MISSING: &[Kind] = &[Kind::NotFound];
    vec![
        Route::get("/topics", "list_topics", "All topics, and where their logs start and end", topics)
            .gives::<Topics>(200),
        Route::get(
            "/topics/{topic}",
            "look_at_topic",
            "A topic, and where the logs of its partitions start and end",
            topic,
        )
        .gives::<Topic>(200)
        .refuses(MISSING),
        Route::get(
            "/topics/{topic}/records",
            "look_at_records",
            "Records of a topic, decoded; no consumer is needed",
            records,
        )
        .query::<Which>()
        .gives::<Records>(200)
        .refuses(&[Kind::NotFound, Kind::Invalid, Kind::Failed]),
        Route::get("/groups", "list_groups", "All groups, with their members and offsets", groups)
            .gives::<Groups>(200),
        Route::get(
            "/groups/{group}",
            "look_at_group",
            "A group: members with what they are assigned, and what is committed",
            group,
        )
        .gives::<Group>(200)
        .refuses(MISSING),
        Route::get("/groups/{group}/lag", "look_at_lag", "What a group has yet to read", lag)
            .gives::<LagOfGroup>(200)
            .refuses(MISSING),
        Route::get("/connections", "list_connections", "The connections that are open", connections)
            .gives::<Connections>(200),
        Route::get(
            "/requests",
            "count_requests",
            "How many requests of each API came from each client",
            counts,
        )
        .gives::<Counts>(200),
        Route::get("/requests/recent", "list_recent_requests", "The last requests, the newest last", recent)
            .query::<HowMany>()
            .gives::<Recent>(200),
    ]
}

async fn topics(target: Target) -> Answered<Topics> {
    target.run(|broker| Ok(Answer::ok(Topics { topics: broker.topics() }))).await
}

fn find_topic(broker: &Broker, name: &str) -> Result<Topic, Problem> {
    let found = broker.topics().into_iter().find(|topic| topic.name == name);
    found.ok_or_else(|| Problem::not_found(LookError::NoTopic(name.to_owned()).to_string()))
}

async fn topic(target: Target, InPath(TopicPath { topic }): InPath<TopicPath>) -> Answered<Topic> {
    target.run(move |broker| find_topic(broker, &topic).map(Answer::ok)).await
}

async fn records(
    target: Target,
    InPath(TopicPath { topic }): InPath<TopicPath>,
    InQuery(which): InQuery<Which>,
) -> Answered<Records> {
    let count = which.count.unwrap_or(DEFAULT_RECORDS);
    if count > MAX_RECORDS {
        return Err(Problem::invalid(format!(
            "{count} records at once are refused: {MAX_RECORDS} is the most; go on from an offset"
        )));
    }
    let turn = Arc::clone(&target.control.shared().record_looks).acquire_owned().await;
    let _turn = turn.map_err(Problem::failed)?;
    target.run(move |broker| look_at_records(broker, &topic, &which, count).map(Answer::ok)).await
}

fn look_at_records(broker: &Broker, name: &str, which: &Which, count: usize) -> Result<Records, Problem> {
    let partitions: Vec<i32> = match which.partition {
        Some(index) => vec![index],
        None => find_topic(broker, name)?.partitions.iter().map(|partition| partition.index).collect(),
    };
    let (mut records, mut bytes) = (Vec::new(), 0_usize);
    for index in partitions {
        // One more than is wanted: whether there is any.
        let left = (count + 1).saturating_sub(records.len());
        if left == 0 {
            break;
        }
        let of_partition = broker.records_from(name, index, which.offset, left).map_err(refusal)?;
        bytes = of_partition.iter().map(size).fold(bytes, usize::saturating_add);
        if bytes > MAX_LOOKED_BYTES {
            return Err(refusal(LookError::TooMuch(name.to_owned())));
        }
        records.extend(of_partition);
    }
    let more = records.len() > count;
    records.truncate(count);
    Ok(Records { records, more })
}

/// The bytes of a record's key, value and headers.
fn size(record: &Record) -> usize {
    let length = |bytes: &Option<_>| bytes.as_deref().map_or(0, <[u8]>::len);
    let headers = record.headers.iter().map(|(name, value)| name.len() + length(value));
    length(&record.key) + length(&record.value) + headers.sum::<usize>()
}

fn refusal(error: LookError) -> Problem {
    let kind = match error {
        LookError::NoTopic(_) | LookError::NoPartition(..) => Kind::NotFound,
        LookError::TooMuch(_) => Kind::Invalid,
        LookError::Unreadable { .. } => Kind::Failed,
    };
    Problem::new(kind, error.to_string())
}

async fn groups(target: Target) -> Answered<Groups> {
    target.run(|broker| Ok(Answer::ok(Groups { groups: broker.groups() }))).await
}

fn find_group(broker: &Broker, id: &str) -> Result<Group, Problem> {
    broker.group(id).ok_or_else(|| Problem::not_found(format!("there is no group '{id}'")))
}

async fn group(target: Target, InPath(GroupPath { group }): InPath<GroupPath>) -> Answered<Group> {
    target.run(move |broker| find_group(broker, &group).map(Answer::ok)).await
}

async fn lag(target: Target, InPath(GroupPath { group }): InPath<GroupPath>) -> Answered<LagOfGroup> {
    target
        .run(move |broker| {
            find_group(broker, &group)?;
            let partitions = broker.lag(&group);
            let lag = partitions.iter().fold(0_u64, |sum, one| sum.saturating_add(one.lag));
            Ok(Answer::ok(LagOfGroup { lag, partitions }))
        })
        .await
}

async fn connections(target: Target) -> Answered<Connections> {
    target.run(|broker| Ok(Answer::ok(Connections { connections: broker.connections() }))).await
}

async fn counts(target: Target) -> Answered<Counts> {
    target.run(|broker| Ok(Answer::ok(Counts { counts: broker.request_counts() }))).await
}

async fn recent(target: Target, InQuery(HowMany { count }): InQuery<HowMany>) -> Answered<Recent> {
    let count = count.unwrap_or(DEFAULT_RECENT_REQUESTS);
    target.run(move |broker| Ok(Answer::ok(Recent { requests: broker.recent_requests(count) }))).await
}

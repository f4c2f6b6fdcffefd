//! `klamm ctl look`: what a broker holds and sees, as tables.

use std::error::Error;

use serde_json::Value;

use super::client::{Client, escaped};
use super::{Column, Told, list, text_of};
use crate::cli::times::show;

/// What to look at.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Look {
    /// All topics.
    Topics,
    /// The records of a topic.
    Records {
        /// The topic.
        topic: String,
        /// Of this partition alone.
        #[arg(long, value_name = "N")]
        partition: Option<i32>,
        /// From this offset on, in each partition.
        #[arg(long, value_name = "N", default_value_t = 0)]
        offset: i64,
        /// So many, at the most.
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// All groups.
    Groups,
    /// The members of a group, and what each is assigned.
    Group {
        /// The group.
        group: String,
    },
    /// What a group has committed, and what it has yet to read.
    Lag {
        /// The group.
        group: String,
    },
    /// The connections that are open.
    Connections,
    /// How many requests of each API came from each client.
    Requests,
    /// The last requests.
    Recent {
        /// So many, at the most.
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
    /// How far the journal of the run is.
    Journal,
}

impl Look {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        match self {
            Look::Topics => topics(to, &list(&client.get("/topics")?, "topics")),
            Look::Records { topic, partition, offset, count } => {
                let mut path = format!("/topics/{}/records?offset={offset}", escaped(&topic));
                path.extend(partition.map(|partition| format!("&partition={partition}")));
                path.extend(count.map(|count| format!("&count={count}")));
                let answer = client.get(&path)?;
                records(to, &list(&answer, "records"))?;
                if answer["more"] == Value::Bool(true) && !to.form.json {
                    to.out.line("there are more: --count N, or go on with --offset N")?;
                }
                Ok(())
            }
            Look::Groups => groups(to, &list(&client.get("/groups")?, "groups")),
            Look::Group { group } => {
                let found = client.get(&format!("/groups/{}", escaped(&group)))?;
                if to.form.json { Ok(to.out.json(&found)?) } else { members(to, &list(&found, "members")) }
            }
            Look::Lag { group } => {
                lags(to, &list(&client.get(&format!("/groups/{}/lag", escaped(&group)))?, "partitions"))
            }
            Look::Connections => connections(to, &list(&client.get("/connections")?, "connections")),
            Look::Requests => {
                let columns = [
                    Column::of("API", "api"),
                    Column::of("CLIENT", "client_id"),
                    Column::number("REQUESTS", "requests"),
                ];
                to.rows(&list(&client.get("/requests")?, "counts"), &columns)
            }
            Look::Recent { count } => {
                let query = count.map_or_else(String::new, |count| format!("?count={count}"));
                recent(to, &list(&client.get(&format!("/requests/recent{query}"))?, "requests"))
            }
            Look::Journal => to.object(&client.get("/journal")?),
        }
    }
}

/// A time in a field, as people write it.
fn time(head: &'static str, field: &'static str) -> Column {
    Column::made(head, move |value| value[field].as_i64().filter(|ms| *ms >= 0).map(show).unwrap_or_default())
}

fn topics(to: &mut Told, topics: &[Value]) -> Result<(), Box<dyn Error>> {
    let sum = |topic: &Value, field: &str| -> i64 {
        list(topic, "partitions").iter().filter_map(|partition| partition[field].as_i64()).sum()
    };
    let columns = [
        Column::of("TOPIC", "name"),
        Column::made_number("PARTITIONS", |topic| list(topic, "partitions").len().to_string()),
        Column::made_number("OFFSETS", move |topic| {
            (sum(topic, "log_end_offset") - sum(topic, "log_start_offset")).to_string()
        }),
        Column::made_number("BYTES", move |topic| sum(topic, "bytes").to_string()),
    ];
    to.rows(topics, &columns)
}

/// Bytes of a record: text, or what stands for it in base 64.
fn bytes(head: &'static str, field: &'static str) -> Column {
    Column::made(head, move |record| match &record[field]["base64"] {
        Value::String(encoded) => format!("base64:{encoded}"),
        _ => text_of(&record[field]),
    })
}

fn records(to: &mut Told, records: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::number("PARTITION", "partition"),
        Column::number("OFFSET", "offset"),
        time("TIMESTAMP", "timestamp_ms"),
        bytes("KEY", "key"),
        bytes("VALUE", "value"),
    ];
    to.rows(records, &columns)
}

fn groups(to: &mut Told, groups: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::of("GROUP", "id"),
        Column::of("STATE", "state"),
        Column::number("GENERATION", "generation"),
        Column::made_number("MEMBERS", |group| list(group, "members").len().to_string()),
        Column::of("PROTOCOL", "protocol"),
    ];
    to.rows(groups, &columns)
}

fn members(to: &mut Told, members: &[Value]) -> Result<(), Box<dyn Error>> {
    let assigned = |member: &Value| {
        let of_topic = |one: &Value| format!("{}: {}", text_of(&one["topic"]), text_of(&one["partitions"]));
        list(member, "assignment").iter().map(of_topic).collect::<Vec<_>>().join("; ")
    };
    let columns = [
        Column::of("MEMBER", "id"),
        Column::of("CLIENT", "client_id"),
        Column::of("HOST", "client_host"),
        Column::of("INSTANCE", "instance_id"),
        Column::made("ASSIGNMENT", assigned),
    ];
    to.rows(members, &columns)
}

fn lags(to: &mut Told, partitions: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::of("TOPIC", "topic"),
        Column::number("PARTITION", "partition"),
        Column::number("COMMITTED", "committed"),
        Column::number("END", "log_end_offset"),
        Column::number("LAG", "lag"),
    ];
    to.rows(partitions, &columns)
}

fn connections(to: &mut Told, connections: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::number("CONNECTION", "number"),
        Column::of("CLIENT", "client_id"),
        Column::of("ADDRESS", "address"),
        Column::number("REQUESTS", "requests"),
        Column::of("UNDER WAY", "under_way"),
        time("SINCE", "opened_ms"),
    ];
    to.rows(connections, &columns)
}

fn recent(to: &mut Told, requests: &[Value]) -> Result<(), Box<dyn Error>> {
    let columns = [
        Column::number("REQUEST", "number"),
        Column::number("CONNECTION", "connection"),
        Column::of("CLIENT", "client_id"),
        Column::of("API", "api"),
        Column::number("VERSION", "version"),
        Column::number("BYTES", "bytes"),
        time("TIME", "at_ms"),
        Column::made("OUTCOME", |request| outcome(&request["outcome"])),
    ];
    to.rows(requests, &columns)
}

/// How a request ended: with its error or with why the connection was closed, where there is one.
fn outcome(outcome: &Value) -> String {
    match (&outcome["error"], &outcome["why"]) {
        (Value::String(error), _) => error.clone(),
        (_, Value::String(why)) => format!("closed: {why}"),
        _ => text_of(&outcome["ended"]).replace('_', " "),
    }
}

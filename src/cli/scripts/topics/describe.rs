//! `kafka-topics.sh --describe`: topics, their configs and partitions, or only partitions that something is wrong with.

use std::collections::{HashMap, HashSet};

use klamm::{
    Admin, ConfigEntry, ConfigResource, EligibleLeaders, PartitionDescription, TopicDescription,
    TopicPartition,
};

use super::super::options::Parsed;
use super::super::{Output, java};
use super::{Problem, REPORTS, expected, names};

pub(super) fn run(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let id = parsed.value("topic-id")?.map(java::parse_uuid).transpose()?.filter(|id| *id != [0; 16]);
    let names = match id {
        Some(id) => named_by(admin, id, parsed)?,
        None => expected(names(admin, parsed)?, parsed)?,
    };
    let described = admin.describe_topics(names.clone());
    let configs = admin.describe_configs(names.iter().cloned().map(ConfigResource::Topic));
    let cluster = admin.describe_cluster();
    // Described by their ids, topics are not asked for them.
    let eligible = if id.is_none() { admin.eligible_leaders(names).wait()? } else { None };
    let topics = described.wait()?.all()?;
    let configs: HashMap<_, _> = configs.wait()?.all()?.into_iter().collect();
    let live = cluster.wait()?.brokers.iter().map(|broker| broker.id).collect();
    let view = View { parsed, live, eligible };
    for (name, topic) in topics {
        let configs = configs.get(&ConfigResource::Topic(name)).map(Vec::as_slice).unwrap_or_default();
        view.print(&topic, configs, out)?;
    }
    Ok(())
}

/// The name of the topic with this id, if there is one.
fn named_by(admin: &Admin, id: [u8; 16], parsed: &Parsed) -> Result<Vec<String>, Problem> {
    let topics = admin.list_topics().wait()?.into_iter();
    let found = topics
        .filter(|topic| *topic.id.as_bytes() == id && !(topic.internal && parsed.has("exclude-internal")));
    let names: Vec<_> = found.map(|topic| topic.name).collect();
    if names.is_empty() && !parsed.has("if-exists") {
        return Err(format!("TopicId '{}' does not exist as expected", java::uuid(&id)).into());
    }
    Ok(names)
}

/// What of topics is to be seen.
struct View<'a> {
    parsed: &'a Parsed,
    live: HashSet<i32>,
    /// None where brokers do not tell.
    eligible: Option<HashMap<TopicPartition, EligibleLeaders>>,
}

impl View<'_> {
    fn print(
        &self,
        topic: &TopicDescription,
        configs: &[ConfigEntry],
        out: &mut Output,
    ) -> Result<(), Problem> {
        let whole = self.parsed.count(REPORTS) == 0;
        let has_own = configs.iter().any(|config| !config.is_default());
        let only_overrides = self.parsed.has("topics-with-overrides");
        if whole && (!only_overrides || has_own) {
            out.line(headline(topic, configs))?;
        }
        if !only_overrides {
            for partition in &topic.partitions {
                if whole || self.reports(partition, configs)? {
                    out.line(self.partition_line(&topic.name, partition))?;
                }
            }
        }
        Ok(())
    }

    /// Whether something is wrong with a partition that is asked for.
    fn reports(&self, partition: &PartitionDescription, configs: &[ConfigEntry]) -> Result<bool, Problem> {
        let config = configs.iter().find(|config| config.name == "min.insync.replicas");
        let least = config.and_then(|config| config.value.as_deref()).map_or(Ok(1), java::parse_int)?;
        let in_sync = i32::try_from(partition.in_sync.len()).unwrap_or(i32::MAX);
        let has = |name| self.parsed.has(name);
        Ok(has("under-replicated-partitions") && partition.replicas.len() > partition.in_sync.len()
            || has("unavailable-partitions")
                && partition.leader.is_none_or(|leader| !self.live.contains(&leader))
            || has("under-min-isr-partitions") && (partition.leader.is_none() || in_sync < least)
            || has("at-min-isr-partitions") && in_sync == least)
    }

    fn partition_line(&self, topic: &str, partition: &PartitionDescription) -> String {
        let leader = partition.leader.map_or("none".to_owned(), |leader| leader.to_string());
        let ids = |ids: &[i32]| java::joined(ids, ",");
        let (eligible, last_known) = match &self.eligible {
            Some(all) => {
                let known = all.get(&TopicPartition::new(topic, partition.partition));
                known.map(|known| (ids(&known.eligible), ids(&known.last_known))).unwrap_or_default()
            }
            None => ("N/A".to_owned(), "N/A".to_owned()),
        };
        format!(
            "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}\tElr: {eligible}\tLastKnownElr: {last_known}",
            partition.partition,
            ids(&partition.replicas),
            ids(&partition.in_sync),
        )
    }
}

/// The topic itself. Its configs stand in the order of Java's hash map, so that the line is the original's.
fn headline(topic: &TopicDescription, configs: &[ConfigEntry]) -> String {
    let mut ordered: Vec<_> = configs.iter().collect();
    java::hash_order(&mut ordered, |config| &config.name);
    let own = ordered.into_iter().filter(|config| !config.is_default());
    let own = own.map(|config| format!("{}={}", config.name, config.value.as_deref().unwrap_or("null")));
    let id = if topic.id.is_nil() {
        String::new()
    } else {
        format!("\tTopicId: {}", java::uuid(topic.id.as_bytes()))
    };
    format!(
        "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}",
        topic.name,
        topic.partitions.len(),
        topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
        java::joined(own, ","),
    )
}

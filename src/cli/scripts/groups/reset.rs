//! `--reset-offsets`: where groups are to go on, and having them go on there.

use std::collections::{BTreeMap, HashMap};

use klamm::{Admin, OffsetAt, TopicPartition};

use super::super::errors::Thrown;
use super::super::options::Parsed;
use super::super::{Output, client, java};
use super::options::SCENARIOS;
use super::{Problem, handed_on, say_error, taken_apart, time, waited_for, wanted};

/// Offsets by their partitions.
type Offsets = BTreeMap<TopicPartition, i64>;

pub(super) fn run(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    // What cannot be read as a number is told before the cluster is asked.
    let (_, _) = (parsed.long("to-offset")?, parsed.long("shift-by")?);
    let mut plans: BTreeMap<String, Offsets> = BTreeMap::new();
    for (id, described) in admin.describe_groups(wanted(admin, parsed)?).wait().map_err(waited_for)? {
        let state = match described {
            Ok(group) => group.state,
            Err(error) if Thrown::from(&error).is("GroupIdNotFoundException") => "Dead".to_owned(),
            Err(error) => return Err(handed_on(error)),
        };
        if state != "Empty" && state != "Dead" {
            say_error(
                &format!(
                    "Assignments can only be reset if the group '{id}' is inactive, but the current state is {state}."
                ),
                out,
            )?;
            plans.insert(id, Offsets::new());
            continue;
        }
        let plan = Reset { admin, parsed, group: &id }.plan(out)?;
        if parsed.has("execute") {
            admin
                .set_offsets(id.as_str(), plan.clone())
                .wait()
                .and_then(klamm::Each::all)
                .map_err(taken_apart)?;
        }
        plans.insert(id, plan);
    }
    if parsed.has("export") { export(parsed, &plans, out) } else { print(&plans, out) }
}

fn export(parsed: &Parsed, plans: &BTreeMap<String, Offsets>, out: &mut Output) -> Result<(), Problem> {
    let of_one = parsed.values("group").len() == 1;
    for (group, plan) in plans {
        for (partition, offset) in plan {
            let line = format!("{},{},{offset}", partition.topic, partition.partition);
            out.line(if of_one { line } else { format!("{group},{line}") })?;
        }
    }
    Ok(out.line("")?)
}

fn print(plans: &BTreeMap<String, Offsets>, out: &mut Output) -> Result<(), Problem> {
    out.line("")?;
    if plans.is_empty() {
        return Ok(());
    }
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0).max(15);
    let topics = plans.values().flat_map(Offsets::keys).map(|partition| partition.topic.chars().count());
    let widths =
        [longest(&mut plans.keys().map(|group| group.chars().count())), longest(&mut { topics }), 10];
    out.line(java::columns(&["GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"], &widths))?;
    for (group, plan) in plans {
        for (partition, offset) in plan {
            let (number, offset) = (partition.partition.to_string(), offset.to_string());
            out.line(java::columns(&[group, &partition.topic, &number, &offset], &widths))?;
        }
    }
    Ok(())
}

/// The partitions that `TOPIC:0,1` names.
pub(super) fn named_partitions(text: &str) -> Result<Vec<TopicPartition>, Problem> {
    let parts = java::split(text, ':');
    let [topic, numbers] = parts[..] else {
        return Err(Problem::Usage(format!(
            "Invalid topic arg '{text}', expected topic name and partitions"
        )));
    };
    let partition = |number: &str| match number.parse() {
        Ok(number) => Ok(TopicPartition::new(topic, number)),
        Err(_) => {
            Err(Problem::Usage(format!("Invalid partition '{number}' specified in topic arg '{text}''")))
        }
    };
    java::split(numbers, ',').into_iter().map(partition).collect()
}

/// What is to become of one group.
struct Reset<'a> {
    admin: &'a Admin,
    parsed: &'a Parsed,
    group: &'a str,
}

impl Reset<'_> {
    fn plan(&self, out: &mut Output) -> Result<Offsets, Problem> {
        let partitions = self.partitions()?;
        self.check(&partitions)?;
        let parsed = self.parsed;
        if let Some(offset) = parsed.long("to-offset")? {
            return self.within_range(partitions.into_iter().map(|partition| (partition, offset)).collect());
        }
        if parsed.has("to-earliest") {
            return self.found(&partitions, OffsetAt::Earliest);
        }
        if parsed.has("to-latest") {
            return self.found(&partitions, OffsetAt::Latest);
        }
        if let Some(by) = parsed.long("shift-by")? {
            return self.shifted(partitions, by);
        }
        if let Some(text) = parsed.value("to-datetime")? {
            let at = time::datetime(text)
                .map_err(|why| Problem::Failed(format!("java.text.ParseException: {why}")))?;
            return self.at_time(&partitions, at, out);
        }
        if let Some(text) = parsed.value("by-duration")? {
            let ago = time::duration(text)
                .ok_or_else(|| Problem::Failed("Text cannot be parsed to a Duration".to_owned()))?;
            return self.at_time(&partitions, crate::cli::times::now_millis().saturating_sub(ago), out);
        }
        if let Some(path) = parsed.value("from-file")? {
            return self.planned_by_file(path, out);
        }
        if parsed.has("to-current") {
            return self.current(partitions);
        }
        let scenarios = java::joined(SCENARIOS.iter().map(|name| format!("[{name}]")), ", ");
        Err(Problem::Usage(format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{scenarios}]"
        )))
    }

    fn partitions(&self) -> Result<Vec<TopicPartition>, Problem> {
        if self.parsed.has("all-topics") {
            return Ok(self.committed()?.into_keys().collect());
        }
        let topics = self.parsed.values("topic");
        if topics.is_empty() {
            if self.parsed.has("from-file") {
                return Ok(Vec::new());
            }
            return Err(Problem::Usage(
                "One of the reset scopes should be defined: --all-topics, --topic.".to_owned(),
            ));
        }
        let (named, whole): (Vec<_>, Vec<_>) = topics.into_iter().partition(|topic| topic.contains(':'));
        let mut partitions = Vec::new();
        for topic in named {
            partitions.extend(named_partitions(topic)?);
        }
        for (topic, described) in self.admin.describe_topics(whole).wait().map_err(taken_apart)? {
            let described = described.map_err(taken_apart)?;
            let all = described.partitions.iter();
            partitions.extend(all.map(|partition| TopicPartition::new(topic.as_str(), partition.partition)));
        }
        partitions.sort_unstable();
        partitions.dedup();
        Ok(partitions)
    }

    /// All partitions must be there, and have leaders.
    fn check(&self, partitions: &[TopicPartition]) -> Result<(), Problem> {
        let mut topics: Vec<&str> = partitions.iter().map(|partition| &*partition.topic).collect();
        topics.dedup();
        let described =
            self.admin.describe_topics(topics).wait().and_then(klamm::Each::all).map_err(handed_on)?;
        let all = described.iter().flat_map(|(topic, described)| {
            described.partitions.iter().map(|found| ((topic.as_str(), found.partition), found.leader))
        });
        let leaders: HashMap<_, _> = all.collect();
        let found =
            |partition: &TopicPartition| leaders.get(&(&*partition.topic, partition.partition)).copied();
        let those = |wanted: &dyn Fn(Option<Option<i32>>) -> bool| {
            java::joined(partitions.iter().filter(|partition| wanted(found(partition))), ",")
        };
        let missing = those(&|leader| leader.is_none());
        if !missing.is_empty() {
            return Err(Problem::Failed(format!("The partitions \"{missing}\" do not exist")));
        }
        let leaderless = those(&|leader| leader == Some(None));
        if !leaderless.is_empty() {
            return Err(Problem::Failed(format!("The partitions \"{leaderless}\" have no leader")));
        }
        Ok(())
    }

    /// What the group has committed.
    fn committed(&self) -> Result<Offsets, Problem> {
        let offsets = self.admin.group_offsets(self.group, None).wait().map_err(handed_on)?;
        Ok(offsets.into_iter().filter_map(|known| Some((known.partition, known.offset?))).collect())
    }

    /// Offsets that are found in the partitions themselves; none where there is none.
    fn looked_up(
        &self,
        partitions: &[TopicPartition],
        at: OffsetAt,
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, Problem> {
        let wanted = partitions.iter().map(|partition| (partition.clone(), at));
        let found = self.admin.list_offsets(wanted).wait().and_then(klamm::Each::all).map_err(handed_on)?;
        Ok(found
            .into_iter()
            .map(|((partition, _), found)| (partition, found.map(|found| found.offset)))
            .collect())
    }

    fn found(&self, partitions: &[TopicPartition], at: OffsetAt) -> Result<Offsets, Problem> {
        let found = self.looked_up(partitions, at)?;
        Ok(found.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect())
    }

    /// The nearest offsets that there are.
    fn within_range(&self, wanted: Offsets) -> Result<Offsets, Problem> {
        let partitions: Vec<_> = wanted.keys().cloned().collect();
        let first = self.found(&partitions, OffsetAt::Earliest)?;
        let end = self.found(&partitions, OffsetAt::Latest)?;
        let near = |(partition, offset): (TopicPartition, i64)| {
            let least = first.get(&partition).copied().unwrap_or(i64::MIN);
            let most = end.get(&partition).copied().unwrap_or(i64::MAX);
            (partition, offset.max(least).min(most))
        };
        Ok(wanted.into_iter().map(near).collect())
    }

    fn shifted(&self, partitions: Vec<TopicPartition>, by: i64) -> Result<Offsets, Problem> {
        let committed = self.committed()?;
        let shifted = partitions.into_iter().map(|partition| match committed.get(&partition) {
            Some(offset) => Ok((partition, offset.saturating_add(by))),
            None => Err(Problem::Usage(format!(
                "Cannot shift offset for partition {partition} since there is no current committed offset"
            ))),
        });
        self.within_range(shifted.collect::<Result<_, _>>()?)
    }

    fn at_time(&self, partitions: &[TopicPartition], at: i64, out: &mut Output) -> Result<Offsets, Problem> {
        let (mut offsets, mut empty) = (Offsets::new(), Vec::new());
        for (partition, offset) in self.looked_up(partitions, OffsetAt::Timestamp(at))? {
            match offset {
                Some(offset) => {
                    offsets.insert(partition, offset);
                }
                None => empty.push(partition),
            }
        }
        for partition in &empty {
            out.line(format_args!(
                "\nWarn: Partition {} from topic {} is empty. Falling back to latest known offset.",
                partition.partition, partition.topic
            ))?;
        }
        if !empty.is_empty() {
            offsets.extend(self.found(&empty, OffsetAt::Latest)?);
        }
        Ok(offsets)
    }

    /// What is committed, and where nothing is, the end.
    fn current(&self, partitions: Vec<TopicPartition>) -> Result<Offsets, Problem> {
        let mut committed = self.committed()?;
        let (known, unknown): (Vec<_>, Vec<_>) =
            partitions.into_iter().partition(|partition| committed.contains_key(partition));
        let mut offsets: Offsets =
            known.into_iter().filter_map(|partition| committed.remove_entry(&partition)).collect();
        if !unknown.is_empty() {
            offsets.extend(self.found(&unknown, OffsetAt::Latest)?);
        }
        Ok(offsets)
    }

    fn planned_by_file(&self, path: &str, out: &mut Output) -> Result<Offsets, Problem> {
        let text =
            client::read_file(path).map_err(|why| Problem::Failed(format!("Unable to read file {why}")))?;
        let groups = self.parsed.values("group");
        let only = if groups.len() == 1 { groups.first().copied() } else { None };
        let mut plans = read_plans(&text, only).map_err(|why| Problem::Failed(format!("{path}, {why}")))?;
        match plans.remove(self.group) {
            Some(plan) => self.within_range(plan),
            None => {
                say_error(&format!("No reset plan for group {} found", self.group), out)?;
                Ok(Offsets::new())
            }
        }
    }
}

/// Lines of `TOPIC,PARTITION,OFFSET`, where only one group is meant, or `GROUP,TOPIC,PARTITION,OFFSET`.
fn read_plans(text: &str, only: Option<&str>) -> Result<HashMap<String, Offsets>, String> {
    let mut plans: HashMap<String, Offsets> = HashMap::new();
    for (at, line) in text.lines().enumerate() {
        let fields: Vec<_> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        let (group, topic, partition, offset) = match (&fields[..], only) {
            ([topic, partition, offset], Some(only)) => (only, *topic, *partition, *offset),
            ([group, topic, partition, offset], _) => (*group, *topic, *partition, *offset),
            _ => {
                return Err(format!(
                    "line {}: '{line}' is no TOPIC,PARTITION,OFFSET or GROUP,TOPIC,PARTITION,OFFSET",
                    at + 1
                ));
            }
        };
        let wrong = |what: &str, text: &str| format!("line {}: '{text}' is no {what}", at + 1);
        let partition = partition.parse().map_err(|_| wrong("number of a partition", partition))?;
        let offset = offset.parse().map_err(|_| wrong("offset", offset))?;
        plans.entry(group.to_owned()).or_default().insert(TopicPartition::new(topic, partition), offset);
    }
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_plans_is_for_one_group_or_names_groups() {
        let one = read_plans("a,0,5\na,1,6\n", Some("g")).unwrap();
        assert_eq!(one["g"].len(), 2);
        let several = read_plans("g,a,0,5\nh,a,1,6\n", None).unwrap();
        assert_eq!(
            (several["g"][&TopicPartition::new("a", 0)], several["h"][&TopicPartition::new("a", 1)]),
            (5, 6)
        );
        for (wrong, line) in [("a,0,5\nx\n", "line 2"), ("a,b,5", "line 1"), ("g,a,0,x", "line 1")] {
            let why = read_plans(wrong, Some("g")).unwrap_err();
            assert!(why.starts_with(line), "{why}");
        }
        assert!(read_plans("a,0,5", None).is_err());
    }

    #[test]
    fn partitions_are_named_behind_their_topic() {
        let named = |text| named_partitions(text).ok();
        assert_eq!(named("a:0,2"), Some(vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2)]));
        assert_eq!(named("a:x"), None);
        assert_eq!(named("a:0:1"), None);
    }
}

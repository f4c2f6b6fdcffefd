//! `--describe`: where groups stand, their members, or their state.

use std::collections::{BTreeMap, HashMap};

use klamm::{Admin, ClientError, CommittedOffset, GroupDescription, MemberDescription, TopicPartition};

use super::super::options::Parsed;
use super::super::{Output, complain, java};
use super::{Problem, handed_on, say_error, waited_for, wanted};

/// What stands where there is nothing to tell.
const NONE: &str = "-";

pub(super) fn run(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let ids = wanted(admin, parsed)?;
    let described = admin.describe_groups(ids).wait().and_then(klamm::Each::all).map_err(waited_for)?;
    let groups: BTreeMap<String, GroupDescription> = described.into_iter().collect();
    let verbose = parsed.has("verbose");
    if parsed.has("members") {
        groups.values().try_for_each(|group| print_members(group, verbose, out))
    } else if parsed.has("state") {
        print_states(admin, &groups, verbose, out)
    } else {
        groups.values().try_for_each(|group| print_offsets(admin, group, verbose, out))
    }
}

/// Says what there is to say of a group's state, and whether there is more to be seen of it.
fn say_state(group: &GroupDescription, out: &mut Output) -> Result<bool, Problem> {
    let id = &group.id;
    match group.state.as_str() {
        "Dead" => say_error(&format!("Consumer group '{id}' does not exist."), out)?,
        "Empty" => complain(format_args!("\nConsumer group '{id}' has no active members.")),
        "Stable" => {}
        _ => complain(format_args!("\nWarning: Consumer group '{id}' is rebalancing.")),
    }
    Ok(group.state != "Dead")
}

/// Where a group stands in a partition, and who reads it.
struct Row {
    offset: CommittedOffset,
    consumer: String,
    host: String,
    client: String,
}

fn rows(admin: &Admin, group: &GroupDescription) -> Result<Vec<Row>, ClientError> {
    let committed = admin.group_offsets(group.id.as_str(), None).wait()?;
    let mut known: HashMap<TopicPartition, CommittedOffset> =
        committed.into_iter().map(|offset| (offset.partition.clone(), offset)).collect();
    let assigned = group.members.iter().flat_map(|member| &member.assignment);
    let others: Vec<_> = assigned.filter(|partition| !known.contains_key(partition)).cloned().collect();
    if !others.is_empty() {
        let others = admin.group_offsets(group.id.as_str(), Some(others)).wait()?;
        known.extend(others.into_iter().map(|offset| (offset.partition.clone(), offset)));
    }
    let mut members: Vec<_> = group.members.iter().collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assignment.len()));
    let mut rows = Vec::with_capacity(known.len());
    for member in members {
        for partition in sorted(&member.assignment) {
            if let Some(offset) = known.remove(partition) {
                let (consumer, host) = (member.id.clone(), member.client_host.clone());
                rows.push(Row { offset, consumer, host, client: member.client_id.clone() });
            }
        }
    }
    let mut left: Vec<_> = known.into_values().collect();
    left.sort_by(|a, b| a.partition.cmp(&b.partition));
    let none = || NONE.to_owned();
    rows.extend(left.into_iter().map(|offset| Row {
        offset,
        consumer: none(),
        host: none(),
        client: none(),
    }));
    Ok(rows)
}

fn sorted(partitions: &[TopicPartition]) -> Vec<&TopicPartition> {
    let mut partitions: Vec<_> = partitions.iter().collect();
    partitions.sort_unstable();
    partitions
}

/// The width of a column: that of the longest in it, and no less than this.
fn width<'a>(least: usize, cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(least)
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}

fn print_offsets(
    admin: &Admin,
    group: &GroupDescription,
    verbose: bool,
    out: &mut Output,
) -> Result<(), Problem> {
    let rows = rows(admin, group).map_err(handed_on)?;
    if !say_state(group, out)? || rows.is_empty() {
        return Ok(());
    }
    let mut widths = vec![
        width(15, std::iter::once(group.id.as_str())),
        width(15, rows.iter().map(|row| &*row.offset.partition.topic)),
        10,
        15,
        15,
        15,
        15,
        width(15, rows.iter().map(|row| row.consumer.as_str())),
        width(15, rows.iter().map(|row| row.host.as_str())),
    ];
    let mut head = vec![
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    if !verbose {
        widths.remove(3);
        head.remove(3);
    }
    out.line("")?;
    out.line(java::columns(&head, &widths))?;
    for row in &rows {
        let known = &row.offset;
        let lag = known.offset.zip(known.log_end).map(|(offset, end)| end.saturating_sub(offset));
        let (partition, epoch) =
            (known.partition.partition.to_string(), Some(known.leader_epoch).filter(|epoch| *epoch >= 0));
        let (epoch, offset) = (or_none(epoch), or_none(known.offset));
        let (end, lag) = (or_none(known.log_end), or_none(lag));
        let mut cells = vec![
            &*group.id,
            &*known.partition.topic,
            &partition,
            &epoch,
            &offset,
            &end,
            &lag,
            &row.consumer,
            &row.host,
            &row.client,
        ];
        if !verbose {
            cells.remove(3);
        }
        out.line(java::columns(&cells, &widths))?;
    }
    Ok(())
}

/// `orders:0,1;payments:2`, or none.
fn assignment(partitions: &[TopicPartition]) -> String {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in sorted(partitions) {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    if topics.is_empty() {
        return NONE.to_owned();
    }
    java::joined(
        topics.into_iter().map(|(topic, numbers)| format!("{topic}:{}", java::joined(numbers, ","))),
        ";",
    )
}

fn print_members(group: &GroupDescription, verbose: bool, out: &mut Output) -> Result<(), Problem> {
    say_state(group, out)?;
    let members = &group.members;
    let instances = members.iter().any(|member| member.instance_id.is_some());
    let upgrading = [true, false].iter().all(|is| members.iter().any(|member| member.upgraded == Some(*is)));
    let column = |least, of: fn(&MemberDescription) -> &str| width(least, members.iter().map(of));
    let assigned: Vec<_> = members.iter().map(|member| assignment(&member.assignment)).collect();
    let targets: Vec<_> =
        members.iter().map(|member| assignment(member.target.as_deref().unwrap_or_default())).collect();
    let mut head = vec!["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS"];
    let mut widths = vec![
        width(15, members.iter().map(|_| group.id.as_str())),
        column(15, |member| &member.id),
        column(15, |member| &member.client_host),
        column(15, |member| &member.client_id),
        15,
    ];
    if instances {
        head.insert(2, "GROUP-INSTANCE-ID");
        widths.insert(2, column(17, |member| member.instance_id.as_deref().unwrap_or_default()));
    }
    // Where there is more to come, what ends each line is a space.
    head.push("");
    if verbose {
        head.pop();
        head.extend(["CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT"]);
        let least = |cells: &[String]| width(20, cells.iter().map(String::as_str));
        widths.extend([15, least(&assigned), 15, least(&targets)]);
        if upgrading {
            head.push("UPGRADED");
        }
    }
    out.line("")?;
    out.line(java::columns(&head, &widths))?;
    for ((member, current), target) in members.iter().zip(&assigned).zip(&targets) {
        let count = member.assignment.len().to_string();
        let (epoch, target_epoch) = (or_none(member.epoch), or_none(group.assignment_epoch));
        let upgraded = or_none(member.upgraded);
        let mut cells = vec![&*group.id, &*member.id, &*member.client_host, &*member.client_id, &count];
        if instances {
            cells.insert(2, member.instance_id.as_deref().unwrap_or_default());
        }
        if verbose {
            cells.extend([epoch.as_str(), current, &target_epoch, target]);
            if upgrading {
                cells.push(&upgraded);
            }
        } else {
            cells.push("");
        }
        out.line(java::columns(&cells, &widths))?;
    }
    Ok(())
}

fn print_states(
    admin: &Admin,
    groups: &BTreeMap<String, GroupDescription>,
    verbose: bool,
    out: &mut Output,
) -> Result<(), Problem> {
    let (listed, cluster) = (admin.list_groups(), admin.describe_cluster());
    let coordinators: HashMap<String, i32> =
        listed.wait().map_err(waited_for)?.into_iter().map(|group| (group.id, group.coordinator)).collect();
    let brokers = cluster.wait().map_err(waited_for)?.brokers;
    for group in groups.values() {
        if !say_state(group, out)? {
            continue;
        }
        let coordinator =
            coordinators.get(&group.id).and_then(|id| brokers.iter().find(|broker| broker.id == *id));
        let coordinator =
            coordinator.map(|broker| format!("{}:{}  ({})", broker.host, broker.port, broker.id));
        let coordinator = or_none(coordinator);
        let strategy = if group.assignor.is_empty() { NONE } else { &group.assignor };
        let members = group.members.len().to_string();
        let (epoch, assignment_epoch) = (or_none(group.epoch), or_none(group.assignment_epoch));
        let mut widths = vec![
            width(15, std::iter::once(group.id.as_str())),
            width(25, std::iter::once(coordinator.as_str())),
            20,
            20,
            15,
            25,
        ];
        let mut head = vec![
            "GROUP",
            "COORDINATOR (ID)",
            "ASSIGNMENT-STRATEGY",
            "STATE",
            "GROUP-EPOCH",
            "TARGET-ASSIGNMENT-EPOCH",
            "#MEMBERS",
        ];
        let mut cells =
            vec![&*group.id, &coordinator, strategy, &group.state, &epoch, &assignment_epoch, &members];
        if !verbose {
            widths.truncate(4);
            head.drain(4..6);
            cells.drain(4..6);
        }
        out.line("")?;
        out.line(java::columns(&head, &widths))?;
        out.line(java::columns(&cells, &widths))?;
    }
    Ok(())
}

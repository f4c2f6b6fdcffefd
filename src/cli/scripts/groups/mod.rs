//! `kafka-consumer-groups.sh`: listing, describing and deleting groups, resetting and deleting their offsets.
//!
//! Where the original fails while it talks to the cluster, it says so on standard output and exits with 0; so does this.

mod delete;
mod describe;
mod options;
mod reset;
mod time;

use std::time::Duration;

use klamm::{Admin, ClientError, GroupSummary};

use super::errors::Thrown;
use super::options::{OptionError, Parsed, parse};
use super::{Ended, Output, client, complain, java};

/// Why the work was not done.
enum Problem {
    /// The command line asks for what cannot be: said above the usage.
    Usage(String),
    /// It failed.
    Failed(String),
    Output(std::io::Error),
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Output(error)
    }
}

impl From<OptionError> for Problem {
    fn from(error: OptionError) -> Self {
        Problem::Failed(error.to_string())
    }
}

/// What the original says of a call whose outcome it waited for.
fn waited_for(error: ClientError) -> Problem {
    Problem::Failed(Thrown::from(error).to_string())
}

/// What the original says of such a call where it hands the exception on in another.
fn handed_on(error: ClientError) -> Problem {
    Problem::Failed(format!("java.util.concurrent.ExecutionException: {}", Thrown::from(error)))
}

/// What the original says of a call whose exception it takes apart.
fn taken_apart(error: ClientError) -> Problem {
    Problem::Failed(Thrown::from(error).message)
}

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(options::OPTIONS, arguments)?;
    options::check(&parsed, out)?;
    if let Some(pattern) = parsed.value("validate-regex")? {
        validate(pattern, out)?;
        return Ok(());
    }
    match work(&parsed, out) {
        Ok(()) => Ok(()),
        Err(Problem::Usage(message)) => Err(Ended::Usage(message)),
        Err(Problem::Output(error)) => Err(Ended::Output(error)),
        Err(Problem::Failed(message)) => {
            let message = format!("Executing consumer group command failed due to {message}");
            Ok(say_error(&message, out)?)
        }
    }
}

fn say_error(message: &str, out: &mut Output) -> std::io::Result<()> {
    out.line(format_args!("\nError: {message}"))
}

/// Says whether a pattern is one that brokers take.
fn validate(pattern: &str, out: &mut Output) -> std::io::Result<()> {
    match regex::Regex::new(pattern) {
        Ok(_) => out.line(format_args!("The regular expression `{pattern}` is valid.")),
        Err(error) => {
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            out.line(format_args!("The regular expression `{pattern}` is invalid: {why}."))
        }
    }
}

fn work(parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let limit = parsed.long("timeout")?.unwrap_or_default();
    let admin = client::admin(parsed, "adminclient-1").map_err(|error| {
        if let Some(cause) = error.cause() {
            complain(cause);
        }
        Problem::Failed(error.message)
    })?;
    let admin = admin.timeout(Duration::from_millis(u64::try_from(limit).unwrap_or(0)));
    match () {
        () if parsed.has("list") => list(&admin, parsed, out),
        () if parsed.has("describe") => describe::run(&admin, parsed, out),
        () if parsed.has("delete") => delete::groups(&admin, parsed, out),
        () if parsed.has("reset-offsets") => reset::run(&admin, parsed, out),
        () => delete::offsets(&admin, parsed, out),
    }
}

/// The groups of consumers.
fn consumer_groups(admin: &Admin) -> Result<Vec<GroupSummary>, ClientError> {
    let mut groups = admin.list_groups().wait()?;
    groups.retain(|group| {
        let of_consumers = group.protocol_type.is_empty() || group.protocol_type == "consumer";
        of_consumers && group.kind.as_deref().is_none_or(|kind| kind == "classic" || kind == "consumer")
    });
    Ok(groups)
}

/// The ids of the groups that are meant.
fn wanted(admin: &Admin, parsed: &Parsed) -> Result<Vec<String>, Problem> {
    if parsed.has("all-groups") {
        let groups = consumer_groups(admin).map_err(handed_on)?;
        return Ok(groups.into_iter().map(|group| group.id).collect());
    }
    let mut ids: Vec<_> = parsed.values("group").into_iter().map(str::to_owned).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

const STATES: [&str; 7] =
    ["Empty", "CompletingRebalance", "Assigning", "Dead", "Stable", "PreparingRebalance", "Reconciling"];

const TYPES: [&str; 2] = ["Consumer", "Classic"];

fn list(admin: &Admin, parsed: &Parsed, out: &mut Output) -> Result<(), Problem> {
    let (with_type, with_state) = (parsed.has("type"), parsed.has("state"));
    if !with_type && !with_state {
        for group in consumer_groups(admin).map_err(handed_on)? {
            out.line(group.id)?;
        }
        return Ok(());
    }
    let types = filter(parsed.value("type")?, &TYPES).map_err(|list| {
        Problem::Usage(format!("Invalid types list '{list}'. Valid types are: {}", TYPES.join(", ")))
    })?;
    let states = filter(parsed.value("state")?, &STATES).map_err(|list| {
        Problem::Usage(format!("Invalid state list '{list}'. Valid states are: {}", STATES.join(", ")))
    })?;
    let mut groups = consumer_groups(admin).map_err(waited_for)?;
    let kind = |group: &GroupSummary| named(group.kind.as_deref(), &TYPES);
    let state = |group: &GroupSummary| named(group.state.as_deref(), &STATES);
    groups.retain(|group| {
        let chosen = |chosen: &[&str], name: &str| chosen.is_empty() || chosen.contains(&name);
        chosen(&types, kind(group)) && chosen(&states, state(group))
    });
    let longest = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0);
    let line = |id: &str, kind: &str, state: &str| {
        let mut line = java::padded(id, longest.max(15) + 10);
        for (column, _) in [(kind, with_type), (state, with_state)].into_iter().filter(|(_, wanted)| *wanted)
        {
            line.push(' ');
            line.push_str(&java::padded(column, 20));
        }
        line
    };
    out.line(line("GROUP", "TYPE", "STATE"))?;
    for group in &groups {
        out.line(line(&group.id, kind(group), state(group)))?;
    }
    Ok(())
}

/// The names in a list, as they are known; or the list, if one is not known.
fn filter<'k>(list: Option<&str>, known: &[&'k str]) -> Result<Vec<&'k str>, String> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(Vec::new()) };
    let find = |name: &str| known.iter().copied().find(|known| known.eq_ignore_ascii_case(name.trim()));
    java::split(list, ',').into_iter().map(|name| find(name).ok_or_else(|| list.to_owned())).collect()
}

/// A name as Java's enums write it.
fn named<'k>(name: Option<&str>, known: &[&'k str]) -> &'k str {
    known
        .iter()
        .copied()
        .find(|known| name.is_some_and(|name| known.eq_ignore_ascii_case(name)))
        .unwrap_or("Unknown")
}

//! `kafka-configs.sh`: describing and altering configs of topics, brokers, their loggers, groups and client metrics.

use std::collections::BTreeSet;

use klamm::{Admin, ConfigChange, ConfigEntry, ConfigResource, ConfigSource};

use super::errors::Thrown;
use super::options::{Opt, OptionError, Parsed, flag, parse, text};
use super::{Ended, Output, client, java, usage};

const OPTIONS: &[Opt] = &[
    text("bootstrap-server"),
    text("bootstrap-controller"),
    text("command-config"),
    flag("alter"),
    flag("describe"),
    flag("all"),
    text("entity-type"),
    text("entity-name"),
    flag("entity-default"),
    text("add-config"),
    text("add-config-file"),
    text("delete-config").list(),
    text("topic"),
    text("client"),
    flag("client-defaults"),
    text("user"),
    flag("user-defaults"),
    text("broker"),
    flag("broker-defaults"),
    text("broker-logger"),
    flag("ip-defaults"),
    text("ip"),
    text("group"),
    text("client-metrics"),
];

/// Options that name an entity, and its type.
const NAMING: &[(&str, &str)] = &[
    ("topic", "topics"),
    ("client", "clients"),
    ("user", "users"),
    ("broker", "brokers"),
    ("broker-logger", "broker-loggers"),
    ("ip", "ips"),
    ("client-metrics", "client-metrics"),
    ("group", "groups"),
];

/// Options that mean the default of a type.
const DEFAULTS: &[(&str, &str)] = &[
    ("client-defaults", "clients"),
    ("user-defaults", "users"),
    ("broker-defaults", "brokers"),
    ("ip-defaults", "ips"),
];

const TYPES: &[&str] =
    &["topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"];

/// Types with quotas and credentials, which are no configs to a broker.
const QUOTAS: &[&str] = &["users", "clients", "ips"];

/// Why the work was not done.
enum Problem {
    /// Something that the original says without more.
    Said(String),
    /// Something that it says below its arguments.
    Thrown(String),
    Output(std::io::Error),
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Output(error)
    }
}

impl From<klamm::ClientError> for Problem {
    fn from(error: klamm::ClientError) -> Self {
        Problem::Thrown(Thrown::from(error).message)
    }
}

impl From<OptionError> for Problem {
    fn from(error: OptionError) -> Self {
        Problem::Said(error.to_string())
    }
}

/// What is described or altered, in the order of the command line. An empty name is the default of its type.
struct Entities {
    types: Vec<String>,
    names: Vec<String>,
}

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments)?;
    parsed.help_or_version(usage::CONFIGS, out)?;
    let entities = check(&parsed)?;
    match work(&parsed, &entities, out) {
        Ok(()) => Ok(()),
        Err(Problem::Output(error)) => Err(Ended::Output(error)),
        Err(Problem::Said(message)) => Err(Ended::Failed(message)),
        Err(Problem::Thrown(message)) => Err(Ended::Failed(format!(
            "Error while executing config command with args '{}'\n{message}",
            arguments.join(" ")
        ))),
    }
}

fn entities(parsed: &Parsed) -> Result<Entities, OptionError> {
    let types = parsed.values("entity-type").into_iter().map(str::to_owned);
    let flags = NAMING.iter().chain(DEFAULTS).filter(|(option, _)| parsed.has(option));
    let types = types.chain(flags.map(|(_, kind)| (*kind).to_owned())).collect();
    let mut given = parsed.values("entity-name").into_iter();
    let mut names = Vec::new();
    for option in parsed.names() {
        match option {
            "entity-name" => names.extend(given.next().map(str::to_owned)),
            "entity-default" => names.push(String::new()),
            _ => {}
        }
    }
    for (option, _) in NAMING {
        names.extend(parsed.value(option)?.map(str::to_owned));
    }
    names.extend(DEFAULTS.iter().filter(|(option, _)| parsed.has(option)).map(|_| String::new()));
    Ok(Entities { types, names })
}

fn check(parsed: &Parsed) -> Result<Entities, Ended> {
    if parsed.count(&["alter", "describe"]) != 1 {
        return Err(Ended::Usage("Command must include exactly one action: --describe, --alter".to_owned()));
    }
    parsed.exclude("describe", &["add-config", "delete-config"])?;
    let entities = entities(parsed)?;
    check_entities(parsed, &entities).and_then(|()| check_names(parsed, &entities)).map_err(Ended::Failed)?;
    check_changes(parsed, &entities).map_err(Ended::Failed)?;
    Ok(entities)
}

fn check_entities(parsed: &Parsed, entities: &Entities) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    let again: Vec<_> = entities.types.iter().filter(|kind| !seen.insert(kind.as_str())).collect();
    if !again.is_empty() {
        return Err(format!("Duplicate entity type(s) specified: {}", java::joined(again, ",")));
    }
    if parsed.count(&["bootstrap-server", "bootstrap-controller"]) == 0 {
        return Err("Either --bootstrap-server or --bootstrap-controller must be specified.".to_owned());
    }
    if let Some(unknown) = entities.types.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
        return Err(format!(
            "Invalid entity type {unknown}, the entity type must be one of {} with a --bootstrap-server or \
             --bootstrap-controller argument",
            TYPES.join(", ")
        ));
    }
    if entities.types.is_empty() {
        return Err("At least one entity type must be specified".to_owned());
    }
    if entities.types.len() > 1 && !entities.types.iter().all(|kind| kind == "users" || kind == "clients") {
        return Err("Only 'users' and 'clients' entity types may be specified together".to_owned());
    }
    let by_flags = NAMING.iter().chain(DEFAULTS).any(|(option, _)| parsed.has(option));
    if by_flags && parsed.count(&["entity-name", "entity-type", "entity-default"]) > 0 {
        return Err(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags"
                .to_owned(),
        );
    }
    if parsed.count(&["bootstrap-server", "bootstrap-controller"]) == 2 {
        return Err("Only one of --bootstrap-server or --bootstrap-controller can be specified".to_owned());
    }
    Ok(())
}

fn check_names(parsed: &Parsed, entities: &Entities) -> Result<(), String> {
    let is_broker = |kind: &String| kind == "brokers" || kind == "broker-loggers";
    let Some(kind) = entities.types.first() else { return Ok(()) };
    if is_broker(kind) {
        let wrong = entities.names.iter().find(|name| !name.is_empty() && name.parse::<i32>().is_err());
        if let Some(name) = wrong {
            return Err(format!(
                "The entity name for {kind} must be a valid integer broker id, but it is: {name}"
            ));
        }
    }
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    if parsed.has("describe") {
        let has_defaults = ["users", "clients", "brokers", "ips"].contains(&kind.as_str());
        if !has_defaults && parsed.has("entity-default") {
            return Err(format!(
                "--entity-default must not be specified with --describe of {}",
                entities.types.join(",")
            ));
        }
        if kind == "broker-loggers" && !has_name {
            return Err(format!(
                "An entity name must be specified with --describe of {}",
                entities.types.join(",")
            ));
        }
    }
    Ok(())
}

fn check_changes(parsed: &Parsed, entities: &Entities) -> Result<(), String> {
    if !parsed.has("alter") {
        return Ok(());
    }
    let has_name = entities.names.iter().any(|name| !name.is_empty());
    let has_defaults =
        entities.types.iter().any(|kind| ["users", "clients", "brokers", "ips"].contains(&kind.as_str()));
    if has_defaults && entities.names.is_empty() {
        return Err("An entity-name or default entity must be specified with --alter of users, clients, brokers or ips".to_owned());
    }
    if !has_defaults && !has_name {
        return Err(format!("An entity name must be specified with --alter of {}", entities.types.join(",")));
    }
    if parsed.count(&["add-config", "add-config-file"]) == 2 {
        return Err("Only one of --add-config or --add-config-file must be specified".to_owned());
    }
    if parsed.count(&["add-config", "add-config-file", "delete-config"]) == 0 {
        return Err(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter".to_owned()
        );
    }
    Ok(())
}

fn work(parsed: &Parsed, entities: &Entities, out: &mut Output) -> Result<(), Problem> {
    if parsed.has("bootstrap-controller") {
        let why = "controllers are not talked to here: give --bootstrap-server with the address of a broker";
        return Err(Problem::Thrown(why.to_owned()));
    }
    let admin = client::admin(parsed, "adminclient-1").map_err(|error| Problem::Thrown(error.to_string()))?;
    let kind = entities.types.first().map(String::as_str).unwrap_or_default();
    if parsed.has("alter") && entities.types.len() != entities.names.len() {
        return Err(Problem::Said("An entity name must be specified for every entity type".to_owned()));
    }
    let changes = if parsed.has("alter") { Some(changes(parsed)?) } else { None };
    if QUOTAS.contains(&kind) {
        let why = format!(
            "quotas and SCRAM credentials of {kind} are not described or altered here: use Apache Kafka's own kafka-configs.sh"
        );
        return Err(Problem::Thrown(why));
    }
    let name = entities.names.first().map(String::as_str);
    match changes {
        Some(changes) => alter(&admin, kind, name.unwrap_or_default(), changes, out),
        None => describe(&admin, kind, name, parsed.has("all"), out),
    }
}

/// What is to be changed: first what is deleted, then what is added.
fn changes(parsed: &Parsed) -> Result<Vec<ConfigChange>, Problem> {
    let mut added = match parsed.value("add-config-file")? {
        Some(path) => client::properties_of(path).map_err(Problem::Thrown)?,
        None => Vec::new(),
    };
    if let Some(pairs) = parsed.value("add-config")? {
        added.extend(pairs_of(pairs).map_err(Problem::Said)?);
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "$._-".contains(letter);
    if let Some((name, _)) = added.iter().find(|(name, _)| !name.chars().all(allowed)) {
        return Err(Problem::Said(format!("Invalid character found for config key: {name}")));
    }
    // Of one that is given twice the last counts.
    let counts = |(at, (name, _)): &(usize, &(String, String))| {
        !added.iter().skip(at + 1).any(|(later, _)| later == name)
    };
    let added =
        added.iter().enumerate().filter(counts).map(|(_, (name, value))| ConfigChange::set(name, value));
    let deleted = parsed.values("delete-config").into_iter().map(|name| ConfigChange::reset(name.trim()));
    Ok(deleted.chain(added).collect())
}

/// `a=1,b=[2,3]`: commas and equals signs within brackets belong to the value.
fn pairs_of(text: &str) -> Result<Vec<(String, String)>, String> {
    let wrong = || {
        "requirement failed: Invalid entity config: all configs to be added must be in the format \"key=val\" or  \
         \"key=[val1,val2]\" to group values which contain commas."
            .to_owned()
    };
    let mut pairs = Vec::new();
    let mut parts = split_outside(text, ',');
    while parts.len() > 1 && parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    for part in parts {
        match split_outside(part, '=')[..] {
            [name, value] => {
                pairs.push((name.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned()))
            }
            _ => return Err(wrong()),
        }
    }
    Ok(pairs)
}

/// Splits where no closing bracket follows before an opening one.
fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|tail| tail.find(separator)).map(|at| from + at) {
        let (head, tail) = rest.split_at(at);
        let tail = tail.strip_prefix(separator).unwrap_or(tail);
        let is_inside = tail.find(['[', ']']).is_some_and(|found| tail[found..].starts_with(']'));
        if is_inside {
            from = at + separator.len_utf8();
        } else {
            parts.push(head);
            (rest, from) = (tail, 0);
        }
    }
    parts.push(rest);
    parts
}

fn resource(kind: &str, name: &str) -> Result<ConfigResource, Problem> {
    let id = || {
        name.parse::<i32>().map_err(|_| {
            Problem::Said(format!(
                "The entity name for {kind} must be a valid integer broker id, found: {name}"
            ))
        })
    };
    Ok(match kind {
        "topics" => ConfigResource::Topic(name.to_owned()),
        "brokers" if name.is_empty() => ConfigResource::AllBrokers,
        "brokers" => ConfigResource::Broker(id()?),
        "broker-loggers" => ConfigResource::BrokerLoggers(id()?),
        "groups" => ConfigResource::Group(name.to_owned()),
        _ => ConfigResource::ClientMetrics(name.to_owned()),
    })
}

/// A type without its last letter.
fn singular(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}

fn alter(
    admin: &Admin,
    kind: &str,
    name: &str,
    changes: Vec<ConfigChange>,
    out: &mut Output,
) -> Result<(), Problem> {
    let resource = resource(kind, name)?;
    if kind == "broker-loggers" {
        let known = entries(admin, resource.clone())?;
        let is_known = |name: &str| known.iter().any(|entry| entry.name == name);
        let changed = changes.iter().map(|change| match change {
            ConfigChange::Set(name, _)
            | ConfigChange::Reset(name)
            | ConfigChange::Append(name, _)
            | ConfigChange::Subtract(name, _) => name.as_str(),
        });
        let unknown: Vec<_> = changed.filter(|name| !is_known(name)).collect();
        if !unknown.is_empty() {
            return Err(Problem::Said(format!("Invalid broker logger(s): {}", unknown.join(","))));
        }
    }
    admin.alter_configs([(resource, changes)]).wait()?.all()?;
    if name.is_empty() {
        out.line(format_args!("Completed updating default config for {kind} in the cluster."))?;
    } else {
        out.line(format_args!("Completed updating config for {} {name}.", singular(kind)))?;
    }
    Ok(())
}

fn describe(
    admin: &Admin,
    kind: &str,
    name: Option<&str>,
    all: bool,
    out: &mut Output,
) -> Result<(), Problem> {
    if let Some(name) = name
        && !all
        && !name.is_empty()
        && !known(admin, kind)?.contains(name)
    {
        out.line(format_args!(
            "The {} '{name}' doesn't exist and doesn't have dynamic config.",
            singular(kind)
        ))?;
        return Ok(());
    }
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let mut names: Vec<_> = known(admin, kind)?.into_iter().collect();
            if kind == "brokers" {
                names.push(String::new());
            }
            names
        }
    };
    for name in names {
        if name.is_empty() {
            out.line(format_args!("Default configs for {kind} in the cluster are:"))?;
        } else {
            let which = if all { "All" } else { "Dynamic" };
            out.line(format_args!("{which} configs for {} {name} are:", singular(kind)))?;
        }
        let resource = resource(kind, &name)?;
        let own = own_source(&resource);
        for entry in entries(admin, resource)? {
            if all || own.is_none_or(|own| entry.source == own) {
                out.line(shown(&entry))?;
            }
        }
    }
    Ok(())
}

/// The names of all entities of a type.
fn known(admin: &Admin, kind: &str) -> Result<BTreeSet<String>, Problem> {
    let configured = || admin.configured().wait().map(Vec::into_iter);
    Ok(match kind {
        "topics" => admin.list_topics().wait()?.into_iter().map(|topic| topic.name).collect(),
        "brokers" | "broker-loggers" => {
            admin.describe_cluster().wait()?.brokers.iter().map(|broker| broker.id.to_string()).collect()
        }
        "groups" => {
            let groups = admin.list_groups().wait()?.into_iter().map(|group| group.id);
            let configured = configured()?.filter_map(|resource| match resource {
                ConfigResource::Group(id) => Some(id),
                _ => None,
            });
            groups.chain(configured).collect()
        }
        _ => configured()?
            .filter_map(|resource| match resource {
                ConfigResource::ClientMetrics(name) => Some(name),
                _ => None,
            })
            .collect(),
    })
}

fn entries(admin: &Admin, resource: ConfigResource) -> Result<Vec<ConfigEntry>, Problem> {
    let described = admin.describe_configs([resource]).wait()?.all()?;
    Ok(described.into_iter().next().map(|(_, entries)| entries).unwrap_or_default())
}

/// Where configs come from that are an entity's own; none: all are.
fn own_source(resource: &ConfigResource) -> Option<ConfigSource> {
    match resource {
        ConfigResource::Topic(_) => Some(ConfigSource::Topic),
        ConfigResource::Broker(_) => Some(ConfigSource::Broker),
        ConfigResource::AllBrokers => Some(ConfigSource::AllBrokers),
        ConfigResource::BrokerLoggers(_) => None,
        ConfigResource::Group(_) => Some(ConfigSource::Group),
        ConfigResource::ClientMetrics(_) => Some(ConfigSource::ClientMetrics),
    }
}

fn shown(entry: &ConfigEntry) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms = entry
        .synonyms
        .iter()
        .map(|(name, synonym, source)| format!("{}:{name}={}", source_name(*source), value(synonym)));
    format!(
        "  {}={} sensitive={} synonyms={{{}}}",
        entry.name,
        value(&entry.value),
        entry.sensitive,
        java::joined(synonyms, ", ")
    )
}

fn source_name(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "DYNAMIC_TOPIC_CONFIG",
        ConfigSource::Broker => "DYNAMIC_BROKER_CONFIG",
        ConfigSource::AllBrokers => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        ConfigSource::StaticBroker => "STATIC_BROKER_CONFIG",
        ConfigSource::Default => "DEFAULT_CONFIG",
        ConfigSource::BrokerLogger => "DYNAMIC_BROKER_LOGGER_CONFIG",
        ConfigSource::ClientMetrics => "DYNAMIC_CLIENT_METRICS_CONFIG",
        ConfigSource::Group => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::CONFIGS);
    }

    #[test]
    fn brackets_keep_commas_and_equals_signs_together() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs_of("a=1,b=[2,3],c = x "),
            Ok(vec![pair("a", "1"), pair("b", "2,3"), pair("c", "x")])
        );
        assert_eq!(pairs_of("a=[p=1,q=2]"), Ok(vec![pair("a", "p=1,q=2")]));
        assert_eq!(pairs_of("a=,"), Ok(vec![pair("a", "")]));
        for wrong in ["a", "a=b=c", "", "a=1,,b=2"] {
            assert!(pairs_of(wrong).is_err(), "{wrong}");
        }
    }
}

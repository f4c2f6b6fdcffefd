//! `klamm configs`: what topics, brokers, groups and loggers are set to, and from where.

pub(crate) mod changes;

use std::process::ExitCode;

use klamm::{ConfigEntry, ConfigResource, ConfigSource};
use serde_json::json;

use super::connect::ConnectArgs;
use super::error::{Failure, Usage};
use super::output::{Form, Output};
use super::session::{Named, Session};
use super::terminal::Style;
use changes::Changes;

// What `klamm configs` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Configs {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    form: Form,

    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
enum Command {
    /// Show configs and where they come from: klamm configs describe topics orders
    Describe(Describe),
    /// Change configs: klamm configs alter topics orders --set retention.ms=3600000
    Alter(Alter),
}

/// What has configs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    #[value(alias = "topic")]
    Topics,
    #[value(alias = "broker")]
    Brokers,
    #[value(alias = "group")]
    Groups,
    #[value(alias = "logger", alias = "broker-loggers")]
    Loggers,
}

#[derive(Debug, clap::Args)]
struct Whose {
    /// Whose configs.
    #[arg(value_name = "KIND")]
    kind: Kind,

    /// Names of topics or groups, ids of brokers. [default: all, where they are described]
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// What all brokers have that have nothing of their own.
    #[arg(long, conflicts_with = "names")]
    default: bool,
}

#[derive(Debug, clap::Args)]
struct Describe {
    #[command(flatten)]
    whose: Whose,

    /// Those that nobody has set too.
    #[arg(short, long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Alter {
    #[command(flatten)]
    whose: Whose,

    #[command(flatten)]
    changes: Changes,

    /// Only check whether they could be changed so.
    #[arg(long)]
    dry_run: bool,
}

impl Configs {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let session = Session::open(&self.connect)?;
        match self.command {
            Command::Describe(describe) => describe.run(&session, self.form),
            Command::Alter(alter) => alter.run(&session, self.form),
        }
    }
}

impl Whose {
    /// Those that were named.
    fn named(&self) -> Result<Vec<ConfigResource>, Failure> {
        if self.default {
            return match self.kind {
                Kind::Brokers => Ok(vec![ConfigResource::AllBrokers]),
                _ => {
                    Err(Usage::failure("--default is for brokers: klamm configs describe brokers --default"))
                }
            };
        }
        let broker = |name: &String| {
            name.parse::<i32>().map_err(|_| {
                Usage::failure(format!("'{name}' is no broker's id; `klamm cluster brokers` shows them"))
            })
        };
        self.names
            .iter()
            .map(|name| match self.kind {
                Kind::Topics => Ok(ConfigResource::Topic(name.clone())),
                Kind::Groups => Ok(ConfigResource::Group(name.clone())),
                Kind::Brokers => broker(name).map(ConfigResource::Broker),
                Kind::Loggers => broker(name).map(ConfigResource::BrokerLoggers),
            })
            .collect()
    }

    /// Those that were named, or all that there are.
    fn named_or_all(&self, session: &Session) -> Result<Vec<ConfigResource>, Failure> {
        let named = self.named()?;
        if !named.is_empty() {
            return Ok(named);
        }
        let brokers = || -> Result<Vec<i32>, Failure> {
            let cluster = session.wait(session.admin.describe_cluster())?;
            Ok(cluster.brokers.iter().map(|broker| broker.id).collect())
        };
        Ok(match self.kind {
            Kind::Topics => {
                let topics = session.wait(session.admin.list_topics())?;
                let own = topics.into_iter().filter(|topic| !topic.internal);
                own.map(|topic| ConfigResource::Topic(topic.name)).collect()
            }
            Kind::Groups => {
                let groups = session.wait(session.admin.list_groups())?;
                groups.into_iter().map(|group| ConfigResource::Group(group.id)).collect()
            }
            Kind::Brokers => brokers()?.into_iter().map(ConfigResource::Broker).collect(),
            Kind::Loggers => brokers()?.into_iter().map(ConfigResource::BrokerLoggers).collect(),
        })
    }
}

impl Describe {
    fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let resources = self.whose.named_or_all(session)?;
        let described = session.wait(session.admin.describe_configs(resources))?;
        let (described, all) = session.sort(described, |session, resource, error| match resource {
            ConfigResource::Topic(name) => session.explain_name(Named::Topic, name, error),
            _ => session.explain(error),
        });
        let mut out = Output::new();
        let several = described.len() > 1;
        for (resource, entries) in &described {
            let entries: Vec<_> = entries.iter().filter(|entry| self.all || is_set(entry)).collect();
            if form.json {
                for entry in entries {
                    out.json(&as_json(resource, entry))?;
                }
                continue;
            }
            if several {
                out.styled(Style::Strong, format_args!("{resource}:"))?;
            }
            if entries.is_empty() {
                out.line("nothing is set; --all shows the defaults")?;
                continue;
            }
            let rows = entries.iter().map(|entry| (style_of(entry), row(entry)));
            out.styled_table(&["CONFIG", "VALUE", "SOURCE", ""], &[], rows)?;
        }
        out.flush()?;
        Ok(super::topics::code(all))
    }
}

/// Whether somebody has set it. Levels of loggers have all been set by somebody.
fn is_set(entry: &ConfigEntry) -> bool {
    !entry.is_default()
}

fn style_of(entry: &ConfigEntry) -> Style {
    if entry.is_default() { Style::Faint } else { Style::Plain }
}

fn row(entry: &ConfigEntry) -> Vec<String> {
    let value = match (&entry.value, entry.sensitive) {
        (_, true) => "(secret)".to_owned(),
        (Some(value), false) => value.clone(),
        (None, false) => "(none)".to_owned(),
    };
    let note = if entry.read_only { "read-only" } else { "" };
    vec![entry.name.clone(), value, source_of(entry.source).to_owned(), note.to_owned()]
}

fn as_json(resource: &ConfigResource, entry: &ConfigEntry) -> serde_json::Value {
    let synonyms: Vec<_> = entry
        .synonyms
        .iter()
        .map(|(name, value, source)| json!({ "config": name, "value": value, "source": source_of(*source) }))
        .collect();
    json!({
        "kind": kind_of(resource),
        "name": name_of(resource),
        "config": entry.name,
        "value": entry.value,
        "source": source_of(entry.source),
        "read_only": entry.read_only,
        "sensitive": entry.sensitive,
        "synonyms": synonyms,
    })
}

/// Where a value comes from, in a word.
fn source_of(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::Topic => "topic",
        ConfigSource::Broker => "broker",
        ConfigSource::AllBrokers => "all brokers",
        ConfigSource::StaticBroker => "start of the broker",
        ConfigSource::Default => "default",
        ConfigSource::BrokerLogger => "logger",
        ConfigSource::ClientMetrics => "metrics subscription",
        ConfigSource::Group => "group",
        _ => "unknown",
    }
}

/// What it is that has configs, in a word.
pub(super) fn kind_of(resource: &ConfigResource) -> &'static str {
    match resource {
        ConfigResource::Topic(_) => "topic",
        ConfigResource::Broker(_) | ConfigResource::AllBrokers => "broker",
        ConfigResource::BrokerLoggers(_) => "logger",
        ConfigResource::Group(_) => "group",
        ConfigResource::ClientMetrics(_) => "metrics subscription",
    }
}

/// Its name or id; none for all brokers.
pub(super) fn name_of(resource: &ConfigResource) -> Option<String> {
    match resource {
        ConfigResource::Topic(name) | ConfigResource::Group(name) | ConfigResource::ClientMetrics(name) => {
            Some(name.clone())
        }
        ConfigResource::Broker(id) | ConfigResource::BrokerLoggers(id) => Some(id.to_string()),
        ConfigResource::AllBrokers => None,
    }
}

impl Alter {
    fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let resources = self.whose.named()?;
        if resources.is_empty() {
            return Err(Usage::failure(
                "say whose configs are to change: names behind the kind, or --default for all brokers",
            ));
        }
        if self.changes.is_empty() {
            return Err(Usage::failure(
                "nothing was said to change: give --set NAME=VALUE, --reset NAME, --append or --subtract",
            ));
        }
        let mut out = Output::new();
        let all = changes::apply(session, &mut out, form, resources, &self.changes, self.dry_run)?;
        out.flush()?;
        Ok(super::topics::code(all))
    }
}

//! Changes of configs, as options name them, and making them.

use klamm::{ClientError, ConfigChange, ConfigResource, ErrorKind};
use serde_json::json;

use super::{kind_of, name_of};
use crate::cli::error::Failure;
use crate::cli::output::{Form, Output};
use crate::cli::session::{Named, Pair, Session};
use crate::cli::values::did_you_mean;

// What is to change.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Changes {
    /// Give a config a value: retention.ms=3600000; can be given several times.
    #[arg(short, long, value_name = "NAME=VALUE")]
    set: Vec<Pair>,

    /// Give a config back its default; can be given several times.
    #[arg(long, value_name = "NAME")]
    reset: Vec<String>,

    /// Add to a config that is a list: cleanup.policy=compact.
    #[arg(long, value_name = "NAME=VALUE")]
    append: Vec<Pair>,

    /// Take out of a config that is a list.
    #[arg(long, value_name = "NAME=VALUE")]
    subtract: Vec<Pair>,
}

impl Changes {
    /// Whether nothing is to change.
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.reset.is_empty() && self.append.is_empty() && self.subtract.is_empty()
    }

    fn all(&self) -> Vec<ConfigChange> {
        let pairs = |pairs: &[Pair], change: fn(String, String) -> ConfigChange| {
            pairs.iter().map(|Pair(name, value)| change(name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let mut all = pairs(&self.set, ConfigChange::Set);
        all.extend(self.reset.iter().map(|name| ConfigChange::Reset(name.clone())));
        all.extend(pairs(&self.append, ConfigChange::Append));
        all.extend(pairs(&self.subtract, ConfigChange::Subtract));
        all
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let of_pairs =
            self.set.iter().chain(&self.append).chain(&self.subtract).map(|Pair(name, _)| name.as_str());
        of_pairs.chain(self.reset.iter().map(String::as_str))
    }
}

/// Makes the changes, or checks whether they could be made; says what became of them, and whether all are.
pub(crate) fn apply(
    session: &Session,
    out: &mut Output,
    form: Form,
    resources: Vec<ConfigResource>,
    changes: &Changes,
    check_only: bool,
) -> Result<bool, Failure> {
    let wanted = resources.into_iter().map(|resource| (resource, changes.all()));
    let call = match check_only {
        true => session.admin.validate_configs(wanted),
        false => session.admin.alter_configs(wanted),
    };
    let explain =
        |session: &Session, resource: &ConfigResource, error| explain(session, resource, changes, error);
    let (changed, all) = session.sort(session.wait(call)?, explain);
    for (resource, ()) in changed {
        if form.json {
            out.json(
                &json!({ "kind": kind_of(&resource), "name": name_of(&resource), "changed": !check_only }),
            )?;
        } else {
            let done = if check_only { "could change" } else { "changed" };
            out.line(format_args!("{done} the configs of {resource}"))?;
        }
    }
    Ok(all)
}

/// The same error, with the nearest name where a topic or a config has none of this name.
fn explain(
    session: &Session,
    resource: &ConfigResource,
    changes: &Changes,
    error: ClientError,
) -> ClientError {
    if let ConfigResource::Topic(name) = resource {
        let explained = session.explain_name(Named::Topic, name, error.clone());
        if explained.code().is_none() {
            return explained;
        }
    }
    // Which names there are, the broker tells by describing them.
    let described = session.admin.describe_configs([resource.clone()]).wait().and_then(klamm::Each::all);
    let known: Vec<String> = described
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(_, entries)| entries)
        .map(|entry| entry.name)
        .collect();
    let unknown = changes.names().find(|name| !known.is_empty() && !known.iter().any(|known| known == name));
    match unknown {
        Some(name) => {
            let nearest = did_you_mean(name, known.iter().map(String::as_str));
            let why = format!("{}: there is no config '{name}' there{nearest}", error.why());
            let error =
                ClientError::new(ErrorKind::Broker, format!("changing the configs of {resource}"), why);
            if nearest.is_empty() {
                error.remedy("`klamm configs describe --all` shows those that there are")
            } else {
                error
            }
        }
        None => session.explain(error),
    }
}

//! Named clusters, in a config file of the user's: `klamm topics list --profile staging`.
//!
//! ```toml
//! default = "laptop"                        # used where nothing else says where the cluster is
//!
//! [profiles.laptop]
//! bootstrap-servers = "localhost:9092"
//!
//! [profiles.staging]
//! bootstrap-servers = ["one.example:9093", "two.example:9093"]
//! command-config = "staging.properties"     # beside this file
//! timeout = "30s"
//! options = { security.protocol = "SSL" }   # goes before what command-config says
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use klamm::CommandConfig;
use serde::Deserialize;
use toml::Value;

use super::error::{Failure, Usage};
use super::times::duration;
use super::values::did_you_mean;

/// The largest config file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Most tables within tables of options.
const DEEPEST: usize = 8;

/// What a profile says of its cluster.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    /// Its name.
    pub(crate) name: String,
    /// What clients are told.
    pub(crate) config: CommandConfig,
    /// How long a command may take.
    pub(crate) timeout: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    default: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    #[serde(alias = "bootstrap-server", alias = "bootstrap_servers")]
    bootstrap_servers: Option<Servers>,
    #[serde(alias = "command_config")]
    command_config: Option<PathBuf>,
    timeout: Option<String>,
    #[serde(default)]
    options: toml::Table,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Servers {
    One(String),
    Many(Vec<String>),
}

/// The profile of this name.
pub(crate) fn named(name: &str) -> Result<Profile, Failure> {
    let Some(path) = config_file().filter(|path| path.exists()) else {
        let place = config_file()
            .map_or_else(|| "a file named by KLAMM_CONFIG".to_owned(), |path| path.display().to_string());
        return Err(Usage::failure(format!(
            "there is no profile '{name}', because there is no config file; write [profiles.{name}] into {place}"
        )));
    };
    let mut file = read(&path)?;
    let Some(entry) = file.profiles.remove(name) else {
        let known: Vec<_> = file.profiles.keys().map(String::as_str).collect();
        let nearest = did_you_mean(name, known.iter().copied());
        let there =
            if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        return Err(Usage::failure(format!("{} has no profile '{name}' ({there}){nearest}", path.display())));
    };
    profile(&path, name, entry)
}

/// The profile for those who name none, where there is one.
pub(crate) fn by_default() -> Result<Option<Profile>, Failure> {
    let Some(path) = config_file().filter(|path| path.exists()) else { return Ok(None) };
    match read(&path)?.default {
        Some(name) => named(&name).map(Some),
        None => Ok(None),
    }
}

/// `KLAMM_CONFIG`, or `klamm/config.toml` where the user's configs are.
fn config_file() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("KLAMM_CONFIG").or_else(|| {
        let folder =
            variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")))?;
        Some(folder.join("klamm").join("config.toml"))
    })
}

fn read(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let told =
        |error: std::io::Error| Usage::failure(format!("cannot read the config file {shown}: {error}"));
    let length = std::fs::metadata(path).map_err(told)?.len();
    if length > LARGEST {
        return Err(Usage::failure(format!(
            "the config file {shown} has {length} bytes, more than {LARGEST}; name another with KLAMM_CONFIG"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(told)?;
    toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.matches('\n').count() + 1);
        Usage::failure(format!(
            "the config file {shown} makes no sense in line {line}: {}; correct it",
            error.message().replace('\n', " ")
        ))
    })
}

fn profile(path: &Path, name: &str, entry: Entry) -> Result<Profile, Failure> {
    let origin = format!("the profile '{name}' of {}", path.display());
    let mut pairs = Vec::new();
    flatten(&entry.options, "", 0, &mut pairs)
        .map_err(|why| Usage::failure(format!("{origin} cannot be: {why}")))?;
    let servers = match entry.bootstrap_servers {
        Some(Servers::One(servers)) => Some(servers),
        Some(Servers::Many(servers)) => Some(servers.join(",")),
        None => None,
    };
    pairs.extend(servers.map(|servers| ("bootstrap.servers".to_owned(), servers)));
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut config = CommandConfig::from_pairs(pairs, &origin)?;
    if let Some(file) = entry.command_config {
        let file = path.parent().map_or_else(|| file.clone(), |folder| folder.join(&file));
        config = config.over(CommandConfig::from_file(file)?);
    }
    let timeout = entry.timeout.as_deref().map(duration).transpose();
    let timeout =
        timeout.map_err(|why| Usage::failure(format!("the timeout in {origin} cannot be: {why}")))?;
    Ok(Profile { name: name.to_owned(), config, timeout })
}

/// The options of tables within tables: `security.protocol = "SSL"` is a table `security` to TOML.
fn flatten(
    table: &toml::Table,
    stem: &str,
    depth: usize,
    into: &mut Vec<(String, String)>,
) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("'{stem}' has tables within tables"));
    }
    for (key, value) in table {
        let name = if stem.is_empty() { key.clone() } else { format!("{stem}.{key}") };
        match value {
            Value::Table(table) => flatten(table, &name, depth + 1, into)?,
            Value::String(text) => into.push((name, text.clone())),
            Value::Integer(number) => into.push((name, number.to_string())),
            Value::Float(number) => into.push((name, number.to_string())),
            Value::Boolean(flag) => into.push((name, flag.to_string())),
            Value::Array(list) => {
                let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
                let texts =
                    texts.ok_or_else(|| format!("'{name}' is a list of something else than strings"))?;
                into.push((name, texts.join(",")));
            }
            Value::Datetime(_) => return Err(format!("'{name}' is a date, and no option takes one")),
        }
    }
    Ok(())
}

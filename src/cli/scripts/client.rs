//! How scripts come to a client: `--bootstrap-server` and a file of properties, judged as Kafka's clients judge them.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use klamm::{Admin, ClientError, CommandConfig};

use super::options::{OptionError, Parsed};
use super::{Ended, java};

/// The largest file of properties, records' offsets or payloads that is read into memory, in bytes.
const LARGEST_FILE: u64 = 256 * 1024 * 1024;

/// Why there is no client, as the original puts it, and what lies behind that.
#[derive(Debug)]
pub(super) struct NoClient {
    pub(super) message: String,
    cause: Option<String>,
}

impl NoClient {
    fn of(message: impl Into<String>) -> Self {
        NoClient { message: message.into(), cause: None }
    }

    /// Because of this, to a client of that name.
    fn because(client: &str, cause: impl fmt::Display) -> Self {
        NoClient { message: client.to_owned(), cause: Some(cause.to_string()) }
    }

    /// What lies behind it, where that is known.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What lies behind it alone.
    pub(super) fn into_cause(self) -> String {
        self.cause.unwrap_or(self.message)
    }
}

impl fmt::Display for NoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.cause {
            Some(cause) => write!(f, "\nCaused by: {cause}"),
            None => Ok(()),
        }
    }
}

impl From<NoClient> for Ended {
    fn from(error: NoClient) -> Self {
        Ended::Failed(error.to_string())
    }
}

impl From<OptionError> for NoClient {
    fn from(error: OptionError) -> Self {
        NoClient::of(error.to_string())
    }
}

/// The text of a file of bounded size.
pub(super) fn read_file(path: &str) -> Result<String, String> {
    let length = std::fs::metadata(Path::new(path)).map_err(|error| format!("{path}: {error}"))?.len();
    if length > LARGEST_FILE {
        return Err(format!("{path}: it has {length} bytes, more than {LARGEST_FILE}"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The properties in a file.
pub(super) fn properties_of(path: &str) -> Result<Vec<(String, String)>, String> {
    read_file(path).map(|text| java::properties(&text))
}

/// Properties from a command line: `name=value`, where the value may be left out.
pub(super) fn pairs(arguments: &[&str]) -> Vec<(String, String)> {
    let pair = |text: &&str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    arguments.iter().map(pair).collect()
}

/// The value of a property that was given last.
pub(super) fn last<'p>(properties: &'p [(String, String)], name: &str) -> Option<&'p str> {
    properties.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A name that nobody else is likely to have: five digits behind it.
pub(super) fn random_name(prefix: &str) -> String {
    let random = RandomState::new().hash_one(prefix) % 100_000;
    format!("{prefix}-{random}")
}

/// What a client is told: where the cluster is, and properties, of which later ones go before earlier ones.
pub(super) fn config(servers: &str, properties: &[(String, String)]) -> Result<CommandConfig, ClientError> {
    let origin = "the properties of the client";
    // Classes of the JVM's have no meaning here, nor does what the original would set itself.
    let meant = |name: &str| !name.ends_with(".serializer") && !name.ends_with(".deserializer");
    let mut config = CommandConfig::from_pairs([("bootstrap.servers", servers)], origin)?;
    for (name, value) in
        properties.iter().rev().filter(|(name, _)| meant(name) && name != "bootstrap.servers")
    {
        config = config.over(CommandConfig::from_pairs([(name.as_str(), value.as_str())], origin)?);
    }
    Ok(config)
}

/// An administrator of the cluster that `--bootstrap-server` names, with the properties of `--command-config`.
pub(super) fn admin(parsed: &Parsed, client_id: &str) -> Result<Admin, NoClient> {
    let properties = match parsed.value("command-config")? {
        Some(path) => properties_of(path).map_err(NoClient::of)?,
        None => Vec::new(),
    };
    let failed = "Failed to create new KafkaAdminClient";
    let servers = parsed.value("bootstrap-server")?.unwrap_or_default();
    check_addresses(servers, "You must set either bootstrap.servers or bootstrap.controllers")
        .map_err(|why| NoClient::because(failed, why))?;
    let made = config(servers, &properties).and_then(|config| Admin::new(config.client(client_id)?));
    let admin = made.map_err(|error| NoClient::because(failed, error))?;
    Ok(match time_limit(&properties) {
        Some(limit) => admin.timeout(limit),
        None => admin,
    })
}

/// How long a call may take: `default.api.timeout.ms`.
fn time_limit(properties: &[(String, String)]) -> Option<std::time::Duration> {
    last(properties, "default.api.timeout.ms")?.trim().parse().ok().map(std::time::Duration::from_millis)
}

/// Checks addresses as Kafka's clients do. `none` is what they say if there are none.
pub(super) fn check_addresses(servers: &str, none: &str) -> Result<(), String> {
    let mut addresses = servers.split(',').map(str::trim).filter(|address| !address.is_empty()).peekable();
    if addresses.peek().is_none() {
        return Err(none.to_owned());
    }
    match addresses.find(|address| !has_port(address)) {
        Some(address) => Err(format!("Invalid url in bootstrap.servers: {address}")),
        None => Ok(()),
    }
}

/// Checks addresses as some scripts do before they make a client.
pub(super) fn check_bootstrap(servers: &str) -> Result<(), Ended> {
    if servers.is_empty() {
        return Err(Ended::Usage("Error while validating the bootstrap address\n".to_owned()));
    }
    if java::split(servers, ',').iter().all(|address| has_port(address.trim())) {
        return Ok(());
    }
    Err(Ended::Usage("Please provide valid host:port like host1:9091,host2:9092\n".to_owned()))
}

/// Whether an address is a host and a port.
fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.len() <= 9 && port.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_with_ports() {
        assert_eq!(check_addresses("one:1, [::1]:2,", "none"), Ok(()));
        assert_eq!(check_addresses("", "none"), Err("none".to_owned()));
        assert_eq!(
            check_addresses("one:1,two", "none"),
            Err("Invalid url in bootstrap.servers: two".to_owned())
        );
        for wrong in ["", "one", "one:", "one:x", "one:1,two"] {
            assert!(check_bootstrap(wrong).is_err(), "{wrong}");
        }
        assert!(check_bootstrap("one:1,two:2").is_ok());
    }

    #[test]
    fn later_properties_go_before_earlier_ones() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let properties = [
            pair("request.timeout.ms", "1"),
            pair("key.serializer", "x"),
            pair("request.timeout.ms", "2000"),
        ];
        let options = config("one:1", &properties).unwrap().client("id").unwrap();
        assert_eq!((options.request_timeout.as_secs(), options.client_id.as_str()), (2, "id"));
    }
}

//! Options for commands that talk to a cluster: from files of properties as Kafka's tools and librdkafka's take them, from
//! profiles and from single pairs, with an order of precedence between them.
//!
//! Knows nothing of command lines; only what can be said of a cluster and its clients.

mod java;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::draft::Draft;
use super::names::{self, Place, Role, Taken};
use super::value::Config;
use super::{config_error, properties};
use crate::error::ClientError;
use crate::factory::Library;
use crate::options::{ClientOptions, ConsumerOptions, ProducerOptions};

/// Where options stand that come from a file or a command line: they are texts, and are known by their names alone.
pub(super) const PLACE: &str = "";

/// A name that is so near to a known one was meant to be that one: characters that differ.
const MEANT: usize = 2;

/// What a command was told of a cluster and its clients. Options may be spelled as Java, librdkafka or Python spell them;
/// those of Java's own are understood: `sasl.jaas.config`, and trust and key stores that are PEM files.
///
/// A name that is nearly right is an error. One that nobody knows is passed over, as Kafka's own tools do, and
/// [`passed_over`](CommandConfig::passed_over) tells.
///
/// ```
/// use klamm_client::CommandConfig;
///
/// let file = CommandConfig::parse(
///     "bootstrap.servers=one:9092,two:9092\n\
///      security.protocol=SASL_PLAINTEXT\n\
///      sasl.mechanism=SCRAM-SHA-512\n\
///      sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n\
///          username=\"alice\" password=\"wonderland\";\n",
///     "client.properties",
/// )?;
/// let told = CommandConfig::parse("bootstrap.servers=three:9092", "the command line")?;
/// let both = told.over(file);
/// assert_eq!(both.bootstrap_servers(), Some("three:9092"));
/// assert_eq!(both.client("docs")?.security.sasl.unwrap().username, "alice");
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
#[derive(Clone, Default)]
pub struct CommandConfig {
    /// By the option's first name, however it was spelled.
    options: BTreeMap<&'static str, Given>,
    passed_over: Vec<String>,
}

/// An option as it was given.
#[derive(Clone)]
struct Given {
    name: String,
    value: String,
}

impl CommandConfig {
    /// Of nothing: everything is as it is by default.
    pub fn new() -> Self {
        CommandConfig::default()
    }

    /// Of the text of a file of properties. `origin` is what errors call it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with the line's number, for a line that is no property, a name that is
    /// nearly one, and a value that the option does not take.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ClientError> {
        let asked = format!("reading {origin}");
        let lines = properties::lines(text).map_err(|error| error.asked(asked.clone()))?;
        let pairs =
            lines.into_iter().map(|(line, name, value)| (format!("{asked}, line {line}"), name, value));
        CommandConfig::of(pairs)
    }

    /// Of a file of properties.
    ///
    /// # Errors
    /// As [`parse`](CommandConfig::parse), and if it cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let path = path.as_ref();
        let text = properties::read_file(path).map_err(|error| {
            error
                .asked(format!("reading {}", path.display()))
                .remedy("name a file of properties that can be read")
        })?;
        CommandConfig::parse(&text, &path.display().to_string())
    }

    /// Of names and values. `origin` is what errors call the place that they come from.
    ///
    /// # Errors
    /// As [`parse`](CommandConfig::parse), without lines.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        origin: &str,
    ) -> Result<Self, ClientError> {
        let asked = format!("reading {origin}");
        let pairs = pairs.into_iter().map(|(name, value)| (asked.clone(), name.to_owned(), value.to_owned()));
        CommandConfig::of(pairs)
    }

    fn of(pairs: impl IntoIterator<Item = (String, String, String)>) -> Result<Self, ClientError> {
        let mut config = CommandConfig::new();
        for (asked, name, value) in java::translate(pairs.into_iter().collect())? {
            config.take(&asked, name, value)?;
        }
        Ok(config)
    }

    fn take(&mut self, asked: &str, name: String, value: String) -> Result<(), ClientError> {
        let role = [Role::Both, Role::Producer, Role::Consumer]
            .into_iter()
            .find(|role| names::first(&name, *role).is_some());
        let Some((role, first)) = role.and_then(|role| Some((role, names::first(&name, role)?))) else {
            return self.pass_over(asked, &name);
        };
        if !names::is_of_native(&name, role) {
            return match is_security(&name) {
                true => Err(config_error(asked, format!("'{name}' is an option that only librdkafka has"))
                    .remedy("take it out; keys must not be encrypted, and mechanisms are PLAIN and SCRAM")),
                false => self.pass_over(asked, &name),
            };
        }
        // Whether the option takes the value; what it makes of it is forgotten.
        let options = Map::from_iter([(name.clone(), Value::String(value.clone()))]);
        let place = Place { key: PLACE, role, library: Library::Native, asked };
        names::apply(&mut Draft::default(), &mut Taken::default(), &options, place)?;
        self.options.insert(first, Given { name, value });
        Ok(())
    }

    fn pass_over(&mut self, asked: &str, name: &str) -> Result<(), ClientError> {
        let all = [Role::Producer, Role::Consumer]
            .into_iter()
            .flat_map(names::names)
            .chain(java::NAMES.iter().copied());
        let near = |known: &&str| strsim::damerau_levenshtein(&plain(name), &plain(known)) <= MEANT;
        // Of several spellings of one option, the one that the name is nearest to as it stands.
        let as_it_stands = |known: &&str| strsim::damerau_levenshtein(name, known);
        let known_elsewhere =
            [Role::Producer, Role::Consumer].into_iter().any(|role| names::knows(name, role));
        if let Some(meant) =
            all.into_iter().filter(near).min_by_key(as_it_stands).filter(|_| !known_elsewhere)
        {
            return Err(config_error(asked, format!("'{name}' is an option that nobody knows"))
                .remedy(format!("did you mean '{meant}'?")));
        }
        self.passed_over.push(name.to_owned());
        Ok(())
    }

    /// What is said here, and where nothing is said here, what `weaker` says.
    #[must_use]
    pub fn over(mut self, weaker: CommandConfig) -> Self {
        for (first, given) in weaker.options {
            self.options.entry(first).or_insert(given);
        }
        self.passed_over.extend(weaker.passed_over);
        self
    }

    /// The names of options that mean nothing here and were passed over.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// Where the cluster is, as it was given.
    pub fn bootstrap_servers(&self) -> Option<&str> {
        self.options.get("bootstrap_servers").map(|given| given.value.as_str())
    }

    /// Whether an option was given, by any of its names.
    pub fn has(&self, name: &str) -> bool {
        [Role::Producer, Role::Consumer]
            .into_iter()
            .any(|role| names::first(name, role).is_some_and(|first| self.options.contains_key(first)))
    }

    /// What every client of the cluster is told, for [`Admin::new`](crate::Admin::new).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if options contradict each other.
    pub fn client(&self, client_id: &str) -> Result<ClientOptions, ClientError> {
        Ok(self.draft(client_id, Role::Both)?.0.client)
    }

    /// What a producer is told.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if options contradict each other.
    pub fn producer(&self, client_id: &str) -> Result<(ClientOptions, ProducerOptions), ClientError> {
        let (mut draft, taken) = self.draft(client_id, Role::Producer)?;
        draft.settle_producer(&taken, ASKED)?;
        Ok((draft.client, draft.producer))
    }

    /// What a consumer is told. Its group is empty where none was given.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if options contradict each other.
    pub fn consumer(&self, client_id: &str) -> Result<(ClientOptions, ConsumerOptions), ClientError> {
        let (mut draft, _) = self.draft(client_id, Role::Consumer)?;
        draft.settle_consumer(ASKED)?;
        draft.consumer.group_id = draft.group_id.take().unwrap_or_default();
        Ok((draft.client, draft.consumer))
    }

    /// A publisher's config without its destination: `.set("destination", "kafka://topic/NAME")`.
    pub fn publisher(&self) -> Config {
        self.config(Role::Producer)
    }

    /// A subscriber's config without its source: `.set("source", "kafka://topic/NAME")`.
    pub fn subscriber(&self) -> Config {
        self.config(Role::Consumer)
    }

    fn config(&self, role: Role) -> Config {
        Config::new().set("confluent_config", self.map(role))
    }

    /// The options that somebody in this role takes.
    fn map(&self, role: Role) -> Map<String, Value> {
        let mine = self.options.values().filter(|given| names::first(&given.name, role).is_some());
        mine.map(|given| (given.name.clone(), Value::String(given.value.clone()))).collect()
    }

    fn draft(&self, client_id: &str, role: Role) -> Result<(Draft, Taken), ClientError> {
        self.check_security()?;
        let (mut draft, mut taken) = (Draft::default(), Taken::default());
        draft.client.client_id = client_id.to_owned();
        let place = Place { key: PLACE, role, library: Library::Native, asked: ASKED };
        names::apply(&mut draft, &mut taken, &self.map(role), place)?;
        draft.settle_bootstrap(None, ASKED)?;
        draft.settle_security(ASKED)?;
        Ok((draft, taken))
    }

    /// What is most often forgotten, in the words of those who write such files.
    fn check_security(&self) -> Result<(), ClientError> {
        let protocol = self.options.get("security_protocol").map(|given| given.value.to_uppercase());
        let signs_on = protocol.as_deref().is_some_and(|protocol| protocol.starts_with("SASL"));
        let named = self.options.contains_key("sasl_plain_username");
        if signs_on && !(named && self.options.contains_key("sasl_plain_password")) {
            let why = "security.protocol asks for SASL, and user name or password are missing";
            return Err(
                config_error(ASKED, why).remedy("give sasl.jaas.config, or sasl.username and sasl.password")
            );
        }
        Ok(())
    }
}

const ASKED: &str = "reading the options of the connection";

/// Names only: values may be passwords.
impl std::fmt::Debug for CommandConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.options.values().map(|given| &given.name)).finish()
    }
}

/// Whether passing an option over could make a connection less safe than it was meant to be, or fail it.
fn is_security(name: &str) -> bool {
    let name = plain(name);
    ["ssl_", "sasl_", "security_", "enable_ssl", "enable_sasl"].iter().any(|start| name.starts_with(start))
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['.', '-'], "_")
}

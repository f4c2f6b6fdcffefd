//! What every command that talks to a cluster takes, and what it gets of it: an administrator, or the config of a producer or
//! a consumer.
//!
//! What is said more nearly goes before what is said further away, option by option:
//!
//! 1. `--bootstrap-server`, `--timeout`, and `-X NAME=VALUE`,
//! 2. the file of `--command-config`,
//! 3. the profile of `--profile`,
//! 4. `KLAMM_BOOTSTRAP_SERVERS`, then `KAFKA_BOOTSTRAP_SERVERS`: only for where the cluster is,
//! 5. the config file's default profile, only where nothing of the above says where the cluster is,
//! 6. `localhost:9092`.
//!
//! A default profile never adds its password to a cluster that was named elsewhere, and a command under `klamm run` reaches the
//! broker that was started for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use klamm::{Admin, Call, ClientError, ClientOptions, CommandConfig, ErrorKind};

use super::error::{Failure, Usage, say};
use super::profile::{self, Profile};
use super::terminal::Waiting;
use super::times::{duration, in_words};

/// How long a command waits for a cluster that does not answer, unless it is told otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// For how long brokers are tried that refuse connections: one that was started a moment ago listens by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a cluster is if nothing else is said.
const DEFAULT_SERVERS: &str = "localhost:9092";

/// Where the environment says where the cluster is, the strongest first.
const VARIABLES: [&str; 2] = ["KLAMM_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"];

/// What clients call themselves unless they are told otherwise.
const CLIENT_ID: &str = "klamm";

// Where the cluster is, and how to sign on there.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ConnectArgs {
    /// A broker of the cluster; several with commas. [default: $KLAMM_BOOTSTRAP_SERVERS, $KAFKA_BOOTSTRAP_SERVERS, the
    /// default profile, or localhost:9092]
    #[arg(short = 'b', long, global = true, value_name = "HOST:PORT", visible_alias = "bootstrap-servers")]
    bootstrap_server: Option<String>,

    /// Options of the connection (TLS, SASL, time-outs) from a file of properties, as Kafka's tools and librdkafka take it.
    #[arg(long, global = true, value_name = "FILE")]
    command_config: Option<PathBuf>,

    /// Go by this profile of the config file. [file: $KLAMM_CONFIG, or ~/.config/klamm/config.toml]
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,

    /// Give up after so long without an answer: 500ms, 10s, 2m. [default: 10s]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,

    /// Set any option of the client by its name (security.protocol=SSL); can be given several times.
    #[arg(short = 'X', long = "option", global = true, value_name = "NAME=VALUE")]
    options: Vec<String>,
}

/// A cluster that a command was told of. Nothing has been connected to yet.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    config: CommandConfig,
    servers: String,
    /// Who said so, for sentences.
    origin: String,
    timeout: Duration,
}

impl ConnectArgs {
    /// Of a second cluster, whose options have other names. The environment and the default profile say nothing of it.
    pub(crate) fn of_other(
        servers: Option<String>,
        command_config: Option<PathBuf>,
        profile: Option<String>,
        options: Vec<String>,
        timeout: Duration,
    ) -> Self {
        ConnectArgs { bootstrap_server: servers, command_config, profile, timeout: Some(timeout), options }
    }

    /// Puts together what was said on the command line, in files and by the environment.
    pub(crate) fn settle(&self) -> Result<Cluster, Failure> {
        let mut told = CommandConfig::from_pairs(self.pairs()?, "the options of -X")?;
        let mut origin = told.bootstrap_servers().map(|_| "-X".to_owned());
        if self.bootstrap_server.is_some() {
            origin = Some("--bootstrap-server".to_owned());
        }
        if let Some(file) = &self.command_config {
            let read = CommandConfig::from_file(file)?;
            if read.bootstrap_servers().is_some() {
                origin.get_or_insert_with(|| file.display().to_string());
            }
            told = told.over(read);
        }
        let mut timeout = self.timeout;
        let mut take = |told: CommandConfig, origin: &mut Option<String>, profile: Profile| {
            timeout = timeout.or(profile.timeout);
            if profile.config.bootstrap_servers().is_some() {
                origin.get_or_insert_with(|| format!("the profile '{}'", profile.name));
            }
            told.over(profile.config)
        };
        if let Some(name) = &self.profile {
            told = take(told, &mut origin, profile::named(name)?);
        }
        let environment = || VARIABLES.iter().find_map(|name| Some((*name, variable(name)?)));
        let mut servers =
            self.bootstrap_server.clone().or_else(|| told.bootstrap_servers().map(str::to_owned));
        if let (None, Some((name, value))) = (&servers, environment()) {
            (servers, origin) = (Some(value), Some(name.to_owned()));
        }
        if servers.is_none()
            && let Some(profile) = profile::by_default()?
        {
            told = take(told, &mut origin, profile);
            servers = told.bootstrap_servers().map(str::to_owned);
        }
        let servers = servers.unwrap_or_else(|| DEFAULT_SERVERS.to_owned());
        let named = CommandConfig::from_pairs(
            [("bootstrap.servers", servers.as_str())],
            "the address of the cluster",
        )?;
        let config = named.over(told);
        for name in config.passed_over() {
            say(format_args!("the option '{name}' means nothing here, and is passed over"));
        }
        // What contradicts itself is told before anything is done.
        config.client(CLIENT_ID)?;
        Ok(Cluster {
            config,
            servers,
            origin: origin.unwrap_or_else(|| "the default".to_owned()),
            timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        })
    }

    fn pairs(&self) -> Result<Vec<(&str, &str)>, Failure> {
        let pair = |text: &'_ String| -> Option<(usize, usize)> { text.find('=').map(|at| (at, at + 1)) };
        self.options
            .iter()
            .map(|text| {
                let cut = pair(text)
                    .and_then(|(end, start)| Some((text.get(..end)?.trim(), text.get(start..)?.trim())));
                cut.ok_or_else(|| Usage::failure(format!("-X takes NAME=VALUE, but got '{text}'")))
            })
            .collect()
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

impl Cluster {
    /// Where it is, as it was given: `one:9092,two:9092`.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    /// How long a command may wait for an answer.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// All that was said, for typed options of producers and consumers too.
    pub(crate) fn config(&self) -> &CommandConfig {
        &self.config
    }

    /// What every client of it is told.
    pub(crate) fn client_options(&self) -> Result<ClientOptions, Failure> {
        let mut options = self.config.client(CLIENT_ID)?;
        // An attempt may take no longer than the whole.
        options.connect_timeout = options.connect_timeout.min(self.timeout);
        Ok(options)
    }

    /// An administrator. Nothing is connected to before its first call.
    pub(crate) fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.client_options()?)?.timeout(self.timeout))
    }

    /// Makes sure that a broker can be reached, so that it is known soon if none can.
    pub(crate) fn reach(&self, admin: &Admin) -> Result<(), Failure> {
        let began = Instant::now();
        self.answer(admin.reach(PATIENCE)).map_err(|error| self.explain_after(error, began.elapsed()).into())
    }

    /// Waits for a call, and says what to do where it fails for something that lies in how the cluster was named.
    pub(crate) fn wait<T: Send + 'static>(&self, call: Call<T>) -> Result<T, Failure> {
        self.answer(call).map_err(|error| self.explain(error).into())
    }

    fn answer<T: Send + 'static>(&self, call: Call<T>) -> Result<T, ClientError> {
        let _shown = Waiting::begin(format!("waiting for {}", self.servers));
        call.wait()
    }

    /// The same error with what to do about it, in the words of a command line.
    pub(crate) fn explain(&self, error: ClientError) -> ClientError {
        self.explain_after(error, self.timeout)
    }

    fn explain_after(&self, error: ClientError, time: Duration) -> ClientError {
        let place = format!("{} ({})", self.servers, self.origin);
        match error.kind() {
            ErrorKind::Unreachable | ErrorKind::TimedOut | ErrorKind::Disconnected => error.remedy(format!(
                "tried {place} for {}: start a broker there with `klamm serve`, name another with --bootstrap-server, \
                 or wait longer with --timeout",
                in_words(time)
            )),
            ErrorKind::Authentication => error.remedy(format!(
                "{place} was asked: correct user, password, mechanism or certificates in --command-config or the profile"
            )),
            _ => error,
        }
    }
}

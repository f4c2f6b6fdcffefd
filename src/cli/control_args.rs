//! What every command that starts a broker takes for its being controlled over HTTP.

use std::error::Error;
use std::sync::Arc;

use klamm::Broker;
use klamm::control::{ControlOptions, ControlServer};

use super::ctl::TOKEN_VARIABLE;

// Whether, where and by whom the broker is controlled.
#[derive(Debug, clap::Args)]
pub(crate) struct ControlArgs {
    /// Have the broker's time, faults and state controlled over HTTP at this address: from any language, or with
    /// `klamm ctl`. Port 0 takes a free one. Off where it is not given.
    #[arg(long, value_name = "HOST:PORT")]
    control: Option<String>,

    /// Obey only who brings this token, as `Authorization: Bearer TOKEN`. KLAMM_CONTROL_TOKEN says it too, and others do
    /// not see it in the list of processes.
    #[arg(long, value_name = "TOKEN", requires = "control")]
    control_token: Option<String>,

    /// --control may be an address that other machines reach. Takes a token.
    #[arg(long, requires = "control")]
    control_allow_remote: bool,
}

impl ControlArgs {
    /// Starts to listen, if that is asked for.
    pub(crate) fn start(&self, broker: &Arc<Broker>) -> Result<Option<ControlServer>, Box<dyn Error>> {
        let Some(address) = &self.control else { return Ok(None) };
        let mut options = ControlOptions::on(address);
        if let Some(token) = self.token() {
            options = options.token(token);
        }
        if self.control_allow_remote {
            options = options.allow_remote();
        }
        Ok(Some(ControlServer::start(Arc::clone(broker), options)?))
    }

    /// The token that is to be brought.
    pub(crate) fn token(&self) -> Option<String> {
        let from_environment = || std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
        self.control_token.clone().or_else(from_environment)
    }
}

/// Stops a broker that nobody controls any more.
pub(crate) fn shut_down(broker: Arc<Broker>) -> Result<(), Box<dyn Error>> {
    let broker = Arc::into_inner(broker).expect("who controlled the broker has let go of it");
    Ok(broker.shutdown()?)
}

//! `klamm ctl time`.

use std::error::Error;

use serde_json::{Value, json};

use super::Told;
use super::client::Client;
use crate::cli::times::{duration, show};

/// The broker's time.
#[derive(Debug, clap::Subcommand)]
#[command(defer = true)]
pub(super) enum Time {
    /// Where the clock stands.
    Now,
    /// Move a manual clock forward. What falls due on the way is done when this returns.
    Advance {
        /// By so much: 500ms, 30s, 5m, 36h, 7d.
        #[arg(value_name = "TIME", value_parser = milliseconds)]
        by: u64,
    },
    /// Put a manual clock to a later time.
    Set {
        /// In milliseconds since 1970-01-01 UTC.
        #[arg(value_name = "MS", allow_negative_numbers = true)]
        now_ms: i64,
    },
}

impl Time {
    pub(super) fn run(self, client: &Client, to: &mut Told) -> Result<(), Box<dyn Error>> {
        let time = match self {
            Time::Now => client.get("/time")?,
            Time::Advance { by } => client.post("/time/advance", Some(&json!({ "by_ms": by })))?,
            Time::Set { now_ms } => client.put("/time", Some(&json!({ "now_ms": now_ms })))?,
        };
        if to.form.json {
            return Ok(to.out.json(&time)?);
        }
        let now_ms = time["now_ms"].as_i64().unwrap_or_default();
        let whose = if time["manual"] == Value::Bool(true) { "a manual clock" } else { "the system's clock" };
        Ok(to.out.line(format_args!("{} ({now_ms} ms), {whose}", show(now_ms)))?)
    }
}

/// A span of time as the command line has it, in milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<u64, String> {
    let time = duration(text)?;
    u64::try_from(time.as_millis()).map_err(|_| format!("'{text}' is too long a time"))
}

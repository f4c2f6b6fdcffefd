//! `klamm ctl time`, and how times are written on the command line.

use std::error::Error;

use serde_json::{Value, json};

use super::Told;
use super::client::Client;

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
        Ok(to.out.line(format_args!("{} ({now_ms} ms), {whose}", calendar(now_ms)))?)
    }
}

/// A span of time as the command line has it, in milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<u64, String> {
    let time = crate::cli::times::duration(text)?;
    u64::try_from(time.as_millis()).map_err(|_| format!("'{text}' is too long a time"))
}

/// A time as people write it: `2026-01-31 12:00:00.000 UTC`.
pub(super) fn calendar(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Days since 0000-03-01, in eras of 400 years: a leap day is the last of its year then.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03} UTC", in_day % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_in_a_calendar() {
        assert_eq!(calendar(0), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(calendar(951_827_696_789), "2000-02-29 12:34:56.789 UTC");
        assert_eq!(calendar(4_107_542_399_999), "2100-02-28 23:59:59.999 UTC");
        assert_eq!(calendar(-1), "1969-12-31 23:59:59.999 UTC");
        assert_eq!(calendar(253_402_300_799_999), "9999-12-31 23:59:59.999 UTC");
    }
}

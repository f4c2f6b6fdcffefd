//! `klamm groups watch`: where a group stands, again and again.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::describe::write_standing;
use super::standing::Standing;
use crate::cli::error::{Failure, say};
use crate::cli::output::{Form, Output};
use crate::cli::session::Session;
use crate::cli::signals::Interrupt;
use crate::cli::terminal::{self, Style};
use crate::cli::times::duration;

#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    /// Which group.
    #[arg(value_name = "GROUP")]
    group: String,

    /// How often to look.
    #[arg(short, long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    interval: Duration,

    /// Look so many times, and end.
    #[arg(short = 'n', long, value_name = "N")]
    times: Option<u64>,

    /// End once the group has read all that there is.
    #[arg(long)]
    until_caught_up: bool,
}

impl Watch {
    pub(super) fn run(self, session: &Session, form: Form) -> Result<ExitCode, Failure> {
        let interrupt = Interrupt::listen()?;
        // On a terminal each look takes the place of the last; elsewhere they follow each other.
        let in_place = terminal::is_out_watched() && !form.json;
        let (mut looks, mut before) = (0, None);
        loop {
            let (now, standing) = (Instant::now(), Standing::of(session, &self.group)?);
            if interrupt.is_asked() {
                break;
            }
            let mut out = Output::new();
            if in_place {
                out.bytes(terminal::CLEAR)?;
            }
            if form.json {
                for place in &standing.partitions {
                    out.json(&place.json(&standing.group))?;
                }
            } else {
                write_standing(&mut out, &standing)?;
                out.styled(Style::Faint, pace(before, (now, standing.lag())))?;
            }
            out.flush()?;
            drop(out);
            looks += 1;
            let caught_up = self.until_caught_up && standing.lag() == 0;
            if self.times.is_some_and(|times| looks >= times) || caught_up {
                return Ok(ExitCode::SUCCESS);
            }
            before = Some((now, standing.lag()));
            if interrupt.wait(self.interval) {
                break;
            }
        }
        if terminal::is_watched() {
            say(format_args!("looked {looks} times at the group '{}'", self.group));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How the lag has changed, and when the group will have caught up if it goes on so.
fn pace(before: Option<(Instant, i64)>, (now, lag): (Instant, i64)) -> String {
    let Some((then, lag_then)) = before else { return String::new() };
    let seconds = now.saturating_duration_since(then).as_secs_f64().max(0.001);
    let rate = (lag_then - lag) as f64 / seconds;
    match lag {
        0 => "caught up".to_owned(),
        _ if rate > 0.5 => format!("catching up by {rate:.0}/s: {} s to go", (lag as f64 / rate).ceil()),
        _ if rate < -0.5 => format!("falling behind by {:.0}/s", -rate),
        _ => "neither catching up nor falling behind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_whether_the_group_catches_up() {
        let then = Instant::now();
        let now = then + Duration::from_secs(2);
        assert_eq!(pace(None, (now, 5)), "");
        assert_eq!(pace(Some((then, 300)), (now, 100)), "catching up by 100/s: 1 s to go");
        assert_eq!(pace(Some((then, 100)), (now, 300)), "falling behind by 100/s");
        assert_eq!(pace(Some((then, 100)), (now, 0)), "caught up");
        assert_eq!(pace(Some((then, 100)), (now, 100)), "neither catching up nor falling behind");
    }
}

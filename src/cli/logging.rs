//! What goes to stderr while a command runs.

use std::error::Error;
use std::io::IsTerminal;

/// Logs to stderr what `wanted` asks for, or else `KLAMM_LOG`, in the syntax of `RUST_LOG`; by default warnings.
pub(crate) fn start(wanted: Option<&str>) -> Result<(), Box<dyn Error>> {
    let builder = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into());
    let filter = match wanted {
        Some(wanted) => builder.parse(wanted).map_err(|error| {
            format!("--log takes error, warn, info, debug, trace, or a filter, but got '{wanted}': {error}")
        })?,
        None => builder.with_env_var("KLAMM_LOG").from_env_lossy(),
    };
    let colours =
        std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    Ok(())
}

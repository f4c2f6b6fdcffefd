//! `kafka-log-dirs.sh`: the folders of brokers, and how large what is in them is.

use std::collections::BTreeSet;

use klamm::LogDir;
use serde_json::json;

use super::errors::Thrown;
use super::options::{Opt, flag, parse, text};
use super::{Ended, Output, client, java, usage};

const OPTIONS: &[Opt] = &[
    text("bootstrap-server"),
    text("command-config"),
    flag("describe"),
    text("topic-list").or(""),
    text("broker-list").or(""),
];

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments)?;
    parsed.help_or_version(usage::LOG_DIRS, out)?;
    parsed.require(&["bootstrap-server", "describe"])?;
    let admin = client::admin(&parsed, "log-dirs-tool")?;
    let listed = |list: Option<&str>| -> BTreeSet<String> {
        list.unwrap_or_default().split(',').filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    };
    let topics = listed(parsed.value("topic-list")?);
    let failed = |error| Ended::Failed(Thrown::from(&error).to_string());
    let there: BTreeSet<i32> =
        admin.describe_cluster().wait().map_err(failed)?.brokers.iter().map(|broker| broker.id).collect();
    let wanted = listed(parsed.value("broker-list")?);
    let wanted = wanted
        .iter()
        .map(|id| java::parse_int(id))
        .collect::<Result<BTreeSet<_>, _>>()
        .map_err(Ended::Failed)?;
    let missing: Vec<_> = wanted.difference(&there).collect();
    if !missing.is_empty() {
        return Err(Ended::Failed(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            java::joined(missing, ","),
            java::joined(&there, ",")
        )));
    }
    let wanted = if wanted.is_empty() { there } else { wanted };
    out.line("Querying brokers for log directories information")?;
    out.flush()?;
    let mut brokers = Vec::with_capacity(wanted.len());
    for (id, dirs) in admin.log_dirs().wait().map_err(failed)? {
        if wanted.contains(&id) {
            let dirs: Vec<_> = dirs.map_err(failed)?.iter().map(|dir| shown(dir, &topics)).collect();
            brokers.push(format!(r#"{{"broker":{id},"logDirs":[{}]}}"#, dirs.join(",")));
        }
    }
    out.line(format_args!("Received log directory information from brokers {}", java::joined(&wanted, ",")))?;
    out.line(format_args!(r#"{{"brokers":[{}],"version":1}}"#, brokers.join(",")))?;
    Ok(())
}

/// A folder as JSON, its fields in the original's order.
fn shown(dir: &LogDir, topics: &BTreeSet<String>) -> String {
    let partitions =
        dir.partitions.iter().filter(|found| topics.is_empty() || topics.contains(&*found.partition.topic));
    let partitions = partitions.map(|found| {
        format!(
            r#"{{"partition":{},"size":{},"offsetLag":{},"isFuture":{}}}"#,
            json!(found.partition.to_string()),
            found.size,
            found.offset_lag,
            found.future
        )
    });
    // The class alone, as in the original.
    let error = dir.error.as_ref().map(|error| Thrown::from(error).to_string());
    let error = error.map(|error| error.split(':').next().unwrap_or_default().to_owned());
    format!(
        r#"{{"partitions":[{}],"error":{},"logDir":{}}}"#,
        partitions.collect::<Vec<_>>().join(","),
        json!(error),
        json!(dir.path)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::LOG_DIRS);
    }
}

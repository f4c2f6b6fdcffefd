//! `kafka-broker-api-versions.sh`: which APIs each broker serves, and which versions of them Kafka 4.3.1 could use.

use std::collections::BTreeMap;

use klamm::ApiSupport;

use super::errors::Thrown;
use super::options::{Opt, parse, text};
use super::{Ended, Output, client, java, usage};

const OPTIONS: &[Opt] = &[text("bootstrap-server"), text("command-config")];

/// The APIs that clients of Apache Kafka 4.3.1 (Apache License 2.0) know: number, name, oldest and newest version.
const KNOWN: &str = include_str!("apis.tsv");

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments)?;
    parsed.help_or_version(usage::API_VERSIONS, out)?;
    parsed.require(&["bootstrap-server"])?;
    let admin = client::admin(&parsed, "admin-1").map_err(|error| Ended::Failed(error.into_cause()))?;
    let failed = |error| Ended::Failed(Thrown::from(&error).message);
    let (cluster, versions) = (admin.describe_cluster(), admin.api_versions());
    let brokers = cluster.wait().map_err(failed)?.brokers;
    for (id, apis) in versions.wait().map_err(failed)? {
        let Some(broker) = brokers.iter().find(|broker| broker.id == id) else { continue };
        let rack = broker.rack.as_deref().unwrap_or("null");
        let shown = match apis {
            Ok(apis) => listed(&apis),
            Err(error) => format!("ERROR: {}", Thrown::from(error)),
        };
        let (host, port, fenced) = (&broker.host, broker.port, broker.fenced);
        out.line(format_args!("{host}:{port} (id: {id} rack: {rack} isFenced: {fenced}) -> {shown}"))?;
    }
    Ok(())
}

/// The APIs of a broker, and those that it lacks.
fn listed(apis: &[ApiSupport]) -> String {
    let mut lines = BTreeMap::new();
    let known = KNOWN.lines().filter_map(known);
    let known: BTreeMap<i16, (&str, i16, i16)> = known.collect();
    for (key, (name, ..)) in &known {
        lines.insert(*key, format!("{name}({key}): UNSUPPORTED"));
    }
    for api in apis {
        let (oldest, newest) = (api.min_version, api.max_version);
        let range = if oldest == newest { oldest.to_string() } else { format!("{oldest} to {newest}") };
        let line = match known.get(&api.key) {
            Some((name, first, last)) => {
                let usable = match () {
                    () if *last < oldest => "unusable: node too new".to_owned(),
                    () if newest < *first => "unusable: node too old".to_owned(),
                    () => format!("usable: {}", newest.min(*last)),
                };
                format!("{name}({}): {range} [{usable}]", api.key)
            }
            None => format!("UNKNOWN({}): {range}", api.key),
        };
        lines.insert(api.key, line);
    }
    format!("(\n\t{}\n)", java::joined(lines.into_values(), ",\n\t"))
}

fn known(line: &str) -> Option<(i16, (&str, i16, i16))> {
    let mut fields = line.split('\t');
    let (key, name) = (fields.next()?.parse().ok()?, fields.next()?);
    Some((key, (name, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::API_VERSIONS);
    }

    #[test]
    fn versions_are_usable_where_both_sides_have_them() {
        let api = |key, min_version, max_version| ApiSupport { key, name: None, min_version, max_version };
        let shown = listed(&[api(0, 0, 13), api(1, 90, 91), api(3, -2, -1), api(22, 2, 2), api(999, 0, 1)]);
        for line in [
            "\tProduce(0): 0 to 13 [usable: 13],",
            "\tFetch(1): 90 to 91 [unusable: node too new],",
            "\tMetadata(3): -2 to -1 [unusable: node too old],",
            "\tInitProducerId(22): 2 [usable: 2],",
            "\tListOffsets(2): UNSUPPORTED,",
            "\tUNKNOWN(999): 0 to 1\n)",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
    }
}

//! Every config of topics, brokers and groups with values good and bad, only validated. The names are those that the
//! broker itself shows.

use crate::conformance::request::{create, text};
use crate::conformance::session::Session;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

const SET: i8 = 0;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

const VALUES: [&str; 15] = [
    "",
    "-3",
    "-1",
    "0",
    "1",
    " 7 ",
    "100000",
    "2147483648",
    "9223372036854775808",
    "0.5",
    "true",
    "x",
    "a,b",
    "a,,b",
    "delete",
];

/// What depends on where the broker listens.
const OF_THE_PLACE: [&str; 2] = ["listeners", "listener.security.protocol.map"];

/// The names of a resource's configs, and whether each is read-only.
fn configs(s: &mut Session<'_>, kind: i8, name: &str) -> Vec<(String, bool)> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let answer = s.quietly(4, DescribeConfigsRequest::default().with_resources(vec![resource]));
    let configs = answer.results.into_iter().flat_map(|result| result.configs);
    let mut configs: Vec<_> = configs.map(|config| (config.name.to_string(), config.read_only)).collect();
    configs.sort();
    configs
}

fn validate(s: &mut Session<'_>, kind: i8, resource: &str, config: &str, operation: i8, value: &str) {
    let change = AlterableConfig::default()
        .with_name(text(config))
        .with_config_operation(operation)
        .with_value(Some(text(value)));
    let what = ["=", "", "+=", "-="][usize::try_from(operation).expect("an operation has a number")];
    let step = format!("{resource:?} {config}{what}{value:?}");
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(resource))
        .with_configs(vec![change]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    s.call(step, 1, request.with_validate_only(true));
}

fn every_value(s: &mut Session<'_>, kind: i8, resource: &str, names: Vec<(String, bool)>) {
    for (name, read_only) in names {
        // One that can't be changed gives the same answer to anything.
        let values = if read_only { &VALUES[..1] } else { &VALUES[..] };
        for value in values {
            validate(s, kind, resource, &name, SET, value);
        }
        validate(s, kind, resource, &name, APPEND, "x");
        validate(s, kind, resource, &name, SUBTRACT, "x");
    }
}

pub(crate) fn of_topics(s: &mut Session<'_>) {
    create(s, "config-values", 1, &[]);
    let names = configs(s, TOPIC, "config-values");
    every_value(s, TOPIC, "config-values", names);
}

pub(crate) fn of_brokers(s: &mut Session<'_>) {
    let mut names = configs(s, BROKER, "1");
    names.retain(|(name, _)| !OF_THE_PLACE.contains(&name.as_str()));
    every_value(s, BROKER, "1", names.clone());
    for (name, _) in names {
        validate(s, BROKER, "", &name, SET, "1");
    }
}

pub(crate) fn of_groups(s: &mut Session<'_>) {
    let names = configs(s, GROUP, "config-values");
    every_value(s, GROUP, "config-values", names);
}

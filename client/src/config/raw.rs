//! The configs of producers and consumers of bytes: where the cluster is, and the options, over defaults of the caller's.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::keys::Keys;
use super::names::{self, Place, Role, Taken};
use crate::error::ClientError;
use crate::factory::Library;
use crate::options::{ClientOptions, ConsumerOptions, ProducerOptions};

/// Reads what a producer is told.
pub(crate) fn read_producer(
    name: &str,
    map: Map<String, Value>,
    defaults: (ClientOptions, ProducerOptions),
) -> Result<(ClientOptions, ProducerOptions), ClientError> {
    let asked = format!("reading the config of the producer '{name}'");
    let (client, producer) = defaults;
    let mut draft = Draft { client, producer, ..Draft::default() };
    let taken = read(&mut draft, name, map, Role::Producer, &asked)?;
    draft.settle_producer(&taken, &asked)?;
    Ok((draft.client, draft.producer))
}

/// Reads what a consumer is told. Where no group is named there is none.
pub(crate) fn read_consumer(
    name: &str,
    map: Map<String, Value>,
    defaults: (ClientOptions, ConsumerOptions),
) -> Result<(ClientOptions, ConsumerOptions), ClientError> {
    let asked = format!("reading the config of the consumer '{name}'");
    let (client, consumer) = defaults;
    let mut draft = Draft { client, consumer, ..Draft::default() };
    read(&mut draft, name, map, Role::Consumer, &asked)?;
    draft.settle_consumer(&asked)?;
    if let Some(group) = draft.group_id {
        draft.consumer.group_id = group;
    }
    Ok((draft.client, draft.consumer))
}

fn read(
    draft: &mut Draft,
    name: &str,
    map: Map<String, Value>,
    role: Role,
    asked: &str,
) -> Result<Taken, ClientError> {
    super::check_name(name, asked)?;
    let own = if role == Role::Producer { "producer_config" } else { "consumer_config" };
    let mut keys = Keys::new(map, asked, &["bootstrap_servers", own, "confluent_config"], role)?;
    let mut taken = Taken::default();
    draft.client.client_id = name.to_owned();
    for key in [own, "confluent_config"] {
        let options = keys.object(key)?;
        names::apply(draft, &mut taken, &options, Place { key, role, library: Library::Native, asked })?;
    }
    draft.settle_bootstrap(keys.take("bootstrap_servers").as_ref(), asked)?;
    draft.settle_security(asked)?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::options::Acks;

    fn map(config: Value) -> Map<String, Value> {
        let Value::Object(map) = config else { panic!("{config} is no object") };
        map
    }

    #[test]
    fn what_is_not_said_stays_as_the_caller_has_it() {
        let defaults = ProducerOptions { batch_size: 7, acks: Acks::All, ..ProducerOptions::default() };
        let config = json!({ "bootstrap_servers": "one:1", "producer_config": { "linger.ms": "9" } });
        let (client, producer) =
            read_producer("tool", map(config), (ClientOptions::default(), defaults)).unwrap();
        assert_eq!((producer.batch_size, producer.linger.as_millis(), producer.acks), (7, 9, Acks::All));
        assert_eq!(client.client_id, "tool");
    }

    #[test]
    fn a_group_is_named_by_the_options_or_not_at_all() {
        let of = |config| {
            let defaults = (ClientOptions::default(), ConsumerOptions::default());
            read_consumer("tool", map(config), defaults).unwrap().1.group_id
        };
        assert_eq!(of(json!({})), "");
        assert_eq!(of(json!({ "confluent_config": { "group.id": "g" } })), "g");
    }

    #[test]
    fn an_option_of_the_other_side_is_told() {
        let config = map(json!({ "consumer_config": { "acks": 1 } }));
        let defaults = (ClientOptions::default(), ConsumerOptions::default());
        let error = read_consumer("tool", config, defaults).unwrap_err();
        assert!(error.to_string().contains("an option of publishers"), "{error}");
    }
}

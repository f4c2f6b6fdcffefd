//! The config of an administrator: where the cluster is, and the options that every client has.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::keys::Keys;
use super::names::{self, Place, Role, Taken};
use crate::error::ClientError;
use crate::factory::Library;
use crate::options::ClientOptions;

const KEYS: &[&str] = &["bootstrap_servers", "admin_config", "confluent_config"];

/// Reads the config. It is the native library that administers, whatever the config of publishers says.
pub(crate) fn read_admin(name: &str, map: Map<String, Value>) -> Result<ClientOptions, ClientError> {
    let asked = format!("reading the config of the administrator '{name}'");
    super::check_name(name, &asked)?;
    let mut keys = Keys::new(map, &asked, KEYS, Role::Both)?;
    let (mut draft, mut taken) = (Draft::default(), Taken::default());
    draft.client.client_id = name.to_owned();
    for key in ["admin_config", "confluent_config"] {
        let options = keys.object(key)?;
        let place = Place { key, role: Role::Both, library: Library::Native, asked: &asked };
        names::apply(&mut draft, &mut taken, &options, place)?;
    }
    draft.settle_bootstrap(keys.take("bootstrap_servers").as_ref(), &asked)?;
    draft.settle_security(&asked)?;
    Ok(draft.client)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;
    use crate::options::Bootstrap;

    fn read(config: Value) -> Result<ClientOptions, ClientError> {
        let Value::Object(map) = config else { panic!("{config} is no object") };
        read_admin("ops", map)
    }

    #[test]
    fn either_spelling_is_taken() {
        let options = read(json!({
            "bootstrap_servers": "one:1,two:2",
            "admin_config": { "request_timeout_ms": 1000, "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512" },
            "confluent_config": { "sasl.username": "alice", "sasl.password": "wonderland" },
        }))
        .unwrap();
        assert_eq!(options.bootstrap, Bootstrap::Servers(vec!["one:1".to_owned(), "two:2".to_owned()]));
        assert_eq!((options.client_id.as_str(), options.request_timeout.as_secs()), ("ops", 1));
        assert!(options.security.tls.is_some() && options.security.sasl.unwrap().username == "alice");
    }

    #[test]
    fn what_is_not_for_administrators_is_told() {
        let refused = |config| {
            let error = read(config).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            error.to_string()
        };
        assert!(refused(json!({ "admin_config": { "acks": 1 } })).contains("an option of publishers"));
        assert!(
            refused(json!({ "admin_config": { "auto_offset_reset": "latest" } })).contains("subscribers")
        );
        assert!(
            refused(json!({ "admin_config": { "reqest_timeout_ms": 1 } })).contains("request_timeout_ms")
        );
        assert!(refused(json!({ "request_timeout_ms": 1 })).contains("admin_config"));
        assert!(refused(json!({ "bootstrap_server": "one:1" })).contains("bootstrap_servers"));
    }
}

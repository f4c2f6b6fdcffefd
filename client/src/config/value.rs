//! A config as what it always is: a JSON object. Where it came from (code, a file, a struct) is forgotten here.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{config_error, properties};
use crate::error::ClientError;

/// A config under construction, or read from a file. Everything that makes something of a config takes any value that
/// serialises to a JSON object: this type, `serde_json::json!({…})`, a map, a struct of one's own.
///
/// ```
/// use klamm_client::Config;
/// use serde_json::json;
///
/// let config = Config::new()
///     .set("destination", "kafka://topic/orders")
///     .set("bootstrap_servers", "embedded://shop")
///     .set("producer_config", json!({ "acks": "all" }));
/// let publisher = klamm_client::create_publisher("orders", &config)?;
/// # publisher.stop()?;
/// # Ok::<(), klamm_client::ClientError>(())
/// ```
#[derive(Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Config(Map<String, Value>);

impl Config {
    /// A config with no keys.
    pub fn new() -> Self {
        Config::default()
    }

    /// Of whatever serialises to a JSON object.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it does not.
    pub fn from_value(value: impl Serialize) -> Result<Self, ClientError> {
        match serde_json::to_value(value) {
            Ok(Value::Object(map)) => Ok(Config(map)),
            Ok(other) => {
                Err(config_error("reading a config", format!("it is {}, not an object", kind(&other)))
                    .remedy("give an object of keys and values; Config::from_file reads one from a file"))
            }
            Err(error) => Err(config_error("reading a config", error.to_string())),
        }
    }

    /// Of the text of a JSON object.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with line and column, if it is none.
    pub fn from_json(text: &str) -> Result<Self, ClientError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| config_error("reading a config", format!("it is not JSON: {error}")))?;
        Config::from_value(value)
    }

    /// Of a file with a JSON object in it. Files of properties are read with [`Properties`](crate::Properties).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it cannot be read or is no JSON object.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let path = path.as_ref();
        let asked = format!("reading the config {}", path.display());
        if path.extension().is_some_and(|extension| extension == "properties") {
            return Err(config_error(asked, "it is a file of properties").remedy(
                "read it with Properties::from_file and take its publisher() or subscriber() config",
            ));
        }
        let text = properties::read_file(path)?;
        Config::from_json(&text).map_err(|error| error.asked(asked))
    }

    /// The same with a key set; what it was before is forgotten.
    #[must_use]
    pub fn set(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// What a key is set to.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

/// Passwords do not belong into logs.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn hidden(map: &Map<String, Value>) -> Map<String, Value> {
            let hide = |(key, value): (&String, &Value)| {
                let shown = match value {
                    Value::Object(inner) => Value::Object(hidden(inner)),
                    _ if key.contains("password") || key.contains("secret") || key.contains("pem") => {
                        Value::String("(hidden)".to_owned())
                    }
                    other => other.clone(),
                };
                (key.clone(), shown)
            };
            map.iter().map(hide).collect()
        }
        write!(f, "Config({})", Value::Object(hidden(&self.0)))
    }
}

/// What a JSON value is, in words, with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let config =
            Config::new().set("producer_config", json!({ "sasl_plain_password": "swordfish", "acks": 1 }));
        let shown = format!("{config:?}");
        assert!(!shown.contains("swordfish") && shown.contains("acks"), "{shown}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[1]", "\"a\"", "{", "3"] {
            let refused = Config::from_json(text).unwrap_err();
            assert_eq!(refused.kind(), crate::ErrorKind::Config, "{text}: {refused}");
        }
    }
}

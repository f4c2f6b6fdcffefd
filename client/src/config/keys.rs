//! The keys of a config, taken one after the other, each with its type and range.

use std::time::Duration;

use serde_json::{Map, Value};

use super::names::{self, Role};
use super::value::kind;
use super::{config_error, nearest};
use crate::error::ClientError;

/// What is left of a config.
pub(super) struct Keys<'a> {
    map: Map<String, Value>,
    asked: &'a str,
}

impl<'a> Keys<'a> {
    /// Of a config in which no other keys may stand than the known ones.
    pub(super) fn new(
        map: Map<String, Value>,
        asked: &'a str,
        known: &[&'static str],
        role: Role,
    ) -> Result<Self, ClientError> {
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            if names::names(role).any(|name| name == key) {
                let place = match role {
                    Role::Producer => "producer_config",
                    Role::Consumer => "consumer_config",
                    Role::Both => "admin_config",
                };
                return Err(config_error(asked, format!("'{key}' stands among the keys of the config"))
                    .remedy(format!("it is an option: put it into {place}, or into confluent_config")));
            }
            let why = format!("'{key}' is a key that nobody knows{}", nearest(key, known.iter().copied()));
            return Err(config_error(asked, why).remedy("correct its name, or take it out"));
        }
        Ok(Keys { map, asked })
    }

    pub(super) fn asked(&self) -> &'a str {
        self.asked
    }

    /// The value of a key, if it is there and is not null.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, value: &Value, takes: &str) -> ClientError {
        let shown = match value {
            Value::Object(_) | Value::Array(_) => kind(value).to_owned(),
            other => other.to_string(),
        };
        config_error(self.asked, format!("{key} is {shown}")).remedy(format!("give {takes}"))
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, ClientError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, &other, "a string")),
        }
    }

    pub(super) fn required(&mut self, key: &str) -> Result<String, ClientError> {
        self.text(key)?.ok_or_else(|| {
            config_error(self.asked, format!("{key} is missing"))
                .remedy(format!("give {key} as \"kafka://topic/NAME\""))
        })
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, ClientError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.wrong(key, &other, "true or false")),
        }
    }

    pub(super) fn count(&mut self, key: &str, from: usize, to: usize) -> Result<Option<usize>, ClientError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match number {
            Some(number) if (from..=to).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(key, &value, &format!("a whole number from {from} to {to}"))),
        }
    }

    pub(super) fn seconds(&mut self, key: &str, to: f64) -> Result<Option<Duration>, ClientError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        match value.as_f64() {
            Some(seconds) if (0.0..=to).contains(&seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
            _ => Err(self.wrong(key, &value, &format!("seconds from 0 to {to}"))),
        }
    }

    pub(super) fn object(&mut self, key: &str) -> Result<Map<String, Value>, ClientError> {
        match self.take(key) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(self.wrong(key, &other, "an object of options")),
        }
    }
}

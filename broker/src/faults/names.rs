//! Kafka's names for APIs and errors, as they stand in JSON: `"Produce"`, `"NOT_LEADER_OR_FOLLOWER"`, or their numbers.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Above the last code that Kafka has given out.
const CODES: std::ops::Range<i16> = -1..200;

/// A name, or the number that it stands for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Number(i16),
    Name(String),
}

/// The name that Kafka prints for an error: `NOT_LEADER_OR_FOLLOWER`.
pub(crate) fn error_name(error: ResponseError) -> String {
    let mut name = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn error_of_code(code: i16) -> Option<ResponseError> {
    ResponseError::try_from_code(code).filter(|error| !matches!(error, ResponseError::Unknown(_)))
}

fn error_of_name(name: &str) -> Option<ResponseError> {
    CODES.filter_map(error_of_code).find(|error| error_name(*error) == name)
}

fn api_of_name(name: &str) -> Option<ApiKey> {
    ApiKey::iter().find(|key| format!("{key:?}") == name)
}

/// The JSON Schema of an API: the name of one that is served, or a number.
#[cfg(feature = "schema")]
pub(super) fn api_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names: Vec<String> = crate::api::APIS.iter().map(|api| format!("{:?}", api.key)).collect();
    schemars::json_schema!({ "anyOf": [{ "enum": names }, { "type": "integer" }] })
}

/// The JSON Schema of an error: a name, or a code.
#[cfg(feature = "schema")]
pub(super) fn error_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let names: Vec<String> = CODES.filter_map(error_of_code).map(error_name).collect();
    schemars::json_schema!({ "anyOf": [{ "enum": names }, { "type": "integer" }] })
}

/// An API in JSON.
pub(super) mod api {
    use super::*;

    pub(in crate::faults) fn serialize<S: Serializer>(
        key: &Option<ApiKey>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match key {
            Some(key) => to.serialize_str(&format!("{key:?}")),
            None => to.serialize_none(),
        }
    }

    pub(in crate::faults) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<ApiKey>, D::Error> {
        let found = match Option::<Named>::deserialize(from)? {
            None => return Ok(None),
            Some(Named::Number(number)) => {
                ApiKey::try_from(number).map_err(|()| format!("there is no API {number}"))
            }
            Some(Named::Name(name)) => api_of_name(&name).ok_or_else(|| format!("there is no API '{name}'")),
        };
        found.map(Some).map_err(D::Error::custom)
    }
}

/// An error in JSON.
pub(super) mod error {
    use super::*;

    pub(in crate::faults) fn serialize<S: Serializer>(
        error: &Option<ResponseError>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match error {
            Some(error) => to.serialize_str(&error_name(*error)),
            None => to.serialize_none(),
        }
    }

    pub(in crate::faults) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<ResponseError>, D::Error> {
        let found = match Option::<Named>::deserialize(from)? {
            None => return Ok(None),
            Some(Named::Number(code)) => {
                error_of_code(code).ok_or_else(|| format!("there is no error {code}"))
            }
            Some(Named::Name(name)) => {
                error_of_name(&name).ok_or_else(|| format!("there is no error '{name}'"))
            }
        };
        found.map(Some).map_err(D::Error::custom)
    }
}

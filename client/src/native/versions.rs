//! What versions of which APIs a broker serves, and which of them a request is sent in.

use std::collections::HashMap;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{Message as _, Request, StrBytes};
use klamm_protocol::guard;

use super::connection::Connection;
use crate::error::{ClientError, ErrorKind};

/// What this library calls itself to brokers.
const SOFTWARE_NAME: &str = "klamm";

/// The versions of each API that a broker serves, by the API's number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BrokerVersions(HashMap<i16, (i16, i16)>);

impl BrokerVersions {
    /// Each API that is served, with its oldest and its newest version.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i16, i16, i16)> {
        self.0.iter().map(|(api, (oldest, newest))| (*api, *oldest, *newest))
    }

    /// Whether an API is served at all.
    pub(crate) fn serves(&self, api: i16) -> bool {
        self.0.contains_key(&api)
    }

    /// The newest version up to `most` that both sides know. An error says why there is none.
    pub(crate) fn pick<R: Request>(&self, most: i16) -> Result<i16, String> {
        let Some(&(oldest, newest)) = self.0.get(&R::KEY) else {
            return Err("the broker does not serve it".to_owned());
        };
        let (ours, decoded) = (R::VERSIONS, guard::response_versions(R::KEY));
        let Some(decoded) = decoded else { return Err("its answer cannot be read".to_owned()) };
        let newest_ours = most.min(ours.max).min(*decoded.end());
        let oldest_ours = ours.min.max(*decoded.start());
        let version = newest.min(newest_ours);
        if version < oldest.max(oldest_ours) {
            return Err(format!(
                "the broker serves versions {oldest} to {newest}, and {oldest_ours} to {newest_ours} are known here"
            ));
        }
        Ok(version)
    }
}

/// Asks a broker. One that does not know the newest way of asking is asked again in the oldest.
pub(super) async fn ask(connection: &Connection, patience: Duration) -> Result<BrokerVersions, ClientError> {
    let asked = || format!("asking {} for its versions", connection.to());
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str(SOFTWARE_NAME))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    let newest = ApiVersionsRequest::VERSIONS.max;
    let frame = connection.send(&request, newest, patience)?.frame().await?;
    let unsupported = frame.leading_code() == Some(ResponseError::UnsupportedVersion.code());
    let answer: ApiVersionsResponse = if unsupported {
        // Such an answer is one of version 0, whatever was asked for.
        let told: ApiVersionsResponse = frame.decode_as::<ApiVersionsRequest>(0)?;
        let known = told.api_keys.iter().find(|api| api.api_key == ApiVersionsRequest::KEY);
        let version = known.map_or(0, |api| api.max_version.clamp(0, newest));
        connection.call(&request, version, patience).await?
    } else {
        frame.decode::<ApiVersionsRequest>()?
    };
    if let Some(error) = ResponseError::try_from_code(answer.error_code) {
        return Err(ClientError::from_code(error, asked(), None));
    }
    if answer.api_keys.is_empty() {
        return Err(ClientError::new(ErrorKind::MalformedAnswer, asked(), "it serves nothing"));
    }
    Ok(BrokerVersions(
        answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{FetchRequest, MetadataRequest, WriteTxnMarkersRequest};

    use super::*;

    fn serving(api: i16, oldest: i16, newest: i16) -> BrokerVersions {
        BrokerVersions(HashMap::from([(api, (oldest, newest))]))
    }

    #[test]
    fn the_newest_that_both_know_is_picked() {
        assert_eq!(serving(3, 0, 5).pick::<MetadataRequest>(9), Ok(5));
        assert_eq!(serving(3, 0, 12).pick::<MetadataRequest>(9), Ok(9));
        assert_eq!(serving(3, 0, 99).pick::<MetadataRequest>(i16::MAX), Ok(13));
    }

    #[test]
    fn without_a_common_version_the_reason_is_told() {
        assert!(serving(3, 14, 20).pick::<MetadataRequest>(13).unwrap_err().contains("14 to 20"));
        assert!(serving(1, 0, 3).pick::<FetchRequest>(13).unwrap_err().contains("0 to 3"));
        assert!(serving(3, 0, 9).pick::<FetchRequest>(13).unwrap_err().contains("does not serve"));
        assert!(serving(27, 0, 1).pick::<WriteTxnMarkersRequest>(1).unwrap_err().contains("cannot be read"));
    }
}

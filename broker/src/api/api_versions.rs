//! ApiVersions, versions 0 to 4: which APIs are served, in which versions.
//!
//! A request in a version that is not served is answered in version 0 with UNSUPPORTED_VERSION and the one row that the
//! client needs to try again (KIP-511). Produce is announced from version 0 although it is served from 3, as Kafka
//! does it: librdkafka takes a broker without Produce 0 for one older than Kafka 0.10 (KAFKA-18659).
//!
//! Default values of tagged fields are left out: librdkafka 2.0.2 drops the connection where one is written.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::StrBytes;

use super::{APIS, Api};
use crate::context::{Answer, RequestContext};

pub(crate) async fn handle(cx: &RequestContext, request: ApiVersionsRequest) -> Answer<ApiVersionsResponse> {
    let named = [&request.client_software_name, &request.client_software_version];
    if cx.version() >= 3 && !named.into_iter().all(is_valid_software_name) {
        let error_code = ResponseError::InvalidRequest.code();
        return Ok(ApiVersionsResponse::default().with_error_code(error_code));
    }
    let features = SUPPORTED_FEATURES.iter().filter(|feature| cx.version() >= 4 || feature.min_version > 0);
    Ok(ApiVersionsResponse::default()
        .with_api_keys(APIS.iter().map(row).collect())
        .with_supported_features(features.map(Feature::supported).collect())
        .with_finalized_features_epoch(FEATURES_EPOCH)
        .with_finalized_features(SUPPORTED_FEATURES.iter().filter_map(Feature::finalized).collect()))
}

/// The answer to a version that is not served: it goes out in version 0, whatever was asked for.
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(APIS.iter().filter(|api| api.key == ApiKey::ApiVersions).map(row).collect())
}

fn row(api: &Api) -> ApiVersion {
    let announced_from = if api.key == ApiKey::Produce { 0 } else { api.versions.min };
    ApiVersion::default()
        .with_api_key(api.key as i16)
        .with_min_version(announced_from)
        .with_max_version(api.versions.max)
}

/// Letters and digits, with dots and dashes inside: what Kafka takes for a client's name or version.
fn is_valid_software_name(name: &StrBytes) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    outer(name.chars().next()) && outer(name.chars().next_back()) && name.chars().all(inner)
}

/// The epoch of the finalized features: they never change here.
const FEATURES_EPOCH: i64 = 1;

/// A feature that a cluster can agree on (KIP-584), with the levels that are supported and the one in force.
struct Feature {
    name: &'static str,
    min_version: i16,
    max_version: i16,
    level: i16,
}

/// The features of Kafka whose behaviour this broker has, at the levels that it has it.
const SUPPORTED_FEATURES: &[Feature] =
    &[Feature { name: "metadata.version", min_version: 7, max_version: 30, level: 29 }];

impl Feature {
    fn supported(&self) -> SupportedFeatureKey {
        SupportedFeatureKey::default()
            .with_name(StrBytes::from_static_str(self.name))
            .with_min_version(self.min_version)
            .with_max_version(self.max_version)
    }

    fn finalized(&self) -> Option<FinalizedFeatureKey> {
        (self.level > 0).then(|| {
            FinalizedFeatureKey::default()
                .with_name(StrBytes::from_static_str(self.name))
                .with_min_version_level(self.level)
                .with_max_version_level(self.level)
        })
    }
}

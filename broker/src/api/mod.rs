//! One file per Kafka API, and the one table from which both the dispatch and the ApiVersions answer come.
//!
//! A handler decodes, authorises, delegates and encodes; what is decided, is decided below it.

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, VersionRange};

use crate::context::{Answer, Refusal, RequestContext};
use crate::dispatch::{Body, Reply as _};
use crate::guard;

/// An API that is served, and the versions of it.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) versions: VersionRange,
}

impl Api {
    /// Whether `version` of this API is served.
    pub(crate) fn serves(&self, version: i16) -> bool {
        (self.versions.min..=self.versions.max).contains(&version)
    }
}

/// The row of the table for an API key off the wire.
pub(crate) fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// Checks the bytes of a request, so that decoding them can neither fail badly nor allocate much, and decodes them.
fn decode<R: Decodable>(key: ApiKey, version: i16, body: &Bytes) -> Answer<R> {
    let malformed = |error: &dyn std::fmt::Display| {
        Refusal::Close(format!("its {key:?} request in version {version} is malformed: {error}"))
    };
    let mut body = guard::check(key as i16, version, body).map_err(|error| malformed(&error))?;
    R::decode(&mut body, version).map_err(|error| malformed(&error))
}

macro_rules! apis {
    ($($module:ident $key:ident $min:literal ..= $max:literal: $request:ident => $reply:ty;)*) => {
        $(pub(crate) mod $module;)*

        /// Every API that is served, by key.
        pub(crate) static APIS: &[Api] = &[
            $(Api { key: ApiKey::$key, versions: VersionRange { min: $min, max: $max } },)*
        ];

        /// Decodes a request of an API of the table, has it handled, and encodes the answer.
        pub(crate) async fn call(key: ApiKey, cx: &RequestContext, body: Bytes) -> Answer<Body> {
            match key {
                $(ApiKey::$key => {
                    let request: kafka_protocol::messages::$request = decode(key, cx.version(), &body)?;
                    drop(body);
                    // In a box, so that an idle connection does not hold room for the largest handler.
                    let reply: $reply = Box::pin($module::handle(cx, request)).await?;
                    reply.into_body(cx.version())
                })*
                other => Err(Refusal::Close(format!("it asked for {other:?}, which is not served"))),
            }
        }
    };
}

apis! {
    produce Produce 3..=13: ProduceRequest => kafka_protocol::messages::ProduceResponse;
    fetch Fetch 4..=18: FetchRequest => crate::fetch::FetchAnswer;
    metadata Metadata 0..=13: MetadataRequest => kafka_protocol::messages::MetadataResponse;
    api_versions ApiVersions 0..=4: ApiVersionsRequest => kafka_protocol::messages::ApiVersionsResponse;
}

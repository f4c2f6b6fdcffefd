//! Refusals as `application/problem+json` (RFC 9457): a sentence for people, a `type` for programs.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use klamm_broker::WaitError;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What went wrong, for a program: the `type` of a problem is `urn:klamm:problem:` and one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The token is missing or wrong.
    Unauthorized,
    /// The request was not meant for this server: another host's name, or a page of another origin.
    Forbidden,
    /// The body is no JSON.
    BadJson,
    /// A part of the path or of the query is not what it has to be.
    BadParameter,
    /// The JSON is not what is asked for: an unknown field, or a value that cannot be.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// There is such a path, but not with this method.
    MethodNotAllowed,
    /// The body is longer than it may be.
    TooLarge,
    /// The body is of another media type than is taken.
    UnsupportedMediaType,
    /// The broker follows the system's clock, which nobody moves.
    NotManual,
    /// The clock cannot go there.
    ImpossibleTime,
    /// What was waited for did not come about in time.
    WaitTimedOut,
    /// There are as many of them as there may be.
    LimitReached,
    /// The broker is in no state for it.
    Conflict,
    /// Something failed that should not have.
    Failed,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 15] = [
        Kind::Unauthorized,
        Kind::Forbidden,
        Kind::BadJson,
        Kind::BadParameter,
        Kind::Invalid,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::TooLarge,
        Kind::UnsupportedMediaType,
        Kind::NotManual,
        Kind::ImpossibleTime,
        Kind::WaitTimedOut,
        Kind::LimitReached,
        Kind::Conflict,
        Kind::Failed,
    ];

    /// The status that goes with it.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::BadJson | Kind::BadParameter => StatusCode::BAD_REQUEST,
            Kind::Invalid | Kind::ImpossibleTime => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::NotManual | Kind::WaitTimedOut | Kind::Conflict => StatusCode::CONFLICT,
            Kind::LimitReached => StatusCode::TOO_MANY_REQUESTS,
            Kind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What is the same for all problems of the kind.
    fn title(self) -> &'static str {
        match self {
            Kind::Unauthorized => "The token is missing or wrong",
            Kind::Forbidden => "The request is not meant for this server",
            Kind::BadJson => "The body is no JSON",
            Kind::BadParameter => "A parameter is not what it has to be",
            Kind::Invalid => "The request means nothing",
            Kind::NotFound => "There is no such thing",
            Kind::MethodNotAllowed => "Not with this method",
            Kind::TooLarge => "The body is too long",
            Kind::UnsupportedMediaType => "The body is of another type",
            Kind::NotManual => "The broker follows the system's clock",
            Kind::ImpossibleTime => "The clock cannot go there",
            Kind::WaitTimedOut => "It did not come about in time",
            Kind::LimitReached => "There are as many as there may be",
            Kind::Conflict => "The broker is in no state for it",
            Kind::Failed => "Something failed",
        }
    }

    /// The `type` of its problems.
    pub(crate) fn urn(self) -> String {
        let name = serde_json::to_value(self).ok();
        format!("urn:klamm:problem:{}", name.as_ref().and_then(Value::as_str).unwrap_or_default())
    }
}

/// A refusal: the broker is as it was.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    /// A sentence: what was asked, what is wrong with it, what to do next.
    detail: String,
    /// What else a program may want to know.
    more: Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem { kind, detail: detail.into(), more: Map::new() }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Problem::new(Kind::NotFound, detail)
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Problem::new(Kind::Invalid, detail)
    }

    /// What `error` says, as something that should not have happened.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Problem::new(Kind::Failed, error.to_string())
    }

    /// And this, in the same sentence.
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.detail.push_str("; ");
        self.detail.push_str(more);
        self
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    fn to_json(&self) -> Value {
        let status = self.kind.status().as_u16();
        let mut all = self.more.clone();
        all.extend([
            ("type".to_owned(), Value::from(self.kind.urn())),
            ("title".to_owned(), Value::from(self.kind.title())),
            ("status".to_owned(), Value::from(status)),
            ("detail".to_owned(), Value::from(self.detail.clone())),
        ]);
        Value::Object(all)
    }
}

impl From<WaitError> for Problem {
    fn from(error: WaitError) -> Self {
        Problem::new(Kind::WaitTimedOut, error.to_string())
            .with("wanted", error.wanted)
            .with("seen", error.seen)
            .with("waited_ms", error.waited_ms)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The JSON Schema of every problem.
pub(crate) fn schema() -> Value {
    let types: Vec<String> = Kind::ALL.iter().map(|kind| kind.urn()).collect();
    json!({
        "type": "object",
        "description": "A refusal, as RFC 9457 describes it. The broker is as it was.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "enum": types, "description": "What went wrong, for a program." },
            "title": { "type": "string", "description": "The same for all problems of a type." },
            "status": { "type": "integer", "description": "The HTTP status." },
            "detail": { "type": "string", "description": "A sentence: what was asked, and what is wrong with it." },
            "wanted": { "type": "string", "description": "Of a wait: what was waited for." },
            "seen": { "type": "string", "description": "Of a wait: how it stood when time was up." },
            "waited_ms": { "type": "integer", "description": "Of a wait: how long it was, in milliseconds." },
        },
        "additionalProperties": false,
    })
}

/// Which kinds of problem go with a status, for the document: `409` may be one of several.
pub(crate) fn by_status(kinds: &[Kind]) -> BTreeMap<u16, Vec<Kind>> {
    let mut statuses: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds {
        statuses.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    statuses
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}

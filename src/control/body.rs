//! What comes in and goes out as JSON, and how it is refused: bodies up to a length, parameters of a path and a query.
//!
//! Knows nothing of brokers.

use std::time::Duration;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::error::Category;

use super::problem::{Kind, Problem};

/// How long the JSON of a request may be. The longest that means something, a fault, has some hundred bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long the body of a request may take that is refused whatever it says.
const DISCARD_PATIENCE: Duration = Duration::from_secs(2);

/// The JSON of a request. Where there is none it counts as `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_type(&request)?;
        let bytes = read(request).await?;
        let parsed = match bytes.trim_ascii().first() {
            None => serde_json::from_slice(b"{}"),
            Some(b'{') => serde_json::from_slice(&bytes),
            // A list would pass for the fields of an object, in the order in which they happen to be declared.
            Some(_) => serde_json::from_slice::<serde_json::Value>(&bytes)
                .and_then(|_| Err(serde_json::Error::custom("it is no object"))),
        };
        parsed.map(Body).map_err(|error| match error.classify() {
            Category::Data => Problem::invalid(format!("the body will not do: {error}")),
            _ => Problem::new(Kind::BadJson, format!("the body is no JSON: {error}")),
        })
    }
}

/// Reads all of a request before anything is done: half of one does nothing, and the next one on the connection begins where
/// this one ends.
pub(crate) async fn read_first(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match read(Request::from_parts(parts.clone(), body)).await {
        Ok(bytes) => next.run(Request::from_parts(parts, bytes.into())).await,
        Err(problem) => problem.into_response(),
    }
}

/// Reads what comes with a request that is refused, up to the bound and for a moment: who is still sending finds the
/// connection closed else, and never reads why.
pub(crate) async fn discard(request: Request) {
    // Too long, too slow or broken off: the connection is closed then.
    let _ = tokio::time::timeout(DISCARD_PATIENCE, read(request)).await;
}

/// Reads a body, up to the bound.
async fn read(request: Request) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail =
            format!("the body is longer than {MAX_BODY_BYTES} bytes, which no request of this kind is");
        Problem::new(Kind::TooLarge, detail)
    };
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if told.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > MAX_BODY_BYTES as u64)
    {
        return Err(too_large());
    }
    axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|_| too_large())
}

/// JSON may come as what it is, or as what plain clients (`curl -d`, Python's urllib) call whatever they send.
fn check_type(request: &Request) -> Result<(), Problem> {
    let Some(given) = request.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let name = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if ["application/json", "application/x-www-form-urlencoded"]
        .iter()
        .any(|one| name.eq_ignore_ascii_case(one))
    {
        return Ok(());
    }
    let detail = format!("the body is said to be '{name}'; send JSON, as application/json");
    Err(Problem::new(Kind::UnsupportedMediaType, detail))
}

/// What stands in the path.
pub(crate) struct InPath<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        let path = path.map_err(|error| {
            Problem::new(
                Kind::BadParameter,
                format!("the path '{}' will not do: {}", parts.uri.path(), error.body_text()),
            )
        });
        path.map(|Path(value)| InPath(value))
    }
}

/// What stands behind the question mark.
pub(crate) struct InQuery<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|error| {
            Problem::new(Kind::BadParameter, format!("the query will not do: {}", error.body_text()))
        });
        query.map(|Query(value)| InQuery(value))
    }
}

/// An answer of JSON, with its status.
pub(crate) struct Answer<T>(pub(crate) StatusCode, pub(crate) T);

impl<T> Answer<T> {
    pub(crate) fn ok(value: T) -> Self {
        Answer(StatusCode::OK, value)
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.1) {
            Ok(text) => {
                let mut response = Response::new(HttpBody::from(text));
                *response.status_mut() = self.0;
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err(error) => {
                Problem::failed(format!("the answer cannot be written as JSON: {error}")).into_response()
            }
        }
    }
}

/// What a handler gives.
pub(crate) type Answered<T> = Result<Answer<T>, Problem>;

/// An answer without a body: it is done.
pub(crate) type Done = Result<StatusCode, Problem>;

//! Who may control a broker: whoever has the token, if there is one, and nobody whom a web page has sent.
//!
//! A page in a browser can have it send requests to this machine. It cannot hide that: a name that it has had resolved to
//! this machine stands in `Host`, and its own origin in `Origin`. No answer has a header of CORS, so that no page reads one.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Control;
use super::body::discard;
use super::problem::{Kind, Problem};

/// What a request has to show.
pub(crate) struct Access {
    /// What it has to bring in `Authorization: Bearer …`.
    pub(crate) token: Option<String>,
    /// Whether it has to be for this machine by a name that only this machine has.
    pub(crate) loopback_only: bool,
}

impl Access {
    fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.loopback_only && !is_loopback(host_of(host)) {
            let detail = format!(
                "the request is for the host '{host}', and this server answers on this machine's own names alone \
                 (127.0.0.1, [::1], localhost)"
            );
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        if let Some(origin) = headers.get(header::ORIGIN) {
            let origin = origin.to_str().unwrap_or("?");
            if origin.split_once("://").map(|(_, host)| host) != Some(host) {
                let detail =
                    format!("the request comes from a page of '{origin}', and pages control no brokers");
                return Err(Problem::new(Kind::Forbidden, detail));
            }
        }
        self.check_token(headers)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(wanted) = &self.token else { return Ok(()) };
        let refused = |detail: &str| Err(Problem::new(Kind::Unauthorized, detail));
        let Some(given) = headers.get(header::AUTHORIZATION) else {
            return refused("this server wants its token: send it as 'Authorization: Bearer TOKEN'");
        };
        let given = given.to_str().unwrap_or_default();
        match given.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                if is_equal(token.trim().as_bytes(), wanted.as_bytes()) {
                    return Ok(());
                }
                refused("the token is not the one that this server was started with")
            }
            _ => refused("the header Authorization has another form than 'Bearer TOKEN'"),
        }
    }
}

/// Compares without telling by its time where two tokens differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// A host without its port.
fn host_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Lets those requests through that may.
pub(crate) async fn check(State(control): State<Control>, request: Request, next: Next) -> Response {
    match control.shared().access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            discard(request).await;
            problem.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn refusal(access: &Access, pairs: &[(header::HeaderName, &str)]) -> Option<Kind> {
        access.check(&headers(pairs)).err().map(|problem| problem.kind)
    }

    #[test]
    fn only_this_machines_own_names_are_answered_to() {
        let access = Access { token: None, loopback_only: true };
        for host in ["127.0.0.1:9650", "localhost", "LOCALHOST:1", "[::1]:9650", "127.9.9.9"] {
            assert_eq!(refusal(&access, &[(header::HOST, host)]), None, "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example:9650", "10.0.0.1", "[::2]", ""] {
            assert_eq!(refusal(&access, &[(header::HOST, host)]), Some(Kind::Forbidden), "{host}");
        }
        let anywhere = Access { token: None, loopback_only: false };
        assert_eq!(refusal(&anywhere, &[(header::HOST, "build-server:9650")]), None);
    }

    #[test]
    fn a_page_of_another_origin_is_refused() {
        let access = Access { token: None, loopback_only: true };
        let from = |origin| refusal(&access, &[(header::HOST, "127.0.0.1:80"), (header::ORIGIN, origin)]);
        assert_eq!(from("http://evil.example"), Some(Kind::Forbidden));
        assert_eq!(from("null"), Some(Kind::Forbidden));
        assert_eq!(from("http://127.0.0.1:81"), Some(Kind::Forbidden));
        assert_eq!(from("http://127.0.0.1:80"), None);
    }

    #[test]
    fn a_token_has_to_be_the_right_one() {
        let access = Access { token: Some("secret".to_owned()), loopback_only: false };
        let with = |value| refusal(&access, &[(header::AUTHORIZATION, value)]);
        assert_eq!(refusal(&access, &[]), Some(Kind::Unauthorized));
        for wrong in ["Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Basic secret", "secret"] {
            assert_eq!(with(wrong), Some(Kind::Unauthorized), "{wrong}");
        }
        assert_eq!(with("Bearer secret"), None);
        assert_eq!(with("bearer secret"), None);
    }
}

//! ApiVersions, and versions that are not served.

use crate::conformance::request::text;
use crate::conformance::session::Session;
use crate::conformance::wire;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

/// Keys that a broker may serve, and how many there might be.
const KEYS: std::ops::Range<i16> = 0..96;

pub(crate) fn advertised(s: &mut Session<'_>) {
    s.each("a good client", |v| {
        let request = ApiVersionsRequest::default();
        match v {
            3.. => request
                .with_client_software_name(text("conformance"))
                .with_client_software_version(text("1.0.0")),
            _ => request,
        }
    });
    for v in 3..=4 {
        for (what, name, version) in [
            ("an empty name", "", "1.0"),
            ("an empty version", "name", ""),
            ("a space in the name", "a client", "1.0"),
            ("a dash at the end", "client-", "1.0"),
            ("a dot in front", "client", ".1"),
            ("dots and dashes inside", "a-client.b", "1.0-rc.1"),
            ("a letter beyond ASCII", "clíent", "1.0"),
        ] {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(text(name))
                .with_client_software_version(text(version));
            s.call(what, v, request);
        }
    }
}

pub(crate) fn unsupported(s: &mut Session<'_>) {
    for version in [-1, 5, 99, i16::MAX] {
        let frame = wire::frame(&wire::header(18, version, 2, 7), b"\0\0\0");
        s.on(&format!("api versions {version}")).raw(format!("ApiVersions v{version}"), &frame);
    }
    for key in KEYS {
        let Ok(api) = ApiKey::try_from(key) else { continue };
        if api == ApiKey::ApiVersions {
            continue;
        }
        for version in [-1, i16::MAX] {
            let frame = wire::frame(&wire::header(key, version, 1, 7), b"\0\0\0\0");
            s.on(&format!("{key} {version}")).raw(format!("{api:?} v{version}"), &frame);
        }
    }
    for key in [-1, 96, 1000, i16::MAX] {
        let frame = wire::frame(&wire::header(key, 0, 1, 7), b"\0\0\0\0");
        s.on(&format!("{key}")).raw(format!("no such API: {key}"), &frame);
    }
}

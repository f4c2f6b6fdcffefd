//! Placeholder until the guard lands.
use bytes::{Buf, Bytes};
pub(crate) struct Header {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<String>,
    pub(crate) body: Bytes,
}
pub(crate) fn check_header(frame: &Bytes) -> Result<Header, String> {
    let mut f = frame.clone();
    if f.len() < 10 {
        return Err("short".into());
    }
    let (api_key, api_version, correlation_id) = (f.get_i16(), f.get_i16(), f.get_i32());
    let n = f.get_i16();
    let client_id =
        if n < 0 { None } else { Some(String::from_utf8_lossy(&f.split_to(n as usize)).into_owned()) };
    let flexible = kafka_protocol::messages::ApiKey::try_from(api_key)
        .map(|k| k.request_header_version(api_version) >= 2)
        .unwrap_or(false);
    if flexible {
        f.advance(1);
    }
    Ok(Header { api_key, api_version, correlation_id, client_id, body: f })
}
pub(crate) fn check(_key: i16, _version: i16, body: &Bytes) -> Result<Bytes, String> {
    Ok(body.clone())
}

//! How Kafka writes a UUID: URL-safe base 64 without padding, 22 characters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// `id` as Kafka prints it, for instance `AAAAAAAAAAAAAAAAAAAAAQ`.
pub(crate) fn base64(id: &Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

/// The UUID that Kafka would print as `text`.
pub(crate) fn from_base64(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

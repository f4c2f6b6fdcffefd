//! The responses of signing on.
//!
//! Field by field as Apache Kafka documents them, in wire order, tagged fields last. What the decoder reads as null
//! may be null in any version.

use super::super::{Message, NEVER, bytes, int16, int64, string, strings};

pub(super) static SASL_HANDSHAKE: Message = Message::new("SaslHandshake", 0..=1, NEVER, &[
    int16("error_code"),
    strings("mechanisms"),
]);

pub(super) static SASL_AUTHENTICATE: Message = Message::new("SaslAuthenticate", 0..=2, 2, &[
    int16("error_code"),
    string("error_message").nullable(),
    bytes("auth_bytes"),
    int64("session_lifetime_ms").from(1),
]);

//! PLAIN: name and password as they are (RFC 4616). Only over TLS is the password nobody else's business.

use bytes::Bytes;

/// The one message. An error says why there is none.
pub(super) fn message(username: &str, password: &str) -> Result<Bytes, String> {
    if username.is_empty() || username.contains('\0') || password.contains('\0') {
        return Err("a name must not be empty, and neither name nor password may have a NUL in it".to_owned());
    }
    Ok(Bytes::from(format!("\0{username}\0{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_that_of_the_rfc() {
        assert_eq!(message("tim", "tanstaaftanstaaf").unwrap(), &b"\0tim\0tanstaaftanstaaf"[..]);
        assert!(message("", "secret").is_err());
        assert!(message("a\0b", "secret").is_err());
        assert!(message("a", "sec\0ret").is_err());
    }
}

//! Text that is not UTF-8, read as the Java client and broker read it.

use std::str::from_utf8;

const REPLACEMENT: char = '\u{fffd}';

/// `bytes` as text, with U+FFFD for whatever is malformed.
///
/// One U+FFFD stands for each longest beginning of a character, as Unicode recommends and
/// [`String::from_utf8_lossy`] does, but for an encoded surrogate: Java takes it for one malformed character, Rust
/// for two or three.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in Pieces(bytes) {
        match chunk {
            Ok(valid) => text.push_str(valid),
            Err(Malformed) => text.push(REPLACEMENT),
        }
    }
    text
}

/// How long [`lossy`] makes `bytes`.
pub(crate) fn lossy_len(bytes: &[u8]) -> usize {
    Pieces(bytes).map(|piece| piece.map_or(REPLACEMENT.len_utf8(), str::len)).sum()
}

struct Malformed;

/// Cuts bytes into what is text and what is not.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<&'a str, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Err(error) = from_utf8(self.0) else {
            return from_utf8(std::mem::take(&mut self.0)).ok().map(Ok);
        };
        let (valid, rest) = self.0.split_at(error.valid_up_to());
        if let (false, Ok(text)) = (valid.is_empty(), from_utf8(valid)) {
            self.0 = rest;
            return Some(Ok(text));
        }
        let malformed = surrogate_len(rest).or(error.error_len()).unwrap_or(rest.len());
        self.0 = rest.get(malformed..).unwrap_or_default();
        Some(Err(Malformed))
    }
}

/// The length of the encoded surrogate, whole or cut short, that `bytes` begin with.
fn surrogate_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => Some(3),
        [0xed, 0xa0..=0xbf, ..] => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_text_is_replaced_as_java_replaces_it() {
        // What `new String(bytes, UTF_8)` of OpenJDK 17 gives.
        for (bytes, java) in [
            (&b"plain"[..], "plain"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"a\xc3", "a\u{fffd}"),
            (b"\xc3(", "\u{fffd}("),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xe2\x82", "\u{fffd}"),
            (b"\xe2\x82x", "\u{fffd}x"),
            (b"\xe0\x80\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xed\xa0\x80\xed\xb0\x80", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"\xed\xbfx", "\u{fffd}x"),
            (b"\xed\x9f\xbf", "\u{d7ff}"),
            (b"\xf0\x9f\x98", "\u{fffd}"),
            (b"\xf0\x9f\x98\x80", "\u{1f600}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf1\x80x", "\u{fffd}x"),
        ] {
            assert_eq!(lossy(bytes), java, "{bytes:x?}");
            assert_eq!(lossy_len(bytes), java.len(), "{bytes:x?}");
        }
    }
}

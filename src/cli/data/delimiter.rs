//! Delimiters and separators as people write them: `\n`, `\t`, `\x00`, or any text.

/// What a text with escapes stands for.
///
/// # Errors
/// If an escape is none, or it stands for nothing.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    let bytes = unescape(text)?;
    if bytes.is_empty() {
        return Err("it is empty; give a text such as ':' or '\\t'".to_owned());
    }
    Ok(bytes)
}

/// What a text with escapes stands for; nothing may be.
///
/// # Errors
/// If an escape is none.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(escape(&mut rest)?);
    }
    Ok(bytes)
}

/// The byte that an escape stands for, the backslash of which has been read.
pub(crate) fn escape(rest: &mut std::str::Chars<'_>) -> Result<u8, String> {
    match rest.next() {
        Some('n') => Ok(b'\n'),
        Some('r') => Ok(b'\r'),
        Some('t') => Ok(b'\t'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some('x') => {
            let digits: String = rest.by_ref().take(2).collect();
            let byte = (digits.len() == 2).then(|| u8::from_str_radix(&digits, 16).ok()).flatten();
            byte.ok_or_else(|| {
                format!("'\\x{digits}' is no byte; give two hexadecimal digits, as in '\\x1f'")
            })
        }
        Some(other) => Err(format!("'\\{other}' is no escape; there are \\n, \\r, \\t, \\0, \\\\ and \\xNN")),
        None => Err("it ends with a backslash; write '\\\\' for one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(parse("\\t"), Ok(b"\t".to_vec()));
        assert_eq!(parse("a\\x00b\\\\"), Ok(b"a\0b\\".to_vec()));
        assert_eq!(parse("\u{e4}"), Ok("\u{e4}".as_bytes().to_vec()));
        for wrong in ["", "\\q", "\\x1", "\\xzz", "\\"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

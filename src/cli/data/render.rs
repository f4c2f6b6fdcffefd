//! The forms in which records are written.

use klamm::Record;

use super::json;
use super::template::Template;

/// How a record is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Render {
    /// Its value, or its key and its value.
    Plain(Plain),
    /// A JSON object, one a line.
    Json,
    /// A format string.
    Template { template: Template, null: Vec<u8> },
}

/// Keys and values as they are, or in hexadecimal digits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plain {
    pub(crate) hex: bool,
    /// Between key and value; without it there is no key.
    pub(crate) key_separator: Option<Vec<u8>>,
    /// Behind each record.
    pub(crate) delimiter: Vec<u8>,
    /// In the place of a key or a value that is null.
    pub(crate) null: Vec<u8>,
}

impl Render {
    /// Writes a record.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>, record: &Record) {
        match self {
            Render::Plain(plain) => plain.write(out, record),
            Render::Json => json::write(out, record),
            Render::Template { template, null } => template.write(out, record, null),
        }
    }
}

impl Plain {
    #[inline]
    fn write(&self, out: &mut Vec<u8>, record: &Record) {
        if let Some(separator) = &self.key_separator {
            self.part(out, record.key.as_deref());
            out.extend_from_slice(separator);
        }
        self.part(out, record.value.as_deref());
        match self.delimiter.as_slice() {
            [byte] => out.push(*byte),
            bytes => out.extend_from_slice(bytes),
        }
    }

    #[inline]
    fn part(&self, out: &mut Vec<u8>, bytes: Option<&[u8]>) {
        match bytes {
            None => out.extend_from_slice(&self.null),
            Some(bytes) if self.hex => write_hex(out, bytes),
            Some(bytes) => out.extend_from_slice(bytes),
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or(b'0');
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_written_as_they_are_or_in_hexadecimal_digits() {
        let record = Record {
            topic: "t".into(),
            partition: 0,
            offset: 0,
            leader_epoch: 0,
            timestamp: 0,
            key: None,
            value: Some("a\u{7f}".into()),
            headers: Vec::new(),
        };
        let plain = |hex, key_separator: Option<&str>| {
            let key_separator = key_separator.map(|text| text.as_bytes().to_vec());
            let (delimiter, null) = (b"\n".to_vec(), b"NULL".to_vec());
            let mut out = Vec::new();
            Render::Plain(Plain { hex, key_separator, delimiter, null }).write(&mut out, &record);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(plain(false, None), "a\u{7f}\n");
        assert_eq!(plain(false, Some(": ")), "NULL: a\u{7f}\n");
        assert_eq!(plain(true, Some("\t")), "NULL\t617f\n");
    }
}

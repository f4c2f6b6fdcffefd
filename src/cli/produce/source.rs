//! From a line to a record.

use std::borrow::Cow;

use bytes::Bytes;
use klamm::Headers;
use memchr::memmem::Finder;

use crate::cli::data::json;

/// How lines become records.
pub(super) struct Source {
    pub(super) json: bool,
    pub(super) lines: Lines,
    /// What records have that do not say otherwise.
    pub(super) key: Option<Vec<u8>>,
    pub(super) headers: Headers,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
}

/// How lines of text become records.
pub(super) struct Lines {
    /// What is between key and value.
    pub(super) separator: Option<Finder<'static>>,
    /// Keys and values that are this are null.
    pub(super) null: Option<Vec<u8>>,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed<'a> {
    pub(super) key: Option<Cow<'a, [u8]>>,
    pub(super) value: Option<Cow<'a, [u8]>>,
    pub(super) headers: Cow<'a, [(String, Option<Bytes>)]>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
}

impl Source {
    /// The record that a line stands for.
    ///
    /// # Errors
    /// Why it stands for none, and what to do.
    #[inline]
    pub(super) fn parse<'a>(&'a self, line: &'a [u8]) -> Result<Parsed<'a>, String> {
        if self.json {
            return self.parse_json(line);
        }
        let nulled = |bytes: &'a [u8]| match &self.lines.null {
            Some(null) if null == bytes => None,
            _ => Some(Cow::Borrowed(bytes)),
        };
        let (key, value) = match &self.lines.separator {
            None => (self.key.as_deref().map(Cow::Borrowed), nulled(line)),
            Some(separator) => {
                let at = separator.find(line).ok_or_else(|| {
                    let text = String::from_utf8_lossy(separator.needle());
                    format!("it has no '{}' between key and value", text.escape_default())
                })?;
                let behind = at + separator.needle().len();
                let key = nulled(line.get(..at).unwrap_or_default());
                (key, nulled(line.get(behind..).unwrap_or_default()))
            }
        };
        let (partition, timestamp) = (self.partition, self.timestamp);
        Ok(Parsed { key, value, headers: Cow::Borrowed(&self.headers), partition, timestamp })
    }

    fn parse_json<'a>(&'a self, line: &'a [u8]) -> Result<Parsed<'a>, String> {
        let read = json::read(line)?;
        let headers = match read.headers {
            own if own.is_empty() => Cow::Borrowed(self.headers.as_slice()),
            own => Cow::Owned(own.into_iter().chain(self.headers.iter().cloned()).collect()),
        };
        Ok(Parsed {
            key: read.key.or(self.key.as_deref().map(Cow::Borrowed)),
            value: read.value,
            headers,
            partition: self.partition.or(read.partition),
            timestamp: read.timestamp.or(self.timestamp),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(separator: Option<&str>, null: Option<&str>) -> Source {
        let separator = separator.map(|text| Finder::new(text.as_bytes()).into_owned());
        let null = null.map(|text| text.as_bytes().to_vec());
        let lines = Lines { separator, null };
        Source { json: false, lines, key: None, headers: vec![], partition: None, timestamp: None }
    }

    fn pair(source: &Source, line: &str) -> Option<(Option<String>, Option<String>)> {
        let text =
            |bytes: Option<Cow<'_, [u8]>>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        source.parse(line.as_bytes()).ok().map(|parsed| (text(parsed.key), text(parsed.value)))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_line_is_a_value_or_a_key_and_a_value() {
        assert_eq!(pair(&source(None, None), "a:b"), Some((None, some("a:b"))));
        let keyed = source(Some(":"), None);
        assert_eq!(pair(&keyed, "a:b:c"), Some((some("a"), some("b:c"))));
        assert_eq!(pair(&keyed, ":"), Some((some(""), some(""))));
        assert!(keyed.parse(b"abc").unwrap_err().contains("no ':' between"));
    }

    #[test]
    fn a_text_may_stand_for_null() {
        let nulls = source(Some("=>"), Some(""));
        assert_eq!(pair(&nulls, "=>v"), Some((None, some("v"))));
        assert_eq!(pair(&nulls, "k=>"), Some((some("k"), None)));
        assert_eq!(pair(&source(None, Some("NULL")), "NULL"), Some((None, None)));
    }

    #[test]
    fn json_says_more_than_the_options_do() {
        let options = Source {
            json: true,
            key: Some(b"fixed".to_vec()),
            headers: vec![("h".to_owned(), None)],
            timestamp: Some(5),
            ..source(None, None)
        };
        let parsed = options.parse(br#"{"value":"v","partition":3,"headers":{"own":"1"}}"#).unwrap();
        assert_eq!(
            (parsed.key.as_deref(), parsed.partition, parsed.timestamp),
            (Some(&b"fixed"[..]), Some(3), Some(5))
        );
        assert_eq!(parsed.headers.len(), 2);
        let parsed = options.parse(br#"{"key":"k","timestamp":9}"#).unwrap();
        assert_eq!((parsed.key.as_deref(), parsed.value, parsed.timestamp), (Some(&b"k"[..]), None, Some(9)));
    }
}

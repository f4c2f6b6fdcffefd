//! What a line says: a value, or headers, a key and a value, with what separates them.

use std::borrow::Cow;

use bytes::Bytes;
use regex::bytes::Regex;

/// A line that was read. Parts that are null are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) key: Option<Cow<'a, [u8]>>,
    pub(super) value: Option<Cow<'a, [u8]>>,
    pub(super) headers: Vec<(String, Option<Bytes>)>,
}

/// Reads lines as `org.apache.kafka.tools.LineMessageReader` does, by its properties.
#[derive(Debug)]
pub(super) struct LineReader {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: Regex,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
    number: u64,
}

impl LineReader {
    /// # Errors
    /// What the original says if separators are the same, or the headers' is no regular expression.
    pub(super) fn new(properties: &[(String, String)]) -> Result<Self, String> {
        let text = |name: &str| super::client::last(properties, name);
        let flag = |name| text(name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let or = |name, default: &str| text(name).unwrap_or(default).to_owned();
        let key_separator = or("key.separator", "\t");
        let headers_delimiter = or("headers.delimiter", "\t");
        let headers_separator = or("headers.separator", ",");
        let headers_key_separator = or("headers.key.separator", ":");
        let null_marker = text("null.marker").map(str::to_owned);
        let pairs = [
            (&headers_delimiter, "headers.delimiter", &headers_separator, "headers.separator"),
            (&headers_delimiter, "headers.delimiter", &headers_key_separator, "headers.key.separator"),
            (&headers_separator, "headers.separator", &headers_key_separator, "headers.key.separator"),
        ];
        if let Some((_, one, _, other)) = pairs.iter().find(|(a, _, b, _)| a == b) {
            return Err(format!("{one} and {other} may not be equal"));
        }
        let separators = [
            (&key_separator, "null.marker and key.separator"),
            (&headers_separator, "null.marker and headers.separator"),
            (&headers_delimiter, "null.marker and headers.delimiter"),
            (&headers_key_separator, "null.marker and headers.key.separator"),
        ];
        if let Some((_, both)) =
            separators.iter().find(|(separator, _)| Some(*separator) == null_marker.as_ref())
        {
            return Err(format!("{both} may not be equal"));
        }
        let headers_separator = Regex::new(&headers_separator)
            .map_err(|_| format!("headers.separator is no regular expression: {headers_separator}"))?;
        Ok(LineReader {
            parse_key: flag("parse.key"),
            key_separator,
            parse_headers: flag("parse.headers"),
            headers_delimiter,
            headers_separator,
            headers_key_separator,
            ignore_error: flag("ignore.error"),
            null_marker,
            number: 0,
        })
    }

    /// What the next line says.
    pub(super) fn read<'a>(&mut self, line: &'a [u8]) -> Result<Line<'a>, String> {
        self.number += 1;
        let (headers, rest) =
            self.cut(self.parse_headers, line, line, &self.headers_delimiter, "headers delimiter")?;
        let (key, value) = self.cut(self.parse_key, line, rest, &self.key_separator, "key separator")?;
        let headers = headers.filter(|headers| !self.is_null(headers));
        Ok(Line {
            key: key.filter(|key| !self.is_null(key)).map(Cow::Borrowed),
            value: Some(value).filter(|value| !self.is_null(value)).map(Cow::Borrowed),
            headers: headers.map_or(Ok(Vec::new()), |headers| self.headers(headers))?,
        })
    }

    fn is_null(&self, part: &[u8]) -> bool {
        self.null_marker.as_ref().is_some_and(|marker| marker.as_bytes() == part)
    }

    /// What stands before a separator, where it is looked for, and what behind it.
    fn cut<'a>(
        &self,
        enabled: bool,
        line: &[u8],
        rest: &'a [u8],
        separator: &str,
        what: &str,
    ) -> Result<(Option<&'a [u8]>, &'a [u8]), String> {
        if !enabled {
            return Ok((None, rest));
        }
        match find(rest, separator.as_bytes()) {
            Some((before, behind)) => Ok((Some(before), behind)),
            None if self.ignore_error => Ok((None, rest)),
            None => Err(format!(
                "No {what} found on line number {}: '{}'",
                self.number,
                String::from_utf8_lossy(line)
            )),
        }
    }

    fn headers(&self, headers: &[u8]) -> Result<Vec<(String, Option<Bytes>)>, String> {
        let mut pairs: Vec<_> = self.headers_separator.split(headers).collect();
        while pairs.len() > 1 && pairs.last().is_some_and(|last| last.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(|pair| self.header(pair)).collect()
    }

    fn header(&self, pair: &[u8]) -> Result<(String, Option<Bytes>), String> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let Some((name, value)) = find(pair, self.headers_key_separator.as_bytes()) else {
            if self.ignore_error {
                return Ok((text(pair), None));
            }
            return Err(format!(
                "No header key separator found in pair '{}' on line number {}",
                text(pair),
                self.number
            ));
        };
        if self.is_null(name) {
            let marker = self.null_marker.as_deref().unwrap_or_default();
            return Err(format!(
                "Header keys should not be equal to the null marker '{marker}' as they can't be null"
            ));
        }
        let value = if self.is_null(value) { None } else { Some(Bytes::copy_from_slice(value)) };
        Ok((text(name), value))
    }
}

/// What stands before and behind the first `separator`.
fn find<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    if separator.is_empty() {
        return Some((&[], bytes));
    }
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    let (before, behind) = bytes.split_at(at);
    Some((before, behind.get(separator.len()..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(properties: &[(&str, &str)]) -> Result<LineReader, String> {
        let properties: Vec<_> =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        LineReader::new(&properties)
    }

    fn line<'a>(
        headers: &[(&str, Option<&'static str>)],
        key: Option<&'a str>,
        value: Option<&'a str>,
    ) -> Line<'a> {
        let part = |text: &'a str| Cow::Borrowed(text.as_bytes());
        let header =
            |(name, value): &(&str, Option<&'static str>)| ((*name).to_owned(), value.map(Bytes::from));
        Line { key: key.map(part), value: value.map(part), headers: headers.iter().map(header).collect() }
    }

    #[test]
    fn a_line_is_a_value_unless_it_is_to_be_parsed() {
        assert_eq!(reader(&[]).unwrap().read(b"a\tb"), Ok(line(&[], None, Some("a\tb"))));
        let mut with_key = reader(&[("parse.key", "True")]).unwrap();
        assert_eq!(with_key.read(b"k\tv\tw"), Ok(line(&[], Some("k"), Some("v\tw"))));
        assert_eq!(with_key.read(b"v").unwrap_err(), "No key separator found on line number 2: 'v'");
        let mut both = reader(&[("parse.key", "true"), ("parse.headers", "true")]).unwrap();
        let expected = line(&[("h", Some("1")), ("i", Some(""))], Some("k"), Some("v"));
        assert_eq!(both.read(b"h:1,i:\tk\tv"), Ok(expected));
    }

    #[test]
    fn errors_can_be_ignored_and_nulls_marked() {
        let mut lenient =
            reader(&[("parse.key", "true"), ("parse.headers", "true"), ("ignore.error", "true")]).unwrap();
        assert_eq!(lenient.read(b"v"), Ok(line(&[], None, Some("v"))));
        let mut marked =
            reader(&[("parse.key", "true"), ("key.separator", "|"), ("null.marker", "NULL")]).unwrap();
        assert_eq!(marked.read(b"NULL|v"), Ok(line(&[], None, Some("v"))));
        assert_eq!(marked.read(b"k|NULL"), Ok(line(&[], Some("k"), None)));
    }

    #[test]
    fn separators_must_differ() {
        let refused = |properties: &[(&str, &str)]| reader(properties).unwrap_err();
        assert_eq!(
            refused(&[("headers.separator", "\t")]),
            "headers.delimiter and headers.separator may not be equal"
        );
        assert_eq!(refused(&[("null.marker", "\t")]), "null.marker and key.separator may not be equal");
        assert!(refused(&[("headers.separator", "(")]).contains("no regular expression"));
    }
}

//! Records as JSON, one object a line: what `consume --json` writes, `produce --json` takes.
//!
//! | field | what it is |
//! |---|---|
//! | `topic`, `partition`, `offset` | where the record is; of these, producing takes `partition` |
//! | `timestamp` | milliseconds since 1970; -1 where there is none. Producing takes a date and time too |
//! | `key`, `value` | text, or null. Producing takes any JSON as a value, which is sent as it is written |
//! | `key_base64`, `value_base64` | in the place of `key` and `value`, where these are not UTF-8 |
//! | `headers` | a list of objects with `key`, and `value` or `value_base64`. Producing takes an object of texts too |

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use klamm::{Headers, Record};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::cli::times;

/// Writes a record as a line.
pub(crate) fn write(out: &mut Vec<u8>, record: &Record) {
    out.extend_from_slice(b"{\"topic\":");
    write_text(out, &record.topic);
    for (name, number) in [
        ("partition", i64::from(record.partition)),
        ("offset", record.offset),
        ("timestamp", record.timestamp),
    ] {
        write_name(out, name);
        push_number(out, number);
    }
    write_bytes(out, "key", record.key.as_deref());
    write_bytes(out, "value", record.value.as_deref());
    out.extend_from_slice(b",\"headers\":[");
    for (at, (name, value)) in record.headers.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"key\":" } else { b",{\"key\":" });
        write_text(out, name);
        write_bytes(out, "value", value.as_deref());
        out.push(b'}');
    }
    out.extend_from_slice(b"]}\n");
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn write_bytes(out: &mut Vec<u8>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(std::str::from_utf8) {
        None => {
            write_name(out, name);
            out.extend_from_slice(b"null");
        }
        Some(Ok(text)) => {
            write_name(out, name);
            write_text(out, text);
        }
        Some(Err(_)) => {
            write_name(out, &format!("{name}_base64"));
            write_text(out, &STANDARD.encode(bytes.unwrap_or_default()));
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escaped: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(plain..at).unwrap_or_default());
        if escaped.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escaped);
        }
        plain = at + 1;
    }
    out.extend_from_slice(bytes.get(plain..).unwrap_or_default());
    out.push(b'"');
}

/// Writes a number in digits.
pub(crate) fn push_number(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// A record that was read from a line.
#[derive(Debug, PartialEq)]
pub(crate) struct FromLine<'a> {
    pub(crate) key: Option<Cow<'a, [u8]>>,
    pub(crate) value: Option<Cow<'a, [u8]>>,
    pub(crate) headers: Headers,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow, default)]
    key_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    headers: Option<HeaderFields<'a>>,
    #[serde(default)]
    partition: Option<i32>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    // What says where a record came from says nothing of where it goes.
    #[serde(default, rename = "topic")]
    _topic: IgnoredAny,
    #[serde(default, rename = "offset")]
    _offset: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderFields<'a> {
    #[serde(borrow)]
    List(Vec<HeaderField<'a>>),
    Object(std::collections::BTreeMap<String, Option<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderField<'a> {
    key: String,
    #[serde(borrow, default)]
    value: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value_base64: Option<Cow<'a, str>>,
}

/// Reads a record from a line.
///
/// # Errors
/// Why it is none.
pub(crate) fn read(line: &[u8]) -> Result<FromLine<'_>, String> {
    // A list of values in the order of the fields would be taken for them.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("it is no JSON object such as {\"key\":\"k\",\"value\":\"v\"}".to_owned());
    }
    let fields: Fields<'_> = serde_json::from_slice(line).map_err(|error| {
        let told = error.to_string();
        if told.contains("HeaderFields") {
            return "'headers' is neither a list of objects with key and value nor an object of texts"
                .to_owned();
        }
        // There is but one line, and the caller knows its number.
        told.replace(" at line 1 column ", " at column ")
    })?;
    let timestamp = fields.timestamp.filter(|raw| raw.get() != "null").map(timestamp).transpose()?;
    let headers = match fields.headers {
        None => Vec::new(),
        Some(HeaderFields::Object(of)) => {
            of.into_iter().map(|(name, value)| (name, value.map(Bytes::from))).collect()
        }
        Some(HeaderFields::List(list)) => list.into_iter().map(header).collect::<Result<_, _>>()?,
    };
    Ok(FromLine {
        key: bytes_of("key", fields.key, fields.key_base64)?,
        value: bytes_of("value", fields.value, fields.value_base64)?,
        headers,
        partition: fields.partition.filter(|partition| *partition >= 0),
        timestamp: timestamp.filter(|time| *time >= 0),
    })
}

/// Text of a string, nothing of null, and anything else as it is written.
fn bytes_of<'a>(
    name: &str,
    raw: Option<&'a RawValue>,
    base64: Option<Cow<'a, str>>,
) -> Result<Option<Cow<'a, [u8]>>, String> {
    match (raw.map(RawValue::get), base64) {
        (Some(_), Some(_)) => Err(format!("'{name}' and '{name}_base64' are both there; give one")),
        (None | Some("null"), None) => Ok(None),
        (Some(text), None) if text.starts_with('"') => {
            let text: Text<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Ok(Some(match text.0 {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            }))
        }
        (Some(text), None) => Ok(Some(Cow::Borrowed(text.as_bytes()))),
        (None, Some(base64)) => {
            decode(&format!("{name}_base64"), &base64).map(|bytes| Some(Cow::Owned(bytes)))
        }
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn decode(name: &str, base64: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(base64).map_err(|error| format!("'{name}' is no base64: {error}"))
}

fn header(field: HeaderField<'_>) -> Result<(String, Option<Bytes>), String> {
    let value = match (field.value, field.value_base64) {
        (Some(_), Some(_)) => return Err("a header's 'value' and 'value_base64' are both there".to_owned()),
        (Some(text), None) => Some(Bytes::from(text.into_owned())),
        (None, Some(base64)) => Some(Bytes::from(decode("value_base64", &base64)?)),
        (None, None) => None,
    };
    Ok((field.key, value))
}

fn timestamp(raw: &RawValue) -> Result<i64, String> {
    if let Ok(number) = raw.get().parse::<i64>() {
        return Ok(number);
    }
    let text: String = serde_json::from_str(raw.get())
        .map_err(|_| format!("'timestamp' is {}; give milliseconds since 1970", raw.get()))?;
    times::moment(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            topic: "t".into(),
            partition: 2,
            offset: 7,
            leader_epoch: 0,
            timestamp: 1000,
            key: Some("k\"\n\u{1}".into()),
            value: Some(Bytes::from_static(&[0xff, 0])),
            headers: vec![("a".to_owned(), Some("1".into())), ("a".to_owned(), None)],
        }
    }

    #[test]
    fn what_is_written_is_taken_again() {
        let mut line = Vec::new();
        write(&mut line, &record());
        let text = String::from_utf8(line.clone()).unwrap();
        assert_eq!(
            text,
            "{\"topic\":\"t\",\"partition\":2,\"offset\":7,\"timestamp\":1000,\"key\":\"k\\\"\\n\\u0001\",\
             \"value_base64\":\"/wA=\",\"headers\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"a\",\"value\":null}]}\n"
        );
        let back = read(line.trim_ascii_end()).unwrap();
        let Record { key, value, headers, .. } = record();
        assert_eq!((back.key.as_deref(), back.value.as_deref()), (key.as_deref(), value.as_deref()));
        assert_eq!((back.headers, back.partition, back.timestamp), (headers, Some(2), Some(1000)));
    }

    #[test]
    fn values_of_any_json_are_sent_as_they_are_written() {
        let of = |line: &'static str| read(line.as_bytes()).unwrap();
        assert_eq!(of(r#"{"value":{"b": 1,"a":[]}}"#).value.unwrap(), &br#"{"b": 1,"a":[]}"#[..]);
        assert_eq!(of(r#"{"value":"a\tb"}"#).value.unwrap(), &b"a\tb"[..]);
        assert_eq!(of(r#"{"value":12,"key":true}"#).key.unwrap(), &b"true"[..]);
        assert_eq!(of(r#"{"value":null}"#).value, None);
        assert_eq!(
            of("{}"),
            FromLine { key: None, value: None, headers: vec![], partition: None, timestamp: None }
        );
        assert_eq!(of(r#"{"headers":{"a":"1","b":null}}"#).headers.len(), 2);
        assert_eq!(of(r#"{"timestamp":"1970-01-02"}"#).timestamp, Some(86_400_000));
        assert_eq!(of(r#"{"timestamp":-1,"partition":-1}"#).timestamp, None);
    }

    #[test]
    fn what_is_no_record_is_told() {
        for (line, wanted) in [
            ("", "no JSON object"),
            ("[1]", "no JSON object"),
            (r#"{"valeu":1}"#, "unknown field `valeu`"),
            (r#"{"value":"a"#, "at column"),
            (r#"{"value":1,"value_base64":"AA=="}"#, "both"),
            (r#"{"value_base64":"?"}"#, "no base64"),
            (r#"{"timestamp":"soon"}"#, "is no moment"),
            (r#"{"partition":"one"}"#, "i32"),
            (r#"{"headers":3}"#, "neither a list"),
            ("\u{0}", "no JSON object"),
        ] {
            let told = read(line.as_bytes()).unwrap_err();
            assert!(told.contains(wanted), "{line}: {told}");
        }
    }

    #[test]
    fn numbers_are_digits() {
        for number in [0, 7, 10, -1, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }
}

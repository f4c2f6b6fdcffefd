//! Records by a format string with kcat's tokens.

use klamm::Record;

use super::delimiter;
use super::json::push_number;

/// A format string, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key,
    KeyLength,
    Value,
    ValueLength,
    /// As four bytes, the highest first.
    ValueLengthBinary,
    Timestamp,
    Headers,
}

const TOKENS: &str = "there are %t topic, %p partition, %o offset, %k key, %K its length, %s value, %S its length, \
                      %R its length in four bytes, %T timestamp, %h headers, %% a per cent sign";

impl Template {
    /// Takes a format string apart.
    ///
    /// # Errors
    /// If a token or an escape is none.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let (mut pieces, mut literal) = (Vec::new(), Vec::new());
        let mut rest = text.chars();
        while let Some(char) = rest.next() {
            let piece = match char {
                '\\' => {
                    literal.push(delimiter::escape(&mut rest)?);
                    continue;
                }
                '%' => match token(rest.next())? {
                    Some(piece) => piece,
                    None => {
                        literal.push(b'%');
                        continue;
                    }
                },
                char => {
                    literal.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(piece);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Template(pieces))
    }

    /// Writes a record. `null` stands for keys and values that are null.
    pub(crate) fn write(&self, out: &mut Vec<u8>, record: &Record, null: &[u8]) {
        for piece in &self.0 {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::Topic => out.extend_from_slice(record.topic.as_bytes()),
                Piece::Partition => push_number(out, record.partition.into()),
                Piece::Offset => push_number(out, record.offset),
                Piece::Key => out.extend_from_slice(record.key.as_deref().unwrap_or(null)),
                Piece::KeyLength => push_number(out, length(record.key.as_deref())),
                Piece::Value => out.extend_from_slice(record.value.as_deref().unwrap_or(null)),
                Piece::ValueLength => push_number(out, length(record.value.as_deref())),
                Piece::ValueLengthBinary => {
                    let length = i32::try_from(length(record.value.as_deref())).unwrap_or(i32::MAX);
                    out.extend_from_slice(&length.to_be_bytes());
                }
                Piece::Timestamp => push_number(out, record.timestamp),
                Piece::Headers => write_headers(out, record),
            }
        }
    }
}

/// The piece that a token stands for; none for a per cent sign.
fn token(char: Option<char>) -> Result<Option<Piece>, String> {
    Ok(Some(match char {
        Some('t') => Piece::Topic,
        Some('p') => Piece::Partition,
        Some('o') => Piece::Offset,
        Some('k') => Piece::Key,
        Some('K') => Piece::KeyLength,
        Some('s') => Piece::Value,
        Some('S') => Piece::ValueLength,
        Some('R') => Piece::ValueLengthBinary,
        Some('T') => Piece::Timestamp,
        Some('h') => Piece::Headers,
        Some('%') => return Ok(None),
        Some(other) => return Err(format!("'%{other}' is no token; {TOKENS}")),
        None => return Err(format!("it ends with a per cent sign; {TOKENS}")),
    }))
}

fn length(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
}

fn write_headers(out: &mut Vec<u8>, record: &Record) {
    for (at, (name, value)) in record.headers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_deref().unwrap_or(b"NULL"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: &str, record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        Template::parse(format).unwrap().write(&mut out, record, b"NULL");
        out
    }

    fn record() -> Record {
        Record {
            topic: "t".into(),
            partition: 2,
            offset: 7,
            leader_epoch: 0,
            timestamp: 1000,
            key: None,
            value: Some("val".into()),
            headers: vec![("a".to_owned(), Some("1".into())), ("b".to_owned(), None)],
        }
    }

    #[test]
    fn tokens_stand_for_what_kcat_has_them_stand_for() {
        assert_eq!(
            written("%t[%p]@%o %k(%K)=%s(%S) %T %h 100%%\\n\\x41", &record()),
            b"t[2]@7 NULL(-1)=val(3) 1000 a=1,b=NULL 100%\nA"
        );
        assert_eq!(written("%R", &record()), [0, 0, 0, 3]);
        assert_eq!(written("", &record()), b"");
    }

    #[test]
    fn what_is_no_token_is_told() {
        for (format, wanted) in [("%q", "'%q' is no token"), ("50%", "ends with"), ("\\q", "no escape")] {
            assert!(Template::parse(format).unwrap_err().contains(wanted), "{format}");
        }
    }
}

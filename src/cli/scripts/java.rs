//! What the scripts' output owes to Java: ids, columns, the order of its hash maps, and its words for texts that are no
//! numbers.

use std::fmt::Write;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id as Kafka writes it: base64 for URLs, without the padding.
pub(super) fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(22);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            let index = (bits >> (18 - 6 * digit)) & 0x3f;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

/// The id that a text stands for, or what Kafka says of a text that stands for none.
pub(super) fn parse_uuid(text: &str) -> Result<[u8; 16], String> {
    if text.chars().count() > 24 {
        return Err(format!(
            "Input string with prefix `{}` is too long to be decoded as a base64 UUID",
            text.chars().take(24).collect::<String>()
        ));
    }
    let mut decoded = Vec::with_capacity(18);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let Some(value) = ALPHABET.iter().position(|known| *known == letter) else {
            return Err(format!("Illegal base64 character {letter:x}"));
        };
        bits = (bits << 6 | u32::try_from(value).unwrap_or(0)) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    let length = decoded.len();
    decoded.try_into().map_err(|_| {
        format!("Input string `{text}` decoded as {length} bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID")
    })
}

/// A number of 32 bits, or what Java says of a text that is none.
pub(super) fn parse_int(text: &str) -> Result<i32, String> {
    text.parse().map_err(|_| format!("For input string: \"{text}\""))
}

/// A text filled up with spaces.
pub(super) fn padded(text: &str, width: usize) -> String {
    let mut padded = text.to_owned();
    padded.extend(std::iter::repeat_n(' ', width.saturating_sub(text.chars().count())));
    padded
}

/// A line of columns: each as wide as it says, and the last as it is.
pub(super) fn columns(cells: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        match widths.get(at) {
            Some(width) => line.push_str(&padded(cell, *width)),
            None => line.push_str(cell),
        }
    }
    line
}

/// `String.split`, which drops what is empty at the end.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts: Vec<_> = text.split(separator).collect();
    while parts.len() > 1 && parts.last().is_some_and(|last| last.is_empty()) {
        parts.pop();
    }
    parts
}

fn hash(text: &str) -> u32 {
    text.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// Sorts names as a `HashMap` has them that they were put into in the order given.
pub(super) fn hash_order<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    let mut buckets = 16_usize;
    while items.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    items.sort_by_key(|item| {
        let hash = hash(name(item));
        (hash ^ hash >> 16) as usize & (buckets - 1)
    });
}

/// Properties as Java reads them from a file's text: comments, continued lines, escapes.
pub(super) fn properties(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut whole = line.trim_start().to_owned();
        if whole.is_empty() || whole.starts_with(['#', '!']) {
            continue;
        }
        while whole.chars().rev().take_while(|letter| *letter == '\\').count() % 2 == 1 {
            whole.pop();
            whole.push_str(lines.next().map_or("", str::trim_start));
        }
        found.push(property(&whole));
    }
    found
}

/// A name and a value: the name ends at the first `=`, `:` or space that no backslash stands before.
fn property(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, letter)| {
        let ends = !escaped && matches!(letter, '=' | ':' | ' ' | '\t' | '\x0c');
        escaped = !escaped && *letter == '\\';
        ends
    });
    let (name, rest) = line.split_at(end.map_or(line.len(), |(at, _)| at));
    let rest = rest.trim_start_matches([' ', '\t', '\x0c']);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches([' ', '\t', '\x0c']);
    (unescaped(name), unescaped(value))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\x0c'),
            Some('u') => {
                let digits: String = letters.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

/// `List.toString` without its brackets.
pub(super) fn joined<T: std::fmt::Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let mut line = String::new();
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            line.push_str(separator);
        }
        let _ = write!(line, "{item}"); // writing to a String cannot fail
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_and_read_as_kafka_does() {
        let mut id = [0; 16];
        id[15] = 1;
        assert_eq!(uuid(&id), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = *b"\x86\x9e\x28\xac\x43\xd9\x4d\xce\xa9\xa5\xb1\x58\x4d\x72\xdc\x3d";
        assert_eq!(uuid(&id), "hp4orEPZTc6ppbFYTXLcPQ");
        assert_eq!(parse_uuid(&uuid(&id)), Ok(id));
        let said = parse_uuid("zz").unwrap_err();
        assert_eq!(
            said,
            "Input string `zz` decoded as 1 bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID"
        );
        assert_eq!(parse_uuid("a b").unwrap_err(), "Illegal base64 character 20");
        assert!(parse_uuid(&"a".repeat(30)).unwrap_err().contains("too long"));
    }

    #[test]
    fn names_come_in_the_order_of_a_hash_map() {
        let mut names = vec!["cleanup.policy", "max.message.bytes", "retention.ms", "segment.ms"];
        names.extend(["a", "b", "c"]);
        hash_order(&mut names, |name| name);
        assert_eq!(names[0], "a");
        assert_eq!(hash("hello"), 99_162_322);
    }

    #[test]
    fn properties_are_read_as_java_reads_them() {
        let text = "# a comment\n! another\n\na=1\n b : 2\nc 3\nd\\ e=4\\\n   5\nf=\\u0041\\t\ng\nh==x\n";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            pair("a", "1"),
            pair("b", "2"),
            pair("c", "3"),
            pair("d e", "45"),
            pair("f", "A\t"),
            pair("g", ""),
            pair("h", "=x"),
        ];
        assert_eq!(properties(text), expected);
    }

    #[test]
    fn splitting_drops_what_is_empty_at_the_end() {
        assert_eq!(split("a,b,,", ','), ["a", "b"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(split(",a", ','), ["", "a"]);
    }

    #[test]
    fn columns_are_filled_up_but_the_last() {
        assert_eq!(columns(&["a", "bb", "c"], &[3, 1]), "a   bb c");
    }
}

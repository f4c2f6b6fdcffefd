//! Java's properties format, as far as a `server.properties` uses it.

use std::collections::BTreeMap;

/// The keys and values of `text`. A later line of the same key counts.
///
/// Comments start with `#` or `!`; a line that ends in a backslash goes on in the next; key and value are parted by
/// `=`, `:` or white space; `\t`, `\n`, `\r`, `\f`, `\uXXXX` and a backslash before anything else are escapes.
pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_escape(&line) {
            line.pop();
            line.push_str(lines.next().unwrap_or_default().trim_start());
        }
        let (key, value) = split(&line);
        found.insert(unescape(key), unescape(value));
    }
    found
}

fn ends_in_escape(line: &str) -> bool {
    line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}

/// The key and the value of a line, escapes as they stand.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.char_indices().find(|(_, c)| {
        let ends = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        escaped = !escaped && *c == '\\';
        ends
    });
    let Some((end, _)) = end else { return (line, "") };
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, value.trim_start())
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_java_reads_it() {
        let text = "# comment\n! another\n\nnum.partitions=4\n log.dirs : /a/b \nlisteners=PLAINTEXT://:9092,\\\n    \
                    X://:1\nempty=\nbare\npath=c:\\\\x\nu=\\u0041\nnum.partitions = 5\n";
        let expected = [
            ("num.partitions", "5"),
            ("log.dirs", "/a/b "),
            ("listeners", "PLAINTEXT://:9092,X://:1"),
            ("empty", ""),
            ("bare", ""),
            ("path", "c:\\x"),
            ("u", "A"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(parse(text), BTreeMap::from(expected));
    }
}

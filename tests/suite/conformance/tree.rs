//! Answers as trees, read from their `Debug` text, and trees as lines of text: one line for a structure.
//! Knows nothing of Kafka but how record batches are shown.

use super::batch;
use super::normalise::Normaliser;
use std::fmt::Debug;

/// A value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// Number, truth value, id: whatever is written without quotes.
    Word(String),
    Text(String),
    Bytes(Vec<u8>),
    Null,
    List(Vec<Tree>),
    Struct(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn of(value: &impl Debug) -> Tree {
        let text = format!("{value:?}");
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        let tree = parser.value();
        assert_eq!(parser.at, text.len(), "all of the Debug text is understood: {text}");
        tree
    }

    /// The value of a field of a structure.
    pub(crate) fn field(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Struct(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, tree)| tree),
            _ => None,
        }
    }

    /// Sorts each list of structures that is called `list` by the field `key` (random ids do not count), then by
    /// what else there is.
    pub(crate) fn sort(&mut self, list: &str, key: &str) {
        match self {
            Tree::List(items) => items.iter_mut().for_each(|item| item.sort(list, key)),
            Tree::Struct(fields) => {
                for (name, value) in fields {
                    value.sort(list, key);
                    if let (true, Tree::List(items)) = (name == list, value) {
                        items.sort_by_cached_key(|item| item.order(key));
                    }
                }
            }
            _ => {}
        }
    }

    fn order(&self, key: &str) -> (Option<i64>, String) {
        let Tree::Struct(fields) = self else { return (None, format!("{self:?}")) };
        let number = match self.field(key) {
            Some(Tree::Word(word)) => word.parse().ok(),
            _ => None,
        };
        let others = fields.iter().filter(|(name, _)| name != key && !name.ends_with("_id"));
        (number, format!("{:?} {:?}", self.field(key), others.collect::<Vec<_>>()))
    }

    /// Removes all that is said of topics whose names begin with two underscores.
    pub(crate) fn remove_internal_topics(&mut self) {
        let internal = |item: &Tree| {
            let names = ["name", "topic", "resource_name"].iter().filter_map(|field| item.field(field));
            names.into_iter().any(|name| matches!(name, Tree::Text(name) if name.starts_with("__")))
        };
        match self {
            Tree::List(items) => {
                items.retain(|item| !internal(item));
                items.iter_mut().for_each(Tree::remove_internal_topics);
            }
            Tree::Struct(fields) => fields.iter_mut().for_each(|(_, value)| value.remove_internal_topics()),
            _ => {}
        }
    }

    /// Keeps the items of the list `list` for which `keep` holds.
    pub(crate) fn retain(&mut self, list: &str, mut keep: impl FnMut(&mut Tree) -> bool) {
        if let Tree::Struct(fields) = self {
            for (name, value) in fields {
                if let (true, Tree::List(items)) = (name == list, value) {
                    items.retain_mut(&mut keep);
                }
            }
        }
    }

    /// The lines, normalised.
    pub(crate) fn lines(&self, normaliser: &mut Normaliser) -> Vec<String> {
        let mut lines = Vec::new();
        write_lines(self, ".", normaliser, &mut lines);
        lines
    }
}

fn write_lines(tree: &Tree, path: &str, normaliser: &mut Normaliser, lines: &mut Vec<String>) {
    match tree {
        // A structure that says nothing, as most do at most versions.
        Tree::Struct(fields) if fields.iter().all(|(_, value)| *value == Tree::Word("-1".to_string())) => {}
        Tree::Struct(fields) => {
            let mut line = path.to_string();
            let before = lines.len();
            lines.push(String::new());
            for (name, value) in fields {
                let below = if path == "." { name.clone() } else { format!("{path}.{name}") };
                match (name.as_str(), value) {
                    ("records", Tree::Bytes(bytes)) => {
                        let size = if normaliser.recompressed {
                            "some".to_string()
                        } else {
                            bytes.len().to_string()
                        };
                        line.push_str(&format!(" records={size}"));
                        for (i, text) in batch::describe(bytes, normaliser).into_iter().enumerate() {
                            lines.push(format!("{below}[{i}] {text}"));
                        }
                    }
                    (_, value) => match scalar(name, value, normaliser) {
                        Some(text) => line.push_str(&format!(" {name}={text}")),
                        None => write_lines(value, &below, normaliser, lines),
                    },
                }
            }
            lines[before] = line;
        }
        Tree::List(items) => {
            for (i, item) in items.iter().enumerate() {
                write_lines(item, &format!("{path}[{i}]"), normaliser, lines);
            }
        }
        other => {
            let text = scalar(path, other, normaliser).unwrap_or_default();
            lines.push(format!("{path} {text}"));
        }
    }
}

/// The text of a value that fits into its structure's line; None for what has lines of its own.
fn scalar(name: &str, value: &Tree, normaliser: &mut Normaliser) -> Option<String> {
    match value {
        Tree::Word(word) => Some(normaliser.word(name, word)),
        Tree::Text(text) => Some(format!("{:?}", normaliser.text(name, text))),
        Tree::Bytes(bytes) => Some(format!("b\"{}\"", bytes.escape_ascii())),
        Tree::Null => Some("null".to_string()),
        Tree::Struct(_) => None,
        Tree::List(items) if items.iter().any(|item| matches!(item, Tree::Struct(_))) => None,
        Tree::List(items) => {
            let items: Vec<_> =
                items.iter().map(|item| scalar(name, item, normaliser).unwrap_or_default()).collect();
            Some(format!("[{}]", items.join(",")))
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), b' ' | b',') {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Tree {
        self.spaces();
        match self.peek() {
            b'"' => Tree::Text(String::from_utf8(self.quoted()).expect("text is UTF-8")),
            b'[' => Tree::List(self.items(b']')),
            b'{' => self.fields(),
            b'b' if self.text.get(self.at + 1) == Some(&b'"') => {
                self.at += 1;
                Tree::Bytes(self.quoted())
            }
            _ => self.named(),
        }
    }

    /// `Name { .. }`, `Name(value)`, or a bare word.
    fn named(&mut self) -> Tree {
        let start = self.at;
        while !matches!(self.peek(), 0 | b' ' | b',' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b':') {
            self.at += 1;
        }
        let word = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        match self.peek() {
            b'(' => {
                self.at += 1;
                let value = self.value();
                assert_eq!(self.peek(), b')', "a wrapper holds one value");
                self.at += 1;
                value
            }
            b' ' if self.text.get(self.at + 1) == Some(&b'{') => {
                self.at += 1;
                self.fields()
            }
            _ if word == "None" => Tree::Null,
            _ => Tree::Word(word),
        }
    }

    fn items(&mut self, end: u8) -> Vec<Tree> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.spaces();
            if self.peek() == end {
                self.at += 1;
                return items;
            }
            items.push(self.value());
        }
    }

    fn fields(&mut self) -> Tree {
        self.at += 1;
        let mut fields = Vec::new();
        loop {
            self.spaces();
            if self.peek() == b'}' {
                self.at += 1;
                return Tree::Struct(fields);
            }
            let name = match self.value() {
                Tree::Word(word) | Tree::Text(word) => word,
                other => panic!("a field's name, not {other:?}"),
            };
            assert_eq!(self.peek(), b':', "a colon follows the name {name}");
            self.at += 1;
            let value = self.value();
            if name != "unknown_tagged_fields" || value != Tree::Struct(Vec::new()) {
                fields.push((name, value));
            }
        }
    }

    /// The bytes of a quoted text, Rust's escapes undone.
    fn quoted(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            let byte = self.peek();
            self.at += 1;
            match byte {
                b'"' => return bytes,
                b'\\' => self.escape(&mut bytes),
                other => bytes.push(other),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) {
        let kind = self.peek();
        self.at += 1;
        match kind {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'0' => bytes.push(0),
            b'x' => {
                let hex = std::str::from_utf8(&self.text[self.at..self.at + 2]).expect("two digits");
                bytes.push(u8::from_str_radix(hex, 16).expect("hexadecimal digits"));
                self.at += 2;
            }
            b'u' => {
                let end =
                    self.at + self.text[self.at..].iter().position(|&b| b == b'}').expect("a closed escape");
                let hex = std::str::from_utf8(&self.text[self.at + 1..end]).expect("digits");
                let code = u32::from_str_radix(hex, 16).expect("hexadecimal digits");
                let mut buffer = [0; 4];
                let text = char::from_u32(code).expect("a character").encode_utf8(&mut buffer);
                bytes.extend_from_slice(text.as_bytes());
                self.at = end + 1;
            }
            other => bytes.push(other),
        }
    }
}

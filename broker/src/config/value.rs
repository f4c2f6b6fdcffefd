//! The types that a config's value can have, and how text becomes a value and a value becomes text.
//!
//! Values come and go as text; both directions follow Kafka's `ConfigDef`, down to how Java prints a double.
//! This file knows no config by name.

use std::fmt;

/// The type of a config's value; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool = 1,
    Text = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl Kind {
    /// The type's number in DescribeConfigs (version 3 and above).
    pub(crate) fn wire(self) -> i8 {
        self as i8
    }

    /// Kafka's name of the type, as its messages print it.
    fn name(self) -> &'static str {
        match self {
            Kind::Bool => "BOOLEAN",
            Kind::Text => "STRING",
            Kind::Int => "INT",
            Kind::Short => "SHORT",
            Kind::Long => "LONG",
            Kind::Double => "DOUBLE",
            Kind::List => "LIST",
            Kind::Class => "CLASS",
            Kind::Password => "PASSWORD",
        }
    }

    /// The part of `given` that a message shows as the value: Kafka trims all but these.
    pub(crate) fn shown(self, given: &str) -> &str {
        match self {
            Kind::Bool | Kind::Class => given,
            _ => given.trim_matches(|c| c <= ' '),
        }
    }

    /// Reads `given` as a value of this type.
    ///
    /// # Errors
    /// The reason alone, as Kafka words it; the caller names the config and the value.
    pub(crate) fn parse(self, given: &str) -> Result<Value, String> {
        let text = given.trim_matches(|c| c <= ' ');
        match self {
            Kind::Bool if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
            Kind::Bool if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
            Kind::Bool => Err("Expected value to be either true or false".to_owned()),
            Kind::Int => self.number(text.parse::<i32>().map(i64::from)),
            Kind::Short => self.number(text.parse::<i16>().map(i64::from)),
            Kind::Long => self.number(text.parse::<i64>()),
            Kind::Double => parse_double(text).map(Value::Double).ok_or_else(|| self.not_a_number()),
            Kind::List => Ok(Value::List(split_list(text))),
            // A class is looked for by its name as it was given, spaces and all.
            Kind::Class if !class_exists(given) => Err(format!("Class {given} could not be found.")),
            Kind::Text | Kind::Class | Kind::Password => Ok(Value::Text(text.to_owned())),
        }
    }

    fn number<E>(self, parsed: Result<i64, E>) -> Result<Value, String> {
        parsed.map(Value::Number).map_err(|_| self.not_a_number())
    }

    fn not_a_number(self) -> String {
        format!("Not a number of type {}", self.name())
    }
}

/// A value of a config. `Display` gives the text that DescribeConfigs shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Number(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

impl Value {
    /// The value as Java's `toString` prints it, which is what messages carry: lists in brackets.
    pub(crate) fn in_message(&self) -> String {
        match self {
            Value::List(items) => format!("[{}]", items.join(", ")),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Double(value) => f.write_str(&print_double(*value)),
            Value::Text(value) => f.write_str(value),
            Value::List(items) => f.write_str(&items.join(",")),
        }
    }
}

/// Splits at commas, dropping the white space around them; inner empty items stay, an empty text has none.
pub(crate) fn split_list(text: &str) -> Vec<String> {
    let text = text.trim_matches(|c| c <= ' ');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',')
        .map(|item| item.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).to_owned())
        .collect()
}

/// A class can only be named, never loaded, here: Kafka's own and Java's are believed to exist, no others do.
fn class_exists(name: &str) -> bool {
    ["org.apache.kafka.", "java.", "javax."].iter().any(|package| name.starts_with(package))
}

/// Java's grammar of a double, but for hexadecimal ones.
fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" if text.len() <= unsigned.len() + 1 => {
            return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

/// Java's `Double.toString`: at least one decimal, and an exponent below a thousandth and from ten million on.
fn print_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_flags_are_read_as_java_reads_them() {
        assert_eq!(Kind::Long.parse(" 1000 ").unwrap(), Value::Number(1000));
        assert_eq!(Kind::Long.parse("+5").unwrap(), Value::Number(5));
        assert_eq!(Kind::Long.parse("").unwrap_err(), "Not a number of type LONG");
        assert_eq!(Kind::Int.parse("1.5").unwrap_err(), "Not a number of type INT");
        assert_eq!(Kind::Short.parse("40000").unwrap_err(), "Not a number of type SHORT");
        assert_eq!(Kind::Bool.parse("TRUE").unwrap(), Value::Bool(true));
        assert_eq!(Kind::Bool.parse("yes").unwrap_err(), "Expected value to be either true or false");
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        for (text, printed) in [
            ("0.250", "0.25"),
            ("1", "1.0"),
            ("0.0001", "1.0E-4"),
            ("1.7976931348623157E308", "1.7976931348623157E308"),
            ("12345678", "1.2345678E7"),
            (".5d", "0.5"),
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
        ] {
            assert_eq!(Kind::Double.parse(text).unwrap().to_string(), printed);
        }
        for bad in ["x", "inf", "nan", "", "+-1", "1e"] {
            assert_eq!(Kind::Double.parse(bad).unwrap_err(), "Not a number of type DOUBLE", "{bad}");
        }
    }

    #[test]
    fn lists_keep_inner_empty_items_and_lose_the_space_around_commas() {
        assert_eq!(split_list(" delete , compact "), ["delete", "compact"]);
        assert_eq!(split_list(",compact"), ["", "compact"]);
        assert!(split_list("  ").is_empty());
        assert_eq!(Value::List(split_list("a,b")).in_message(), "[a, b]");
        assert_eq!(Value::List(split_list("a, b")).to_string(), "a,b");
    }

    #[test]
    fn classes_of_others_are_not_found() {
        assert_eq!(Kind::Class.parse("x.Y").unwrap_err(), "Class x.Y could not be found.");
        assert!(Kind::Class.parse("org.apache.kafka.common.metrics.JmxReporter").is_ok());
    }
}

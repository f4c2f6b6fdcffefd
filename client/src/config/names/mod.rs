//! One table of options: what Kafka's Python client and librdkafka call each, what values it takes, and which typed field
//! it sets. Everything that reads, checks or translates an option goes by this table.

mod client;
mod consumer;
mod librdkafka;
mod producer;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::draft::Draft;
use super::value::kind;
use super::{config_error, nearest};
use crate::error::{ClientError, ErrorKind};
use crate::factory::Library;

/// Who an option is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Both,
    Producer,
    Consumer,
}

impl Role {
    fn includes(self, who: Role) -> bool {
        self == Role::Both || self == who
    }
}

/// What became of a value that only the option itself can judge.
pub(super) enum Verdict {
    Set,
    /// It means something, but to librdkafka alone.
    Librdkafka,
    Wrong,
}

/// What an option means, and what values it takes.
pub(super) enum Meaning {
    Flag(fn(&mut Draft, bool)),
    /// A whole number from the first to the second, both included.
    Number(i64, i64, fn(&mut Draft, i64)),
    /// Milliseconds from the first to the second, both included.
    Millis(i64, i64, fn(&mut Draft, Duration)),
    Text(fn(&mut Draft, String)),
    /// One of the words that the sentence lists.
    Word(&'static str, fn(&mut Draft, &str) -> Verdict),
    /// Words, as a list or with commas between them.
    Words(&'static str, fn(&mut Draft, &[String]) -> Verdict),
    /// librdkafka alone has it; it goes there as it is.
    Librdkafka,
    /// It is taken and changes nothing, because of this.
    Nothing(&'static str),
    /// It cannot be taken; the sentence says what to do instead.
    Refused(&'static str),
}

/// An option by all its names.
pub(super) struct Row {
    /// Kafka's Python client's name, and older ones.
    pub(super) python: &'static [&'static str],
    /// librdkafka's name, and other ones that it has.
    pub(super) librdkafka: &'static [&'static str],
    pub(super) role: Role,
    pub(super) meaning: Meaning,
}

/// All options. Those that only librdkafka has are in a list of their own, beside this one.
fn rows() -> impl Iterator<Item = &'static Row> {
    client::ROWS.iter().chain(producer::ROWS).chain(consumer::ROWS)
}

/// Milliseconds and bytes as far as librdkafka and Kafka take them.
pub(super) const I32: i64 = i32::MAX as i64;

/// How an option is known to whoever gave it: the object that it stood in, and its name there.
#[derive(Debug, Clone, PartialEq)]
struct Given {
    place: &'static str,
    key: String,
    value: Value,
}

/// What has been given so far, by the option's first name, to notice what contradicts itself.
#[derive(Debug, Default)]
pub(crate) struct Taken(BTreeMap<&'static str, Given>);

impl Taken {
    /// Whether the option of this Python name was given.
    pub(crate) fn has(&self, python: &str) -> bool {
        self.0.contains_key(python)
    }

    /// Remembers an option; false if the same was said before.
    fn remember(&mut self, row: &'static Row, given: Given, asked: &str) -> Result<bool, ClientError> {
        if matches!(row.meaning, Meaning::Nothing(_) | Meaning::Refused(_)) {
            return Ok(true);
        }
        let first = row.python.first().or(row.librdkafka.first()).copied().unwrap_or_default();
        let Some(before) = self.0.get(first) else {
            self.0.insert(first, given);
            return Ok(true);
        };
        if plain(&before.value) == plain(&given.value) {
            return Ok(false);
        }
        let Given { place, key, value } = before;
        let why = format!(
            "{}.{} is {}, and {place}.{key}, which is the same option, is {}",
            given.place,
            given.key,
            plain(&given.value),
            plain(value)
        );
        Err(config_error(asked, why).remedy("give it once"))
    }
}

/// Where options stand, and for whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The key of the object: `producer_config`, `consumer_config`, `confluent_config`.
    pub(crate) key: &'static str,
    pub(crate) role: Role,
    pub(crate) library: Library,
    /// What is being done, for errors.
    pub(crate) asked: &'a str,
}

impl Place<'_> {
    /// What an option is called to whoever gave it.
    fn name(&self, key: &str) -> String {
        if self.is_of_texts() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }

    /// Whether options have no object around them and come from where everything is a text.
    fn is_of_texts(&self) -> bool {
        self.key == super::command::PLACE
    }
}

/// The first name of the option that goes by this name too, for somebody with this role. It is the same for all names.
pub(crate) fn first(key: &str, role: Role) -> Option<&'static str> {
    let row = find(key, role)?;
    row.python.first().or(row.librdkafka.first()).copied()
}

/// Whether the native library has the option of this name.
pub(crate) fn is_of_native(key: &str, role: Role) -> bool {
    find(key, role).is_some_and(|row| !matches!(row.meaning, Meaning::Librdkafka | Meaning::Refused(_)))
}

/// Whether any library has an option of this name.
pub(crate) fn knows(key: &str, role: Role) -> bool {
    find(key, role).is_some() || librdkafka::knows(key, role)
}

/// Takes all options of an object over into the draft.
pub(crate) fn apply(
    draft: &mut Draft,
    taken: &mut Taken,
    options: &Map<String, Value>,
    place: Place<'_>,
) -> Result<(), ClientError> {
    for (key, value) in options {
        // Python's None and librdkafka's absent values both mean the default.
        if value.is_null() {
            continue;
        }
        let Some(row) = find(key, place.role) else {
            apply_librdkafkas_own(draft, key, value, place)?;
            continue;
        };
        let given = Given { place: place.key, key: key.clone(), value: value.clone() };
        if taken.remember(row, given, place.asked)? {
            apply_one(draft, row, key, value, place)?;
        }
    }
    Ok(())
}

/// The option of this name: as Python writes it, as librdkafka does, or as Java does (Python's with dots).
fn find(key: &str, role: Role) -> Option<&'static Row> {
    let dotless = key.replace('.', "_");
    let mine = |row: &&Row| row.role.includes(role);
    rows()
        .filter(mine)
        .find(|row| row.python.contains(&key) || row.librdkafka.contains(&key))
        .or_else(|| rows().filter(mine).find(|row| row.python.contains(&dotless.as_str())))
}

/// What a value means to the option that it was given for, where that is known; else the value as it is. For texts that come
/// from files in which everything is a text.
pub(crate) fn typed(key: &str, role: Role, text: &str) -> Option<Value> {
    let row = find(key, role);
    if row.is_none() && !librdkafka::knows(key, role) {
        return None;
    }
    let as_text = || Value::String(text.to_owned());
    Some(match row.map(|row| &row.meaning) {
        Some(Meaning::Flag(_)) => text.parse().map_or_else(|_| as_text(), Value::Bool),
        Some(Meaning::Number(..) | Meaning::Millis(..)) => {
            text.parse::<i64>().map_or_else(|_| as_text(), Value::from)
        }
        _ => as_text(),
    })
}

fn apply_one(
    draft: &mut Draft,
    row: &Row,
    key: &str,
    value: &Value,
    place: Place<'_>,
) -> Result<(), ClientError> {
    // librdkafka takes everything as a text; Python takes each as what it is.
    let lenient = place.key == "confluent_config" || place.is_of_texts() || !row.python.contains(&key);
    let wrong = |takes: String| wrong(key, value, &takes, place);
    let verdict = match &row.meaning {
        Meaning::Flag(set) => {
            set(draft, flag(value, lenient).ok_or_else(|| wrong("true or false".to_owned()))?);
            Verdict::Set
        }
        Meaning::Number(from, to, set) => {
            let takes = || wrong(format!("a whole number from {from} to {to}"));
            set(draft, number(value, lenient).filter(|n| (from..=to).contains(&n)).ok_or_else(takes)?);
            Verdict::Set
        }
        Meaning::Millis(from, to, set) => {
            let takes = || wrong(format!("milliseconds from {from} to {to}"));
            let millis = number(value, lenient).filter(|n| (from..=to).contains(&n)).ok_or_else(takes)?;
            set(draft, Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
            Verdict::Set
        }
        Meaning::Text(set) => {
            set(draft, value.as_str().ok_or_else(|| wrong("a string".to_owned()))?.to_owned());
            Verdict::Set
        }
        Meaning::Word(takes, set) => {
            match set(draft, &word(value).ok_or_else(|| wrong((*takes).to_owned()))?) {
                Verdict::Wrong => return Err(wrong((*takes).to_owned())),
                verdict => verdict,
            }
        }
        Meaning::Words(takes, set) => {
            match set(draft, &words(value).ok_or_else(|| wrong((*takes).to_owned()))?) {
                Verdict::Wrong => return Err(wrong((*takes).to_owned())),
                verdict => verdict,
            }
        }
        Meaning::Librdkafka => Verdict::Librdkafka,
        Meaning::Nothing(why) => {
            tracing::info!("{}: {} changes nothing: {why}", place.asked, place.name(key));
            Verdict::Set
        }
        Meaning::Refused(remedy) => {
            return Err(ClientError::new(
                ErrorKind::Unsupported,
                place.asked,
                format!("{} cannot be used here", place.name(key)),
            )
            .remedy(*remedy));
        }
    };
    if let Verdict::Librdkafka = verdict {
        let name = row.librdkafka.first().copied().unwrap_or(key);
        pass_through(draft, name, key, value, place)?;
    }
    Ok(())
}

/// An option that is in no row: librdkafka's own, or nobody's.
fn apply_librdkafkas_own(
    draft: &mut Draft,
    key: &str,
    value: &Value,
    place: Place<'_>,
) -> Result<(), ClientError> {
    if librdkafka::knows(key, place.role) {
        return pass_through(draft, key, key, value, place);
    }
    let at = place.name(key);
    let knows = |role| knows(key, role);
    let other = match place.role {
        Role::Producer if knows(Role::Consumer) => {
            Some(("subscribers", "take it out of the publisher's config"))
        }
        Role::Consumer if knows(Role::Producer) => {
            Some(("publishers", "take it out of the subscriber's config"))
        }
        Role::Both if knows(Role::Producer) => Some(("publishers", "take it out")),
        Role::Both if knows(Role::Consumer) => Some(("subscribers", "take it out")),
        _ => None,
    };
    if let Some((who, instead)) = other {
        return Err(config_error(place.asked, format!("{at} is an option of {who}")).remedy(instead));
    }
    Err(config_error(
        place.asked,
        format!("{at} is an option that nobody knows{}", nearest(key, names(place.role))),
    )
    .remedy("correct its name, or take it out"))
}

fn pass_through(
    draft: &mut Draft,
    name: &str,
    key: &str,
    value: &Value,
    place: Place<'_>,
) -> Result<(), ClientError> {
    if place.library != Library::Rdkafka {
        return Err(ClientError::new(
            ErrorKind::Unsupported,
            place.asked,
            format!("{}.{key} = {} has no counterpart in the library 'native'", place.key, plain(value)),
        )
        .remedy("take it out, or set kafka_library to \"rdkafka\" in a build with that feature"));
    }
    let text = match value {
        Value::String(_) | Value::Bool(_) | Value::Number(_) => plain(value),
        Value::Array(_) => {
            words(value).ok_or_else(|| wrong(key, value, "a list of strings", place))?.join(",")
        }
        _ => return Err(wrong(key, value, "a string, a number or a boolean", place)),
    };
    let passed = match place.role {
        Role::Consumer => &mut draft.consumer.passthrough,
        _ => &mut draft.producer.passthrough,
    };
    passed.insert(name.to_owned(), text);
    Ok(())
}

fn wrong(key: &str, value: &Value, takes: &str, place: Place<'_>) -> ClientError {
    let shown = match value {
        Value::Object(_) | Value::Array(_) => kind(value).to_owned(),
        _ if key.contains("password") => kind(value).to_owned(),
        other => other.to_string(),
    };
    config_error(place.asked, format!("{} is {shown}", place.name(key))).remedy(format!("give {takes}"))
}

/// All names that somebody with this role may use.
pub(crate) fn names(role: Role) -> impl Iterator<Item = &'static str> {
    rows()
        .filter(move |row| row.role.includes(role))
        .flat_map(|row| row.python.iter().chain(row.librdkafka).copied())
        .chain(librdkafka::names(role))
}

fn flag(value: &Value, lenient: bool) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if lenient => text.parse().ok(),
        _ => None,
    }
}

fn number(value: &Value, lenient: bool) -> Option<i64> {
    match value {
        // Python writes 5.0 for what it has divided.
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            // Whole numbers up to 2^53 are exact in a float.
            (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64)
        }),
        Value::String(text) if lenient => text.trim().parse().ok(),
        _ => None,
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_lowercase()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(text.split(',').map(|word| word.trim().to_owned()).collect()),
        Value::Array(list) => {
            list.iter().map(|one| one.as_str().map(|word| word.trim().to_owned())).collect()
        }
        _ => None,
    }
}

/// A value as a text, without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_stands_once() {
        for role in [Role::Producer, Role::Consumer] {
            let mut seen = HashSet::new();
            for name in names(role) {
                assert!(seen.insert(name), "{name} stands twice for {role:?}");
            }
        }
    }

    #[test]
    fn numbers_that_are_whole_are_taken_however_written() {
        assert_eq!(number(&Value::from(5.0), false), Some(5));
        assert_eq!(number(&Value::from(5.5), false), None);
        assert_eq!(number(&Value::from("5"), false), None);
        assert_eq!(number(&Value::from("5"), true), Some(5));
    }
}

//! What is known of one config, and the checks that one value must pass by itself.
//!
//! Checks that look at several configs are in `broker_rules` and `topic_rules`.

use std::collections::HashSet;

use crate::config::ConfigError;
use crate::config::value::{Kind, Value};

/// How a broker config can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    /// When the broker starts, and not later.
    ReadOnly,
    /// At any time, for one broker.
    PerBroker,
    /// At any time, for one broker or for all.
    ClusterWide,
}

/// One config: its name, type, default, check, and how it can be changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Option<&'static str>,
    pub(crate) check: Check,
    pub(crate) update: Update,
    /// Known, but not shown unless it was set.
    pub(crate) internal: bool,
}

/// A check of one value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    Fraction(f64, f64),
    OneOf(&'static [&'static str]),
    AnyCaseOf(&'static [&'static str]),
    NotEmpty,
    GzipLevel,
    /// A list without empty items, whose duplicates are dropped: of these words, or of any if there are none here.
    Items {
        of: &'static [&'static str],
        may_be_empty: bool,
    },
    ThrottledReplicas,
    OffsetReset,
}

pub(crate) const ANY: Check = Check::Any;
pub(crate) const GZIP_LEVEL: Check = Check::GzipLevel;
pub(crate) const NOT_EMPTY: Check = Check::NotEmpty;
pub(crate) const THROTTLED_REPLICAS: Check = Check::ThrottledReplicas;
pub(crate) const OFFSET_RESET: Check = Check::OffsetReset;
pub(crate) const DISTINCT: Check = Check::Items { of: &[], may_be_empty: true };
pub(crate) const DISTINCT_NOT_EMPTY: Check = Check::Items { of: &[], may_be_empty: false };
pub(crate) const POLICIES: Check = Check::Items { of: &["compact", "delete"], may_be_empty: true };
pub(crate) const COMPRESSION: Check =
    Check::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
pub(crate) const TIMESTAMP_TYPE: Check = Check::OneOf(&["CreateTime", "LogAppendTime"]);
/// The greatest long, which stands for "never" in many defaults.
pub(crate) const LONG_MAX: &str = "9223372036854775807";
pub(crate) const INT_MAX: &str = "2147483647";

pub(crate) const fn at_least(least: i64) -> Check {
    Check::AtLeast(least)
}
pub(crate) const fn between(least: i64, most: i64) -> Check {
    Check::Between(least, most)
}
pub(crate) const fn fraction(least: f64, most: f64) -> Check {
    Check::Fraction(least, most)
}
pub(crate) const fn one_of(words: &'static [&'static str]) -> Check {
    Check::OneOf(words)
}
pub(crate) const fn any_case_of(words: &'static [&'static str]) -> Check {
    Check::AnyCaseOf(words)
}
pub(crate) const fn some_of(words: &'static [&'static str]) -> Check {
    Check::Items { of: words, may_be_empty: false }
}

pub(crate) const fn read_only(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    check: Check,
) -> Definition {
    Definition { name, kind, default, check, update: Update::ReadOnly, internal: false }
}
pub(crate) const fn per_broker(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    check: Check,
) -> Definition {
    Definition { name, kind, default, check, update: Update::PerBroker, internal: false }
}
pub(crate) const fn cluster_wide(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    check: Check,
) -> Definition {
    Definition { name, kind, default, check, update: Update::ClusterWide, internal: false }
}
/// A config of a topic, a group or a metrics subscription: it has no broker that could keep it from changing.
pub(crate) const fn own(
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    check: Check,
) -> Definition {
    cluster_wide(name, kind, default, check)
}

impl Definition {
    /// The same, but shown only where it was set.
    pub(crate) const fn internal(mut self) -> Definition {
        self.internal = true;
        self
    }

    /// True if its value is never shown.
    pub(crate) fn sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// The default as a value.
    pub(crate) fn default_value(&self) -> Option<Value> {
        self.default
            .map(|text| self.parse(text).expect("a test checks that every default passes its own check"))
    }

    /// Reads and checks a value of this config.
    ///
    /// # Errors
    /// Kafka's sentence about it.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let value = self.kind.parse(text).map_err(|why| self.refuse(self.kind.shown(text), &why))?;
        match (&self.check, value) {
            (Check::Items { of, may_be_empty }, Value::List(items)) => {
                self.distinct(items, of, *may_be_empty)
            }
            (_, value) => match self.complaint(&value) {
                Some(why) => Err(self.refuse(&value.in_message(), &why)),
                None => Ok(value),
            },
        }
    }

    fn refuse(&self, value: &str, why: &str) -> ConfigError {
        ConfigError::new(format!("Invalid value {value} for configuration {}: {why}", self.name))
    }

    /// Why the value does not do, if so.
    fn complaint(&self, value: &Value) -> Option<String> {
        match (&self.check, value) {
            (Check::AtLeast(least), Value::Number(n)) => below(*n, *least),
            (Check::Between(least, most), Value::Number(n)) => below(*n, *least).or_else(|| above(*n, *most)),
            (Check::Fraction(least, most), Value::Double(x)) => below(*x, *least).or_else(|| above(*x, *most)),
            (Check::GzipLevel, Value::Number(n)) => (*n != -1 && !(1..=9).contains(n))
                .then(|| "Value must be between 1 and 9 or equal to -1".to_owned()),
            (Check::OneOf(words), Value::Text(text)) => (!words.contains(&text.as_str()))
                .then(|| format!("String must be one of: {}", words.join(", "))),
            (Check::AnyCaseOf(words), Value::Text(text)) => {
                (!words.iter().any(|word| word.eq_ignore_ascii_case(text)))
                    .then(|| format!("String must be one of (case insensitive): {}", words.join(", ")))
            }
            (Check::NotEmpty, Value::Text(text)) => {
                text.is_empty().then(|| "String must be non-empty".to_owned())
            }
            (Check::ThrottledReplicas, Value::List(items)) => (!are_throttled_replicas(items)).then(|| {
                format!(
                    "{} must be the literal '*' or a list of replicas in the following format: \
                     [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    self.name
                )
            }),
            (Check::OffsetReset, Value::Text(text)) => (!is_offset_reset(text)).then(|| {
                format!(
                    "Invalid value `{text}` for configuration {}. The value must be either 'earliest', 'latest' \
                     or of the format 'by_duration:<PnDTnHnMn.nS>'.",
                    self.name
                )
            }),
            _ => None,
        }
    }

    fn distinct(&self, items: Vec<String>, of: &[&str], may_be_empty: bool) -> Result<Value, ConfigError> {
        let name = self.name;
        if items.is_empty() && !may_be_empty {
            let valid =
                if of.is_empty() { "any non-empty value".to_owned() } else { format!("[{}]", of.join(", ")) };
            let text = format!("Configuration '{name}' must not be empty. Valid values include: {valid}");
            return Err(ConfigError::new(text));
        }
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for item in items {
            if item.is_empty() {
                return Err(ConfigError::new(format!("Configuration '{name}' values must not be empty.")));
            }
            if !of.is_empty() && !of.contains(&item.as_str()) {
                return Err(self.refuse(&item, &format!("String must be one of: {}", of.join(", "))));
            }
            if seen.insert(item.clone()) {
                kept.push(item);
            }
        }
        Ok(Value::List(kept))
    }
}

fn below<N: PartialOrd + std::fmt::Display>(value: N, least: N) -> Option<String> {
    (value < least).then(|| format!("Value must be at least {least}"))
}

fn above<N: PartialOrd + std::fmt::Display>(value: N, most: N) -> Option<String> {
    (value > most).then(|| format!("Value must be no more than {most}"))
}

fn are_throttled_replicas(items: &[String]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_replica = |item: &String| item.split_once(':').is_some_and(|(p, b)| is_number(p) && is_number(b));
    matches!(items, [only] if only == "*") || items.iter().all(is_replica)
}

fn is_offset_reset(text: &str) -> bool {
    match text.strip_prefix("by_duration:") {
        Some(duration) => is_duration(duration),
        None => text == "earliest" || text == "latest",
    }
}

/// An ISO 8601 duration as Java's `Duration.parse` takes it: days, then hours, minutes and seconds, each once, and no
/// minus sign, since an offset cannot be reset to the future.
fn is_duration(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let Some(rest) = text.strip_prefix('P') else { return false };
    let (days, time) = rest.split_once('T').map_or((rest, None), |(days, time)| (days, Some(time)));
    let Some(days_found) = eat_units(days, "D") else { return false };
    match time {
        Some(time) => eat_units(time, "HMS").is_some_and(|found| found > 0),
        None => days_found > 0,
    }
}

/// How many amounts with the given units, in their order, make up the text; none if anything else is in it.
fn eat_units(mut text: &str, units: &str) -> Option<usize> {
    let mut found = 0;
    for unit in units.chars() {
        if let Some((amount, rest)) = text.split_once(unit) {
            let amount = amount.strip_prefix('+').unwrap_or(amount);
            let (whole, part) = amount.split_once('.').unwrap_or((amount, ""));
            let is_fraction = amount.contains('.');
            let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
            if whole.is_empty() || !digits(whole) || !digits(part) || (is_fraction && unit != 'S') {
                return None;
            }
            found += 1;
            text = rest;
        }
    }
    text.is_empty().then_some(found)
}

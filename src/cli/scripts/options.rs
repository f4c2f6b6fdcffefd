//! Command lines as joptsimple reads them: `--name value`, `--name=value`, `-name value`, no abbreviations, everything
//! else passed over; and its words for what is wrong. Values are judged when they are asked for, as there.

use std::fmt;

/// What an option is followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// A value, or nothing.
    Maybe,
}

/// What kind of value an option has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Long,
}

/// An option that a script takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opt {
    name: &'static str,
    takes: Takes,
    kind: Kind,
    default: Option<&'static str>,
    /// It may be given with one of these options only; empty: always.
    with: &'static [&'static str],
    /// Whether its value is a list, with commas between.
    list: bool,
}

const PLAIN: Opt =
    Opt { name: "", takes: Takes::Nothing, kind: Kind::Text, default: None, with: &[], list: false };

/// An option without a value.
pub(super) const fn flag(name: &'static str) -> Opt {
    Opt { name, ..PLAIN }
}

/// An option with a text.
pub(super) const fn text(name: &'static str) -> Opt {
    Opt { name, takes: Takes::Value, ..PLAIN }
}

/// An option with a number of 32 bits.
pub(super) const fn int(name: &'static str) -> Opt {
    Opt { name, takes: Takes::Value, kind: Kind::Int, ..PLAIN }
}

/// An option with a number of 64 bits.
pub(super) const fn long(name: &'static str) -> Opt {
    Opt { name, takes: Takes::Value, kind: Kind::Long, ..PLAIN }
}

impl Opt {
    /// The value that it has unless it is given.
    pub(super) const fn or(self, default: &'static str) -> Opt {
        Opt { default: Some(default), ..self }
    }

    /// Its value may be left out.
    pub(super) const fn optional(self) -> Opt {
        Opt { takes: Takes::Maybe, ..self }
    }

    /// It goes with one of these options only.
    pub(super) const fn with(self, others: &'static [&'static str]) -> Opt {
        Opt { with: others, ..self }
    }

    /// Its value is a list, with commas between.
    pub(super) const fn list(self) -> Opt {
        Opt { list: true, ..self }
    }

    fn takes_a_number(&self) -> bool {
        self.kind != Kind::Text
    }

    fn accepts(&self, value: &str) -> bool {
        match self.kind {
            Kind::Text => true,
            Kind::Int => value.parse::<i32>().is_ok(),
            Kind::Long => value.parse::<i64>().is_ok(),
        }
    }
}

/// What is wrong with a command line, in joptsimple's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OptionError {
    Unrecognized(String),
    NeedsArgument(&'static str),
    Unavailable(Vec<&'static str>),
    Multiple(&'static str),
    Malformed { name: &'static str, value: String },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionError::Unrecognized(name) => write!(f, "{name} is not a recognized option"),
            OptionError::NeedsArgument(name) => write!(f, "Option {name} requires an argument"),
            OptionError::Unavailable(names) => {
                write!(
                    f,
                    "Option(s) [{}] are unavailable given other options on the command line",
                    names.join(", ")
                )
            }
            OptionError::Multiple(name) => {
                write!(f, "Found multiple arguments for option {name}, but you asked for only one")
            }
            OptionError::Malformed { name, value } => {
                write!(f, "Cannot parse argument '{value}' of option {name}")
            }
        }
    }
}

/// A command line that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    options: &'static [Opt],
    given: Vec<(&'static Opt, Option<String>)>,
    /// Whether there were no arguments at all.
    pub(super) is_empty: bool,
}

/// Reads `arguments`. `--help` and `--version` are options of every script.
pub(super) fn parse(options: &'static [Opt], arguments: &[String]) -> Result<Parsed, OptionError> {
    let mut parsed = Parsed { options, given: Vec::new(), is_empty: arguments.is_empty() };
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        let Some(token) = argument.strip_prefix("--").or(argument.strip_prefix('-')) else { continue };
        if token.is_empty() {
            continue;
        }
        let (name, value) = match token.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (token, None),
        };
        let Some(option) = find(options, name) else {
            let is_long = argument.starts_with("--");
            return Err(OptionError::Unrecognized(if is_long {
                name.to_owned()
            } else {
                unknown_letter(name)
            }));
        };
        let value = match option.takes {
            Takes::Nothing => None,
            Takes::Value => {
                Some(value.or_else(|| rest.next().cloned()).ok_or(OptionError::NeedsArgument(option.name))?)
            }
            Takes::Maybe => value.or_else(|| rest.next_if(|next| is_value_of(option, next)).cloned()),
        };
        match value {
            Some(values) if option.list => {
                parsed.given.extend(values.split(',').map(|value| (option, Some(value.to_owned()))));
            }
            value => parsed.given.push((option, value)),
        }
    }
    parsed.check_company()?;
    Ok(parsed)
}

static HELP: Opt = flag("help");
static VERSION: Opt = flag("version");

fn find(options: &'static [Opt], name: &str) -> Option<&'static Opt> {
    options.iter().chain([&HELP, &VERSION]).find(|option| option.name == name)
}

/// A single dash begins letters that are options each; none is here.
fn unknown_letter(letters: &str) -> String {
    letters.chars().next().map(String::from).unwrap_or_default()
}

/// Whether what follows an option whose value may be left out is that value.
fn is_value_of(option: &Opt, next: &str) -> bool {
    let looks_like_an_option = next.len() > 1 && next.starts_with('-');
    option.accepts(next) && (!looks_like_an_option || option.takes_a_number())
}

impl Parsed {
    fn check_company(&self) -> Result<(), OptionError> {
        let alone = |option: &Opt| !option.with.is_empty() && !option.with.iter().any(|with| self.has(with));
        let mut unavailable: Vec<_> =
            self.given.iter().filter(|(option, _)| alone(option)).map(|(option, _)| option.name).collect();
        unavailable.dedup();
        if unavailable.is_empty() || self.has("help") {
            return Ok(());
        }
        Err(OptionError::Unavailable(unavailable))
    }

    /// Whether an option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(option, _)| option.name == name)
    }

    /// Which of these options were given.
    pub(super) fn count(&self, names: &[&str]) -> usize {
        names.iter().filter(|name| self.has(name)).count()
    }

    /// The names of all options that were given, in their order, as often as they were.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.given.iter().map(|(option, _)| option.name)
    }

    /// All values of an option, or its default.
    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        let given = self.given.iter().filter(|(option, _)| option.name == name);
        let values: Vec<_> = given.filter_map(|(_, value)| value.as_deref()).collect();
        if values.is_empty() { self.default(name).into_iter().collect() } else { values }
    }

    fn default(&self, name: &str) -> Option<&'static str> {
        self.options.iter().find(|option| option.name == name)?.default
    }

    /// The value of an option, or its default.
    pub(super) fn value(&self, name: &'static str) -> Result<Option<&str>, OptionError> {
        let values = self.values(name);
        if values.len() > 1 {
            return Err(OptionError::Multiple(name));
        }
        let value = values.first().copied();
        match (value, self.options.iter().find(|option| option.name == name)) {
            (Some(value), Some(option)) if !option.accepts(value) => {
                Err(OptionError::Malformed { name, value: value.to_owned() })
            }
            _ => Ok(value),
        }
    }

    /// The number of an option, or its default.
    pub(super) fn long(&self, name: &'static str) -> Result<Option<i64>, OptionError> {
        Ok(self.value(name)?.and_then(|value| value.parse().ok()))
    }

    /// As [`long`](Parsed::long), of 32 bits.
    pub(super) fn int(&self, name: &'static str) -> Result<Option<i32>, OptionError> {
        Ok(self.value(name)?.and_then(|value| value.parse().ok()))
    }
}

/// Checks of option combinations that all scripts make alike: the sentence to print above the usage, if one fails.
impl Parsed {
    /// Fails if one of these is missing.
    pub(super) fn require(&self, names: &[&str]) -> Result<(), super::Ended> {
        match names.iter().find(|name| !self.has(name)) {
            Some(name) => Err(super::Ended::Usage(format!("Missing required argument \"[{name}]\""))),
            None => Ok(()),
        }
    }

    /// Fails if `used` was given together with one of `others`.
    pub(super) fn exclude(&self, used: &str, others: &[&str]) -> Result<(), super::Ended> {
        if !self.has(used) {
            return Ok(());
        }
        match others.iter().find(|other| self.has(other)) {
            Some(other) => {
                let why = format!("Option \"[{used}]\" can't be used with option \"[{other}]\"");
                Err(super::Ended::Usage(why))
            }
            None => Ok(()),
        }
    }

    /// Ends the script where no arguments, `--help` or `--version` were given.
    pub(super) fn help_or_version(
        &self,
        usage: super::Usage,
        out: &mut super::Output,
    ) -> Result<(), super::Ended> {
        if self.is_empty || self.has("help") {
            return Err(super::Ended::Usage(usage.sentence().to_owned()));
        }
        if self.has("version") {
            out.line(super::VERSION)?;
            return Err(super::Ended::Said(0));
        }
        Ok(())
    }
}

/// Whether a table of options is the one that a usage text describes.
#[cfg(test)]
pub(super) fn assert_described(options: &'static [Opt], usage: super::Usage) {
    let mut taken: Vec<_> = options.iter().chain([&HELP, &VERSION]).map(|option| option.name).collect();
    taken.sort_unstable();
    assert_eq!(taken, usage.options());
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[Opt] = &[
        flag("list"),
        text("topic"),
        int("partitions"),
        long("timeout").optional().or("5000"),
        text("state").optional().with(&["list"]),
        text("names").list(),
    ];

    fn parsed(line: &str) -> Result<Parsed, OptionError> {
        let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        parse(OPTIONS, &arguments)
    }

    #[test]
    fn values_stand_behind_a_space_or_an_equals_sign_and_one_dash_does() {
        for line in [
            "--list --topic a=b --partitions 3",
            "-list -topic=a=b --partitions=3",
            "x --list=y --topic a=b -partitions 3 z",
        ] {
            let parsed = parsed(line).unwrap();
            assert!(parsed.has("list"), "{line}");
            assert_eq!(parsed.value("topic"), Ok(Some("a=b")), "{line}");
            assert_eq!(parsed.int("partitions"), Ok(Some(3)), "{line}");
        }
        let after_the_end = parsed("--topic a -- --list").unwrap();
        assert!(!after_the_end.has("list"));
    }

    #[test]
    fn a_value_may_be_left_out_where_it_is_optional() {
        assert_eq!(parsed("--list --state --topic a").unwrap().value("state"), Ok(None));
        assert_eq!(parsed("--list --state Empty").unwrap().value("state"), Ok(Some("Empty")));
        assert_eq!(parsed("--timeout --list").unwrap().long("timeout"), Ok(Some(5000)));
        assert_eq!(parsed("--timeout -7").unwrap().long("timeout"), Ok(Some(-7)));
        assert_eq!(parsed("--list").unwrap().long("timeout"), Ok(Some(5000)));
    }

    #[test]
    fn what_is_wrong_is_said_as_joptsimple_says_it() {
        let refused = |line| parsed(line).unwrap_err().to_string();
        assert_eq!(refused("--lis"), "lis is not a recognized option");
        assert_eq!(refused("-zap"), "z is not a recognized option");
        assert_eq!(refused("--topic"), "Option topic requires an argument");
        assert_eq!(
            refused("--state x"),
            "Option(s) [state] are unavailable given other options on the command line"
        );
        let twice = parsed("--topic a --topic b").unwrap();
        let error = twice.value("topic").unwrap_err().to_string();
        assert_eq!(error, "Found multiple arguments for option topic, but you asked for only one");
        let malformed = parsed("--partitions x").unwrap().int("partitions").unwrap_err().to_string();
        assert_eq!(malformed, "Cannot parse argument 'x' of option partitions");
    }

    #[test]
    fn a_list_is_split_at_its_commas() {
        assert_eq!(parsed("--names a,b --names c").unwrap().values("names"), ["a", "b", "c"]);
    }
}

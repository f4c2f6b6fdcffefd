//! Command lines as argparse4j reads them: names may be cut short, some options take several values; and its words for what
//! is wrong, in blocks of 75 columns.

/// What an option is followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    One(Kind),
    /// One or more.
    Some,
}

/// What kind of value an option has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Long,
    Double,
}

/// An option that a script takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) required: bool,
}

/// A command line that was read.
#[derive(Debug, Default)]
pub(super) struct Arguments(Vec<(&'static str, Vec<String>)>);

/// Why a command line was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Help was asked for.
    Help,
    Wrong(String),
}

impl Arguments {
    /// Reads a command line. Of `alternatives` exactly one must be given.
    pub(super) fn read(
        known: &'static [Argument],
        alternatives: &'static [&'static str],
        line: &[String],
    ) -> Result<Self, Refused> {
        let unrecognized = |argument: &str| wrong(format!("unrecognized arguments: '{argument}'"));
        let mut read = Arguments::default();
        let mut rest = line.iter().peekable();
        while let Some(argument) = rest.next() {
            if !argument.starts_with('-') {
                return Err(unrecognized(argument));
            }
            if argument == "-h" || argument == "--help" {
                return Err(Refused::Help);
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let option = find(known, name)?.ok_or_else(|| unrecognized(argument))?;
            read.check_alternative(option.name, alternatives)?;
            let mut values: Vec<String> = value.into_iter().collect();
            match option.takes {
                Takes::Nothing => {}
                Takes::One(kind) => {
                    if values.is_empty() {
                        values.extend(rest.next_if(|next| is_value(next)).cloned());
                    }
                    let Some(value) = values.first() else {
                        return Err(wrong(format!("argument {}: expected one argument", option.name)));
                    };
                    check(option.name, kind, value)?;
                }
                Takes::Some => {
                    while let Some(value) = rest.next_if(|next| is_value(next)) {
                        values.push(value.clone());
                    }
                    if values.is_empty() {
                        return Err(wrong(format!(
                            "argument {}: expected at least one argument",
                            option.name
                        )));
                    }
                }
            }
            read.0.push((option.name, values));
        }
        if let Some(missing) = known.iter().find(|option| option.required && !read.has(option.name)) {
            return Err(wrong(format!("argument {} is required", missing.name)));
        }
        if !alternatives.iter().any(|name| read.has(name)) {
            return Err(wrong(format!("one of the arguments {} is required", alternatives.join(" "))));
        }
        Ok(read)
    }

    fn check_alternative(&self, name: &str, alternatives: &[&str]) -> Result<(), Refused> {
        let other = alternatives.iter().find(|other| **other != name && self.has(other));
        match other.filter(|_| alternatives.contains(&name)) {
            Some(other) => Err(wrong(format!("argument {name}: not allowed with argument {other}"))),
            None => Ok(()),
        }
    }

    /// Whether an option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| *given == name)
    }

    /// All values of an option.
    pub(super) fn values(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(given, _)| *given == name)
            .flat_map(|(_, values)| values)
            .map(String::as_str)
            .collect()
    }

    /// The last value of an option.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).pop()
    }

    /// The number of an option.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.value(name)?.parse().ok()
    }
}

pub(super) fn wrong(why: String) -> Refused {
    Refused::Wrong(why)
}

/// The option of this name, or the only one that begins so.
fn find(known: &'static [Argument], name: &str) -> Result<Option<&'static Argument>, Refused> {
    if let Some(option) = known.iter().find(|option| option.name == name) {
        return Ok(Some(option));
    }
    let begun: Vec<_> = known.iter().filter(|option| option.name.starts_with(name)).collect();
    match begun[..] {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => {
            let mut names: Vec<_> = begun.iter().map(|option| option.name).collect();
            names.sort_unstable();
            Err(wrong(format!("ambiguous option: {name} could match {}", names.join(", "))))
        }
    }
}

/// Whether an argument is a value: options begin with a dash, and so do negative numbers.
fn is_value(argument: &str) -> bool {
    !argument.starts_with('-') || argument.parse::<f64>().is_ok()
}

fn check(name: &str, kind: Kind, value: &str) -> Result<(), Refused> {
    let (fits, class) = match kind {
        Kind::Text => return Ok(()),
        Kind::Int => (value.parse::<i32>().is_ok(), "Integer"),
        Kind::Long => (value.parse::<i64>().is_ok(), "Long"),
        Kind::Double => (value.parse::<f64>().is_ok(), "Double"),
    };
    if fits {
        return Ok(());
    }
    Err(wrong(format!(
        "argument {name}: could not convert '{value}' to {class} (For input string: \"{value}\")"
    )))
}

const COLUMNS: usize = 75;

/// A text in lines of 75 columns (one that would be as long without filling up is broken all the same), filled up with spaces from the middle on; but the last line, which is as it is.
pub(super) fn justified(text: &str) -> String {
    let mut lines: Vec<Vec<String>> = vec![Vec::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut begins_word = true;
        for piece in pieces(word) {
            let gap = usize::from(begins_word && length > 0);
            if length > 0 && length + gap + piece.len() >= COLUMNS {
                lines.push(Vec::new());
                length = 0;
                begins_word = true;
            }
            let gap = usize::from(begins_word && length > 0);
            length += gap + piece.len();
            if let Some(line) = lines.last_mut() {
                match line.last_mut() {
                    Some(last) if !begins_word => last.push_str(piece),
                    _ => line.push(piece.to_owned()),
                }
            }
            begins_word = false;
        }
    }
    let count = lines.len();
    let filled = lines
        .iter()
        .enumerate()
        .map(|(at, words)| if at + 1 < count { fill(words) } else { words.join(" ") });
    filled.collect::<Vec<_>>().join("\n")
}

/// The parts of a word between which a line may end: behind hyphens.
fn pieces(word: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(at) =
        rest.find('-').and_then(|at| rest[at..].find(|letter| letter != '-').map(|end| at + end))
    {
        let (piece, behind) = rest.split_at(at);
        pieces.push(piece);
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

fn fill(words: &[String]) -> String {
    let gaps = words.len().saturating_sub(1);
    if gaps == 0 {
        return words.join("");
    }
    let spaces = COLUMNS.saturating_sub(words.iter().map(String::len).sum());
    let (each, more) = (spaces / gaps, spaces % gaps);
    let from = (gaps - more).div_ceil(2);
    let mut line = String::with_capacity(COLUMNS);
    for (at, word) in words.iter().enumerate() {
        line.push_str(word);
        if at < gaps {
            let wide = at >= from && at < from + more;
            line.extend(std::iter::repeat_n(' ', each + usize::from(wide)));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Argument] = &[
        Argument { name: "--topic", takes: Takes::One(Kind::Text), required: true },
        Argument { name: "--num-records", takes: Takes::One(Kind::Long), required: true },
        Argument { name: "--props", takes: Takes::Some, required: false },
        Argument { name: "--size", takes: Takes::One(Kind::Int), required: false },
        Argument { name: "--file", takes: Takes::One(Kind::Text), required: false },
        Argument { name: "--flag", takes: Takes::Nothing, required: false },
    ];

    fn read(line: &str) -> Result<Arguments, Refused> {
        let line: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::read(KNOWN, &["--size", "--file"], &line)
    }

    #[test]
    fn options_may_be_cut_short_and_take_several_values() {
        let read = read("--topic=t --num -5 --props a=1 b=2 --size 3 --flag").unwrap();
        assert_eq!(read.values("--props"), ["a=1", "b=2"]);
        assert_eq!((read.value("--topic"), read.number("--num-records")), (Some("t"), Some(-5_i64)));
        assert!(read.has("--flag"));
    }

    #[test]
    fn what_is_wrong_is_said_as_argparse4j_says_it() {
        let refused = |line: &str| match read(line) {
            Err(Refused::Wrong(why)) => why,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(refused("--num-records 1 --size 1"), "argument --topic is required");
        assert_eq!(refused("--topic"), "argument --topic: expected one argument");
        assert_eq!(refused("--topic t --num-records 1"), "one of the arguments --size --file is required");
        assert_eq!(refused("--size 1 --file f"), "argument --file: not allowed with argument --size");
        assert_eq!(refused("--topic t --num-records 1 --size 1 x"), "unrecognized arguments: 'x'");
        assert_eq!(refused("--fl --fi f --f"), "ambiguous option: --f could match --file, --flag");
        assert_eq!(
            refused("--size x"),
            "argument --size: could not convert 'x' to Integer (For input string: \"x\")"
        );
        assert!(matches!(read("--topic -h"), Err(Refused::Wrong(_))));
        assert_eq!(read("-h").unwrap_err(), Refused::Help);
    }

    #[test]
    fn long_sentences_are_filled_up_from_the_middle() {
        let said = justified(
            "kafka-producer-perf-test: error: At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified.",
        );
        let expected = "kafka-producer-perf-test: error: At  least  one  of  --bootstrap-server, --\n\
                        command-property, --producer-props,  --producer.config  or --command-config\n\
                        must be specified.";
        assert_eq!(said, expected);
        let said = justified("kafka-producer-perf-test: error: --num-records should be greater than zero.");
        assert_eq!(
            said,
            "kafka-producer-perf-test:  error:  --num-records  should  be  greater  than\nzero."
        );
    }
}

//! Cases: lines of text, one an invocation.
//!
//! * `topics --list` runs `kafka-topics.sh --list` with `--bootstrap-server`; `topics! --list` without.
//! * Behind ` <<< ` stands what the script reads, with `\n` and `\t` for what they are.
//! * `{me}` is a name of the side's own, `{broker}` the broker's address, `{dir}` a folder.
//! * A word before the script says how answers are compared: `sorted` in any order of lines, `code` by their exit codes alone, `numbers` with all numbers alike, `json` as JSON in any order of lists, `out` without
//!   standard error. Why stands in a comment above.
//! * `start` starts ours in the background, as a member of a group of its own, and waits until the group is stable; it ends with
//!   the file.
//! * `both` runs the original alone, once for each side, to prepare something; `file NAME <<< TEXT` writes a file.

/// How answers are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Exact,
    Sorted,
    Code,
    Numbers,
    Json,
    Out,
    Start,
    Both,
    File(String),
}

/// An invocation.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) line: String,
    pub(super) mode: Mode,
    /// The script's name, without `.sh`.
    pub(super) script: String,
    pub(super) arguments: Vec<String>,
    pub(super) input: String,
}

pub(super) fn read(text: &str) -> Vec<Case> {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(case).collect()
}

fn case(line: &str) -> Case {
    let (command, input) = line.split_once(" <<< ").or(line.split_once(" <<<")).unwrap_or((line, ""));
    let input = input.replace("\\n", "\n").replace("\\t", "\t");
    let mut words = words(command).into_iter();
    let first = words.next().unwrap();
    let mode = match first.as_str() {
        "sorted" => Mode::Sorted,
        "code" => Mode::Code,
        "numbers" => Mode::Numbers,
        "json" => Mode::Json,
        "out" => Mode::Out,
        "start" => Mode::Start,
        "both" => Mode::Both,
        "file" => Mode::File(words.next().unwrap()),
        _ => Mode::Exact,
    };
    let script = if mode == Mode::Exact { first } else { words.next().unwrap_or_default() };
    let (script, without) = match script.strip_suffix('!') {
        Some(script) => (script.to_owned(), true),
        None => (script, false),
    };
    let connection =
        if without { Vec::new() } else { vec!["--bootstrap-server".to_owned(), "{broker}".to_owned()] };
    Case {
        line: line.to_owned(),
        mode,
        script: format!("kafka-{script}"),
        arguments: connection.into_iter().chain(words).collect(),
        input,
    }
}

/// Words, of which those in double quotes may have spaces.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            letter => {
                word.push(letter);
                begun = true;
            }
        }
    }
    assert!(!quoted, "{line} has an open quote");
    if begun {
        words.push(word);
    }
    words
}

#[test]
fn a_line_is_read_as_a_shell_would() {
    let case = case("sorted topics! --topic \"a b\" --x \"\" <<< one\\ntwo");
    assert_eq!((case.mode, case.script.as_str()), (Mode::Sorted, "kafka-topics"));
    assert_eq!(case.arguments, ["--topic", "a b", "--x", ""]);
    assert_eq!(case.input, "one\ntwo");
}

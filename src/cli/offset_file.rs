//! Files that name offsets of partitions, a line each: `TOPIC,PARTITION,OFFSET`, as Kafka's own tool exports them, or the JSON
//! lines that `klamm groups` writes.

use std::collections::HashSet;

use klamm::TopicPartition;
use serde_json::Value;

use super::error::{Failure, Usage};

/// Most lines that a file may have.
const MOST_LINES: usize = 1_000_000;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The line's number, from 1 on.
    pub(crate) number: usize,
    /// The partition.
    pub(crate) partition: TopicPartition,
    /// The offset.
    pub(crate) offset: i64,
}

/// The lines of a file; empty ones and those that begin with `#` are passed over. `origin` is what errors call it.
pub(crate) fn parse(text: &str, origin: &str) -> Result<Vec<Line>, Failure> {
    let wrong = |number: usize, why: String| {
        Usage::failure(format!(
            "{origin}, line {number}: {why}; write TOPIC,PARTITION,OFFSET, or JSON with \"topic\", \"partition\" and \"to\""
        ))
    };
    let (mut lines, mut seen) = (Vec::new(), HashSet::new());
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if lines.len() >= MOST_LINES {
            return Err(wrong(number, format!("there are more than {MOST_LINES} lines")));
        }
        let read = if line.starts_with('{') { of_json(line) } else { of_commas(line) };
        let (partition, offset) = read.map_err(|why| wrong(number, why))?;
        if !seen.insert(partition.clone()) {
            return Err(wrong(number, format!("{partition} is named a second time")));
        }
        lines.push(Line { number, partition, offset });
    }
    if lines.is_empty() {
        return Err(wrong(1, "the file names no partition".to_owned()));
    }
    Ok(lines)
}

fn of_commas(line: &str) -> Result<(TopicPartition, i64), String> {
    let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
    let [topic, partition, offset] = fields.as_slice() else {
        return Err(format!("'{line}' has {} fields instead of 3", fields.len()));
    };
    if topic.is_empty() {
        return Err("the topic's name is empty".to_owned());
    }
    let number = |what: &str, text: &str, most: i64| {
        let number = text.parse::<i64>().ok().filter(|number| (0..=most).contains(number));
        number.ok_or_else(|| format!("the {what} '{text}' is no number from 0 on"))
    };
    let partition = number("partition", partition, i32::MAX.into())?;
    let offset = number("offset", offset, i64::MAX)?;
    Ok((TopicPartition::new(*topic, i32::try_from(partition).unwrap_or(i32::MAX)), offset))
}

fn of_json(line: &str) -> Result<(TopicPartition, i64), String> {
    let row: Value = serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}"))?;
    let topic = row.get("topic").and_then(Value::as_str).filter(|topic| !topic.is_empty());
    let topic = topic.ok_or("\"topic\" is missing")?;
    let partition =
        row.get("partition").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= 0);
    let partition = partition.ok_or("\"partition\" is no number from 0 on")?;
    // What a plan says, what a description says, or what anybody writes.
    let offset = ["to", "committed", "offset"].iter().find_map(|key| row.get(*key));
    let offset = offset.and_then(Value::as_i64).filter(|offset| *offset >= 0);
    Ok((TopicPartition::new(topic, partition), offset.ok_or("\"to\" is no number from 0 on")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_kafkas_tool_and_of_ours_are_read() {
        let lines = parse("# exported\n\"orders\",0,15\norders, 1, 7\n\n{\"topic\":\"a\",\"partition\":2,\"from\":3,\"to\":4}\n", "f").unwrap();
        let read: Vec<_> =
            lines.iter().map(|line| (line.number, line.partition.to_string(), line.offset)).collect();
        assert_eq!(
            read,
            [(2, "orders-0".to_owned(), 15), (3, "orders-1".to_owned(), 7), (5, "a-2".to_owned(), 4)]
        );
    }

    #[test]
    fn a_malformed_line_is_told_with_its_number() {
        for (text, line, why) in [
            ("a,0,1\na,1", 2, "2 fields"),
            ("a,x,1", 1, "partition 'x'"),
            ("a,0,-1", 1, "offset '-1'"),
            (",0,1", 1, "name is empty"),
            ("a,2147483648,1", 1, "partition"),
            ("\n{\"topic\":\"a\"}", 2, "\"partition\""),
            ("{\"topic\":\"a\",\"partition\":0}", 1, "\"to\""),
            ("{", 1, "no JSON"),
            ("a,0,1\na,0,2", 2, "a second time"),
            ("", 1, "names no partition"),
        ] {
            let told = parse(text, "offsets.csv").unwrap_err().to_string();
            assert!(
                told.contains(&format!("offsets.csv, line {line}:")) && told.contains(why),
                "{text}: {told}"
            );
        }
    }
}

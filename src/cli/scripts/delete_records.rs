//! `kafka-delete-records.sh`: deletes records from the beginning of partitions, up to offsets that a file names.

use std::collections::BTreeMap;

use klamm::{DeleteUpTo, TopicPartition};
use serde_json::Value;

use super::errors::Thrown;
use super::options::{Opt, parse, text};
use super::{Ended, Output, client, java, usage};

const OPTIONS: &[Opt] = &[text("bootstrap-server"), text("offset-json-file"), text("command-config")];

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments)?;
    parsed.help_or_version(usage::DELETE_RECORDS, out)?;
    parsed.require(&["bootstrap-server", "offset-json-file"])?;
    let admin = client::admin(&parsed, "adminclient-1")?;
    let path = parsed.value("offset-json-file")?.unwrap_or_default();
    let text = client::read_file(path)
        .map_err(|why| Ended::Failed(format!("Unable to read file {path}\nCaused by: {why}")))?;
    let offsets = read(&text).map_err(Ended::Failed)?;
    out.line("Executing records delete operation")?;
    out.flush()?;
    let up_to = offsets.into_iter().map(|(partition, offset)| (partition, meant(offset)));
    let deleted =
        admin.delete_records(up_to).wait().map_err(|error| Ended::Failed(Thrown::from(error).message))?;
    out.line("Records delete operation completed:")?;
    for (partition, low) in deleted {
        match low {
            Ok(low) => out.line(format_args!("partition: {partition}\tlow_watermark: {low}"))?,
            Err(error) => out.line(format_args!("partition: {partition}\terror: {}", Thrown::from(error)))?,
        }
    }
    Ok(())
}

fn meant(offset: i64) -> DeleteUpTo {
    if offset == -1 { DeleteUpTo::All } else { DeleteUpTo::Offset(offset) }
}

/// The offsets in a file, or what the original says of one that has none.
fn read(text: &str) -> Result<BTreeMap<TopicPartition, i64>, String> {
    let file: Value =
        serde_json::from_str(text).map_err(|_| "The input string is not a valid JSON".to_owned())?;
    let file = file.as_object().ok_or_else(|| format!("Expected JSON object, received {file}"))?;
    if let Some(version) = file.get("version") {
        let version = number(version, "Integer")?;
        if version != 1 {
            return Err(format!("Not supported version field value {version}"));
        }
    }
    let partitions = file.get("partitions").ok_or("Missing partitions field")?;
    let partitions =
        partitions.as_array().ok_or_else(|| format!("Expected JSON array, received {partitions}"))?;
    let mut offsets = BTreeMap::new();
    let mut again = Vec::new();
    for entry in partitions {
        let fields = entry.as_object().ok_or_else(|| format!("Expected JSON object, received {entry}"))?;
        let field = |name| fields.get(name).ok_or_else(|| format!("No such field exists: `{name}`"));
        let topic = field("topic")?;
        let topic = topic.as_str().ok_or_else(|| format!("Expected `String` value, received {topic}"))?;
        let partition = number(field("partition")?, "Integer")?;
        let partition = i32::try_from(partition)
            .map_err(|_| format!("Expected `Integer` value, received {partition}"))?;
        let partition = TopicPartition::new(topic, partition);
        if offsets.insert(partition.clone(), number(field("offset")?, "Long")?).is_some() {
            again.push(partition);
        }
    }
    again.dedup();
    if again.is_empty() {
        return Ok(offsets);
    }
    Err(format!("Offset json file contains duplicate topic partitions: {}", java::joined(again, ",")))
}

fn number(value: &Value, kind: &str) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("Expected `{kind}` value, received {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::DELETE_RECORDS);
    }

    #[test]
    fn a_file_names_each_partition_once() {
        let entry = r#"{"topic":"a","partition":0,"offset":3}"#;
        let offsets = read(&format!(r#"{{"partitions":[{entry}],"version":1}}"#)).unwrap();
        assert_eq!(offsets.into_iter().collect::<Vec<_>>(), [(TopicPartition::new("a", 0), 3)]);
        let twice = read(&format!(r#"{{"partitions":[{entry},{entry}]}}"#)).unwrap_err();
        assert_eq!(twice, "Offset json file contains duplicate topic partitions: a-0");
        let huge = read(r#"{"partitions":[{"topic":"a","partition":99999999999,"offset":3}]}"#).unwrap_err();
        assert_eq!(huge, "Expected `Integer` value, received 99999999999");
    }
}

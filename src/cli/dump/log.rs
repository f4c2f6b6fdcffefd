//! Logs, batch by batch, with one batch in memory at a time.

use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use klamm_storage::batch::{self, BatchHeader, Codec, Record, TimestampType, header};
use klamm_storage::inspect::{FoundBatch, Rest, SegmentReader};
use serde_json::{Map, Value, json};

use super::{Dump, File, internal};
use crate::cli::error::Failure;
use crate::cli::output::{Output, count, grouped, printable};
use crate::cli::signals::Interrupt;
use crate::cli::times;

/// The longest key or value that a person sees whole, in bytes.
const LONGEST_SHOWN: usize = 200;

impl Dump {
    /// Shows the batches of a log. False if it is damaged.
    pub(super) fn log(
        &self,
        out: &mut Output,
        file: &File<'_>,
        interrupt: &Interrupt,
    ) -> Result<bool, Failure> {
        let told = |error: std::io::Error| format!("cannot read {}: {error}", file.path.display());
        let mut reader = SegmentReader::open(file.path).map_err(told)?;
        let (mut shown, mut sound) = (0, true);
        for found in &mut reader {
            let found = found.map_err(told)?;
            if interrupt.is_asked() {
                return Ok(sound);
            }
            if !self.wants(found.batch.header.last_offset()) {
                continue;
            }
            if self.count.is_some_and(|most| shown >= most) {
                return Ok(sound);
            }
            shown += 1;
            sound &= found.checksum_is_right && found.batch.header.magic == header::MAGIC;
            self.batch(out, file, &found)?;
            if self.records {
                sound &= self.records(out, file, &found)?;
            }
        }
        sound &= self.rest(out, file, reader.rest())?;
        Ok(sound)
    }

    /// Shows what lies behind the last whole batch. False if it is none that a broker leaves there.
    fn rest(&self, out: &mut Output, file: &File<'_>, rest: Option<Rest>) -> Result<bool, Failure> {
        let (what, size) = match rest {
            None | Some(Rest::Nothing) => return Ok(true),
            Some(Rest::Reserved(size)) => ("reserved", size),
            Some(Rest::NoBatch(size)) => ("no_batch", size),
        };
        if self.form.json {
            out.json(&json!({ "kind": "rest", "file": file.path, "what": what, "size": size }))?;
        } else if what == "reserved" {
            out.line(format_args!("  {} B reserved and not written", grouped(size)))?;
        } else {
            out.line(format_args!("  damaged: {} B that are no whole batch", grouped(size)))?;
        }
        Ok(what == "reserved")
    }

    fn batch(&self, out: &mut Output, file: &File<'_>, found: &FoundBatch) -> std::io::Result<()> {
        let head = &found.batch.header;
        if self.form.json {
            return out.json(&batch_as_json(file, found));
        }
        let mut line = format!(
            "  position {}  offsets {} to {}  {}  {} B  {}  {} {}",
            found.position,
            head.base_offset,
            head.last_offset(),
            count(u64::try_from(head.record_count).unwrap_or(0), "record"),
            grouped(head.size() as u64),
            codec(head),
            if head.timestamp_type() == TimestampType::LogAppendTime { "appended" } else { "created" },
            times::show(head.max_timestamp),
        );
        if head.has_producer_id() {
            line.push_str(&format!(
                "  producer {} epoch {} sequence {} to {}",
                head.producer_id,
                head.producer_epoch,
                head.base_sequence,
                head.last_sequence()
            ));
        }
        for (is, what) in [
            (head.is_transactional(), "  transactional"),
            (head.is_control(), "  control"),
            (head.leader_epoch > 0, &format!("  leader epoch {}", head.leader_epoch)),
            (head.magic != header::MAGIC, &format!("  DAMAGED: format {}", head.magic)),
            (!found.checksum_is_right, "  DAMAGED: the checksum is wrong"),
        ] {
            line.push_str(if is { what } else { "" });
        }
        out.line(line)
    }

    /// Shows the records of a batch. False if they cannot be read.
    fn records(&self, out: &mut Output, file: &File<'_>, found: &FoundBatch) -> Result<bool, Failure> {
        let is_control = found.batch.header.is_control();
        let mut failed = None;
        let read = batch::for_each_record(&found.batch, |record| {
            if !self.wants(record.offset) {
                return ControlFlow::Continue(());
            }
            let written = match self.form.json {
                true => out.json(&record_as_json(file, &record, is_control)),
                false => out.line(record_as_text(file, &record, is_control)),
            };
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let Err(fault) = read else { return Ok(true) };
        match self.form.json {
            true => out.json(&json!({ "kind": "damage", "file": file.path, "what": fault.to_string() }))?,
            false => out.line(format_args!("    damaged: {fault}"))?,
        }
        Ok(false)
    }
}

fn codec(head: &BatchHeader) -> &'static str {
    match Codec::from_number(head.codec()) {
        Some(Codec::None) => "uncompressed",
        Some(Codec::Gzip) => "gzip",
        Some(Codec::Snappy) => "snappy",
        Some(Codec::Lz4) => "lz4",
        Some(Codec::Zstd) => "zstd",
        None => "no known codec",
    }
}

fn batch_as_json(file: &File<'_>, found: &FoundBatch) -> Value {
    let head = &found.batch.header;
    let timestamps = match head.timestamp_type() {
        TimestampType::LogAppendTime => "log_append_time",
        _ => "create_time",
    };
    json!({
        "kind": "batch",
        "file": file.path,
        "position": found.position,
        "size": head.size(),
        "base_offset": head.base_offset,
        "last_offset": head.last_offset(),
        "records": head.record_count,
        "magic": head.magic,
        "compression": if codec(head) == "uncompressed" { "none" } else { codec(head) },
        "timestamp_type": timestamps,
        "base_timestamp": head.base_timestamp,
        "max_timestamp": head.max_timestamp,
        "leader_epoch": head.leader_epoch,
        "producer_id": head.producer_id,
        "producer_epoch": head.producer_epoch,
        "base_sequence": head.base_sequence,
        "last_sequence": if head.base_sequence < 0 { -1 } else { head.last_sequence() },
        "transactional": head.is_transactional(),
        "control": head.is_control(),
        "crc": head.crc,
        "crc_is_right": found.checksum_is_right,
    })
}

fn record_as_json(file: &File<'_>, record: &Record, is_control: bool) -> Value {
    let mut row = Map::new();
    row.insert("kind".to_owned(), json!("record"));
    row.insert("file".to_owned(), json!(file.path));
    row.insert("offset".to_owned(), json!(record.offset));
    row.insert("timestamp".to_owned(), json!(record.timestamp));
    put_bytes(&mut row, "key", record.key.as_deref());
    put_bytes(&mut row, "value", record.value.as_deref());
    let header = |(name, value): &(String, Option<bytes::Bytes>)| {
        let mut header = Map::from_iter([("key".to_owned(), json!(name))]);
        put_bytes(&mut header, "value", value.as_deref());
        Value::Object(header)
    };
    row.insert("headers".to_owned(), record.headers.iter().map(header).collect());
    if let Some(meaning) = meaning(file, record, is_control) {
        row.insert("meaning".to_owned(), json!(meaning));
    }
    Value::Object(row)
}

fn put_bytes(row: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
        None => row.insert(name.to_owned(), Value::Null),
        Some((Ok(text), _)) => row.insert(name.to_owned(), json!(text)),
        Some((Err(_), bytes)) => row.insert(format!("{name}_base64"), json!(STANDARD.encode(bytes))),
    };
}

fn record_as_text(file: &File<'_>, record: &Record, is_control: bool) -> String {
    let mut line = format!("    offset {}  {}", record.offset, times::show(record.timestamp));
    if let Some(meaning) = meaning(file, record, is_control) {
        return format!("{line}  {}", printable(&meaning));
    }
    line.push_str(&format!(
        "  key {}  value {}",
        shown(record.key.as_deref()),
        shown(record.value.as_deref())
    ));
    for (name, value) in &record.headers {
        line.push_str(&format!("  {}={}", printable(name), shown(value.as_deref())));
    }
    line
}

/// Bytes as a person reads them.
fn shown(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let cut = bytes.get(..LONGEST_SHOWN).unwrap_or(bytes);
    let more = match bytes.len() - cut.len() {
        0 => String::new(),
        more => format!(" and {} B more", grouped(more as u64)),
    };
    // A character may have been cut in two at the end.
    let text = match std::str::from_utf8(cut) {
        Ok(text) => Some(text),
        Err(error) if !more.is_empty() && error.error_len().is_none() => {
            cut.get(..error.valid_up_to()).and_then(|whole| std::str::from_utf8(whole).ok())
        }
        Err(_) => None,
    };
    match text {
        Some(text) => format!("'{}'{more}", printable(text)),
        None => format!("0x{}{more}", cut.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// What a record of the brokers' own says, in words.
fn meaning(file: &File<'_>, record: &Record, is_control: bool) -> Option<String> {
    if is_control {
        return internal::marker(record.key.as_deref()?);
    }
    if file.topic == Some("__consumer_offsets") {
        return internal::of_group(record.key.as_deref()?, record.value.as_deref());
    }
    None
}

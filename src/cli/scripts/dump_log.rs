//! `kafka-dump-log.sh`: shows the files of logs, Kafka's or Klamm's. One batch is in memory at a time.
//!
//! Blocks that a running broker has reserved at the end of a `.log`, all zeros, end the dump; the original calls them corrupt.

use std::collections::BTreeMap;
use std::path::Path;

use klamm_storage::batch::{self, BatchHeader, Codec, Record, TimestampType};
use klamm_storage::inspect::{self, FileKind, FoundBatch, Rest, SegmentReader};

use super::options::{Opt, Parsed, flag, int, parse, text};
use super::{Ended, Output, complain, java, usage};

const OPTIONS: &[Opt] = &[
    flag("print-data-log"),
    flag("verify-index-only"),
    flag("index-sanity-check"),
    text("files"),
    int("max-message-size").or("5242880"),
    int("max-bytes").or("2147483647"),
    flag("deep-iteration"),
    text("value-decoder-class").optional().or(STRINGS),
    text("key-decoder-class").optional().or(STRINGS),
    flag("offsets-decoder"),
    flag("transaction-log-decoder"),
    flag("cluster-metadata-decoder"),
    flag("remote-log-metadata-decoder"),
    flag("share-group-state-decoder"),
    flag("skip-record-metadata"),
];

const STRINGS: &str = "org.apache.kafka.tools.api.StringDecoder";

/// The endings of files that are dumped; their names begin with an offset.
const ENDINGS: &[&str] = &["log", "index", "timeindex", "snapshot", "txnindex"];

/// Decoders of what brokers write for themselves; there are none here.
const OWN_DECODERS: &[&str] = &[
    "offsets-decoder",
    "transaction-log-decoder",
    "cluster-metadata-decoder",
    "remote-log-metadata-decoder",
    "share-group-state-decoder",
];

pub(super) fn run(arguments: &[String], out: &mut Output) -> Result<(), Ended> {
    let parsed = parse(OPTIONS, arguments)?;
    parsed.help_or_version(usage::DUMP_LOG, out)?;
    parsed.require(&["files"])?;
    if let Some(decoder) = OWN_DECODERS.iter().find(|decoder| parsed.has(decoder)) {
        let why =
            format!("--{decoder} is not there in this program: take it out to see the records as they are");
        return Err(Ended::Failed(why));
    }
    let mut findings = Findings::default();
    for path in java::split(parsed.value("files")?.unwrap_or_default(), ',') {
        let path = path.trim();
        out.line(format_args!("Dumping {path}"))?;
        Dump::new(&parsed)?.file(path, &mut findings, out)?;
    }
    out.flush()?;
    findings.say();
    Ok(())
}

/// How keys and values are shown.
#[derive(Clone, Copy)]
enum Decoder {
    Text,
    Int,
    Long,
}

impl Decoder {
    fn named(class: &str) -> Result<Self, Ended> {
        match class.rsplit('.').next().unwrap_or_default() {
            "StringDecoder" => Ok(Decoder::Text),
            "IntegerDecoder" => Ok(Decoder::Int),
            "LongDecoder" => Ok(Decoder::Long),
            _ => Err(Ended::Failed(format!(
                "{class} is a class of the JVM's that this program does not have: StringDecoder, IntegerDecoder and \
                 LongDecoder are there"
            ))),
        }
    }

    fn shown(self, bytes: &[u8]) -> Result<String, Ended> {
        let number = match self {
            Decoder::Text => return Ok(String::from_utf8_lossy(bytes).into_owned()),
            Decoder::Int => bytes.first_chunk().map(|four| i64::from(i32::from_be_bytes(*four))),
            Decoder::Long => bytes.first_chunk().map(|eight| i64::from_be_bytes(*eight)),
        };
        let why = || Ended::Failed(format!("{} bytes are too few for a number", bytes.len()));
        number.map(|number| number.to_string()).ok_or_else(why)
    }
}

/// What files say that does not fit together.
#[derive(Default)]
struct Findings {
    /// By the file: an offset of an index, and that of the batch there.
    mismatches: BTreeMap<String, BTreeMap<i64, i64>>,
    /// By the file: an offset, and the one that follows it.
    gaps: BTreeMap<String, BTreeMap<i64, i64>>,
}

impl Findings {
    fn say(&self) {
        for (file, offsets) in &self.mismatches {
            complain(format_args!("Mismatches in :{file}"));
            for (index, log) in offsets.iter().rev() {
                complain(format_args!("  Index offset: {index}, log offset: {log}"));
            }
        }
        for (file, offsets) in &self.gaps {
            complain(format_args!("Non-consecutive offsets in {file}"));
            for (offset, next) in offsets {
                complain(format_args!("  {offset} is followed by {next}"));
            }
        }
    }
}

struct Dump {
    contents: bool,
    deep: bool,
    skip_metadata: bool,
    sanity_only: bool,
    verify_only: bool,
    max_bytes: i32,
    key: Decoder,
    value: Decoder,
}

impl Dump {
    fn new(parsed: &Parsed) -> Result<Self, Ended> {
        let contents = parsed.count(&["print-data-log", "key-decoder-class", "value-decoder-class"]) > 0;
        let decoder = |name| Decoder::named(parsed.value(name)?.unwrap_or(STRINGS));
        Ok(Dump {
            contents,
            deep: contents || parsed.has("deep-iteration"),
            skip_metadata: parsed.has("skip-record-metadata"),
            sanity_only: parsed.has("index-sanity-check"),
            verify_only: parsed.has("verify-index-only"),
            max_bytes: parsed.int("max-bytes")?.unwrap_or(i32::MAX),
            key: decoder("key-decoder-class")?,
            value: decoder("value-decoder-class")?,
        })
    }

    fn file(&self, path: &str, findings: &mut Findings, out: &mut Output) -> Result<(), Ended> {
        let file = Path::new(path);
        let Some((base, kind)) = inspect::kind_of(file) else {
            let (stem, ending) =
                path.rsplit('/').next().unwrap_or_default().split_once('.').unwrap_or((path, ""));
            if ENDINGS.contains(&ending) {
                return Err(Ended::Failed(format!("For input string: \"{stem}\"")));
            }
            complain(format_args!("Ignoring unknown file {path}"));
            return Ok(());
        };
        let done = match kind {
            FileKind::Log => self.log(path, base, findings, out),
            FileKind::OffsetIndex => self.offset_index(path, base, findings, out),
            FileKind::TimeIndex => self.time_index(path, base, out),
            FileKind::Snapshot => snapshot(file, out),
            FileKind::TxnIndex => aborted(file, out),
        };
        done.map_err(|error| match error {
            Ended::Output(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Ended::Failed(format!("{path}: {error}"))
            }
            other => other,
        })
    }

    fn log(&self, path: &str, base: i64, findings: &mut Findings, out: &mut Output) -> Result<(), Ended> {
        out.line(format_args!("Log starting offset: {base}"))?;
        let most = u64::try_from(self.max_bytes).unwrap_or(0);
        let mut reader = SegmentReader::open(Path::new(path))?;
        let mut last = -1;
        for found in &mut reader {
            let found = found?;
            if found.position + found.batch.bytes.len() as u64 > most {
                return Ok(());
            }
            if found.batch.header.magic < 2 {
                let why = format!(
                    "the batch at {} is of format {}: only format 2 is read here",
                    found.position, found.batch.header.magic
                );
                return Err(Ended::Failed(why));
            }
            out.line(batch_line(&found))?;
            if self.deep {
                for record in
                    batch::records(&found.batch).map_err(|error| Ended::Failed(error.to_string()))?
                {
                    if record.offset != last + 1 {
                        findings.gaps.entry(path.to_owned()).or_default().insert(last, record.offset);
                    }
                    last = record.offset;
                    out.line(self.record_line(&found.batch.header, &record)?)?;
                }
            }
        }
        if let Some(Rest::NoBatch(bytes)) = reader.rest()
            && self.max_bytes == i32::MAX
        {
            let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
            out.line(format_args!("Found {bytes} invalid bytes at the end of {name}"))?;
        }
        Ok(())
    }

    fn record_line(&self, header: &BatchHeader, record: &Record) -> Result<String, Ended> {
        let mut line = String::new();
        if !self.skip_metadata {
            let size = |part: Option<usize>| part.map_or(-1, |size| i64::try_from(size).unwrap_or(i64::MAX));
            let delta = i32::try_from(record.offset.saturating_sub(header.base_offset)).unwrap_or(0);
            let sequence = match header.base_sequence {
                -1 => -1,
                first => batch::header::later_sequence(first, delta),
            };
            line = format!(
                "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
                record.offset,
                time_name(header),
                record.timestamp,
                size(record.key.as_ref().map(|key| key.len())),
                size(record.value.as_ref().map(|value| value.len())),
                java::joined(record.headers.iter().map(|(name, _)| name), ","),
            );
            if header.is_control() {
                line.push_str(&control(record));
            }
        }
        if self.contents && !header.is_control() {
            let mut before = if self.skip_metadata { "| " } else { " " };
            if let Some(key) = &record.key {
                line.push_str(&format!("{before}key: {}", self.key.shown(key)?));
                before = " ";
            }
            if let Some(value) = &record.value {
                line.push_str(&format!("{before}payload: {}", self.value.shown(value)?));
            }
        }
        Ok(line)
    }

    fn offset_index(
        &self,
        path: &str,
        base: i64,
        findings: &mut Findings,
        out: &mut Output,
    ) -> Result<(), Ended> {
        let entries = inspect::offset_index(Path::new(path), base)?;
        if entries.is_empty() {
            out.line(format_args!("{path} is empty."))?;
            return Ok(());
        }
        if self.sanity_only {
            out.line(format_args!("{path} passed sanity check."))?;
            return Ok(());
        }
        let batches = last_offsets(path)?;
        for entry in entries {
            let found = batches.get(&u64::from(entry.position)).copied().unwrap_or(-1);
            if found != entry.offset {
                findings.mismatches.entry(path.to_owned()).or_default().insert(entry.offset, found);
            }
            if !self.verify_only {
                out.line(format_args!("offset: {} position: {}", entry.offset, entry.position))?;
            }
        }
        Ok(())
    }

    fn time_index(&self, path: &str, base: i64, out: &mut Output) -> Result<(), Ended> {
        let entries = inspect::time_index(Path::new(path), base)?;
        if self.sanity_only {
            out.line(format_args!("{path} passed sanity check."))?;
            return Ok(());
        }
        let by_offset: BTreeMap<i64, i64> =
            log_batches(path)?.map(|(_, header)| (header.last_offset(), header.max_timestamp)).collect();
        let mut before = -1;
        for entry in entries {
            match by_offset.get(&entry.offset) {
                None => {
                    let next = by_offset.range(entry.offset..).next().map_or(-1, |(offset, _)| *offset);
                    complain("The following indexed offsets are not found in the log.");
                    complain(format_args!("Indexed offset: {}, found log offset: {next}", entry.offset));
                }
                Some(max) if *max != entry.timestamp => {
                    complain(format_args!("Found timestamp mismatch in :{path}"));
                    complain(format_args!("  Index timestamp: {}, log timestamp: {max}", entry.timestamp));
                }
                Some(_) if before >= entry.timestamp => {
                    complain(format_args!("Found out of order timestamp in :{path}"));
                    complain(format_args!(
                        "  Index timestamp: {}, Previously indexed timestamp: {before}",
                        entry.timestamp
                    ));
                }
                Some(_) => {}
            }
            if !self.verify_only {
                out.line(format_args!("timestamp: {} offset: {}", entry.timestamp, entry.offset))?;
            }
            before = entry.timestamp;
        }
        Ok(())
    }
}

/// The heads of the batches in the log beside an index, with their positions.
fn log_batches(index: &str) -> Result<impl Iterator<Item = (u64, BatchHeader)>, Ended> {
    let log = Path::new(index).with_extension("log");
    let reader =
        SegmentReader::open(&log).map_err(|error| Ended::Failed(format!("{}: {error}", log.display())))?;
    Ok(reader.map_while(Result::ok).map(|found| (found.position, found.batch.header)))
}

fn last_offsets(index: &str) -> Result<BTreeMap<u64, i64>, Ended> {
    Ok(log_batches(index)?.map(|(position, header)| (position, header.last_offset())).collect())
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// The attribute that says that the base timestamp is a delete horizon.
const HAS_DELETE_HORIZON: i16 = 0x40;

fn batch_line(found: &FoundBatch) -> String {
    let header = &found.batch.header;
    let codec = match Codec::from_number(header.codec()) {
        Some(Codec::None) => "none",
        Some(Codec::Gzip) => "gzip",
        Some(Codec::Snappy) => "snappy",
        Some(Codec::Lz4) => "lz4",
        Some(Codec::Zstd) => "zstd",
        None => "unknown",
    };
    let horizon = if header.attributes & HAS_DELETE_HORIZON != 0 {
        format!("OptionalLong[{}]", header.base_timestamp)
    } else {
        "OptionalLong.empty".to_owned()
    };
    let last_sequence = if header.base_sequence == -1 { -1 } else { header.last_sequence() };
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {last_sequence} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} \
         position: {} {}: {} size: {} magic: {} compresscodec: {codec} crc: {} isvalid: {}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.base_sequence,
        header.producer_id,
        header.producer_epoch,
        header.leader_epoch,
        header.is_transactional(),
        header.is_control(),
        found.position,
        time_name(header),
        header.max_timestamp,
        found.batch.bytes.len(),
        header.magic,
        header.crc,
        found.checksum_is_right,
    )
}

/// What a record says by which a transaction ends; of others the type.
fn control(record: &Record) -> String {
    let number =
        |bytes: Option<&[u8]>| bytes.and_then(|bytes| bytes.first_chunk().copied()).map(i16::from_be_bytes);
    let kind = number(record.key.as_deref().and_then(|key| key.get(2..))).unwrap_or(-1);
    let epoch = record
        .value
        .as_deref()
        .and_then(|value| value.get(2..)?.first_chunk().copied())
        .map(i32::from_be_bytes);
    match (kind, epoch) {
        (0, Some(epoch)) => format!(" endTxnMarker: ABORT coordinatorEpoch: {epoch}"),
        (1, Some(epoch)) => format!(" endTxnMarker: COMMIT coordinatorEpoch: {epoch}"),
        _ => {
            let name = match kind {
                2 => "LEADER_CHANGE",
                3 => "SNAPSHOT_HEADER",
                4 => "SNAPSHOT_FOOTER",
                5 => "KRAFT_VERSION",
                6 => "KRAFT_VOTERS",
                _ => "UNKNOWN",
            };
            format!(" controlType: {name}({kind})")
        }
    }
}

fn snapshot(file: &Path, out: &mut Output) -> Result<(), Ended> {
    for entry in inspect::producers(file)? {
        let start = entry.transaction_start;
        let open =
            start.map_or_else(|| "OptionalLong.empty".to_owned(), |offset| format!("OptionalLong[{offset}]"));
        let batch = entry.last_batch.map(|(first, last, offset)| {
            let delta = i64::from(last) - i64::from(first);
            let at = entry.last_timestamp;
            format!(" firstSequence: {first} lastSequence: {last} lastOffset: {offset} offsetDelta: {delta} timestamp: {at}")
        });
        out.line(format_args!(
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {open} lastTimestamp: {}{}",
            entry.producer_id,
            entry.producer_epoch,
            entry.coordinator_epoch,
            entry.last_timestamp,
            batch.unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// The length of an entry of an index of aborted transactions.
const ABORTED_BYTES: usize = 34;

fn aborted(file: &Path, out: &mut Output) -> Result<(), Ended> {
    let bytes = std::fs::read(file)?;
    for entry in bytes.chunks_exact(ABORTED_BYTES) {
        let long = |at: usize| {
            entry.get(at..).and_then(|rest| rest.first_chunk().copied()).map_or(-1, i64::from_be_bytes)
        };
        let version = entry.first_chunk().copied().map_or(-1, i16::from_be_bytes);
        out.line(format_args!(
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            long(2),
            long(10),
            long(18),
            long(26)
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_those_of_the_usage() {
        super::super::options::assert_described(OPTIONS, usage::DUMP_LOG);
    }
}

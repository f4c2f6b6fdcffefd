//! Indexes and snapshots: files that are read whole.

use std::io;

use klamm_storage::inspect::{self, FileKind};
use serde_json::json;

use super::{Dump, File};
use crate::cli::error::Failure;
use crate::cli::output::Output;
use crate::cli::times;

/// An entry, for people and for programs.
type Row = (String, serde_json::Value);

impl Dump {
    /// Shows an index or a snapshot. False if it is damaged.
    pub(super) fn small_file(
        &self,
        out: &mut Output,
        file: &File<'_>,
        kind: FileKind,
    ) -> Result<bool, Failure> {
        let rows = match self.rows(file, kind) {
            Ok(rows) => rows,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                match self.form.json {
                    true => {
                        out.json(&json!({ "kind": "damage", "file": file.path, "what": error.to_string() }))?
                    }
                    false => out.line(format_args!("  damaged: {error}"))?,
                }
                return Ok(false);
            }
            Err(error) => return Err(format!("cannot read {}: {error}", file.path.display()).into()),
        };
        if rows.is_empty() && !self.form.json {
            out.line("  no entries")?;
        }
        for (line, mut row) in rows {
            if !self.form.json {
                out.line(format_args!("  {line}"))?;
                continue;
            }
            row["file"] = json!(file.path);
            out.json(&row)?;
        }
        Ok(true)
    }

    fn rows(&self, file: &File<'_>, kind: FileKind) -> io::Result<Vec<Row>> {
        let (path, base) = (file.path, file.base_offset);
        Ok(match kind {
            FileKind::OffsetIndex => inspect::offset_index(path, base)?
                .into_iter()
                .filter(|entry| self.wants(entry.offset))
                .map(offset_row)
                .collect(),
            FileKind::TimeIndex => inspect::time_index(path, base)?
                .into_iter()
                .filter(|entry| self.wants(entry.offset))
                .map(time_row)
                .collect(),
            FileKind::TxnIndex => inspect::aborted_transactions(path)?
                .into_iter()
                .filter(|entry| self.wants(entry.last_offset))
                .map(transaction_row)
                .collect(),
            FileKind::Snapshot => inspect::producers(path)?.into_iter().map(producer_row).collect(),
            // Logs are read batch by batch, elsewhere.
            FileKind::Log => Vec::new(),
        })
    }
}

fn offset_row(entry: inspect::PositionOfOffset) -> Row {
    let inspect::PositionOfOffset { offset, position } = entry;
    (
        format!("offset {offset}  position {position}"),
        json!({ "kind": "offset_index_entry", "offset": offset, "position": position }),
    )
}

fn time_row(entry: inspect::OffsetOfTime) -> Row {
    let inspect::OffsetOfTime { timestamp, offset } = entry;
    (
        format!("timestamp {timestamp} ({})  offset {offset}", times::show(timestamp)),
        json!({ "kind": "time_index_entry", "timestamp": timestamp, "offset": offset }),
    )
}

fn transaction_row(entry: inspect::AbortedTransaction) -> Row {
    let inspect::AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset } = entry;
    (
        format!(
            "aborted: producer {producer_id}  offsets {first_offset} to {last_offset}  last stable offset {last_stable_offset}"
        ),
        json!({
            "kind": "aborted_transaction",
            "producer_id": producer_id,
            "first_offset": first_offset,
            "last_offset": last_offset,
            "last_stable_offset": last_stable_offset,
        }),
    )
}

fn producer_row(entry: inspect::ProducerEntry) -> Row {
    let mut line = format!(
        "producer {} epoch {}  coordinator epoch {}  last written {}",
        entry.producer_id,
        entry.producer_epoch,
        entry.coordinator_epoch,
        times::show(entry.last_timestamp)
    );
    if let Some((first, last, offset)) = entry.last_batch {
        line.push_str(&format!("  last batch: sequence {first} to {last}, last offset {offset}"));
    }
    if let Some(start) = entry.transaction_start {
        line.push_str(&format!("  transaction open since offset {start}"));
    }
    let (first_sequence, last_sequence, last_offset) = entry
        .last_batch
        .map_or((None, None, None), |(first, last, offset)| (Some(first), Some(last), Some(offset)));
    let row = json!({
        "kind": "producer",
        "producer_id": entry.producer_id,
        "producer_epoch": entry.producer_epoch,
        "coordinator_epoch": entry.coordinator_epoch,
        "transaction_start": entry.transaction_start,
        "last_timestamp": entry.last_timestamp,
        "last_batch_first_sequence": first_sequence,
        "last_batch_last_sequence": last_sequence,
        "last_batch_last_offset": last_offset,
    });
    (line, row)
}

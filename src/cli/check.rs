//! `klamm check`: whether the files of a data folder are in order.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use klamm_storage::inspect::{self, Checked, Finding};
use serde_json::json;

use super::output::{Form, Output, bytes, count, grouped};

// What `klamm check` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The data folder of a broker, Klamm's or Apache Kafka's, or the folder of one partition in it. Best while the broker
    /// is stopped: the newest batch of a running one may look cut off.
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    #[command(flatten)]
    form: Form,
}

impl Check {
    /// Reads every batch and every index, and says what is wrong. Fails if something is that a broker does not put
    /// right by itself.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let told = |error: std::io::Error| format!("cannot read {}: {error}", self.folder.display());
        let mut found = Vec::new();
        if is_partition(&self.folder).map_err(told)? {
            found.push((self.folder.clone(), inspect::check_partition(&self.folder).map_err(told)?));
        } else {
            inspect::check_folder(&self.folder, |path, checked| {
                found.push((path.to_owned(), checked.clone()))
            })
            .map_err(told)?;
            if found.iter().all(|(_, checked)| checked.segments == 0) && !is_data_folder(&self.folder) {
                let folder = self.folder.display();
                return Err(format!(
                    "{folder} is no data folder of a broker: it has no partition in it; \
                                    give the folder of --data-dir, or of log.dirs"
                )
                .into());
            }
        }
        let damaged =
            found.iter().flat_map(|(_, checked)| &checked.findings).any(|finding| !finding.repairable);
        let mut out = Output::new();
        if self.form.json {
            write_json(&mut out, &found)?
        } else {
            write_text(&mut out, &found)?
        }
        out.flush()?;
        Ok(if damaged { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// Whether segments lie in the folder itself.
fn is_partition(folder: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        if inspect::kind_of(&entry?.path()).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_data_folder(folder: &Path) -> bool {
    folder.join("meta.properties").exists()
}

fn write_json(out: &mut Output, found: &[(PathBuf, Checked)]) -> std::io::Result<()> {
    for (path, checked) in found {
        let findings: Vec<_> = checked.findings.iter().map(finding_as_json).collect();
        out.json(&json!({
            "path": path,
            "segments": checked.segments,
            "batches": checked.batches,
            "records": checked.records,
            "bytes": checked.bytes,
            "first_offset": checked.first_offset,
            "end_offset": checked.end_offset,
            "findings": findings,
        }))?;
    }
    Ok(())
}

fn finding_as_json(finding: &Finding) -> serde_json::Value {
    json!({
        "file": finding.file,
        "position": finding.position,
        "what": finding.what,
        "repairable": finding.repairable,
    })
}

fn write_text(out: &mut Output, found: &[(PathBuf, Checked)]) -> std::io::Result<()> {
    let head = ["PARTITION", "SEGMENTS", "BATCHES", "RECORDS", "SIZE", "OFFSETS", ""];
    let logs: Vec<_> = found.iter().filter(|(_, checked)| checked.segments > 0).collect();
    out.table(&head, &[1, 2, 3, 4], logs.iter().map(|(path, checked)| row(path, checked)))?;
    let findings: Vec<_> = found.iter().flat_map(|(_, checked)| &checked.findings).collect();
    for finding in &findings {
        let at = finding.position.map_or_else(String::new, |at| format!(" (at byte {at})"));
        let repair = if finding.repairable { "; the broker puts that right when it starts" } else { "" };
        out.line(format_args!("{}{at} {}{repair}", finding.file.display(), finding.what))?;
    }
    let damage = findings.iter().filter(|finding| !finding.repairable).count();
    let records: u64 = logs.iter().map(|(_, checked)| checked.records).sum();
    let all = format!("{} with {}", count(logs.len() as u64, "partition"), count(records, "record"));
    out.line(match (damage, findings.len()) {
        (0, 0) => format!("{all}: in order"),
        (0, _) => format!("{all}: nothing is wrong that a broker would not put right"),
        (damage, _) => format!("{all}: damaged in {}", count(damage as u64, "place")),
    })
}

fn row(path: &Path, checked: &Checked) -> Vec<String> {
    let offsets = match (checked.first_offset, checked.end_offset) {
        (Some(first), Some(end)) => format!("{first} to {}", end - 1),
        _ => "none".to_owned(),
    };
    let state =
        match (checked.findings.iter().any(|finding| !finding.repairable), checked.findings.is_empty()) {
            (true, _) => "DAMAGED",
            (false, true) => "ok",
            (false, false) => "repairable",
        };
    vec![
        path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        grouped(checked.segments as u64),
        grouped(checked.batches),
        grouped(checked.records),
        bytes(checked.bytes),
        offsets,
        state.to_owned(),
    ]
}

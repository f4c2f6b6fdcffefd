//! What `klamm consume` takes, and what it means.

use klamm::OffsetReset;

use crate::cli::connect::ConnectArgs;
use crate::cli::data::delimiter;
use crate::cli::data::options::Isolation;
use crate::cli::data::places::{self, Start};
use crate::cli::data::render::{Plain, Render};
use crate::cli::data::template::Template;
use crate::cli::error::{Failure, Usage};
use crate::cli::times;

// What `klamm consume` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  klamm consume orders                                from the first record on, and then as records come
  klamm consume orders -n 10                          the last ten of each partition
  klamm consume orders --since -1h --exit-eof --json  the last hour's, as JSON
  klamm consume orders -f '%t[%p]@%o %k=%s\\n'         in kcat's tokens
  klamm consume orders --group billing                as a member of a group, which commits")]
pub(crate) struct Consume {
    /// The topics.
    #[arg(value_name = "TOPIC", required = true)]
    pub(super) topics: Vec<String>,

    /// Topics are regular expressions for whole names.
    #[arg(long)]
    pub(super) regex: bool,

    /// These partitions only: 0,2,4-6.
    #[arg(short = 'p', long = "partition", value_name = "LIST", value_parser = Numbers::parse)]
    partitions: Option<Numbers>,

    /// Where to begin: beginning, end, an offset, or -N for N before the end. [default: beginning, or where --group stands]
    #[arg(
        short = 'o',
        long,
        value_name = "WHERE",
        value_parser = Start::parse,
        allow_hyphen_values = true,
        conflicts_with_all = ["tail", "since"]
    )]
    offset: Option<Start>,

    /// The last N records of each partition, and no more unless --follow is given.
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "since", value_parser = clap::value_parser!(u32))]
    tail: Option<u32>,

    /// Begin at the first record of this time or later: milliseconds since 1970, 2026-11-21T17:30:00Z, or -15m.
    #[arg(long, value_name = "TIME", value_parser = times::moment, allow_hyphen_values = true)]
    since: Option<i64>,

    /// End before the first record of this time or later.
    #[arg(long, value_name = "TIME", value_parser = times::moment, allow_hyphen_values = true)]
    pub(super) until: Option<i64>,

    /// Read as a member of this group, and commit to it; with --partition or a place to begin: without joining it.
    #[arg(short = 'G', long, value_name = "GROUP")]
    pub(super) group: Option<String>,

    /// Stop after so many records.
    #[arg(short = 'c', long, value_name = "N")]
    pub(super) count: Option<u64>,

    /// Stop where the topics end now. Without it records are written as they come.
    #[arg(short = 'e', long)]
    exit_eof: bool,

    /// Go on as records come, also with --tail.
    #[arg(long, conflicts_with = "exit_eof")]
    follow: bool,

    /// How records are written: text, json, hex, or a format string with kcat's tokens (%t topic, %p partition, %o offset,
    /// %k key, %s value, %T timestamp, %h headers, %K and %S lengths).
    #[arg(short = 'f', long, value_name = "FORM", default_value = "text")]
    format: String,

    /// The same as --format json: one object a line with topic, partition, offset, timestamp, key, value, headers.
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,

    /// Write keys too, and this between key and value (escapes: \t, \x00).
    #[arg(short = 'K', long, value_name = "TEXT")]
    key_separator: Option<String>,

    /// What ends a record in text and hex (escapes: \0, \x1e). [default: \n]
    #[arg(short = 'D', long, value_name = "TEXT")]
    delimiter: Option<String>,

    /// What stands for keys and values that are null. [default: nothing]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,

    /// The same as --null NULL.
    #[arg(short = 'Z', conflicts_with = "null")]
    null_as_word: bool,

    /// What is seen of transactions. [default: read_uncommitted]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(super) isolation_level: Option<Isolation>,

    /// Write each record as soon as it is there, in a piece of its own.
    #[arg(short = 'u', long)]
    pub(super) unbuffered: bool,

    /// Say nothing of what was done, even where a person watches.
    #[arg(short = 'q', long)]
    pub(super) quiet: bool,

    #[command(flatten)]
    pub(super) connect: ConnectArgs,
}

/// Numbers of partitions.
#[derive(Debug, Clone)]
struct Numbers(Vec<i32>);

impl Numbers {
    fn parse(text: &str) -> Result<Numbers, String> {
        places::parse_partitions(text).map(Numbers)
    }
}

impl Consume {
    pub(super) fn partitions(&self) -> Vec<i32> {
        self.partitions.as_ref().map(|numbers| numbers.0.clone()).unwrap_or_default()
    }

    /// Whether it was said where to begin.
    pub(super) fn says_where(&self) -> bool {
        self.offset.is_some() || self.tail.is_some() || self.since.is_some()
    }

    /// Where to begin.
    pub(super) fn start(&self) -> Start {
        match (self.offset, self.tail, self.since) {
            (Some(start), ..) => start,
            (_, Some(count), _) => Start::Tail(count.into()),
            (_, _, Some(time)) => Start::Time(time),
            _ => Start::Beginning,
        }
    }

    /// Where a group begins that has committed nothing.
    pub(super) fn reset(&self) -> OffsetReset {
        if self.offset == Some(Start::End) { OffsetReset::Latest } else { OffsetReset::Earliest }
    }

    /// Whether a group is joined that shares partitions out. What names partitions or offsets reads by hand.
    pub(super) fn joins_group(&self) -> bool {
        let by_reset = matches!(self.start(), Start::Beginning | Start::End) && self.tail.is_none();
        self.group.is_some() && self.partitions.is_none() && self.until.is_none() && by_reset
    }

    /// Whether to stop where topics end now.
    pub(super) fn ends(&self) -> bool {
        self.exit_eof || (self.tail.is_some() && !self.follow)
    }

    pub(super) fn render(&self) -> Result<Render, Failure> {
        let wrong = |option: &str, why: String| Usage::failure(format!("{option} cannot be: {why}"));
        let escaped = |option: &str, text: &Option<String>| {
            text.as_deref().map(delimiter::unescape).transpose().map_err(|why| wrong(option, why))
        };
        let null = match (&self.null, self.null_as_word) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, true) => b"NULL".to_vec(),
            (None, false) => Vec::new(),
        };
        let form = if self.json { "json" } else { self.format.as_str() };
        let hex = match form {
            "text" => false,
            "hex" => true,
            "json" => return Ok(Render::Json),
            template if template.contains(['%', '\\']) => {
                let template = Template::parse(template).map_err(|why| wrong("--format", why))?;
                return Ok(Render::Template { template, null });
            }
            other => {
                let why = format!(
                    "'{other}' is no form; give text, json, hex, or a format string such as '%o %s\\n'"
                );
                return Err(wrong("--format", why));
            }
        };
        Ok(Render::Plain(Plain {
            hex,
            key_separator: escaped("--key-separator", &self.key_separator)?,
            delimiter: escaped("--delimiter", &self.delimiter)?.unwrap_or_else(|| b"\n".to_vec()),
            null,
        }))
    }
}

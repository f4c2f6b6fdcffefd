//! What differs from run to run is replaced by placeholders, numbered by first appearance within a scenario.
//! Each rule says why; nothing else of an answer is changed.

use super::tree::Tree;
use std::time::{SystemTime, UNIX_EPOCH};

/// Lists whose order in Kafka is that of a hash table (of names or of random ids): API key, list, field to
/// sort by. Inner lists come first.
pub(crate) const UNORDERED: [(i16, &str, &str); 21] = [
    (0, "partition_responses", "index"),
    (0, "responses", "name"),
    (2, "partitions", "partition_index"),
    (2, "topics", "name"),
    (3, "topics", "name"),
    (11, "members", "metadata"),
    (15, "groups", "group_id"),
    (15, "members", "member_metadata"),
    (16, "groups", "group_id"),
    (18, "api_keys", "api_key"),
    (18, "supported_features", "name"),
    (19, "configs", "name"),
    (21, "partitions", "partition_index"),
    (21, "topics", "name"),
    (32, "configs", "name"),
    (37, "results", "name"),
    (42, "results", "group_id"),
    (33, "responses", "resource_name"),
    (44, "responses", "resource_name"),
    (74, "config_resources", "resource_name"),
    (47, "topics", "name"),
];

/// Replaces what cannot be the same twice.
pub(crate) struct Normaliser {
    port: u16,
    /// The broker compresses anew: what a codec makes of the same bytes depends on its library, so records are
    /// compared decompressed and their lengths left out.
    pub(crate) recompressed: bool,
    seen: Vec<(&'static str, String)>,
}

/// Broker configs that have to be set, or are set by the scripts, to run Kafka as one node: addresses, paths, roles,
/// internal topics. What they are, and that they were set, says nothing of how a broker answers.
const LOCAL_CONFIGS: [&str; 12] = [
    "advertised.listeners",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.voters",
    "inter.broker.listener.name",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "metadata.log.dir",
    "offsets.topic.num.partitions",
    "transaction.state.log.num.partitions",
];

/// Replaces value and source of such configs wherever they are described.
pub(crate) fn hide_local_configs(tree: &mut Tree) {
    match tree {
        Tree::List(items) => items.iter_mut().for_each(hide_local_configs),
        Tree::Struct(fields) => {
            let local = |(field, value): &(String, Tree)| matches!(value, Tree::Text(n) if field == "name" && LOCAL_CONFIGS.contains(&n.as_str()));
            if fields.iter().any(local) {
                let shown = fields
                    .iter_mut()
                    .filter(|(name, _)| matches!(name.as_str(), "value" | "config_source" | "synonyms"));
                shown.for_each(|(_, value)| *value = Tree::Word("<local>".to_string()));
            } else {
                fields.iter_mut().for_each(|(_, value)| hide_local_configs(value));
            }
        }
        _ => {}
    }
}

impl Normaliser {
    pub(crate) fn new(port: u16) -> Normaliser {
        Normaliser { port, recompressed: false, seen: Vec::new() }
    }

    /// A number, truth value or id.
    pub(crate) fn word(&mut self, name: &str, word: &str) -> String {
        match name {
            // Handed out in blocks that outlive a scenario.
            "producer_id" if word.parse::<i64>().is_ok_and(|id| id >= 0) => self.number("producer-id", word),
            // Drawn at random.
            "session_id" if word != "0" => self.number("session", word),
            // Port 0 is asked for.
            "port" if word.parse() == Ok(self.port) => "<port>".to_string(),
            // The offset in Kafka's metadata log: how much has happened before.
            "finalized_features_epoch" if word.parse::<i64>().is_ok_and(|n| n > 0) => {
                "<features-epoch>".to_string()
            }
            // The disk below.
            "total_bytes" | "usable_bytes" if word.parse::<i64>().is_ok_and(|n| n > 0) => {
                "<disk>".to_string()
            }
            _ if is_clock(word) => "<clock>".to_string(),
            _ => self.uuids(word),
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> String {
        match name {
            // Drawn at random when a cluster is formatted.
            "cluster_id" if text.len() == 22 => "<cluster-id>".to_string(),
            // A path of the machine.
            "log_dir" => "<log-dir>".to_string(),
            _ => clocks(&self.uuids(text)),
        }
    }

    /// A clock value of a record batch.
    pub(crate) fn timestamp(&self, timestamp: i64) -> String {
        let text = timestamp.to_string();
        if is_clock(&text) { "<clock>".to_string() } else { text }
    }

    /// The placeholder of a value, the same for the same value.
    pub(crate) fn number(&mut self, kind: &'static str, value: &str) -> String {
        let same = |(k, v): &(&str, String)| *k == kind && v == value;
        if !self.seen.iter().any(same) {
            self.seen.push((kind, value.to_string()));
        }
        let of_kind = self.seen.iter().filter(|(k, _)| *k == kind);
        let index = of_kind.take_while(|entry| !same(entry)).count() + 1;
        format!("<{kind}#{index}>")
    }

    /// Topic ids and the random part of member ids: drawn at random. The ids that mean something (all zero but
    /// for the last digit) stay.
    fn uuids(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = find_uuid(rest) {
            let uuid = &rest[at..at + 36];
            out.push_str(&rest[..at]);
            if uuid.starts_with("00000000-0000-0000-0000-") {
                out.push_str(uuid);
            } else {
                out.push_str(&self.number("uuid", uuid));
            }
            rest = &rest[at + 36..];
        }
        out.push_str(rest);
        out
    }
}

/// Texts of errors name the time.
fn clocks(text: &str) -> String {
    let mut out = String::new();
    let part_of_number = |c: char| c.is_ascii_digit() || c == '-';
    for piece in text.split_inclusive(|c: char| !part_of_number(c)) {
        let digits = piece.trim_end_matches(|c: char| !part_of_number(c));
        if is_clock(digits) {
            out.push_str("<clock>");
            out.push_str(&piece[digits.len()..]);
        } else {
            out.push_str(piece);
        }
    }
    out
}

/// Whether a number is a time within two hours of now (limits on timestamps are an hour off), or that less the
/// largest number there is (a limit that is none).
fn is_clock(word: &str) -> bool {
    let Ok(number) = word.parse::<i64>() else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let Ok(now) = i64::try_from(now) else { return false };
    [now, now - i64::MAX].into_iter().any(|time| number.abs_diff(time) < 7_200_000)
}

fn find_uuid(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(35)).find(|&at| {
        bytes[at..at + 36].iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
    })
}

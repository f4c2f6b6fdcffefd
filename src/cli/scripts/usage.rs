//! The usage texts of the scripts: what Apache Kafka 4.3.1 (Apache License 2.0) prints for `--help`, as data.
//!
//! The first line of a text is the sentence that `--help` begins with; the table below it is without the spaces at the
//! ends of its lines, which `width` puts back.

/// A script's usage.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    text: &'static str,
    /// How wide every line of the table is; none where lines are as long as they are.
    width: Option<usize>,
}

macro_rules! usages {
    ($($name:ident = $file:literal, $width:expr;)*) => {
        $(pub(super) const $name: Usage = Usage { text: include_str!(concat!("usage/", $file, ".txt")), width: $width };)*
    };
}

usages! {
    TOPICS = "kafka-topics", Some(80);
    GROUPS = "kafka-consumer-groups", Some(79);
    CONFIGS = "kafka-configs", Some(78);
    OFFSETS = "kafka-get-offsets", Some(79);
    DELETE_RECORDS = "kafka-delete-records", Some(77);
    LOG_DIRS = "kafka-log-dirs", Some(78);
    API_VERSIONS = "kafka-broker-api-versions", Some(76);
    CONSOLE_PRODUCER = "kafka-console-producer", Some(80);
    CONSOLE_CONSUMER = "kafka-console-consumer", Some(80);
    PRODUCER_PERF = "kafka-producer-perf-test", None;
    CONSUMER_PERF = "kafka-consumer-perf-test", Some(79);
    DUMP_LOG = "kafka-dump-log", Some(80);
}

impl Usage {
    /// The sentence that `--help` begins with.
    pub(super) fn sentence(self) -> &'static str {
        self.text.split_once('\n').map_or(self.text, |(first, _)| first)
    }

    /// All of it, as it is.
    pub(super) fn whole(self) -> &'static str {
        self.text
    }

    /// The table of the options.
    pub(super) fn table(self) -> String {
        let mut table = String::with_capacity(self.text.len() * 2);
        for line in self.text.lines().skip(1) {
            // What the original draws by lot for each run.
            table.push_str(&line.replace("NNNNN", "00000"));
            let length = line.chars().count();
            table
                .extend(std::iter::repeat_n(' ', self.width.map_or(0, |width| width.saturating_sub(length))));
            table.push('\n');
        }
        table
    }

    /// The names of the options in the table.
    #[cfg(test)]
    pub(super) fn options(self) -> Vec<&'static str> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("--"));
        let names = lines.filter_map(|line| line.split([' ', '\n']).next());
        names.filter(|name| !name.is_empty() && !name.starts_with('-')).collect()
    }
}

//! Where Klamm's answers differ from Apache Kafka's on purpose. SUPPORTED_APIS.md says the same, with these reasons.

use super::recording::Difference;
use super::target::Target;

/// A difference that is meant: the scenarios where it occurs, a part of the steps' names, a part of the fields'
/// names, and why.
pub(crate) struct Deliberate {
    pub(crate) scenarios: &'static [&'static str],
    pub(crate) step: &'static str,
    pub(crate) field: &'static str,
    /// Only a broker without a disk differs.
    pub(crate) in_memory_only: bool,
    pub(crate) reason: &'static str,
}

/// All of them.
pub(crate) const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        scenarios: &["versions_advertised", "frames_trailing", "frames_unknown_tags"],
        step: "ApiVersions",
        field: "_features[",
        in_memory_only: false,
        reason: "ApiVersions names the feature `metadata.version` alone: the others stand for what Klamm does not serve \
                 (transactions' second version, the consumer group protocol, share and streams groups)",
    },
    Deliberate {
        scenarios: &["configs_of_topics"],
        step: "documentation",
        field: "documentation",
        in_memory_only: false,
        reason: "DescribeConfigs gives no documentation: the text is Apache Kafka's",
    },
    Deliberate {
        scenarios: &["cluster_log_dirs", "frames_trailing", "frames_unknown_tags"],
        step: "DescribeLogDirs",
        field: "_bytes",
        in_memory_only: true,
        reason: "DescribeLogDirs of a broker in memory says -1 (not known) for the size of the disk and what is free: \
                 there is no disk",
    },
    Deliberate {
        scenarios: &["produce_null_records"],
        step: "null records",
        field: "(outcome)",
        in_memory_only: false,
        reason: "Produce without records gets no answer, as in Kafka; there the connection is stuck from then on, here it \
                 goes on",
    },
];

impl Deliberate {
    /// Whether it is to be expected of a scenario that is played against this broker.
    pub(crate) fn applies(&self, scenario: &str, target: &Target) -> bool {
        self.scenarios.contains(&scenario) && !target.shared && (target.in_memory || !self.in_memory_only)
    }

    /// Whether a difference is this one.
    pub(crate) fn covers(&self, difference: &Difference) -> bool {
        difference.step.contains(self.step) && difference.field.contains(self.field)
    }
}

#[test]
fn supported_apis_lists_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/SUPPORTED_APIS.md");
    let text = std::fs::read_to_string(path).expect("the file is there");
    let listed = text.split_once("## Differences on purpose").expect("it has the section").1;
    let listed: String = listed.split_whitespace().collect::<Vec<_>>().join(" ");
    for meant in DELIBERATE {
        assert!(listed.contains(meant.reason), "SUPPORTED_APIS.md says: {}", meant.reason);
    }
}

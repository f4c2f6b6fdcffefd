//! Where Klamm's answers differ from Apache Kafka's on purpose. SUPPORTED_APIS.md says the same, with these reasons.

use super::recording::Difference;

/// A difference that is meant: scenario, a part of the step's name, a part of the field, and why.
pub(crate) struct Deliberate {
    pub(crate) scenario: &'static str,
    pub(crate) step: &'static str,
    pub(crate) field: &'static str,
    pub(crate) reason: &'static str,
}

/// All of them.
pub(crate) const DELIBERATE: &[Deliberate] = &[
    Deliberate {
        scenario: "configs_of_topics",
        step: "documentation",
        field: "documentation",
        reason: "Kafka's texts are its own; a config has no documentation here",
    },
    Deliberate {
        scenario: "cluster_log_dirs",
        step: "DescribeLogDirs v4",
        field: "_bytes",
        reason: "a broker in memory has no disk whose space it could tell",
    },
];

impl Deliberate {
    /// Whether a difference is this one.
    pub(crate) fn covers(&self, scenario: &str, difference: &Difference) -> bool {
        self.scenario == scenario
            && difference.step.contains(self.step)
            && difference.field.contains(self.field)
    }
}

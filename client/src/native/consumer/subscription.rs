//! What a consumer is to read: topics by name or pattern, shared with its group, or partitions given by hand.

use std::sync::Arc;

use regex::Regex;

use crate::error::{ClientError, ErrorKind};
use crate::record::TopicPartition;

/// What a member of a group subscribes to.
#[derive(Debug, Clone)]
pub(crate) enum Subscription {
    /// These topics, whether they exist yet or not.
    Topics(Vec<Arc<str>>),
    /// All topics whose whole names match, those too that are created later.
    Pattern(Regex),
}

impl Subscription {
    /// All topics whose whole names match.
    ///
    /// # Errors
    /// If `pattern` is no regular expression.
    pub(crate) fn pattern(pattern: &str) -> Result<Self, ClientError> {
        Regex::new(&format!("^(?:{pattern})$")).map(Subscription::Pattern).map_err(|error| {
            ClientError::new(
                ErrorKind::InvalidArgument,
                format!("subscribing to the pattern '{pattern}'"),
                error.to_string(),
            )
        })
    }

    /// Whether a topic is part of it; `internal` ones only by name or where they are not excluded.
    pub(super) fn matches(&self, topic: &str, internal: bool, exclude_internal: bool) -> bool {
        match self {
            Subscription::Topics(topics) => topics.iter().any(|known| &**known == topic),
            Subscription::Pattern(pattern) => pattern.is_match(topic) && !(internal && exclude_internal),
        }
    }
}

/// Where a partition that was given by hand is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// From what the group has committed, where there is a group; else as `auto_offset_reset` says.
    Committed,
    At(crate::backend::SeekTo),
}

/// A partition that is given by hand, and where it is read from.
pub(crate) type Assigned = (TopicPartition, Start);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_whole_names() {
        let pattern = Subscription::pattern("orders|pay.*").unwrap();
        for (topic, matches) in [("orders", true), ("orders-2", false), ("payments", true), ("repay", false)]
        {
            assert_eq!(pattern.matches(topic, false, true), matches, "{topic}");
        }
        let all = Subscription::pattern(".*").unwrap();
        assert!(!all.matches("__consumer_offsets", true, true));
        assert!(all.matches("__consumer_offsets", true, false));
        let error = Subscription::pattern("(").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

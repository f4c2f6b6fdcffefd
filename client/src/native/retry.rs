//! What to do about an error that a broker answered with, and how long to wait before trying again.

use std::time::Duration;

use kafka_protocol::error::ResponseError;

/// What makes a request worth sending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing: it will fail again.
    None,
    /// Time.
    Wait,
    /// Asking who leads the partition now, or whether it is there at all.
    RefreshMetadata,
    /// Asking who coordinates the group or the transaction now.
    FindCoordinator,
}

/// What makes a request that was answered so worth sending again.
pub(crate) fn remedy(code: ResponseError) -> Remedy {
    match code {
        ResponseError::NotLeaderOrFollower
        | ResponseError::LeaderNotAvailable
        | ResponseError::UnknownTopicOrPartition
        | ResponseError::UnknownTopicId
        | ResponseError::InconsistentTopicId
        | ResponseError::FencedLeaderEpoch
        | ResponseError::UnknownLeaderEpoch
        | ResponseError::ReplicaNotAvailable
        | ResponseError::KafkaStorageError
        | ResponseError::ListenerNotFound
        | ResponseError::NotController => Remedy::RefreshMetadata,
        ResponseError::NotCoordinator | ResponseError::CoordinatorNotAvailable => Remedy::FindCoordinator,
        code if code.is_retriable() => Remedy::Wait,
        _ => Remedy::None,
    }
}

/// Pauses that double from one attempt to the next, up to a most, each longer or shorter by a fifth at random, so that
/// many who lost the same broker do not come back at the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Backoff { first, most: most.max(first), attempts: 0 }
    }

    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.first.saturating_mul(2_u32.saturating_pow(self.attempts)).min(self.most);
        self.attempts = self.attempts.saturating_add(1);
        pause.mul_f64(rand::random_range(0.8..1.2))
    }

    /// Begins anew with the first.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_remedy() {
        assert_eq!(remedy(ResponseError::NotLeaderOrFollower), Remedy::RefreshMetadata);
        assert_eq!(remedy(ResponseError::NotCoordinator), Remedy::FindCoordinator);
        assert_eq!(remedy(ResponseError::CoordinatorLoadInProgress), Remedy::Wait);
        assert_eq!(remedy(ResponseError::NotEnoughReplicas), Remedy::Wait);
        assert_eq!(remedy(ResponseError::TopicAuthorizationFailed), Remedy::None);
        assert_eq!(remedy(ResponseError::Unknown(4321)), Remedy::None);
    }

    #[test]
    fn pauses_double_up_to_the_most() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for expected in [100, 200, 350, 350] {
            let pause = backoff.next().as_millis();
            assert!((expected * 79 / 100..=expected * 121 / 100).contains(&pause), "{pause} for {expected}");
        }
        backoff.reset();
        assert!(backoff.next() < Duration::from_millis(121));
        for _ in 0..100 {
            backoff.next();
        }
    }
}

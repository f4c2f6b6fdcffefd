//! The leader epochs of a log and where each begins: `leader-epoch-checkpoint`, in Kafka's format.

use crate::checkpoint::{self, Malformed};

/// The name of the file.
pub(crate) const FILE: &str = "leader-epoch-checkpoint";

/// An epoch, and the offset at which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochStart {
    pub(crate) epoch: i32,
    pub(crate) start_offset: i64,
}

/// The epochs of a log, in increasing order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeaderEpochs(Vec<EpochStart>);

impl LeaderEpochs {
    /// All of them, in increasing order.
    pub(crate) fn entries(&self) -> &[EpochStart] {
        &self.0
    }

    /// The latest epoch, if there is one.
    pub(crate) fn latest(&self) -> Option<i32> {
        self.0.last().map(|last| last.epoch)
    }

    /// Notes that `epoch` begins at `start_offset`, if it is later than all before. Says whether that is news.
    pub(crate) fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 || self.latest().is_some_and(|latest| latest >= epoch) {
            return false;
        }
        // An epoch in which nothing was written is not to be told from the one after it.
        self.0.retain(|entry| entry.start_offset < start_offset);
        self.0.push(EpochStart { epoch, start_offset });
        true
    }

    /// The offset behind the last record of `epoch`, and the epoch that this is true of: the one asked for, or the
    /// latest before it. Both are -1 where there is no answer.
    pub(crate) fn end_offset(&self, epoch: i32, log_end_offset: i64) -> (i32, i64) {
        if epoch < 0 {
            return (-1, -1);
        }
        if self.latest() == Some(epoch) {
            return (epoch, log_end_offset);
        }
        let above = self.0.partition_point(|entry| entry.epoch <= epoch);
        let Some(next) = self.0.get(above) else { return (-1, -1) };
        let floor = above.checked_sub(1).and_then(|index| self.0.get(index));
        (floor.map_or(epoch, |floor| floor.epoch), next.start_offset)
    }

    /// Forgets what lies before the log start offset.
    pub(crate) fn truncate_start(&mut self, log_start_offset: i64) -> bool {
        let below = self.0.partition_point(|entry| entry.start_offset <= log_start_offset);
        let Some(last_below) = below.checked_sub(1) else { return false };
        let before = self.0.clone();
        self.0.drain(..last_below);
        if let Some(first) = self.0.first_mut() {
            first.start_offset = log_start_offset;
        }
        self.0 != before
    }

    /// Forgets what lies behind the log end offset.
    pub(crate) fn truncate_end(&mut self, log_end_offset: i64) {
        self.0.retain(|entry| entry.start_offset <= log_end_offset);
    }

    pub(crate) fn to_text(&self) -> String {
        checkpoint::to_text(self.0.iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset)))
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, Malformed> {
        let entries = checkpoint::entries(text)?.map(|line| {
            let (epoch, start_offset) = line.split_once(' ')?;
            Some(EpochStart { epoch: epoch.parse().ok()?, start_offset: start_offset.parse().ok()? })
        });
        let mut epochs = LeaderEpochs::default();
        for entry in entries {
            let entry = entry.ok_or(Malformed)?;
            epochs.assign(entry.epoch, entry.start_offset);
        }
        Ok(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs() -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start) in [(1, 0), (3, 10), (4, 20)] {
            assert!(epochs.assign(epoch, start));
        }
        epochs
    }

    #[test]
    fn answers_are_kafkas() {
        let epochs = epochs();
        let asked = [
            (-1, (-1, -1)),
            (0, (0, 0)),
            (1, (1, 10)),
            (2, (1, 10)),
            (3, (3, 20)),
            (4, (4, 33)),
            (5, (-1, -1)),
        ];
        for (epoch, answer) in asked {
            assert_eq!(epochs.end_offset(epoch, 33), answer, "epoch {epoch}");
        }
    }

    #[test]
    fn survives_as_text() {
        assert_eq!(epochs().to_text(), "0\n3\n1 0\n3 10\n4 20\n");
        assert_eq!(LeaderEpochs::from_text(&epochs().to_text()), Ok(epochs()));
        assert!(LeaderEpochs::from_text("0\n2\n1 0\n").is_err());
    }

    #[test]
    fn is_cut_at_both_ends() {
        let mut epochs = epochs();
        assert!(epochs.truncate_start(12));
        epochs.truncate_end(15);
        assert_eq!(epochs.0, [EpochStart { epoch: 3, start_offset: 12 }]);
    }
}

//! The states of a classic group, and the moves between them that are legal.
//!
//! Knows nothing of members, offsets or time.

/// Where a classic group stands in its life. The names are Kafka's, as DescribeGroups and ListGroups print them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GroupState {
    /// No members. The group may hold committed offsets.
    Empty,
    /// A rebalance has begun: members are expected to join.
    PreparingRebalance,
    /// All have joined: the leader is expected to send the assignment.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
    /// The group was deleted; whoever still holds it looks it up again.
    Dead,
}

impl GroupState {
    /// The state's name in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Dead => "Dead",
        }
    }

    /// Whether a group may move from this state to `to`.
    pub(crate) fn may_become(self, to: GroupState) -> bool {
        LEGAL_MOVES.contains(&(self, to))
    }
}

/// Every move that a group may make. A rebalance that is called off by another one passes through
/// `PreparingRebalance` again; only a rebalance without members ends in `Empty`, and only an empty group is deleted.
const LEGAL_MOVES: [(GroupState, GroupState); 7] = [
    (GroupState::Empty, GroupState::PreparingRebalance),
    (GroupState::CompletingRebalance, GroupState::PreparingRebalance),
    (GroupState::Stable, GroupState::PreparingRebalance),
    (GroupState::PreparingRebalance, GroupState::CompletingRebalance),
    (GroupState::CompletingRebalance, GroupState::Stable),
    (GroupState::PreparingRebalance, GroupState::Empty),
    (GroupState::Empty, GroupState::Dead),
];

#[cfg(test)]
mod tests {
    use super::GroupState::*;

    const ALL: [super::GroupState; 5] = [Empty, PreparingRebalance, CompletingRebalance, Stable, Dead];

    #[test]
    fn nothing_follows_death_and_nothing_moves_to_itself() {
        for state in ALL {
            assert!(!Dead.may_become(state), "a dead group became {}", state.name());
            assert!(!state.may_become(state), "{} became itself", state.name());
        }
    }

    #[test]
    fn a_group_becomes_stable_only_through_both_phases_of_a_rebalance() {
        assert!(Empty.may_become(PreparingRebalance));
        assert!(PreparingRebalance.may_become(CompletingRebalance));
        assert!(CompletingRebalance.may_become(Stable));
        assert!(!Empty.may_become(Stable) && !PreparingRebalance.may_become(Stable));
        assert!(!Empty.may_become(CompletingRebalance) && !Stable.may_become(CompletingRebalance));
        assert!(!Stable.may_become(Empty) && !CompletingRebalance.may_become(Empty));
    }
}

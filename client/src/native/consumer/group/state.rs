//! Being a member of a group by the classic protocol, without I/O: what each answer means, and what is done next.

use kafka_protocol::error::ResponseError;

use crate::native::consumer::protocol::NO_GENERATION;

/// What was asked of the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Join,
    Sync,
    Heartbeat,
}

/// What is to be done about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Join with the id that the answer gives.
    TakeId,
    /// Join again; what the member has stays its own.
    Rejoin,
    /// The group has given this member up: what it had is lost. It joins again, with its id or as another.
    Lost { keep_id: bool },
    /// Ask again, after a pause.
    Wait,
    /// Ask again, after a pause, whoever coordinates the group then.
    FindCoordinator,
    /// It cannot be a member.
    Fatal,
}

/// What an error means in answer to what was asked.
pub(super) fn judge(asked: Asked, code: ResponseError) -> Verdict {
    match (asked, code) {
        (Asked::Join, ResponseError::MemberIdRequired) => Verdict::TakeId,
        (_, ResponseError::UnknownMemberId) => Verdict::Lost { keep_id: false },
        (_, ResponseError::IllegalGeneration) => Verdict::Lost { keep_id: true },
        (_, ResponseError::RebalanceInProgress) => Verdict::Rejoin,
        (_, ResponseError::CoordinatorLoadInProgress) => Verdict::Wait,
        (_, ResponseError::CoordinatorNotAvailable | ResponseError::NotCoordinator) => {
            Verdict::FindCoordinator
        }
        (_, code) if code.is_retriable() => Verdict::Wait,
        _ => Verdict::Fatal,
    }
}

/// Where a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not a member, or about to join again.
    Outside,
    /// Waits until all members have joined.
    Joining,
    /// Waits for what it is given.
    Syncing,
    /// Has what it was given.
    Stable,
}

/// Who this member is to the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::native::consumer) struct Identity {
    /// Empty before the coordinator has given one.
    pub(in crate::native::consumer) member_id: String,
    pub(in crate::native::consumer) generation: i32,
}

/// A member, or somebody who is about to become one.
#[derive(Debug)]
pub(super) struct Membership {
    identity: Identity,
    state: State,
}

impl Membership {
    pub(super) fn new() -> Self {
        let identity = Identity { member_id: String::new(), generation: NO_GENERATION };
        Membership { identity, state: State::Outside }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn is_stable(&self) -> bool {
        self.state == State::Stable
    }

    /// Whether the group may hold partitions for it.
    pub(super) fn is_known(&self) -> bool {
        self.identity.generation != NO_GENERATION && !self.identity.member_id.is_empty()
    }

    pub(super) fn joining(&mut self) {
        self.go(State::Joining);
    }

    pub(super) fn joined(&mut self, member_id: String, generation: i32) {
        self.identity = Identity { member_id, generation };
        self.go(State::Syncing);
    }

    pub(super) fn synced(&mut self) {
        self.go(State::Stable);
    }

    /// Takes in what an error means for who this member is.
    pub(super) fn take_in(&mut self, verdict: Verdict, member_id: &str) {
        match verdict {
            Verdict::TakeId => {
                member_id.clone_into(&mut self.identity.member_id);
                self.go(State::Outside);
            }
            Verdict::Lost { keep_id } => {
                self.identity.generation = NO_GENERATION;
                if !keep_id {
                    self.identity.member_id.clear();
                }
                self.go(State::Outside);
            }
            Verdict::Rejoin => self.go(State::Outside),
            // A heartbeat is sent again; joining and syncing begin anew.
            Verdict::Wait | Verdict::FindCoordinator => {
                if self.state != State::Stable {
                    self.go(State::Outside);
                }
            }
            Verdict::Fatal => self.go(State::Outside),
        }
    }

    /// It is to join again, as who it is.
    pub(super) fn rejoin(&mut self) {
        self.go(State::Outside);
    }

    /// It has left.
    pub(super) fn left(&mut self) {
        self.take_in(Verdict::Lost { keep_id: false }, "");
    }

    fn go(&mut self, to: State) {
        debug_assert!(is_legal(self.state, to), "{:?} does not lead to {to:?}", self.state);
        self.state = to;
    }
}

/// Each state leads to the next; from each a member may fall back to the outside.
fn is_legal(from: State, to: State) -> bool {
    matches!(
        (from, to),
        (_, State::Outside)
            | (State::Outside, State::Joining)
            | (State::Joining, State::Syncing)
            | (State::Syncing, State::Stable)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_errors_mean() {
        use ResponseError as E;
        for asked in [Asked::Join, Asked::Sync, Asked::Heartbeat] {
            for (code, verdict) in [
                (E::UnknownMemberId, Verdict::Lost { keep_id: false }),
                (E::IllegalGeneration, Verdict::Lost { keep_id: true }),
                (E::RebalanceInProgress, Verdict::Rejoin),
                (E::NotCoordinator, Verdict::FindCoordinator),
                (E::CoordinatorNotAvailable, Verdict::FindCoordinator),
                (E::CoordinatorLoadInProgress, Verdict::Wait),
                (E::RequestTimedOut, Verdict::Wait),
                (E::FencedInstanceId, Verdict::Fatal),
                (E::GroupAuthorizationFailed, Verdict::Fatal),
                (E::InconsistentGroupProtocol, Verdict::Fatal),
                (E::GroupMaxSizeReached, Verdict::Fatal),
                (E::InvalidSessionTimeout, Verdict::Fatal),
                (E::UnknownServerError, Verdict::Fatal),
            ] {
                assert_eq!(judge(asked, code), verdict, "{asked:?} {code:?}");
            }
        }
        assert_eq!(judge(Asked::Join, E::MemberIdRequired), Verdict::TakeId);
        assert_eq!(judge(Asked::Sync, E::MemberIdRequired), Verdict::Fatal);
    }

    fn stable() -> Membership {
        let mut membership = Membership::new();
        membership.joining();
        membership.joined("m".to_owned(), 4);
        membership.synced();
        membership
    }

    #[test]
    fn an_id_is_taken_and_joined_with() {
        let mut membership = Membership::new();
        membership.joining();
        membership.take_in(Verdict::TakeId, "given");
        assert_eq!((membership.identity().member_id.as_str(), membership.is_known()), ("given", false));
        membership.joining();
        membership.joined("given".to_owned(), 1);
        assert!(!membership.is_stable());
        membership.synced();
        assert!(membership.is_stable() && membership.is_known());
    }

    #[test]
    fn a_lost_member_may_keep_its_id() {
        let mut membership = stable();
        membership.take_in(Verdict::Lost { keep_id: true }, "");
        assert_eq!(membership.identity(), &Identity { member_id: "m".to_owned(), generation: NO_GENERATION });
        let mut membership = stable();
        membership.take_in(Verdict::Lost { keep_id: false }, "");
        assert_eq!(membership.identity(), &Identity { member_id: String::new(), generation: NO_GENERATION });
    }

    #[test]
    fn a_rebalance_leaves_it_who_it_is() {
        let mut membership = stable();
        membership.take_in(Verdict::Rejoin, "");
        assert!(membership.is_known() && !membership.is_stable());
        let mut membership = stable();
        membership.take_in(Verdict::FindCoordinator, "");
        assert!(membership.is_stable());
    }
}

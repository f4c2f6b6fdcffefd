//! Trouble with the disk for what one request writes, wherever that lands: topics, configs and producer ids in the metadata
//! journal, groups and offsets in theirs.
//!
//! Handlers, coordinators and journals know nothing of it. A handler is polled with its trouble lying ready for its thread,
//! and what a journal appends meanwhile meets it. All that a request writes it writes while it is polled: what it leaves
//! to others, for instance the end of a rebalance, is theirs. Produce goes its own way, partition by partition.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use kafka_protocol::messages::ApiKey;
use klamm_storage::DiskFault;

use super::rule::DiskTrouble;
use super::verdict::Verdict;

thread_local! {
    static READY: Cell<Option<DiskFault>> = const { Cell::new(None) };
}

/// Has the trouble lie ready until it is dropped.
struct Ready(Option<DiskFault>);

impl Ready {
    fn begin(fault: DiskFault) -> Self {
        Ready(READY.replace(Some(fault)))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        READY.set(self.0);
    }
}

impl From<DiskTrouble> for DiskFault {
    fn from(trouble: DiskTrouble) -> Self {
        match trouble {
            DiskTrouble::Full => DiskFault::Full,
            DiskTrouble::FailedSync => DiskFault::FailedSync,
        }
    }
}

/// Does the work of a handler, with the trouble that its request is to meet.
pub(crate) async fn met_by<T>(key: ApiKey, verdict: Option<&Verdict>, work: impl Future<Output = T>) -> T {
    let trouble = verdict.filter(|_| key != ApiKey::Produce).and_then(|verdict| verdict.disk.first());
    let Some((_, trouble)) = trouble else { return work.await };
    let fault = DiskFault::from(*trouble);
    let mut work = pin!(work);
    poll_fn(|task| {
        let _ready = Ready::begin(fault);
        work.as_mut().poll(task)
    })
    .await
}

/// The trouble that an append of this moment is to meet.
pub(crate) fn ready() -> Option<DiskFault> {
    READY.get()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::super::verdict::Filter;
    use super::*;

    #[test]
    fn trouble_is_met_by_the_work_and_by_nothing_beside_it() {
        let verdict = Verdict { disk: vec![(Filter::default(), DiskTrouble::Full)], ..Verdict::default() };
        let mut polls = 0;
        let work = poll_fn(|_| {
            polls += 1;
            if polls == 1 { Poll::Pending } else { Poll::Ready(ready()) }
        });
        let mut met = Box::pin(met_by(ApiKey::OffsetCommit, Some(&verdict), work));
        let mut task = Context::from_waker(Waker::noop());
        assert_eq!(met.as_mut().poll(&mut task), Poll::Pending);
        assert_eq!(ready(), None, "while it waits others have the thread");
        assert_eq!(met.as_mut().poll(&mut task), Poll::Ready(Some(DiskFault::Full)));
        assert_eq!(ready(), None);
    }
}

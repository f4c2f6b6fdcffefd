//! What a test has a broker in hand with: faults, the nodes' states, what is seen of clients, who waits, the journal. It belongs to the broker and
//! not to one of its lives: a reset or a restore leaves it as it is.

use std::sync::Arc;

use crate::clock::Clock;
use crate::cluster::Nodes;
use crate::faults::Faults;
use crate::journal::Recorder;
use crate::look::Traffic;
use crate::watch::Bell;

/// What all lives of a broker share that is not kept in them.
pub(crate) struct Hand {
    pub(crate) faults: Faults,
    pub(crate) nodes: Nodes,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) bell: Arc<Bell>,
    /// Where the run is journaled, if it is.
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// The faults that the logs look at.
    pub(crate) storage: Arc<klamm_storage::Faults>,
}

impl Hand {
    pub(crate) fn new(
        seed: u64,
        clock: &Clock,
        storage: Arc<klamm_storage::Faults>,
        recorder: Option<Arc<Recorder>>,
        nodes: usize,
    ) -> Arc<Self> {
        let bell = Arc::new(Bell::default());
        Arc::new(Hand {
            faults: Faults::new(seed, Arc::clone(&storage), Arc::clone(&bell), recorder.clone()),
            nodes: Nodes::new(nodes),
            traffic: Traffic::new(clock.clone(), Arc::clone(&bell)),
            bell,
            recorder,
            storage,
        })
    }
}

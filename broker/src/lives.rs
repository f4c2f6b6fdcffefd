//! The lives of a broker: a broker that is reset or restored ends one and begins another, on the same ports.
//!
//! What a client has been answered belongs to the life that answered it. Once a life is over no answer of it goes out any
//! more, and its connections are closed, as they are when a broker is restarted; clients connect anew and meet the next.
//! Knows nothing of what a life consists of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::state::BrokerState;

/// Whether a life of a broker goes on.
pub(crate) struct Life {
    over: AtomicBool,
    stop: watch::Sender<bool>,
    /// What the connections of each node listen to.
    nodes: Mutex<Vec<watch::Sender<bool>>>,
}

impl Life {
    pub(crate) fn begin(nodes: usize) -> Self {
        let nodes = std::iter::repeat_with(|| watch::Sender::new(false)).take(nodes);
        Life {
            over: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            nodes: Mutex::new(nodes.collect()),
        }
    }

    /// Ends it: once this returns no more answers are given, and whoever has subscribed is told.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.stop();
    }

    /// Tells whoever has subscribed to stop. What has been answered stays true.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
        for node in self.nodes.lock().iter() {
            node.send_replace(true);
        }
    }

    /// Tells the connections of a node to stop. Those that come after this are other ones.
    pub(crate) fn stop_node(&self, place: usize) {
        if let Some(node) = self.nodes.lock().get_mut(place) {
            node.send_replace(true);
            *node = watch::Sender::new(*self.stop.borrow());
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Turns true when it ends, or is so already.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Turns true when it ends for a node, or is so already.
    pub(crate) fn ended_at(&self, place: usize) -> watch::Receiver<bool> {
        self.nodes.lock().get(place).map_or_else(|| self.ended(), watch::Sender::subscribe)
    }
}

/// The life that a broker leads now.
pub(crate) struct Current(RwLock<Arc<BrokerState>>);

impl Current {
    pub(crate) fn new(state: Arc<BrokerState>) -> Self {
        Current(RwLock::new(state))
    }

    pub(crate) fn get(&self) -> Arc<BrokerState> {
        Arc::clone(&self.0.read())
    }

    /// Puts another life in the place of this one, which is returned.
    pub(crate) fn replace(&self, next: Arc<BrokerState>) -> Arc<BrokerState> {
        std::mem::replace(&mut *self.0.write(), next)
    }
}

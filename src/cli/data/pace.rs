//! So many records a second, evenly.

use std::time::{Duration, Instant};

use crate::cli::signals::Interrupt;

/// What has fallen further behind than this is not caught up with.
const CATCH_UP: Duration = Duration::from_millis(200);

/// Whose turn it is when.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    next: Instant,
}

impl Pace {
    /// So many a second, the first at once.
    pub(crate) fn new(per_second: u32) -> Self {
        Pace { every: Duration::from_secs(1) / per_second.max(1), next: Instant::now() }
    }

    /// Waits for the next one's turn. False where somebody asks the command to end meanwhile.
    pub(crate) fn wait(&mut self, interrupt: &Interrupt) -> bool {
        let now = Instant::now();
        if self.next > now && interrupt.wait(self.next - now) {
            return false;
        }
        self.next = (self.next + self.every).max(now.checked_sub(CATCH_UP).unwrap_or(now));
        true
    }
}

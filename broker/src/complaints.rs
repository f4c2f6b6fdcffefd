//! One line in the log for what clients do wrong, and no more than so many of them: a client that errs in a loop does
//! not fill the disk.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lines that are written in one window.
const LINES: u32 = 20;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(10);

/// Writes warnings, up to a number in a time; the rest are counted.
pub(crate) struct Complaints {
    window: Mutex<Window>,
}

struct Window {
    since: Instant,
    written: u32,
    withheld: u64,
}

impl Complaints {
    pub(crate) fn new() -> Self {
        Complaints { window: Mutex::new(Window { since: Instant::now(), written: 0, withheld: 0 }) }
    }

    /// Warns of what `line` says, unless enough has been said.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(withheld) = self.may_write() {
            if withheld > 0 {
                tracing::warn!("{withheld} more warnings like the following were left out");
            }
            tracing::warn!("{}", line());
        }
    }

    /// How many lines were left out since the last, if this one may be written.
    fn may_write(&self) -> Option<u64> {
        let mut window = self.window.lock();
        if window.since.elapsed() >= WINDOW {
            (window.since, window.written) = (Instant::now(), 0);
        }
        if window.written >= LINES {
            window.withheld += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_told_later() {
        let complaints = Complaints::new();
        let written = (0..LINES + 5).filter(|_| complaints.may_write().is_some()).count();
        assert_eq!(written, LINES as usize);
        complaints.window.lock().since -= WINDOW;
        assert_eq!(complaints.may_write(), Some(5));
    }
}

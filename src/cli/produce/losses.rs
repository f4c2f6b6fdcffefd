//! What did not get there: lines that are no records, and records that could not be delivered, told by their numbers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use klamm::ClientError;

use crate::cli::error::say;
use crate::cli::output::{count, grouped};

/// Sentences that are said; of what follows only the number is.
const MOST_TOLD: u64 = 10;

/// Counts what did not get there, and says so as it happens.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Records that were accepted and not delivered.
    count: AtomicU64,
    any: AtomicBool,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    /// What is being read.
    input: String,
    sentences: u64,
    unsaid: u64,
}

impl Losses {
    /// From now on numbers are those of lines of this input.
    pub(super) fn begin(&self, input: &str) {
        input.clone_into(&mut self.said().input);
    }

    /// Records of these lines were not delivered.
    pub(super) fn add(&self, lines: &[u64], why: &ClientError) {
        let lost = lines.len() as u64;
        self.count.fetch_add(lost, Ordering::SeqCst);
        self.any.store(true, Ordering::SeqCst);
        self.tell(lost, |input| {
            format!("{} of {input}: {} not delivered: {why}", in_words(lines), count(lost, "record"))
        });
    }

    /// A line is no record that can be sent.
    pub(super) fn refused(&self, line: u64, why: &str) {
        self.any.store(true, Ordering::SeqCst);
        self.tell(1, |input| format!("line {} of {input} is not sent: {why}", grouped(line)));
    }

    fn tell(&self, records: u64, sentence: impl FnOnce(&str) -> String) {
        let mut said = self.said();
        if said.sentences >= MOST_TOLD {
            said.unsaid += records;
            return;
        }
        said.sentences += 1;
        say(sentence(&said.input));
    }

    /// Says how much was not told.
    pub(super) fn end(&self) {
        let unsaid = std::mem::take(&mut self.said().unsaid);
        if unsaid > 0 {
            say(format_args!("{} more did not get there either", count(unsaid, "record")));
        }
    }

    /// Whether anything did not get there.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// As [`any`](Losses::any), for the end.
    pub(super) fn has_fault(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    /// Records that were accepted and not delivered.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs of numbers that are named one by one.
const MOST_RUNS: usize = 3;

/// Lines in words: `line 7`, `lines 7 to 9`, `lines 1, 5 to 6 and others`.
fn in_words(lines: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for line in lines {
        let is_full = runs.len() > MOST_RUNS;
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*line) => *last = *line,
            _ if is_full => break,
            _ => runs.push((*line, *line)),
        }
    }
    let more = if runs.len() > MOST_RUNS { " and others" } else { "" };
    let word = |(first, last): &(u64, u64)| match first == last {
        true => grouped(*first),
        false => format!("{} to {}", grouped(*first), grouped(*last)),
    };
    let all: Vec<_> = runs.iter().take(MOST_RUNS).map(word).collect();
    let lines = if lines.len() == 1 { "line" } else { "lines" };
    format!("{lines} {}{more}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_in_runs() {
        assert_eq!(in_words(&[7]), "line 7");
        assert_eq!(in_words(&[7, 8, 9]), "lines 7 to 9");
        assert_eq!(in_words(&[1, 5, 6]), "lines 1, 5 to 6");
        assert_eq!(in_words(&[1, 3, 5, 7, 9, 11]), "lines 1, 3, 5 and others");
    }
}

//! Reading pieces that a delimiter ends, lines above all, from a pipe, a terminal or a file: many at a time, none copied.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;

use memchr::memmem::Finder;

use crate::cli::signals::Interrupt;

/// Read at a time, and asked of the system for a pipe.
const BUFFER_BYTES: usize = 1024 * 1024;

/// An input, and what has been read of it.
pub(crate) struct Input {
    file: File,
    /// What errors call it.
    pub(crate) name: String,
    pub(crate) is_terminal: bool,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    at_end: bool,
    /// The longest piece that is taken.
    longest: usize,
    delimiter: Delimiter,
}

enum Delimiter {
    Byte(u8),
    Bytes(Finder<'static>),
}

/// What reading on came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filled {
    /// There are more bytes.
    More,
    /// There are none.
    End,
    /// Somebody has asked the command to end.
    Interrupted,
    /// A piece is longer than allowed.
    TooLong,
}

impl Input {
    /// Standard input.
    pub(crate) fn stdin(delimiter: &[u8], longest: usize) -> io::Result<Input> {
        let stdin = io::stdin();
        let file = File::from(stdin.as_fd().try_clone_to_owned()?);
        Ok(Input::new(file, "standard input".to_owned(), stdin.is_terminal(), delimiter, longest))
    }

    /// A file.
    pub(crate) fn open(path: &Path, delimiter: &[u8], longest: usize) -> io::Result<Input> {
        let file = File::open(path)?;
        let is_terminal = file.is_terminal();
        Ok(Input::new(file, path.display().to_string(), is_terminal, delimiter, longest))
    }

    fn new(file: File, name: String, is_terminal: bool, delimiter: &[u8], longest: usize) -> Input {
        // Where it is no pipe, or the system allows no more, it stays as it is.
        let _ = rustix::pipe::fcntl_setpipe_size(&file, BUFFER_BYTES);
        let delimiter = match delimiter {
            [byte] => Delimiter::Byte(*byte),
            bytes => Delimiter::Bytes(Finder::new(bytes).into_owned()),
        };
        let buffer = vec![0; BUFFER_BYTES];
        Input { file, name, is_terminal, buffer, begin: 0, end: 0, at_end: false, longest, delimiter }
    }

    /// Gives the pieces that have been read whole, in order, until `take` gives false. What it does not get stays.
    #[inline]
    pub(crate) fn pieces<E>(&mut self, mut take: impl FnMut(&[u8]) -> Result<bool, E>) -> Result<(), E> {
        let mut at = self.begin;
        let read = self.buffer.get(..self.end).unwrap_or_default();
        let outcome = loop {
            let rest = read.get(at..).unwrap_or_default();
            let found = match &self.delimiter {
                Delimiter::Byte(byte) => memchr::memchr(*byte, rest).map(|length| (length, 1)),
                Delimiter::Bytes(finder) => {
                    finder.find(rest).map(|length| (length, finder.needle().len().max(1)))
                }
            };
            let Some((length, delimiter)) = found else {
                if !self.at_end || rest.is_empty() {
                    break Ok(());
                }
                // The last piece needs no delimiter.
                at = self.end;
                break take(rest).map(drop);
            };
            at += length + delimiter;
            match take(rest.get(..length).unwrap_or_default()) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.begin = at;
        outcome
    }

    /// Reads on, once there is something, behind what is left.
    pub(crate) fn fill(&mut self, interrupt: &Interrupt) -> io::Result<Filled> {
        if self.at_end {
            return Ok(Filled::End);
        }
        self.buffer.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        if self.end > self.longest {
            return Ok(Filled::TooLong);
        }
        if self.end * 2 > self.buffer.len() {
            self.buffer.resize(self.buffer.len().saturating_mul(2), 0);
        }
        loop {
            if !interrupt.wait_readable(self.file.as_fd())? {
                return Ok(Filled::Interrupted);
            }
            match self.file.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => {
                    self.at_end = true;
                    return Ok(if self.end > 0 { Filled::More } else { Filled::End });
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(Filled::More);
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pieces_of(content: &[u8], delimiter: &[u8], longest: usize) -> (Vec<String>, Filled) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let mut input = Input::open(file.path(), delimiter, longest).unwrap();
        let interrupt = Interrupt::listen().unwrap();
        let mut found = Vec::new();
        loop {
            let filled = input.fill(&interrupt).unwrap();
            if filled != Filled::More {
                return (found, filled);
            }
            input
                .pieces(|piece| {
                    found.push(String::from_utf8(piece.to_vec()).unwrap());
                    Ok::<_, ()>(true)
                })
                .unwrap();
        }
    }

    #[test]
    fn pieces_come_whole_and_the_last_needs_no_delimiter() {
        assert_eq!(pieces_of(b"a\n\nbc\nd", b"\n", 10).0, ["a", "", "bc", "d"]);
        assert_eq!(pieces_of(b"a\n\nbc\n", b"\n", 10).0, ["a", "", "bc"]);
        assert_eq!(pieces_of(b"a--b-c--", b"--", 10).0, ["a", "b-c"]);
        assert!(pieces_of(b"", b"\n", 10).0.is_empty());
    }

    #[test]
    fn a_piece_longer_than_what_is_read_at_a_time_is_taken_up_to_a_bound() {
        let long = "x".repeat(3 * BUFFER_BYTES);
        let content = format!("a\n{long}\nb\n");
        let (found, filled) = pieces_of(content.as_bytes(), b"\n", 4 * BUFFER_BYTES);
        assert_eq!((found.len(), found[1].len(), filled), (3, long.len(), Filled::End));
        assert_eq!(pieces_of(content.as_bytes(), b"\n", BUFFER_BYTES).1, Filled::TooLong);
    }

    #[test]
    fn what_is_not_taken_stays() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"a\nb\nc\n").unwrap();
        let mut input = Input::open(file.path(), b"\n", 10).unwrap();
        input.fill(&Interrupt::listen().unwrap()).unwrap();
        let mut found = Vec::new();
        for _ in 0..3 {
            let take = |piece: &[u8]| {
                found.push(piece[0]);
                Ok::<_, ()>(false)
            };
            input.pieces(take).unwrap();
        }
        assert_eq!(found, b"abc");
    }
}

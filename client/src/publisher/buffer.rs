//! Payloads while they are written: one buffer a thread, used again for each record.

use std::cell::Cell;

/// A buffer that grew beyond this, for a large value, is not kept.
const LARGEST_KEPT: usize = 256 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The thread's buffer, empty. While one is in use, as when serialising publishes, another one is a new one.
#[derive(Debug)]
pub(crate) struct Buffer(pub(crate) Vec<u8>);

impl Buffer {
    pub(crate) fn take() -> Self {
        let mut buffer = SPARE.take();
        buffer.clear();
        Buffer(buffer)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() <= LARGEST_KEPT {
            // At the end of a thread there is nothing to keep it in.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.0)));
        }
    }
}

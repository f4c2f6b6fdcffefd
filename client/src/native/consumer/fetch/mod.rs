//! f
mod batches;
mod session;

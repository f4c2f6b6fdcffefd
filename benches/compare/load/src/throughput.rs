//! Records a second over one connection, with several requests in flight.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::wire::{self, Connection};

/// Requests that are sent before the first is answered.
pub const IN_FLIGHT: usize = 5;

/// The shape of the large batches.
pub const BATCH_RECORDS: usize = 1000;
pub const RECORD_BYTES: usize = 100;

/// When a measurement ends: after so many requests, or after this time.
#[derive(Clone, Copy)]
pub struct Limit {
    pub requests: usize,
    pub time: Duration,
}

/// Produces batches of `records` records until the limit. Returns how many batches, and how many a second.
pub fn produce(port: u16, topic: &str, records: usize, limit: Limit) -> Result<(usize, f64)> {
    let frame = wire::produce(topic, 0, wire::batch(records, RECORD_BYTES)?)?;
    let mut connection = Connection::open(port)?;
    let (mut sent, mut answered, mut out) = (0, 0, Vec::new());
    let began = Instant::now();
    loop {
        let wanted = if began.elapsed() < limit.time { limit.requests.min(answered + IN_FLIGHT) } else { sent };
        // Small requests leave in one write, as a client that pipelines them would have it.
        while sent < wanted && frame.len() < 4096 {
            out.extend_from_slice(&frame);
            sent += 1;
        }
        connection.send(&out)?;
        out.clear();
        while sent < wanted {
            connection.send(&frame)?;
            sent += 1;
        }
        if answered == sent {
            break;
        }
        loop {
            let error = wire::produce_error(connection.receive()?, topic)?;
            ensure!(error == 0, "produce failed with error {error}");
            answered += 1;
            if !connection.has_answer() {
                break;
            }
        }
    }
    Ok((answered, answered as f64 / began.elapsed().as_secs_f64()))
}

/// Fetches offsets 0 to `end` with `depth` requests in flight, until the limit. Returns how many
/// records, and how many a second.
///
/// All batches are alike, so that the offset of the next fetch is known before the last one is answered; that every
/// answer begins where it should is checked.
pub fn fetch(port: u16, topic: &str, end: i64, depth: usize, limit: Limit) -> Result<(i64, f64)> {
    let (mut frame, at) = wire::fetch(topic)?;
    let mut connection = Connection::open(port)?;
    let mut ask = |connection: &mut Connection, offset: i64| {
        frame[at..at + 8].copy_from_slice(&offset.to_be_bytes());
        connection.send(&frame)
    };
    let began = Instant::now();
    ask(&mut connection, 0)?;
    let (first, stride) = wire::fetched(connection.receive()?, topic)?;
    ensure!(first == 0, "a fetch from offset 0 gave {first}");
    let (mut asked, mut received) = (stride, stride);
    while received < end {
        while asked < end && asked < received + stride * depth as i64 {
            ask(&mut connection, asked)?;
            asked += stride;
        }
        let (first, next) = wire::fetched(connection.receive()?, topic)?;
        ensure!(first == received, "a fetch from offset {received} gave {first}");
        ensure!(next == (received + stride).min(end), "a fetch from {received} ended at {next}");
        received = next;
        if began.elapsed() > limit.time {
            break;
        }
    }
    Ok((received, received as f64 / began.elapsed().as_secs_f64()))
}

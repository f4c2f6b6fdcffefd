//! What of a fetched partition's bytes is for a reader: whole batches with the right checksum, that are not the broker's
//! own and not of an aborted transaction.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use kafka_protocol::messages::fetch_response::AbortedTransaction;
use klamm_protocol::batch::{self, Batch, BatchHeader, header};

use crate::native::consumer::shelf::Chunk;

/// How batches are looked at.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) check_crcs: bool,
    pub(super) read_committed: bool,
}

/// The chunks of what came, in order, and what is wrong with what follows them.
#[derive(Debug)]
pub(super) struct Sifted {
    pub(super) chunks: Vec<Chunk>,
    /// The offset at which reading cannot go on, and why.
    pub(super) fault: Option<(i64, String)>,
}

/// Sifts what came for a fetch from offset `from`. Up to `room` bytes are decompressed; `room` gets what is left.
pub(super) fn sift(
    records: &Bytes,
    from: i64,
    aborted: Option<Vec<AbortedTransaction>>,
    rules: &Rules,
    room: &mut usize,
) -> Sifted {
    let mut aborted = rules.read_committed.then(|| Aborted::new(aborted.unwrap_or_default()));
    let mut sifted = Sifted { chunks: Vec::new(), fault: None };
    let mut at = from;
    if let Some(why) = not_a_batch(records) {
        sifted.fault = Some((at, why));
        return sifted;
    }
    for batch in batch::batches(records) {
        if let Some(why) = fault_of(&batch, rules) {
            sifted.fault = Some((at, why));
            return sifted;
        }
        let end = batch.header.last_offset().saturating_add(1);
        let is_aborted = aborted.as_mut().is_some_and(|aborted| aborted.contains(&batch));
        if end <= at {
            // Before what was asked for: brokers answer with whole batches.
            continue;
        }
        at = end;
        if is_aborted || batch.header.is_control() || batch.header.record_count <= 0 {
            sifted.chunks.push(Chunk::nothing(&batch));
        } else {
            let chunk = Chunk::of(batch, *room > 0);
            *room = room.saturating_sub(chunk.size());
            sifted.chunks.push(chunk);
        }
    }
    sifted
}

/// What is wrong with the first batch, if it cannot be read as one at all. One that is cut off is not wrong.
fn not_a_batch(records: &Bytes) -> Option<String> {
    // The format is at the same place in all formats.
    let format = *records.get(FORMAT_AT)?;
    if format != header::MAGIC {
        return Some(format!("they are in format {format}, which is older than Kafka 0.11's"));
    }
    let head = BatchHeader::read(records)?;
    (head.size() < batch::HEADER_BYTES).then(|| "a batch's length makes no sense".to_owned())
}

const FORMAT_AT: usize = 16;

fn fault_of(batch: &Batch, rules: &Rules) -> Option<String> {
    let head = &batch.header;
    if head.magic != header::MAGIC {
        return Some(format!("they are in format {}, which is older than Kafka 0.11's", head.magic));
    }
    if head.last_offset_delta < 0 || head.base_offset < 0 {
        return Some("a batch's offsets make no sense".to_owned());
    }
    if rules.check_crcs && header::checksum_of(&batch.bytes) != Some(head.crc) {
        return Some("a batch's checksum is wrong".to_owned());
    }
    None
}

/// The transactions that were aborted, as batches are walked over in order.
struct Aborted {
    /// By their first offsets.
    to_come: VecDeque<(i64, i64)>,
    /// Producers whose transaction was aborted and has not ended yet.
    producers: HashSet<i64>,
}

/// The kind of a marker that ends an aborted transaction.
const ABORT: i16 = 0;

impl Aborted {
    fn new(transactions: Vec<AbortedTransaction>) -> Self {
        let of = |transaction: &AbortedTransaction| (transaction.first_offset, transaction.producer_id.0);
        let mut to_come: Vec<(i64, i64)> = transactions.iter().map(of).collect();
        to_come.sort_unstable();
        Aborted { to_come: to_come.into(), producers: HashSet::new() }
    }

    /// Whether the batch is part of an aborted transaction. To be asked of each batch, in order.
    fn contains(&mut self, batch: &Batch) -> bool {
        let head = &batch.header;
        if !head.has_producer_id() {
            return false;
        }
        while let Some((first, producer)) = self.to_come.front().copied()
            && first <= head.last_offset()
        {
            self.producers.insert(producer);
            self.to_come.pop_front();
        }
        if head.is_control() {
            if marker_of(batch) == Some(ABORT) {
                self.producers.remove(&head.producer_id);
            }
            return false;
        }
        head.is_transactional() && self.producers.contains(&head.producer_id)
    }
}

/// The kind of a control batch's marker: behind the version, in its key.
fn marker_of(batch: &Batch) -> Option<i16> {
    let mut kind = None;
    // A marker that cannot be read ends nothing.
    let _ = batch::for_each_record(batch, |record| {
        kind = record.key.and_then(|key| key.get(2..4).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]])));
        std::ops::ControlFlow::Break(())
    });
    kind
}

#[cfg(test)]
mod tests {
    use klamm_protocol::batch::{BuildOptions, Codec, RecordToWrite, build};

    use super::*;

    const READ_ALL: Rules = Rules { check_crcs: true, read_committed: false };
    const READ_COMMITTED: Rules = Rules { check_crcs: true, read_committed: true };

    fn record(value: &str) -> RecordToWrite {
        RecordToWrite {
            key: None,
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
            headers: Vec::new(),
            timestamp: 5,
        }
    }

    fn of_producer(base_offset: i64, producer_id: i64) -> BuildOptions {
        BuildOptions { base_offset, producer_id, transactional: true, ..BuildOptions::default() }
    }

    fn abort(base_offset: i64, producer_id: i64) -> Bytes {
        let key = Some(Bytes::from_static(&[0, 0, 0, 0]));
        let marker = RecordToWrite { key, ..record("") };
        build([marker], &BuildOptions { control: true, ..of_producer(base_offset, producer_id) })
    }

    fn joined(batches: &[Bytes]) -> Bytes {
        batches.concat().into()
    }

    #[test]
    fn aborted_transactions_are_left_out_up_to_their_markers() {
        let bytes = joined(&[
            build([record("a")], &of_producer(0, 1)),
            build([record("b")], &of_producer(1, 2)),
            abort(2, 1),
            build([record("c")], &of_producer(3, 1)),
        ]);
        let transaction = AbortedTransaction::default().with_producer_id(1.into()).with_first_offset(0);
        let sifted = sift(&bytes, 0, Some(vec![transaction.clone()]), &READ_COMMITTED, &mut 1000);
        let sizes: Vec<bool> = sifted.chunks.iter().map(|chunk| chunk.size() > 0).collect();
        assert_eq!(sizes, [false, true, false, true]);
        let sifted = sift(&bytes, 0, Some(vec![transaction]), &READ_ALL, &mut 1000);
        let sizes: Vec<bool> = sifted.chunks.iter().map(|chunk| chunk.size() > 0).collect();
        assert_eq!(sizes, [true, true, false, true]);
    }

    #[test]
    fn batches_before_what_was_asked_for_are_passed_over() {
        let bytes = joined(&[
            build([record("a"), record("b")], &BuildOptions::default()),
            build([record("c")], &BuildOptions { base_offset: 2, ..BuildOptions::default() }),
        ]);
        assert_eq!(sift(&bytes, 2, None, &READ_ALL, &mut 1000).chunks.len(), 1);
        assert_eq!(sift(&bytes, 1, None, &READ_ALL, &mut 1000).chunks.len(), 2);
    }

    #[test]
    fn a_wrong_checksum_is_found_unless_it_is_not_looked_at() {
        let good = build([record("a")], &BuildOptions::default());
        let mut bad =
            build([record("b")], &BuildOptions { base_offset: 1, ..BuildOptions::default() }).to_vec();
        *bad.last_mut().unwrap() ^= 1;
        let bytes = joined(&[good, bad.into()]);
        let sifted = sift(&bytes, 0, None, &READ_ALL, &mut 1000);
        assert_eq!(sifted.chunks.len(), 1);
        assert_eq!(sifted.fault.unwrap().0, 1);
        let careless = Rules { check_crcs: false, read_committed: false };
        assert!(sift(&bytes, 0, None, &careless, &mut 1000).fault.is_none());
    }

    #[test]
    fn what_is_cut_off_is_not_wrong_and_what_is_no_batch_is() {
        let bytes = joined(&[
            build([record("a")], &BuildOptions::default()),
            build([record("b")], &BuildOptions { base_offset: 1, ..BuildOptions::default() }),
        ]);
        let sifted = sift(&bytes.slice(..bytes.len() - 3), 0, None, &READ_ALL, &mut 1000);
        assert_eq!((sifted.chunks.len(), sifted.fault), (1, None));
        let old = Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1, 2, 3, 4, 1, 0, 0, 0]);
        assert!(sift(&old, 0, None, &READ_ALL, &mut 1000).fault.unwrap().1.contains("format 1"));
        assert!(sift(&Bytes::from(vec![2; 100]), 0, None, &READ_ALL, &mut 1000).chunks.is_empty());
        let mut negative = bytes.to_vec();
        negative[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
        assert!(sift(&negative.into(), 0, None, &READ_ALL, &mut 1000).fault.is_some());
    }

    #[test]
    fn no_more_is_decompressed_than_there_is_room_for() {
        let codec = Codec::Gzip;
        let options = |base_offset| BuildOptions { codec, base_offset, ..BuildOptions::default() };
        let bytes = joined(&[
            build([record(&"x".repeat(500))], &options(0)),
            build([record(&"y".repeat(500))], &options(1)),
        ]);
        let mut room = 400;
        let sifted = sift(&bytes, 0, None, &READ_ALL, &mut room);
        assert_eq!(room, 0);
        assert!(sifted.chunks[0].size() > 500 && sifted.chunks[1].size() < 500, "{sifted:?}");
    }
}

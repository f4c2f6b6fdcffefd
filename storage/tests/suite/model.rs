//! The log against a model: a list of records that grows, is cut at both ends, and survives what it should survive.

use std::collections::VecDeque;

use klamm_storage::{LogOptions, ReadError, ReadUpTo};
use proptest::prelude::*;

use crate::harness::*;

#[derive(Debug, Clone)]
enum Step {
    Append { values: Vec<u8>, ahead_ms: i64 },
    Read { at: u16, max_bytes: usize },
    Find { at_ms: i64 },
    DeleteRecords { at: u16 },
    Retain { bytes: i64 },
    Expire { after_ms: i64 },
    Roll,
    Flush,
    Checkpoint,
    Restart,
    Crash { torn: Option<u8> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (proptest::collection::vec(any::<u8>(), 1..5), 0..50_i64)
            .prop_map(|(values, ahead_ms)| Step::Append { values, ahead_ms }),
        6 => (any::<u16>(), 0..2000_usize).prop_map(|(at, max_bytes)| Step::Read { at, max_bytes }),
        3 => (0..3000_i64).prop_map(|at_ms| Step::Find { at_ms }),
        1 => any::<u16>().prop_map(|at| Step::DeleteRecords { at }),
        1 => (0..3000_i64).prop_map(|bytes| Step::Retain { bytes }),
        1 => (0..2000_i64).prop_map(|after_ms| Step::Expire { after_ms }),
        1 => Just(Step::Roll),
        1 => Just(Step::Flush),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
        1 => proptest::option::of(any::<u8>()).prop_map(|torn| Step::Crash { torn }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// A batch in the model: where it begins, and the timestamps and values of its records.
#[derive(Debug, Clone)]
struct Known {
    base: i64,
    records: Vec<(i64, String)>,
}

impl Known {
    fn end(&self) -> i64 {
        self.base + self.records.len() as i64
    }
}

struct World {
    house: Option<House>,
    log: std::sync::Arc<klamm_storage::Log>,
    options: LogOptions,
    on_disk: bool,
    batches: VecDeque<Known>,
    start: i64,
    end: i64,
    time: i64,
    /// The start that a crash may not fall behind: the one in the last checkpoint.
    durable_start: i64,
}

impl World {
    fn new(on_disk: bool) -> Self {
        let options = LogOptions {
            segment_bytes: 400,
            index_interval_bytes: 90,
            retention_ms: -1,
            timestamp_after_max_ms: i64::MAX,
            ..LogOptions::default()
        };
        let house = if on_disk { House::on_disk() } else { House::in_memory() };
        let log = house.open(options.clone());
        let batches = VecDeque::new();
        World {
            house: Some(house),
            log,
            options,
            on_disk,
            batches,
            start: 0,
            end: 0,
            time: 0,
            durable_start: 0,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append { values, ahead_ms } => self.append(values, *ahead_ms),
            Step::Read { at, max_bytes } => self.read(i64::from(*at) % (self.end + 2), *max_bytes),
            Step::Find { at_ms } => self.find(*at_ms),
            Step::DeleteRecords { at } => {
                let offset = i64::from(*at) % (self.end + 1);
                self.start = self.start.max(offset);
                assert_eq!(self.log.delete_records(offset).unwrap(), self.start);
            }
            Step::Retain { bytes } => {
                self.retain(LogOptions { retention_bytes: *bytes, ..self.options.clone() }, 0)
            }
            Step::Expire { after_ms } => {
                let options = LogOptions { retention_ms: *after_ms, ..self.options.clone() };
                self.retain(options, self.time);
            }
            Step::Roll => _ = self.log.roll_if_due(i64::MAX).unwrap(),
            Step::Flush => self.log.flush().unwrap(),
            Step::Checkpoint => {
                self.house.as_ref().unwrap().manager.checkpoint().unwrap();
                self.durable_start = self.start;
            }
            Step::Restart if self.on_disk => {
                self.house = self.house.take().map(House::restart);
                self.log = self.house.as_ref().unwrap().open(self.options.clone());
                self.durable_start = self.start;
            }
            Step::Crash { torn } if self.on_disk => self.crash(*torn),
            Step::Restart | Step::Crash { .. } => {}
        }
        self.check();
    }

    fn append(&mut self, values: &[u8], ahead_ms: i64) {
        self.time += ahead_ms;
        let records = values.iter().map(|value| (self.time + i64::from(*value) % 7, value.to_string()));
        let known = Known { base: self.end, records: records.collect() };
        let batch = known.records.iter().map(|(time, value)| record(value.clone(), *time));
        let batch = klamm_storage::batch::build(batch, &Default::default());
        assert_eq!(try_append(&self.log, &batch).unwrap().base_offset, self.end);
        self.end = known.end();
        self.batches.push_back(known);
    }

    fn read(&mut self, offset: i64, max_bytes: usize) {
        let read = self.log.read(offset, max_bytes, true, ReadUpTo::HighWatermark);
        if offset < self.start || offset > self.end {
            assert!(matches!(read, Err(ReadError::OffsetOutOfRange { .. })));
            return;
        }
        let read = read.unwrap();
        assert_eq!((read.log_start_offset, read.high_watermark), (self.start, self.end));
        let wanted = self.batches.iter().skip_while(|known| known.end() <= offset);
        let got: Vec<_> = klamm_storage::batch::batches(&read.records).collect();
        assert_eq!(got.is_empty(), offset == self.end);
        for (known, got) in wanted.zip(&got) {
            assert_eq!(got.header.base_offset, known.base);
            assert_eq!(got.header.crc, crc32c::crc32c(&got.bytes[21..]));
        }
        if got.len() > 1 {
            assert!(read.records.len() <= max_bytes);
        }
    }

    fn find(&mut self, timestamp: i64) {
        let mut records = self.batches.iter().flat_map(|known| (known.base..).zip(&known.records));
        let wanted = records.find(|(offset, (time, _))| *offset >= self.start && *time >= timestamp);
        let found = self.log.offset_for_timestamp(timestamp).unwrap();
        assert_eq!(found.map(|f| (f.offset, f.timestamp)), wanted.map(|(offset, (time, _))| (offset, *time)));
    }

    /// Retention deletes whole segments: the model only knows that the start does not go back, nor what is left too far.
    fn retain(&mut self, options: LogOptions, now_ms: i64) {
        self.log.set_options(options.clone().into());
        let before = self.log.size_bytes();
        let done = self.log.apply_retention(now_ms).unwrap();
        assert_eq!(self.log.size_bytes() + done.bytes, before);
        if options.retention_bytes >= 0 {
            assert!(self.log.size_bytes() < options.retention_bytes as u64 + 400);
        }
        assert!(self.log.log_start_offset() >= self.start);
        if options.retention_ms >= 0 {
            let dropped = self
                .batches
                .iter()
                .filter(|known| known.base >= self.start && known.end() <= self.log.log_start_offset());
            assert!(
                dropped
                    .flat_map(|known| &known.records)
                    .all(|(time, _)| now_ms - time > options.retention_ms)
            );
        }
        self.start = self.log.log_start_offset();
        self.log.set_options(self.options.clone().into());
    }

    fn crash(&mut self, torn: Option<u8>) {
        let house = self.house.take().unwrap();
        let flushed = self.log.recovery_point();
        if let Some(torn) = torn {
            self.tear(&house, usize::from(torn), flushed);
        }
        let house = house.crash();
        self.log = house.open(self.options.clone());
        self.house = Some(house);
        let start = self.log.log_start_offset();
        assert!(start <= self.start && start >= self.durable_start.min(self.end));
        // Records that were deleted may be back: the model has them still, as far as segments do.
        self.start = start;
        assert_eq!(self.log.log_end_offset(), self.end);
    }

    /// Cuts the end of the last segment off, but nothing that is known to be on the disk.
    fn tear(&mut self, house: &House, bytes: usize, flushed: i64) {
        let Some(name) = files(&house.log_folder(), ".log").pop() else { return };
        let base: i64 = name[..20].parse().unwrap();
        let path = house.log_folder().join(name);
        let sizes = batches_from(&self.log, base.max(self.start)).into_iter();
        let sizes: Vec<_> = sizes.filter(|batch| batch.header.base_offset >= base).collect();
        if sizes.first().is_none_or(|first| first.header.base_offset != base) {
            return;
        }
        let kept_len: usize =
            sizes.iter().filter(|b| b.header.last_offset() < flushed).map(|b| b.bytes.len()).sum();
        let len: usize = sizes.iter().map(|batch| batch.bytes.len()).sum();
        let torn_len = len.saturating_sub(bytes).max(kept_len);
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(torn_len as u64).unwrap();
        let mut at = 0;
        let whole = sizes.iter().take_while(|batch| {
            at += batch.bytes.len();
            at <= torn_len
        });
        self.end = whole.last().map_or(base, |batch| batch.header.last_offset() + 1);
        self.start = self.start.min(self.end);
        let end = self.end;
        self.batches.retain(|known| known.end() <= end);
    }

    fn check(&self) {
        assert_eq!((self.log.log_start_offset(), self.log.log_end_offset()), (self.start, self.end));
        let records = self.batches.iter().flat_map(|known| (known.base..).zip(&known.records));
        let wanted: Vec<_> =
            records.filter(|(at, _)| *at >= self.start).map(|(at, (_, v))| (at, v.clone())).collect();
        assert_eq!(contents(&self.log), wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_log_does_what_the_model_does(steps in steps(), on_disk in any::<bool>()) {
        let mut world = World::new(on_disk);
        for step in &steps {
            world.run(step);
        }
    }
}

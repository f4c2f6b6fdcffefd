//! Snapshots of logs: whatever happens to one side afterwards is nothing to the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use klamm_storage::batch::{self, BuildOptions};
use klamm_storage::{AppendError, Home, ImageError, Log, LogImage, LogManager, LogOptions, ManagerSettings};
use proptest::prelude::*;
use uuid::Uuid;

use crate::harness::*;

const LOGS: usize = 3;

/// What a log holds: its first offset, its end, and its batches byte by byte, with those below the start that are left out
/// of account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    start: i64,
    end: i64,
    batches: Vec<(i64, Bytes)>,
    /// The next sequence number of the log's idempotent producer.
    sequence: i32,
}

/// A set of logs, one for each partition, and what they should hold.
struct World {
    manager: LogManager,
    logs: Vec<Arc<Log>>,
    models: Vec<Model>,
    /// What the logs held when they were last frozen; none for those that never were.
    images: Vec<Option<Arc<LogImage>>>,
}

#[derive(Clone)]
struct Frozen {
    images: Vec<Option<Arc<LogImage>>>,
    models: Vec<Model>,
}

fn options() -> Arc<LogOptions> {
    Arc::new(LogOptions { segment_bytes: 90_000, index_interval_bytes: 90, ..LogOptions::default() })
}

fn through_a_file(image: &LogImage) -> LogImage {
    let mut file = Vec::new();
    image.write(&mut file).unwrap();
    let mut rest = &file[..];
    let read = LogImage::read(&mut rest).unwrap();
    assert!(rest.is_empty());
    let mut again = Vec::new();
    read.write(&mut again).unwrap();
    assert_eq!(file, again);
    read
}

impl World {
    fn new(home: &Home) -> Self {
        let manager = LogManager::open(home, ManagerSettings::default()).unwrap();
        let open =
            |index| manager.open_log("t", index as i32, Uuid::from_u128(1), options(), NOW_MS).unwrap();
        let logs = (0..LOGS).map(open).collect();
        World { logs, manager, models: vec![Model::default(); LOGS], images: vec![None; LOGS] }
    }

    fn of(frozen: &Frozen, from_file: bool) -> Self {
        let manager = LogManager::open(&Home::Memory, ManagerSettings::default()).unwrap();
        let open = |index: usize| {
            let empty = Arc::new(LogImage::empty());
            let mut image = frozen.images[index].clone().unwrap_or(empty);
            if from_file {
                image = Arc::new(through_a_file(&image));
            }
            manager.open_image("t", index as i32, Uuid::from_u128(1), options(), &image, NOW_MS).unwrap()
        };
        let logs = (0..LOGS).map(open).collect();
        World { logs, manager, models: frozen.models.clone(), images: frozen.images.clone() }
    }

    fn freeze(&mut self) -> Frozen {
        for log in self.manager.freeze().unwrap() {
            self.images[log.partition as usize] = Some(log.image);
        }
        assert!(self.manager.freeze().unwrap().is_empty(), "nothing has changed");
        Frozen { images: self.images.clone(), models: self.models.clone() }
    }

    fn append(&mut self, index: usize, size: usize, seed: u8, idempotent: bool) {
        let (log, model) = (&self.logs[index], &mut self.models[index]);
        let mut options = BuildOptions::default();
        if idempotent {
            (options.producer_id, options.producer_epoch, options.base_sequence) = (7, 0, model.sequence);
        }
        let batch = batch::build([record(vec![seed; size], NOW_MS + i64::from(seed))], &options);
        let appended = try_append(log, &batch).unwrap();
        assert_eq!((appended.base_offset, appended.duplicate), (model.end, false));
        if idempotent {
            assert!(try_append(log, &batch).unwrap().duplicate);
            model.sequence += 1;
        }
        model.end += 1;
        let written = batches_from(log, appended.base_offset).remove(0);
        // What the log adds is the offset, which the head has, and the epoch, which is 0.
        assert_eq!(written.bytes[8..12], batch[8..12]);
        assert_eq!(written.bytes[16..], batch[16..]);
        model.batches.push((appended.base_offset, written.bytes));
    }

    /// A batch out of order is refused on each side as that side knows its producer.
    fn skip_ahead(&self, index: usize) {
        let options = BuildOptions {
            producer_id: 7,
            producer_epoch: 0,
            base_sequence: self.models[index].sequence + 5,
            ..BuildOptions::default()
        };
        if self.models[index].sequence > 0 {
            let refused = try_append(&self.logs[index], &batch::build([record("x", NOW_MS)], &options));
            assert!(matches!(refused, Err(AppendError::OutOfOrderSequence(_))), "{refused:?}");
        }
    }

    fn delete_records(&mut self, index: usize, at: u16) {
        let (log, model) = (&self.logs[index], &mut self.models[index]);
        let before = i64::from(at) % (model.end + 1);
        model.start = model.start.max(before);
        assert_eq!(log.delete_records(before).unwrap(), model.start);
    }

    fn retain(&mut self, index: usize, bytes: i64) {
        let (log, model) = (&self.logs[index], &mut self.models[index]);
        let before = log.options();
        log.set_options(Arc::new(LogOptions { retention_bytes: bytes, ..LogOptions::clone(&before) }));
        log.apply_retention(NOW_MS).unwrap();
        log.set_options(before);
        assert!(log.log_start_offset() >= model.start);
        model.start = log.log_start_offset();
    }

    fn check(&self) {
        for (log, model) in self.logs.iter().zip(&self.models) {
            assert_eq!((log.log_start_offset(), log.log_end_offset()), (model.start, model.end));
            let wanted = model.batches.iter().filter(|(offset, _)| *offset >= model.start);
            let got = batches_from(log, model.start);
            assert!(got.iter().map(|b| &b.bytes).eq(wanted.map(|(_, bytes)| bytes)));
            for batch in got.iter().step_by(7) {
                let found = log.offset_for_timestamp(batch.header.max_timestamp).unwrap();
                let first = got.iter().find(|other| other.header.max_timestamp >= batch.header.max_timestamp);
                let first = first.map(|first| first.header.base_offset);
                assert_eq!(found.map(|found| found.offset), first);
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append { world: u8, log: u8, size: usize, seed: u8, idempotent: bool },
    SkipAhead { world: u8, log: u8 },
    DeleteRecords { world: u8, log: u8, at: u16 },
    Retain { world: u8, log: u8, bytes: i64 },
    Roll { world: u8, log: u8 },
    Expire { world: u8, log: u8 },
    Freeze { world: u8 },
    Fork { frozen: u8, from_file: bool },
    Restore { world: u8, frozen: u8, from_file: bool },
    Forget { frozen: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let side = || (any::<u8>(), any::<u8>());
    let size = prop_oneof![6 => 0..300_usize, 2 => 20_000..40_000_usize, 1 => Just(70_000_usize)];
    let step = prop_oneof![
        16 => (side(), size, any::<u8>(), any::<bool>()).prop_map(|((world, log), size, seed, idempotent)| {
            Step::Append { world, log, size, seed, idempotent }
        }),
        1 => side().prop_map(|(world, log)| Step::SkipAhead { world, log }),
        2 => (side(), any::<u16>()).prop_map(|((world, log), at)| Step::DeleteRecords { world, log, at }),
        1 => (side(), 0..100_000_i64).prop_map(|((world, log), bytes)| Step::Retain { world, log, bytes }),
        1 => side().prop_map(|(world, log)| Step::Roll { world, log }),
        1 => side().prop_map(|(world, log)| Step::Expire { world, log }),
        4 => any::<u8>().prop_map(|world| Step::Freeze { world }),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(frozen, from_file)| Step::Fork { frozen, from_file }),
        2 => (side(), any::<bool>()).prop_map(|((world, frozen), from_file)| {
            Step::Restore { world, frozen, from_file }
        }),
        1 => any::<u8>().prop_map(|frozen| Step::Forget { frozen }),
    ];
    proptest::collection::vec(step, 1..120)
}

fn run(steps: &[Step], home: &Home) {
    let mut worlds = vec![World::new(home)];
    let mut frozen: Vec<Frozen> = Vec::new();
    let pick = |number: u8, len: usize| usize::from(number) % len.max(1);
    for step in steps {
        let count = worlds.len();
        match step {
            Step::Append { world, log, size, seed, idempotent } => {
                worlds[pick(*world, count)].append(pick(*log, LOGS), *size, *seed, *idempotent);
            }
            Step::SkipAhead { world, log } => worlds[pick(*world, count)].skip_ahead(pick(*log, LOGS)),
            Step::DeleteRecords { world, log, at } => {
                worlds[pick(*world, count)].delete_records(pick(*log, LOGS), *at);
            }
            Step::Retain { world, log, bytes } => {
                worlds[pick(*world, count)].retain(pick(*log, LOGS), *bytes);
            }
            Step::Roll { world, log } => {
                worlds[pick(*world, count)].logs[pick(*log, LOGS)].roll_now(NOW_MS).map(drop).unwrap();
            }
            Step::Expire { world, log } => {
                let (world, log) = (pick(*world, count), pick(*log, LOGS));
                worlds[world].logs[log].expire_producers(i64::MAX);
                worlds[world].models[log].sequence = 0;
            }
            Step::Freeze { world } => frozen.push(worlds[pick(*world, count)].freeze()),
            Step::Fork { frozen: at, from_file } if !frozen.is_empty() && count < 5 => {
                worlds.push(World::of(&frozen[pick(*at, frozen.len())], *from_file));
            }
            Step::Restore { world, frozen: at, from_file } if !frozen.is_empty() => {
                let world = pick(*world, count);
                // What has a folder stays as it is.
                if world > 0 || *home == Home::Memory {
                    worlds[world] = World::of(&frozen[pick(*at, frozen.len())], *from_file);
                }
            }
            Step::Forget { frozen: at } if !frozen.is_empty() => {
                frozen.swap_remove(pick(*at, frozen.len()));
            }
            Step::Fork { .. } | Step::Restore { .. } | Step::Forget { .. } => {}
        }
    }
    worlds.iter().for_each(World::check);
    for one in &frozen {
        World::of(one, false).check();
        World::of(one, true).check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 3000, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_of_a_snapshot_do_what_their_models_do(steps in steps(), on_disk in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        run(&steps, &if on_disk { Home::Folder(folder.path().to_owned()) } else { Home::Memory });
    }
}

#[test]
fn nothing_is_copied_before_somebody_appends() {
    let mut world = World::new(&Home::Memory);
    for size in [10, 100_000 / 2, 30_000] {
        world.append(0, size, 1, false);
        let frozen = world.freeze();
        let fork = World::of(&frozen, false);
        let memory = |log: &Log| batches_from(log, 0).iter().map(|b| b.bytes.as_ptr()).collect::<Vec<_>>();
        assert_eq!(memory(&world.logs[0]), memory(&fork.logs[0]));
    }
}

#[test]
fn the_end_of_one_side_is_not_the_end_of_the_other() {
    let mut world = World::new(&Home::Memory);
    (0..4).for_each(|_| world.append(0, 40_000, 1, false));
    let frozen = world.freeze();
    let (one, mut other) = (World::of(&frozen, false), World::of(&frozen, false));
    world.manager.close().unwrap();
    one.manager.delete_log(&one.logs[0]).unwrap();
    drop((world, one));
    other.append(0, 10, 2, false);
    other.check();
    World::of(&frozen, false).check();
}

#[test]
fn a_log_and_its_copy_go_on_alike() {
    // Small enough to be copied, and large enough to be sealed.
    for size in [100, 30_000] {
        let mut world = World::new(&Home::Memory);
        (0..3).for_each(|_| world.append(0, size, 1, false));
        let mut fork = World::of(&world.freeze(), false);
        for one in [&mut world, &mut fork] {
            (0..3).for_each(|_| one.append(0, size, 2, false));
        }
        let reads = [&world, &fork].map(|one| {
            let read = one.logs[0].read(0, 1 << 20, true, klamm_storage::ReadUpTo::LogEnd).unwrap();
            (read.records, one.logs[0].segment_count())
        });
        assert_eq!(reads[0], reads[1]);
    }
}

#[test]
fn a_snapshot_of_two_logs_has_no_effect_without_its_cause() {
    let world = World::new(&Home::Memory);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20_000 {
                append(&world.logs[0], &[&number.to_string()]);
                append(&world.logs[1], &[&number.to_string()]);
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut ends = [0, 0];
        while !done.load(Ordering::SeqCst) {
            for log in world.manager.freeze().unwrap() {
                ends[log.partition as usize] = log.image.log_end_offset();
            }
            assert!(ends[0] == ends[1] || ends[0] == ends[1] + 1, "{ends:?}");
        }
    });
}

#[test]
fn a_damaged_section_is_an_error() {
    let mut world = World::new(&Home::Memory);
    (0..5).for_each(|seed| world.append(0, 50, seed, true));
    let frozen = world.freeze();
    let mut file = Vec::new();
    frozen.images[0].as_ref().unwrap().write(&mut file).unwrap();
    for at in 0..file.len() {
        assert!(matches!(LogImage::read(&mut &file[..at]), Err(ImageError::Cut)), "cut at {at}");
        let mut damaged = file.clone();
        damaged[at] ^= 0x11;
        assert!(LogImage::read(&mut &damaged[..]).is_err(), "byte {at}");
    }
}

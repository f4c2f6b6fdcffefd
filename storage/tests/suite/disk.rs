//! The data folder: whose it is, what lies in it, and what happens when the disk does not play along.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_storage::{AppendError, Home, LogManager, LogOptions, ManagerSettings, OpenError, StorageError};
use uuid::Uuid;

use crate::harness::*;

fn try_open(path: &std::path::Path) -> Result<LogManager, OpenError> {
    LogManager::open(&Home::Folder(path.to_owned()), ManagerSettings::default())
}

#[test]
fn a_folder_is_locked_until_it_is_closed() {
    let house = House::on_disk();
    let error = try_open(house.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)));
    assert!(error.to_string().contains("in use by another broker"));
    house.manager.close().unwrap();
    try_open(house.path()).unwrap();
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("lost+found")).unwrap();
    drop(try_open(folder.path()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.doc"), "").unwrap();
    assert!(try_open(folder.path()).unwrap_err().to_string().contains("thesis.doc"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("meta.properties"), "version=1\ncluster.id=x\n").unwrap();
    assert!(try_open(folder.path()).unwrap_err().to_string().contains("Apache Kafka"));
    assert!(matches!(try_open(&folder.path().join("meta.properties")), Err(OpenError::NotWritable { .. })));
}

#[test]
fn the_cluster_id_is_remembered() {
    let house = House::on_disk();
    assert_eq!(house.manager.cluster_id(|| "abc".to_owned()).unwrap(), "abc");
    let house = house.restart();
    assert_eq!(house.manager.cluster_id(|| "def".to_owned()).unwrap(), "abc");
}

#[test]
fn logs_are_found_with_their_ids() {
    let house = House::on_disk();
    for (topic, partition) in [("a-b", 3), ("a-b", 12), ("c", 0)] {
        let id = Uuid::from_u128(9);
        append(&house.manager.open_log(topic, partition, id, Arc::default(), 0).unwrap(), &["a"]);
    }
    let found = house.manager.found().unwrap();
    let names: Vec<_> = found.iter().map(|log| (log.topic.as_str(), log.partition)).collect();
    assert_eq!(names, [("a-b", 3), ("a-b", 12), ("c", 0)]);
    assert!(found.iter().all(|log| log.topic_id == Some(Uuid::from_u128(9))));
    let text = std::fs::read_to_string(house.path().join("c-0/partition.metadata")).unwrap();
    assert_eq!(text, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAACQ");
    let house = house.restart();
    assert!(matches!(
        house.manager.open_log("c", 0, Uuid::from_u128(8), Arc::default(), 0),
        Err(OpenError::OtherTopic { .. })
    ));
}

#[test]
fn a_full_disk_is_an_error_and_the_log_lives_on() {
    for house in House::both() {
        let log = house.open(small());
        append(&log, &["a"]);
        house.faults().set_disk_full(true);
        let mut refused = 0;
        for _ in 0..100 {
            match try_append(&log, &batch_of(&["x".repeat(100).as_str()])) {
                Ok(_) => assert_eq!(refused, 0),
                Err(AppendError::DiskFull(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 10);
        let before = contents(&log);
        house.faults().set_disk_full(false);
        append(&log, &["b"]);
        assert_eq!(contents(&log).len(), before.len() + 1);
    }
}

#[test]
fn after_a_failed_sync_the_log_takes_nothing_until_it_is_reopened() {
    let mut house = House::on_disk();
    let options = LogOptions { flush_messages: 1, ..LogOptions::default() };
    let log = house.open(options.clone());
    append(&log, &["a"]);
    assert_eq!(log.recovery_point(), 1);
    house.faults().set_failing_syncs(true);
    assert!(matches!(
        try_append(&log, &batch_of(&["b"])),
        Err(AppendError::Storage(StorageError::Io { .. }))
    ));
    house.faults().set_failing_syncs(false);
    assert!(matches!(
        try_append(&log, &batch_of(&["b"])),
        Err(AppendError::Storage(StorageError::Failed(_)))
    ));
    assert!(matches!(log.flush(), Err(StorageError::Failed(_))));
    // What is there can still be read.
    assert_eq!(contents(&log), [(0, "a".to_owned())]);
    assert!(house.manager.close().is_err());
    drop(log);
    house = house.crash();
    let log = house.open(options);
    assert_eq!(contents(&log)[0], (0, "a".to_owned()));
    append(&log, &["c"]);
}

#[test]
fn syncs_come_as_often_as_asked_for() {
    let house = House::on_disk();
    let log = house.open(LogOptions { flush_messages: 3, flush_ms: 1000, ..LogOptions::default() });
    let at = || (append(&log, &["a"]), log.recovery_point()).1;
    assert_eq!([at(), at(), at(), at()], [0, 0, 3, 3]);
    log.flush_if_due(NOW_MS + 999).unwrap();
    assert_eq!(log.recovery_point(), 3);
    log.flush_if_due(NOW_MS + 1000).unwrap();
    assert_eq!(log.recovery_point(), 4);
    let syncs = house.faults().syncs();
    log.flush().unwrap();
    assert_eq!(house.faults().syncs(), syncs);
}

#[test]
fn few_segments_are_mapped_whatever_there_is() {
    let settings = ManagerSettings { max_mapped_segments: 4, ..ManagerSettings::default() };
    let house = House::on_disk_with(settings);
    let open = |n| house.manager.open_log("t", n, TOPIC_ID, Arc::new(small()), NOW_MS).unwrap();
    let logs: Vec<_> = (0..20).map(open).collect();
    for round in 0..40 {
        for log in &logs {
            append(log, &[&round.to_string()]);
        }
        assert!(house.manager.mapped_segments() <= 4, "{}", house.manager.mapped_segments());
    }
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for chunk in logs.chunks(5) {
            let count = &count;
            scope.spawn(move || {
                chunk.iter().for_each(|log| _ = count.fetch_add(contents(log).len(), Ordering::Relaxed))
            });
        }
    });
    assert_eq!(count.into_inner(), 20 * 40);
    assert!(house.manager.mapped_segments() <= 4);
    let house = house.restart();
    let log = house.manager.open_log("t", 7, TOPIC_ID, Arc::new(small()), NOW_MS).unwrap();
    assert_eq!(contents(&log).len(), 40);
}

#[test]
fn an_empty_log_has_no_folder_until_its_first_batch() {
    let house = House::on_disk();
    let log = house.open(LogOptions::default());
    assert!(!house.log_folder().exists());
    let house = house.restart();
    let log_again = house.open(LogOptions::default());
    assert_eq!((log.log_end_offset(), log_again.log_end_offset()), (0, 0));
    append(&log_again, &["a"]);
    assert!(house.log_folder().join("partition.metadata").exists());
}

#[test]
fn an_empty_log_can_be_deleted_and_be_there_again() {
    let house = House::on_disk();
    let log = house.open(LogOptions::default());
    house.manager.delete_log(&log).unwrap();
    assert!(try_append(&log, &batch_of(&["a"])).is_err());
    assert!(!house.log_folder().exists());
    append(&house.open(LogOptions::default()), &["b"]);
}

#[test]
fn a_topic_with_the_longest_name_can_be_deleted() {
    let house = House::on_disk();
    let topic = "t".repeat(249);
    let log = house.manager.open_log(&topic, 12_345, TOPIC_ID, Arc::default(), 0).unwrap();
    assert!(matches!(
        house.manager.open_log(&topic, 12_345, TOPIC_ID, Arc::default(), 0),
        Err(OpenError::AlreadyOpen { .. })
    ));
    append(&log, &["a"]);
    house.manager.delete_log(&log).unwrap();
    assert_eq!(house.manager.found().unwrap(), []);
    assert_eq!(files(house.path(), "-delete"), [""; 0]);
}

#[test]
fn closed_files_are_no_longer_than_their_contents() {
    let house = House::on_disk();
    let log = house.open(LogOptions::default());
    append(&log, &["a"]);
    let path = house.log_folder().join("00000000000000000000.log");
    assert!(std::fs::metadata(&path).unwrap().len() >= 64 * 1024);
    house.manager.close().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), log.size_bytes());
    assert_eq!(
        std::fs::read_to_string(house.path().join(".kafka_cleanshutdown")).unwrap(),
        r#"{"version":0,"brokerEpoch":-1}"#
    );
    let points = std::fs::read_to_string(house.path().join("recovery-point-offset-checkpoint")).unwrap();
    assert_eq!(points, "0\n1\nt 0 1\n");
}

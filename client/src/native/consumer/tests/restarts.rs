use super::*;

/// A broker that is gone and comes back at the same address, with the same folder.
#[test]
fn a_broker_that_comes_back_is_read_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let start = |address: &str| builder(&[("t", 2)]).data_dir(folder.path()).listen(address).start();
    let mut bed = Bed::of(start("127.0.0.1:0").unwrap());
    let address = bed.broker.as_ref().unwrap().bootstrap_servers();
    for partition in 0..2 {
        bed.produce("t", partition, &values(10));
    }
    let members = [bed.member(options("g"), &["t"], None), bed.member(options("g"), &["t"], None)];
    let seen = Seen::default();
    let drain = || members.iter().for_each(|member| seen.drain(member));
    wait_until("all is read", || {
        drain();
        seen.distinct() == 20 && members.iter().all(|member| member.assignment().len() == 1)
    });
    for round in 1..3 {
        drop(bed.broker.take());
        let again = (0..100).find_map(|_| start(&address).ok()).expect("the address is free again");
        bed.broker = Some(again);
        for partition in 0..2 {
            bed.produce("t", partition, &values(10));
        }
        wait_until("it goes on", || {
            drain();
            seen.distinct() == 20 + 20 * round
        });
    }
    members.iter().for_each(close);
    // What was read last may be read again where it could not be committed; the committed position is the end.
    let successor = bed.member(manual("g"), &["t"], None);
    wait_until("it has positions", || successor.positions().len() == 2);
    assert!(successor.positions().iter().all(|(_, position)| position.next == 30));
}

#[test]
fn without_a_broker_it_ends_in_time() {
    let mut bed = Bed::new(&[("t", 1)]);
    bed.produce("t", 0, &values(1));
    let notes = Arc::new(Notes::default());
    let consumer = bed.member(options("g"), &["t"], Some(&notes));
    take(&consumer, 1);
    drop(bed.broker.take());
    let begun = Instant::now();
    // It says that it could not commit only in the log: what was handed out is handed out again later.
    let _ = block_on(consumer.close(Instant::now() + Duration::from_millis(300)));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // The listener hears of it all the same.
    assert_eq!(notes.of("revoked").len() + notes.of("lost").len(), 1, "{:?}", notes.told());
    let error = block_on(consumer.commit(crate::backend::Commit::HandedOut)).err();
    assert!(error.is_none_or(|error| error.kind() == crate::error::ErrorKind::NotRunning));
}

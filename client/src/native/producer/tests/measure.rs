//! Measurements, for whoever works on the producer: run with `--release`, `--ignored` and `--nocapture`.

use super::*;
use crate::native::producer::engine::{Action, News};
use crate::native::producer::inbox::Mail;

const RECORDS: usize = 3_000_000;

fn value() -> String {
    "x".repeat(100)
}

fn print(what: &str, records: usize, since: Instant, cpu: Duration) {
    let seconds = since.elapsed().as_secs_f64();
    let cpu = cpu.as_nanos() as f64 / records as f64;
    println!("{what}: {:.2} M records/s, {cpu:.0} ns of CPU a record", records as f64 / seconds / 1e6);
}

/// The CPU time that the process has used.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let field = |at: usize| after.split_whitespace().nth(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((field(11) + field(12)) * 10)
}

#[test]
#[ignore = "a measurement"]
fn measure_accumulation() {
    for (what, key) in [("without keys", None), ("with keys", Some("some key"))] {
        let options = ProducerOptions::default();
        let settings = Settings::new(&ClientOptions::default(), &options).unwrap();
        let accumulator = Arc::new(Accumulator::new(settings));
        let mut engine = Engine::new(Arc::clone(&accumulator), Arc::new(Lost::default()));
        let (topic, value): (Arc<str>, String) = (Arc::from("t"), value());
        let record = RecordToSend {
            topic: &topic,
            partition: None,
            key: key.map(str::as_bytes),
            value: Some(value.as_bytes()),
            headers: &[],
            timestamp: None,
        };
        let mut mail = Mail::default();
        let (since, before) = (Instant::now(), cpu());
        for number in 0..RECORDS {
            assert!(accumulator.send(&record, None, None, &Instant::now).is_ok());
            if number % 100 == 0 {
                let now = Instant::now();
                mail.clear();
                mail = accumulator.inbox.take(mail);
                engine.deliver(&mail, now);
                let mut actions = engine.run(now);
                while let Some(action) = actions.pop() {
                    match action {
                        Action::Produce { request, parts, .. } => {
                            drop(parts);
                            engine.answered(request, Ok(None), now);
                            actions.extend(engine.run(now));
                        }
                        Action::Want(_) => {
                            let leaders = News::Partitions(vec![Some((1, 0)); 4]);
                            engine.news("t", &leaders, now);
                            actions.extend(engine.run(now));
                        }
                        _ => {}
                    }
                }
            }
        }
        print(&format!("accumulated, sealed and settled {what}"), RECORDS, since, cpu() - before);
    }
}

fn measure(what: &str, bench: &Bench, records: usize) {
    let value = value();
    let record = bench.record(None, &value);
    let go = |records: usize| {
        for _ in 0..records {
            if bench.producer.send(&record, None).is_err() {
                let sent = || bench.producer.send(&record, None).ok();
                bench.producer.room().wait(None, sent).unwrap();
            }
        }
        bench.flush();
    };
    go(records / 10);
    let (since, before) = (Instant::now(), cpu());
    go(records);
    print(what, records, since, cpu() - before);
    assert!(bench.lost.0.lock().is_empty());
}

#[test]
#[ignore = "a measurement"]
fn measure_throughput() {
    for batch_size in [16_384, 131_072] {
        for acks in [Acks::Leader, Acks::All] {
            let change =
                |options: &mut ProducerOptions| (options.acks, options.batch_size) = (acks, batch_size);
            let name = format!("producer measure {batch_size} {acks:?}");
            let _broker = crate::embedded::embedded_broker(&name, None).unwrap();
            let bench = Bench::within(&name, change);
            measure(&format!("within the process, batches of {batch_size}, {acks:?}"), &bench, RECORDS);
            let broker = Broker::builder().start().unwrap();
            let bench = Bench::new(Bootstrap::Servers(vec![broker.bootstrap_servers()]), change);
            measure(&format!("over TCP, batches of {batch_size}, {acks:?}"), &bench, RECORDS);
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn measure_latency() {
    let broker = Broker::builder().start().unwrap();
    let _embedded = crate::embedded::embedded_broker("producer latency", None).unwrap();
    let tcp = Bench::new(Bootstrap::Servers(vec![broker.bootstrap_servers()]), |_| {});
    let within = Bench::within("producer latency", |_| {});
    for (what, bench) in [("within the process", &within), ("over TCP", &tcp)] {
        let taken: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let value = value();
        let mut next = Instant::now();
        for _ in 0..50_000 {
            next += Duration::from_micros(100);
            while Instant::now() < next {
                std::hint::spin_loop();
            }
            let (taken, sent) = (Arc::clone(&taken), Instant::now());
            let report: Report = Box::new(move |fate| {
                fate.unwrap();
                taken.lock().push(sent.elapsed());
            });
            assert!(bench.producer.send(&bench.record(None, &value), Some(report)).is_ok());
        }
        bench.flush();
        let mut taken = std::mem::take(&mut *taken.lock());
        taken.sort_unstable();
        let at = |share: usize| taken[taken.len() * share / 1000];
        println!("{what} at 10,000/s: median {:?}, 99% {:?}, 99.9% {:?}", at(500), at(990), at(999));
    }
}

//! Against a model of a broker that loses requests and answers, forgets producers and hands partitions over: nothing is lost,
//! nothing is there twice, and order holds.

use std::collections::HashMap;

use super::*;
use crate::native::producer::partitioner::Dice;

/// A partition's log, and what it remembers of a producer: id, epoch, and the sequence numbers of the last batches.
#[derive(Default)]
struct Log {
    values: Vec<String>,
    producer: Option<(i64, i16)>,
    next_sequence: i32,
    last: VecDeque<(i32, i64)>,
    /// Producers are forgotten now and then, and told so.
    forgets: bool,
}

impl Log {
    fn append(&mut self, sent: &Sent, part: usize) -> Result<i64, ResponseError> {
        let (id, epoch, sequence) = sent.stamp(part);
        let values = sent.values(part);
        match self.producer {
            Some((known, current)) if known == id && epoch < current => {
                return Err(ResponseError::InvalidProducerEpoch);
            }
            Some(known) if known == (id, epoch) => {
                if let Some((_, offset)) = self.last.iter().find(|(before, _)| *before == sequence) {
                    return Ok(*offset);
                }
                if sequence != self.next_sequence {
                    return Err(ResponseError::OutOfOrderSequenceNumber);
                }
            }
            // Brokers of today take whatever number a producer begins with that they do not know.
            None if !self.forgets => self.last.clear(),
            None if sequence != 0 => return Err(ResponseError::UnknownProducerId),
            Some(_) if sequence != 0 => return Err(ResponseError::OutOfOrderSequenceNumber),
            _ => self.last.clear(),
        }
        let offset = self.values.len() as i64;
        self.producer = Some((id, epoch));
        self.next_sequence = sequence + values.len() as i32;
        self.last.push_back((sequence, offset));
        if self.last.len() > 5 {
            self.last.pop_front();
        }
        self.values.extend(values);
        Ok(offset)
    }
}

const PARTITIONS: i32 = 3;

struct Run {
    bench: Bench,
    dice: Dice,
    logs: HashMap<i32, Log>,
    forgets: bool,
}

impl Run {
    fn new(seed: u64, forgets: bool) -> Self {
        let bench = Bench::ready(|options| {
            idempotent(options);
            (options.batch_size, options.delivery_timeout) = (400, Duration::from_secs(1 << 20));
        });
        let mut logs: HashMap<_, _> =
            (0..PARTITIONS).map(|number| (number, Log { forgets, ..Log::default() })).collect();
        // The record that made the topic known.
        let known = logs.get_mut(&0).unwrap();
        (known.producer, known.next_sequence) = (Some((7, 0)), 1);
        let mut run = Run { bench, dice: Dice::seeded(seed), logs, forgets };
        run.bench.news(&[Some((1, 0)), Some((2, 0)), Some((1, 0))]);
        run
    }

    /// Answers a request that is under way, or loses it. All of a broker's come in order; which broker, chance says.
    fn settle_one(&mut self, faults: bool) {
        let at = self.dice.below(self.bench.sent.len());
        let broker = self.bench.sent[at].broker;
        let first = self.bench.sent.iter().position(|sent| sent.broker == broker).unwrap();
        let sent = self.bench.sent.remove(first).unwrap();
        let luck = if faults { self.dice.below(10) } else { 9 };
        match luck {
            0 => return self.bench.lose(sent, true),
            1 => return self.bench.lose(sent, false),
            2 => return self.bench.refuse(sent, ResponseError::NotEnoughReplicas),
            3 => {
                self.bench.refuse(sent, ResponseError::NotLeaderOrFollower);
                let leaders: Vec<_> =
                    (0..PARTITIONS).map(|_| Some((1 + self.dice.below(3) as i32, 1))).collect();
                return self.bench.news(&leaders);
            }
            4 => return self.break_connection(sent, false),
            5 if !self.forgets => return self.break_connection(sent, true),
            _ => {}
        }
        let mut answer = response(&sent, &vec![None; sent.parts.len()], 0);
        for (place, part) in sent.parts.iter().enumerate() {
            let log = self.logs.get_mut(&part.partition).unwrap();
            let there = &mut answer.responses[place].partition_responses[0];
            match log.append(&sent, place) {
                Ok(offset) => there.base_offset = offset,
                Err(error) => (there.base_offset, there.error_code) = (-1, error.code()),
            }
        }
        if self.forgets && luck == 5 {
            sent.parts.iter().for_each(|part| self.logs.get_mut(&part.partition).unwrap().producer = None);
        }
        self.bench.engine.answered(sent.request, Ok(Some(answer)), self.bench.now);
        self.bench.step();
    }

    /// Some of what is under way to a broker arrives, but nobody hears of it. A broker that is restarted remembers the last
    /// batch of a producer only.
    fn break_connection(&mut self, first: Sent, restart: bool) {
        let broker = first.broker;
        let mut lost = vec![first];
        while let Some(next) = self.bench.sent.iter().position(|sent| sent.broker == broker) {
            lost.push(self.bench.sent.remove(next).unwrap());
        }
        let arrive = self.dice.below(lost.len() + 1);
        for sent in &lost[..arrive] {
            for (place, part) in sent.parts.iter().enumerate() {
                // Nobody hears of errors either.
                let _ = self.logs.get_mut(&part.partition).unwrap().append(sent, place);
            }
        }
        if restart {
            self.logs.values_mut().for_each(|log| {
                let last = log.last.pop_back();
                log.last.clear();
                log.last.extend(last);
            });
        }
        lost.into_iter().for_each(|sent| self.bench.lose(sent, true));
    }

    fn go(&mut self) -> HashMap<i32, Vec<String>> {
        let mut published: HashMap<i32, Vec<String>> = HashMap::new();
        for number in 0..400 {
            let partition = self.dice.below(PARTITIONS as usize) as i32;
            let value = format!("{number} {}", "x".repeat(self.dice.below(150)));
            self.bench.publish_to(partition, &value);
            published.entry(partition).or_default().push(value);
            match self.dice.below(4) {
                0 => self.bench.step(),
                1 => self.bench.pass(ms(1)),
                2 if !self.bench.sent.is_empty() => self.settle_one(true),
                _ => {}
            }
            self.identify_anew();
        }
        while self.bench.accumulator.outstanding() > 0 {
            while !self.bench.sent.is_empty() {
                self.settle_one(true);
            }
            self.bench.pass(ms(1200));
            self.identify_anew();
        }
        published
    }

    fn identify_anew(&mut self) {
        let asked = self.bench.asked.iter().any(|action| matches!(action, Action::Identify));
        self.bench.asked.clear();
        if asked {
            let id = 1000 + self.dice.below(1 << 30) as i64;
            self.bench.engine.identified(Ok((id, 0)), self.bench.now);
            self.bench.step();
        }
    }
}

#[test]
fn everything_arrives_once_and_in_order() {
    for seed in 0..150 {
        let mut run = Run::new(seed, false);
        let published = run.go();
        for (partition, values) in &published {
            let numbers = |values: &[String]| -> Vec<u32> {
                values.iter().map(|value| value.split_once(' ').unwrap().0.parse().unwrap()).collect()
            };
            let (there, meant) = (numbers(&run.logs[partition].values), numbers(values));
            assert_eq!(there, meant, "seed {seed}, partition {partition}");
        }
        run.bench.assert_settled();
        // Everybody was told the truth.
        for (value, fate) in run.bench.fates.lock().iter() {
            let there = fate.as_ref().unwrap();
            if there.offset < 0 {
                // The broker has it, and does not remember where.
                assert!(run.logs[&there.partition].values.contains(value), "seed {seed}");
                continue;
            }
            let at = usize::try_from(there.offset).unwrap();
            assert_eq!(&run.logs[&there.partition].values[at], value, "seed {seed}");
        }
    }
}

#[test]
fn where_brokers_forget_nothing_is_lost_and_order_holds() {
    for seed in 0..150 {
        let mut run = Run::new(seed, true);
        let published = run.go();
        run.bench.assert_settled();
        assert!(run.bench.fates.lock().iter().all(|(_, fate)| fate.is_ok()));
        for (partition, values) in &published {
            // What was appended and not heard of may be there twice, if the broker has forgotten that it has it.
            let mut seen = std::collections::HashSet::new();
            let firsts: Vec<_> =
                run.logs[partition].values.iter().filter(|value| seen.insert(*value)).cloned().collect();
            assert!(firsts == *values, "seed {seed}, partition {partition}");
        }
    }
}

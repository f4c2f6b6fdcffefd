//! Brokers against models: random requests, and in between snapshots, forks, returns and files. Whatever happens to one
//! broker is nothing to the others.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::client::*;
use super::{START, builder, contents};
use crate::{Broker, Snapshot};

const TOPICS: [&str; 4] = ["a", "b", "c", "d.e"];
const GROUPS: [&str; 2] = ["g", "h"];
const PARTITIONS: i32 = 2;

#[derive(Debug, Clone, PartialEq, Default)]
struct Model {
    /// Of each topic the retention that was set and, for each partition, where it starts and the values of its records.
    topics: BTreeMap<&'static str, Topic>,
    committed: BTreeMap<(&'static str, &'static str, i32), i64>,
    producer_ids: i64,
    time: i64,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Topic {
    retention_ms: Option<i64>,
    partitions: [(i64, Vec<String>); PARTITIONS as usize],
}

#[derive(Debug, Clone)]
enum Act {
    Create(usize),
    Delete(usize),
    Produce { topic: usize, partition: i32, size: usize },
    DeleteRecords { topic: usize, partition: i32, before: u8 },
    Commit { group: usize, topic: usize, offset: i64 },
    Configure { topic: usize, ms: i64 },
    ProducerId,
    Advance(u64),
    Snapshot,
    Fork,
    Restore { snapshot: u8, from_file: bool },
    Reset,
}

fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let topic = || 0..TOPICS.len();
    let partition = || 0..PARTITIONS;
    let act = prop_oneof![
        3 => topic().prop_map(Act::Create),
        1 => topic().prop_map(Act::Delete),
        12 => (topic(), partition(), prop_oneof![5 => 0..200_usize, 1 => Just(40_000)])
            .prop_map(|(topic, partition, size)| Act::Produce { topic, partition, size }),
        1 => (topic(), partition(), any::<u8>())
            .prop_map(|(topic, partition, before)| Act::DeleteRecords { topic, partition, before }),
        3 => (0..GROUPS.len(), topic(), 0..100_i64)
            .prop_map(|(group, topic, offset)| Act::Commit { group, topic, offset }),
        1 => (topic(), 1_000_000_000..2_000_000_000_i64).prop_map(|(topic, ms)| Act::Configure { topic, ms }),
        1 => Just(Act::ProducerId),
        1 => (0..10_000_u64).prop_map(Act::Advance),
        3 => Just(Act::Snapshot),
        1 => Just(Act::Fork),
        3 => (any::<u8>(), any::<bool>())
            .prop_map(|(snapshot, from_file)| Act::Restore { snapshot, from_file }),
        1 => Just(Act::Reset),
    ];
    proptest::collection::vec((any::<u8>(), act), 1..100)
}

/// A broker, what it should hold, and what it should hold when it is reset.
struct Side {
    broker: Broker,
    client: Client,
    model: Model,
    started: Model,
}

impl Side {
    fn new(broker: Broker, model: Model) -> Self {
        Side { client: Client::new(&broker), broker, started: model.clone(), model }
    }

    fn run(&mut self, act: &Act) {
        let (client, model) = (&mut self.client, &mut self.model);
        match act {
            Act::Create(topic) => {
                let code = client.create(TOPICS[*topic], PARTITIONS);
                let is_new = !model.topics.contains_key(TOPICS[*topic]);
                assert_eq!(code == 0, is_new);
                model.topics.entry(TOPICS[*topic]).or_default();
            }
            Act::Delete(topic) => {
                let there = model.topics.remove(TOPICS[*topic]).is_some();
                assert_eq!(client.delete(TOPICS[*topic]) == 0, there);
                model.committed.retain(|(_, of, _), _| *of != TOPICS[*topic]);
            }
            Act::Produce { topic, partition, size } => {
                let known = model.topics.entry(TOPICS[*topic]).or_default();
                let (_, values) = &mut known.partitions[*partition as usize];
                let value = format!("{}{}", values.len(), "v".repeat(*size));
                // One that is not there is made by those who ask for it first.
                client.create(TOPICS[*topic], PARTITIONS);
                let produced = client.produce(TOPICS[*topic], *partition, &record(&value, None));
                assert_eq!(produced, (0, values.len() as i64));
                values.push(value);
            }
            Act::DeleteRecords { topic, partition, before } => {
                let Some(known) = model.topics.get_mut(TOPICS[*topic]) else { return };
                let (start, values) = &mut known.partitions[*partition as usize];
                let before = i64::from(*before) % (values.len() as i64 + 1);
                *start = before.max(*start);
                assert_eq!(client.delete_records(TOPICS[*topic], *partition, before), *start);
            }
            Act::Commit { group, topic, offset } => {
                if model.topics.contains_key(TOPICS[*topic]) {
                    assert_eq!(client.commit(GROUPS[*group], TOPICS[*topic], 0, *offset), 0);
                    model.committed.insert((GROUPS[*group], TOPICS[*topic], 0), *offset);
                }
            }
            Act::Configure { topic, ms } => {
                if let Some(known) = model.topics.get_mut(TOPICS[*topic]) {
                    assert_eq!(client.set(Some(TOPICS[*topic]), "retention.ms", &ms.to_string()), 0);
                    known.retention_ms = Some(*ms);
                }
            }
            Act::ProducerId => {
                assert_eq!(client.producer_id(), model.producer_ids);
                model.producer_ids += 1;
            }
            Act::Advance(ms) => {
                self.broker.advance(Duration::from_millis(*ms));
                model.time += *ms as i64;
            }
            Act::Reset => {
                self.broker.reset().unwrap();
                self.client = Client::new(&self.broker);
                self.model = self.started.clone();
            }
            Act::Snapshot | Act::Fork | Act::Restore { .. } => {}
        }
    }

    fn check(&mut self) {
        let mut wanted = BTreeMap::new();
        for (name, topic) in &self.model.topics {
            let state = self.broker.state();
            let found = state.topics.get(name).unwrap();
            let retention = found.overrides().get("retention.ms").map(|ms| ms.parse().unwrap());
            assert_eq!(retention, topic.retention_ms);
            for (partition, (start, values)) in (0..).zip(&topic.partitions) {
                let batches = (0_i64..).zip(values).skip(*start as usize);
                let batches: Vec<_> = batches.map(|(at, value)| (at, stamped(at, value))).collect();
                wanted.insert(((*name).to_owned(), partition), (*start, batches));
            }
        }
        assert_eq!(contents(&self.broker), wanted);
        for group in GROUPS {
            let committed = self.model.committed.iter().filter(|((of, _, _), _)| *of == group);
            let committed: Vec<_> =
                committed.map(|((_, topic, p), offset)| ((*topic).to_owned(), *p, *offset)).collect();
            assert_eq!(self.client.committed(group), committed);
        }
        assert_eq!(self.broker.clock().now_ms(), self.model.time);
    }
}

/// The batch as it lies in the log: with its offset, and the epoch 0.
fn stamped(offset: i64, value: &str) -> Bytes {
    let mut batch = record(value, None).to_vec();
    batch[..8].copy_from_slice(&offset.to_be_bytes());
    batch[12..16].fill(0);
    batch.into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_broker_does_what_its_model_does(acts in acts()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        let began = Model {
            topics: BTreeMap::from([("a", Topic::default())]),
            time: START,
            ..Model::default()
        };
        let mut sides = vec![Side::new(builder().topic("a", PARTITIONS).start().unwrap(), began)];
        let mut snapshots: Vec<(Snapshot, Model)> = Vec::new();
        for (who, act) in &acts {
            let count = sides.len();
            let side = &mut sides[usize::from(*who) % count];
            match act {
                Act::Snapshot => snapshots.push((side.broker.snapshot().unwrap(), side.model.clone())),
                Act::Fork if count < 4 => {
                    let fork = Side::new(side.broker.fork().unwrap(), side.model.clone());
                    sides.push(fork);
                }
                Act::Restore { snapshot, from_file } if !snapshots.is_empty() => {
                    let (snapshot, model) = &snapshots[usize::from(*snapshot) % snapshots.len()];
                    let mut snapshot = snapshot.clone();
                    if *from_file {
                        snapshot.save(&path).unwrap();
                        snapshot = Snapshot::load(&path).unwrap();
                    }
                    side.broker.restore(&snapshot).unwrap();
                    (side.client, side.model) = (Client::new(&side.broker), model.clone());
                }
                act => side.run(act),
            }
        }
        sides.iter_mut().for_each(Side::check);
        for (snapshot, model) in snapshots {
            let broker = builder().from_snapshot(&snapshot).start().unwrap();
            Side::new(broker, model).check();
        }
    }
}

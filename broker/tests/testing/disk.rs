//! Trouble with the disk: for what one request writes by rule, for all that is written by word.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest,
};
use kafka_protocol::protocol::StrBytes;
use klamm_broker::{ApiKey, Broker, Fault, JournalOptions};

use crate::harness::{
    DEADLINE, START, Wire, broker, commit, errors, fetch, join, produce, sync, text, topic,
};

const STORAGE_ERROR: i16 = 56;

fn codes(wire: &mut Wire) -> Vec<i16> {
    errors(&wire.call(&produce(&[("a", 0), ("a", 1)], START), 9))
        .into_iter()
        .map(|(_, _, code)| code)
        .collect()
}

#[test]
fn a_full_disk_can_be_that_of_one_partition_and_gets_room_again() {
    let broker = Broker::builder().topic("a", 2).start().unwrap();
    let mut wire = Wire::connect(&broker);
    broker.faults().add(Fault::on(ApiKey::Produce).topic("a").partition(1).first(2).disk_full()).unwrap();
    assert_eq!(codes(&mut wire), [0, STORAGE_ERROR]);
    assert_eq!(codes(&mut wire), [0, STORAGE_ERROR]);
    assert_eq!(codes(&mut wire), [0, 0]);
}

#[test]
fn a_partition_whose_sync_failed_takes_nothing_more_until_the_broker_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Broker::builder().data_dir(folder.path()).topic("a", 2).start().unwrap();
    let broker = start();
    let mut wire = Wire::connect(&broker);
    broker.faults().add(Fault::on(ApiKey::Produce).topic("a").partition(0).nth(2).failed_sync()).unwrap();
    assert_eq!(codes(&mut wire), [0, 0]);
    assert_eq!(codes(&mut wire), [STORAGE_ERROR, 0]);
    assert_eq!(codes(&mut wire), [STORAGE_ERROR, 0], "what is on the disk is not known");
    drop(broker);
    let broker = start();
    let mut wire = Wire::connect(&broker);
    assert_eq!(codes(&mut wire), [0, 0]);
}

#[test]
fn the_whole_disk_can_be_full() {
    let broker = Broker::builder().topic("a", 2).start().unwrap();
    let mut wire = Wire::connect(&broker);
    broker.faults().set_disk_full(true);
    assert_eq!(codes(&mut wire), [STORAGE_ERROR, STORAGE_ERROR]);
    broker.faults().clear();
    assert_eq!(codes(&mut wire), [0, 0]);
}

/// What CreateTopics, OffsetCommit and the others answer, in a line.
struct Others {
    wire: Wire,
    topics: u32,
}

impl Others {
    fn create_topic(&mut self) -> i16 {
        self.topics += 1;
        let new = CreatableTopic::default().with_name(topic(&format!("new-{}", self.topics)));
        let new = new.with_num_partitions(1).with_replication_factor(1);
        let request = CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![new]);
        self.wire.call(&request, 7).topics[0].error_code
    }

    fn commit(&mut self, group: &str) -> i16 {
        self.wire.call(&commit(group, "a", 0, 3), 8).topics[0].partitions[0].error_code
    }

    fn delete_topic(&mut self, name: &str) -> i16 {
        let request = DeleteTopicsRequest::default().with_topic_names(vec![topic(name)]);
        self.wire.call(&request.with_timeout_ms(1_000), 5).responses[0].error_code
    }

    fn add_partitions(&mut self) -> i16 {
        let more =
            CreatePartitionsTopic::default().with_name(topic("a")).with_count(3).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_timeout_ms(1_000).with_topics(vec![more]);
        self.wire.call(&request, 3).results[0].error_code
    }

    fn change_config(&mut self) -> i16 {
        let config =
            AlterableConfig::default().with_name(text("retention.ms")).with_value(Some(text("7000")));
        let resource = AlterConfigsResource::default().with_resource_type(2).with_resource_name(text("a"));
        let resources = vec![resource.with_configs(vec![config])];
        let request = IncrementalAlterConfigsRequest::default().with_resources(resources);
        self.wire.call(&request, 1).responses[0].error_code
    }

    fn producer_id(&mut self) -> i16 {
        self.wire.call(&InitProducerIdRequest::default().with_transactional_id(None), 4).error_code
    }

    fn all(&mut self) -> Vec<i16> {
        vec![
            self.create_topic(),
            self.commit("g"),
            self.add_partitions(),
            self.change_config(),
            self.producer_id(),
            self.delete_topic("a"),
        ]
    }
}

const NOT_COORDINATOR: i16 = 16;

fn in_memory_and_in_a_folder(check: impl Fn(Broker, Others)) {
    let folder = tempfile::tempdir().unwrap();
    for builder in [Broker::builder(), Broker::builder().data_dir(folder.path())] {
        let broker = builder.topic("a", 2).start().unwrap();
        let others = Others { wire: Wire::connect(&broker), topics: 0 };
        check(broker, others);
    }
}

#[test]
fn a_full_disk_is_met_by_all_that_write_and_leaves_nothing_half_done() {
    in_memory_and_in_a_folder(|broker, mut others| {
        assert_eq!(others.commit("before"), 0);
        let full = broker.faults().add(Fault::any().disk_full()).unwrap();
        let met = others.all();
        assert_eq!(
            met,
            [STORAGE_ERROR, NOT_COORDINATOR, STORAGE_ERROR, STORAGE_ERROR, STORAGE_ERROR, STORAGE_ERROR]
        );
        assert_eq!(broker.faults().hits(full), Some(6));
        let names: Vec<_> = broker.topics().into_iter().filter(|topic| !topic.internal).collect();
        assert_eq!((names.len(), names[0].partitions.len()), (1, 2), "{names:?}");
        assert_eq!(broker.committed("g", "a", 0), None);
        broker.faults().clear();
        assert_eq!(others.all(), [0; 6], "there is room again");
        assert_eq!(broker.committed("before", "a", 0), None, "it went with its topic");
    });
}

#[test]
fn those_that_write_nothing_are_not_struck() {
    let broker = Broker::builder().topic("a", 1).start().unwrap();
    let mut wire = Wire::connect(&broker);
    let full = broker.faults().add(Fault::any().disk_full()).unwrap();
    assert_eq!(wire.call(&fetch(&[("a", 0)], 0), 12).error_code, 0);
    assert_eq!(broker.faults().hits(full), Some(0));
    let refused = broker.faults().add(Fault::on(ApiKey::Fetch).disk_full()).unwrap_err();
    assert!(refused.to_string().starts_with("Fetch appends nothing"), "{refused}");
}

#[test]
fn a_failed_sync_of_the_metadata_ends_changes_of_topics_and_nothing_else() {
    in_memory_and_in_a_folder(|broker, mut others| {
        assert_eq!(others.commit("g"), 0);
        broker.faults().add(Fault::on(ApiKey::CreateTopics).topic("new-1").failed_sync()).unwrap();
        assert_eq!(others.create_topic(), STORAGE_ERROR);
        assert_eq!(others.create_topic(), STORAGE_ERROR, "what is on the disk is not known");
        assert_eq!(others.change_config(), STORAGE_ERROR);
        assert_eq!(others.commit("g"), 0);
        assert_eq!(codes(&mut others.wire), [0, 0]);
    });
}

#[test]
fn a_failed_sync_of_a_groups_offsets_ends_that_group_and_those_beside_it() {
    in_memory_and_in_a_folder(|broker, mut others| {
        let rule =
            broker.faults().add(Fault::on(ApiKey::OffsetCommit).group("g").nth(2).failed_sync()).unwrap();
        assert_eq!((others.commit("g"), others.commit("g")), (0, NOT_COORDINATOR));
        assert_eq!(others.commit("g"), NOT_COORDINATOR, "what is on the disk is not known");
        assert_eq!(broker.faults().hits(rule), Some(1));
        assert_eq!(broker.committed("g", "a", 0), Some(3));
        // Of fifty partitions this group has another.
        assert_eq!((others.commit("another"), others.create_topic()), (0, 0));
    });
}

#[test]
fn a_group_whose_leader_brings_the_assignment_to_a_full_disk_learns_of_it() {
    let broker = Broker::builder().topic("a", 2).start().unwrap();
    let mut wire = Wire::connect(&broker);
    broker.faults().add(Fault::on(ApiKey::SyncGroup).group("g").nth(1).disk_full()).unwrap();
    let joined = wire.call(&join("g", &StrBytes::default()), 3);
    assert_eq!(joined.error_code, 0);
    assert_eq!(wire.call(&sync("g", &joined), 3).error_code, NOT_COORDINATOR);
    let again = wire.call(&join("g", &joined.member_id), 3);
    assert_eq!(again.error_code, 0);
    assert_eq!(wire.call(&sync("g", &again), 3).error_code, 0);
    broker.wait_for_group("g", 1, DEADLINE).unwrap();
}

#[test]
fn trouble_with_the_disk_is_had_again_by_a_replay() {
    let broker = broker().journal(JournalOptions::memory()).start().unwrap();
    let mut others = Others { wire: Wire::connect(&broker), topics: 0 };
    broker.faults().add(Fault::any().every(2).disk_full()).unwrap();
    for _ in 0..4 {
        others.create_topic();
        others.commit("g");
        others.producer_id();
    }
    let replay = broker.journal().unwrap().replay().unwrap();
    assert!(replay.is_equal() && replay.requests == 12, "{replay:?}");
}

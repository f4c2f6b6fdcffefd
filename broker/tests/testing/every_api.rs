//! An error in the right place of the answer of every API in every version: each answer can be read, has the error, and where
//! a rule names a topic or a group the others are served.

use std::fmt::Debug;

use kafka_protocol::messages::alter_configs_request::AlterConfigsResource;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request::AlterConfigsResource as IncrementalResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;
use klamm_broker::{ApiKey, Broker, Fault, ResponseError};

use crate::harness::{START, Wire, broker, fetch, group, produce, text, topic};

/// NOT_CONTROLLER: nothing here gives it by itself.
const ERROR: ResponseError = ResponseError::NotController;
const MARK: &str = "error_code: 41";

/// How often the answer of a request, as the protocol library prints it, has the error.
fn marks<R: Request>(wire: &mut Wire, request: &R, version: i16) -> usize
where
    R::Response: Debug,
{
    let answer = format!("{:?}", wire.call(request, version));
    answer.matches(MARK).count()
}

/// Asks in each version: everything refused, then what `filtered` says, then nothing.
fn each<R: Request>(
    broker: &Broker,
    key: ApiKey,
    versions: std::ops::RangeInclusive<i16>,
    filtered: Option<(Fault, usize)>,
    request: impl Fn(i16) -> R,
) where
    R::Response: Debug,
{
    assert_eq!(R::KEY, key as i16);
    let mut wire = Wire::connect(broker);
    for version in versions {
        let request = request(version);
        broker.faults().add(Fault::on(key).error(ERROR)).unwrap();
        let all = marks(&mut wire, &request, version);
        assert!(all > 0, "{key:?} in version {version} has no error");
        broker.faults().clear();
        if let Some((fault, expected)) = &filtered {
            let rule = broker.faults().add(fault.clone().error(ERROR)).unwrap();
            let some = marks(&mut wire, &request, version);
            assert_eq!(some, *expected, "{key:?} in version {version}, of {all}");
            assert_eq!(broker.faults().hits(rule), Some(1), "{key:?} in version {version}");
            broker.faults().clear();
        }
        assert_eq!(marks(&mut wire, &request, version), 0, "{key:?} in version {version} without a rule");
    }
}

fn of_b(key: ApiKey) -> Fault {
    Fault::on(key).topic("b")
}

fn of_b_1(key: ApiKey) -> Fault {
    of_b(key).partition(1)
}

const ALL: [(&str, i32); 4] = [("a", 0), ("a", 1), ("b", 0), ("b", 1)];

#[test]
fn records() {
    let broker = broker().start().unwrap();
    let key = ApiKey::Produce;
    each(&broker, key, 3..=12, Some((of_b_1(key), 1)), |_| produce(&ALL, START));
    let ids: Vec<_> = broker.topics().into_iter().map(|topic| (topic.name, topic.id)).collect();
    let id = |name: &str| ids.iter().find(|(known, _)| known == name).unwrap().1;
    each(&broker, key, 13..=13, Some((of_b_1(key), 1)), |_| {
        let mut request = produce(&ALL, START);
        request.topic_data.iter_mut().for_each(|topic| {
            topic.topic_id = id(&topic.name);
            topic.name = Default::default();
        });
        request
    });
    let key = ApiKey::Fetch;
    each(&broker, key, 4..=12, Some((of_b(key), 2)), |_| fetch(&ALL, 0));
    each(&broker, key, 13..=18, Some((of_b_1(key), 1)), |_| {
        let mut request = fetch(&ALL, 0);
        request.topics.iter_mut().for_each(|topic| {
            topic.topic_id = id(&topic.topic);
            topic.topic = Default::default();
        });
        request
    });
}

#[test]
fn offsets_of_logs() {
    let broker = broker().start().unwrap();
    let key = ApiKey::ListOffsets;
    each(&broker, key, 1..=10, Some((of_b_1(key), 1)), |_| {
        let partition =
            |index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1);
        let of = |name| {
            ListOffsetsTopic::default()
                .with_name(topic(name))
                .with_partitions(vec![partition(1), partition(0)])
        };
        ListOffsetsRequest::default().with_topics(vec![of("a"), of("b")])
    });
    let key = ApiKey::DeleteRecords;
    each(&broker, key, 0..=2, Some((of_b(key), 2)), |_| {
        let partition = |index| DeleteRecordsPartition::default().with_partition_index(index).with_offset(0);
        let of = |name| {
            DeleteRecordsTopic::default()
                .with_name(topic(name))
                .with_partitions(vec![partition(0), partition(1)])
        };
        DeleteRecordsRequest::default().with_timeout_ms(1_000).with_topics(vec![of("b"), of("a")])
    });
    let key = ApiKey::OffsetForLeaderEpoch;
    each(&broker, key, 2..=4, Some((of_b_1(key), 1)), |_| {
        let partition =
            |index| OffsetForLeaderPartition::default().with_partition(index).with_leader_epoch(0);
        let of = |name| {
            OffsetForLeaderTopic::default()
                .with_topic(topic(name))
                .with_partitions(vec![partition(0), partition(1)])
        };
        OffsetForLeaderEpochRequest::default().with_topics(vec![of("b"), of("a")])
    });
    let key = ApiKey::DescribeProducers;
    each(&broker, key, 0..=0, Some((of_b_1(key), 1)), |_| {
        let of = |name| {
            describe_producers_request::TopicRequest::default()
                .with_name(topic(name))
                .with_partition_indexes(vec![0, 1])
        };
        DescribeProducersRequest::default().with_topics(vec![of("a"), of("b")])
    });
}

#[test]
fn offsets_of_groups() {
    let broker = broker().start().unwrap();
    let key = ApiKey::OffsetCommit;
    let commit = |id: &str| {
        let partition = |index| {
            OffsetCommitRequestPartition::default().with_partition_index(index).with_committed_metadata(None)
        };
        let of = |name| {
            let partitions = vec![partition(0), partition(1)];
            OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(partitions)
        };
        OffsetCommitRequest::default()
            .with_group_id(group(id))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![of("a"), of("b")])
    };
    each(&broker, key, 2..=9, Some((of_b_1(key).group("g"), 1)), |_| commit("g"));
    each(&broker, key, 2..=9, Some((Fault::on(key).group("g"), 4)), |_| commit("g"));
    let key = ApiKey::OffsetFetch;
    let single = |version| {
        let of = |name| {
            OffsetFetchRequestTopic::default().with_name(topic(name)).with_partition_indexes(vec![0, 1])
        };
        let topics = (version < 2).then(|| vec![of("a"), of("b")]);
        OffsetFetchRequest::default().with_group_id(group("g")).with_topics(topics)
    };
    each(&broker, key, 1..=7, Some((of_b_1(key).group("g"), 1)), single);
    each(&broker, key, 2..=7, Some((Fault::on(key).group("g"), 1)), single);
    let many = |_| {
        let of = |name| {
            OffsetFetchRequestTopics::default().with_name(topic(name)).with_partition_indexes(vec![0, 1])
        };
        let one =
            |id, topics| OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(topics);
        OffsetFetchRequest::default()
            .with_groups(vec![one("g", None), one("h", Some(vec![of("a"), of("b")]))])
    };
    each(&broker, key, 8..=9, Some((of_b_1(key), 2)), many);
    each(&broker, key, 8..=9, Some((of_b(key).group("h"), 2)), many);
    each(&broker, key, 8..=9, Some((Fault::on(key).group("h"), 1)), many);
    let key = ApiKey::OffsetDelete;
    let delete = |_| {
        let partition = |index| OffsetDeleteRequestPartition::default().with_partition_index(index);
        let of = |name| {
            OffsetDeleteRequestTopic::default()
                .with_name(topic(name))
                .with_partitions(vec![partition(0), partition(1)])
        };
        OffsetDeleteRequest::default().with_group_id(group("g")).with_topics(vec![of("a"), of("b")])
    };
    each(&broker, key, 0..=0, Some((of_b(key), 2)), delete);
    each(&broker, key, 0..=0, Some((Fault::on(key).group("g"), 1)), delete);
}

#[test]
fn groups() {
    let broker = broker().start().unwrap();
    let key = ApiKey::FindCoordinator;
    let of_g = |key| Some((Fault::on(key).group("g"), 1));
    each(&broker, key, 0..=3, of_g(key), |_| FindCoordinatorRequest::default().with_key(text("g")));
    each(&broker, key, 4..=6, of_g(key), |_| {
        FindCoordinatorRequest::default().with_coordinator_keys(vec![text("f"), text("g"), text("h")])
    });
    let key = ApiKey::Heartbeat;
    each(&broker, key, 0..=4, of_g(key), |_| HeartbeatRequest::default().with_group_id(group("g")));
    let key = ApiKey::LeaveGroup;
    each(&broker, key, 0..=5, of_g(key), |_| LeaveGroupRequest::default().with_group_id(group("g")));
    let key = ApiKey::SyncGroup;
    each(&broker, key, 0..=5, of_g(key), |_| SyncGroupRequest::default().with_group_id(group("g")));
    let key = ApiKey::JoinGroup;
    each(&broker, key, 0..=9, of_g(key), |_| {
        // A session that is too short has another error once no rule has it fail.
        JoinGroupRequest::default().with_group_id(group("g")).with_session_timeout_ms(1)
    });
    let key = ApiKey::DescribeGroups;
    each(&broker, key, 0..=6, of_g(key), |_| {
        DescribeGroupsRequest::default().with_groups(vec![group("f"), group("g"), group("h")])
    });
    let key = ApiKey::DeleteGroups;
    each(&broker, key, 0..=2, of_g(key), |_| {
        DeleteGroupsRequest::default().with_groups_names(vec![group("f"), group("g")])
    });
    each(&broker, ApiKey::ListGroups, 0..=5, None, |_| ListGroupsRequest::default());
}

#[test]
fn topics() {
    let broker = broker().start().unwrap();
    let key = ApiKey::Metadata;
    let asked = |_| {
        let one = |name| MetadataRequestTopic::default().with_name(Some(topic(name)));
        MetadataRequest::default().with_topics(Some(vec![one("a"), one("b")]))
    };
    each(&broker, key, 0..=13, Some((of_b(key), 1)), asked);
    each(&broker, key, 0..=13, Some((of_b_1(key), 1)), asked);
    each(&broker, key, 1..=13, Some((of_b_1(key), 1)), |_| MetadataRequest::default().with_topics(None));
    let key = ApiKey::DescribeTopicPartitions;
    let described = |names: &'static [&'static str]| {
        move |_| {
            let one = |name: &&str| {
                describe_topic_partitions_request::TopicRequest::default().with_name(topic(name))
            };
            DescribeTopicPartitionsRequest::default()
                .with_topics(names.iter().map(one).collect())
                .with_response_partition_limit(100)
        }
    };
    each(&broker, key, 0..=0, Some((of_b(key), 1)), described(&["b", "a"]));
    each(&broker, key, 0..=0, Some((of_b_1(key), 1)), described(&[]));
    each(&broker, key, 0..=0, Some((of_b(key), 1)), described(&["b"]));
    let key = ApiKey::CreateTopics;
    let created = |_| {
        let one = |name| {
            CreatableTopic::default().with_name(topic(name)).with_num_partitions(1).with_replication_factor(1)
        };
        CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![one("b"), one("c"), one("d")])
    };
    each(&broker, key, 2..=7, Some((of_b(key), 1)), created);
    let key = ApiKey::DeleteTopics;
    each(&broker, key, 1..=5, Some((of_b(key), 1)), |_| {
        DeleteTopicsRequest::default().with_topic_names(vec![topic("no"), topic("b")])
    });
    each(&broker, key, 6..=6, Some((of_b(key), 1)), |_| {
        let one = |name| DeleteTopicState::default().with_name(Some(topic(name)));
        DeleteTopicsRequest::default().with_topics(vec![one("no"), one("b")])
    });
    let key = ApiKey::CreatePartitions;
    each(&broker, key, 0..=3, Some((of_b(key), 1)), |_| {
        let one = |name| {
            CreatePartitionsTopic::default().with_name(topic(name)).with_count(2).with_assignments(None)
        };
        CreatePartitionsRequest::default().with_timeout_ms(1_000).with_topics(vec![one("b"), one("a")])
    });
    let names: Vec<_> = broker.topics().into_iter().map(|topic| topic.name).collect();
    assert_eq!(names, ["a", "b", "c", "d"], "what was not refused was done");
}

#[test]
fn configs() {
    let broker = broker().start().unwrap();
    let resources = [(2, "a"), (2, "b"), (4, "1")];
    let key = ApiKey::DescribeConfigs;
    each(&broker, key, 1..=4, Some((of_b(key), 1)), |_| {
        let one = |(kind, name): (i8, &str)| {
            let resource = DescribeConfigsResource::default().with_resource_type(kind);
            resource.with_resource_name(text(name)).with_configuration_keys(None)
        };
        DescribeConfigsRequest::default().with_resources(resources.into_iter().map(one).collect())
    });
    let key = ApiKey::AlterConfigs;
    each(&broker, key, 0..=2, Some((of_b(key), 1)), |_| {
        let one = |(kind, name): (i8, &str)| {
            AlterConfigsResource::default().with_resource_type(kind).with_resource_name(text(name))
        };
        AlterConfigsRequest::default().with_resources(resources.into_iter().map(one).collect())
    });
    let key = ApiKey::IncrementalAlterConfigs;
    each(&broker, key, 0..=1, Some((of_b(key), 1)), |_| {
        let one = |(kind, name): (i8, &str)| {
            IncrementalResource::default().with_resource_type(kind).with_resource_name(text(name))
        };
        IncrementalAlterConfigsRequest::default().with_resources(resources.into_iter().map(one).collect())
    });
}

#[test]
fn the_cluster() {
    let broker = broker().start().unwrap();
    each(&broker, ApiKey::ApiVersions, 0..=4, None, |version| {
        let name = if version < 3 { "" } else { "suite" };
        ApiVersionsRequest::default()
            .with_client_software_name(text(name))
            .with_client_software_version(text(name))
    });
    each(&broker, ApiKey::DescribeCluster, 0..=2, None, |_| DescribeClusterRequest::default());
    each(&broker, ApiKey::ListConfigResources, 0..=1, None, |_| ListConfigResourcesRequest::default());
    each(&broker, ApiKey::InitProducerId, 0..=5, None, |_| {
        InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1_000)
    });
    let key = ApiKey::DescribeLogDirs;
    each(&broker, key, 1..=4, Some((of_b_1(key), 1)), |_| {
        let one =
            |name| DescribableLogDirTopic::default().with_topic(topic(name)).with_partitions(vec![0, 1]);
        DescribeLogDirsRequest::default().with_topics(Some(vec![one("a"), one("b")]))
    });
    let key = ApiKey::ListPartitionReassignments;
    each(&broker, key, 0..=0, Some((of_b_1(key), 1)), |_| {
        let one = |name| {
            ListPartitionReassignmentsTopics::default().with_name(topic(name)).with_partition_indexes(vec![1])
        };
        ListPartitionReassignmentsRequest::default().with_timeout_ms(1_000).with_topics(Some(vec![one("b")]))
    });
    let key = ApiKey::ElectLeaders;
    let elect = |_| {
        let one = |name| TopicPartitions::default().with_topic(topic(name)).with_partitions(vec![1, 0]);
        ElectLeadersRequest::default()
            .with_timeout_ms(1_000)
            .with_topic_partitions(Some(vec![one("a"), one("b")]))
    };
    each(&broker, key, 0..=2, Some((of_b_1(key), 1)), elect);
    each(&broker, key, 0..=2, Some((of_b(key), 2)), |_| {
        ElectLeadersRequest::default().with_timeout_ms(1_000).with_topic_partitions(None)
    });
}

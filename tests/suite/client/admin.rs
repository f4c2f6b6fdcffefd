//! Administration, at brokers of every kind. It is the native library's alone.

use std::time::{Duration, Instant};

use klamm_client::{
    Admin, ConfigChange, ConfigResource, ConfigSource, DeleteUpTo, ErrorKind, NewTopic, OffsetAt, OffsetMove,
    ResetTo, TopicPartition, create_admin,
};
use serde_json::json;

use super::place::{Place, read, unique};
use crate::harness::DEADLINE;

fn admin(place: &Place) -> Admin {
    create_admin("suite", json!({ "bootstrap_servers": place.bootstrap })).unwrap().timeout(DEADLINE)
}

fn topics_live_from_creation_to_deletion(place: &Place) {
    let (admin, name) = (admin(place), unique("admin-topic"));
    let topic = NewTopic::new(&name).partitions(2).config("cleanup.policy", "compact");
    let checked = admin.validate_topics([topic.clone(), NewTopic::new("bad/name")]).wait().unwrap();
    assert_eq!(checked.errors().count(), 1);
    admin.create_topics([topic.clone()]).wait().unwrap().all().unwrap();
    let again = admin.create_topics([topic]).wait().unwrap().all().unwrap_err();
    assert!(again.kind() == ErrorKind::Broker && again.to_string().contains(&name), "{again}");
    admin.create_partitions([(name.as_str(), 5)]).wait().unwrap().all().unwrap();
    until(|| {
        let listed = admin.list_topics().wait().unwrap();
        listed.iter().any(|topic| topic.name == name && topic.partitions == 5 && !topic.internal)
    });
    let described = admin.describe_topics([name.as_str(), "absent"]).wait().unwrap();
    assert_eq!(described.get(&name).unwrap().as_ref().unwrap().partitions.len(), 5);
    assert_eq!(described.errors().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["absent"]);
    let deleted = admin.delete_topics([name.as_str(), "absent"]).wait().unwrap();
    assert_eq!(deleted.errors().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["absent"]);
    until(|| !admin.list_topics().wait().unwrap().iter().any(|topic| topic.name == name));
}

fn configs_are_changed_one_by_one(place: &Place) {
    let (admin, group) = (admin(place), ConfigResource::Group(unique("admin-group")));
    let topic = ConfigResource::Topic(place.topic(1));
    let broker = ConfigResource::Broker(admin.describe_cluster().wait().unwrap().brokers[0].id);
    let for_topic =
        vec![ConfigChange::set("retention.ms", "1000"), ConfigChange::set("max.message.bytes", "5000")];
    let for_group = vec![ConfigChange::set("consumer.session.timeout.ms", "50000")];
    let mut changes = vec![(topic.clone(), for_topic), (group.clone(), for_group)];
    let checked = admin.validate_configs(changes.clone()).wait().unwrap();
    // Groups have configs from Kafka 4.0 on.
    let old = checked.errors().any(|(_, error)| error.why().contains("Unknown resource type"));
    changes.truncate(if old { 1 } else { 2 });
    admin.alter_configs(changes).wait().unwrap().all().unwrap();
    let reset = (topic.clone(), vec![ConfigChange::reset("retention.ms")]);
    admin.alter_configs([reset]).wait().unwrap().all().unwrap();
    let value = |resource: &ConfigResource, name: &str| {
        let described = admin.describe_configs([resource.clone()]).wait().unwrap().all().unwrap();
        let entry = described[0].1.iter().find(|entry| entry.name == name).unwrap().clone();
        (entry.value, entry.source)
    };
    until(|| value(&topic, "max.message.bytes") == (Some("5000".to_owned()), ConfigSource::Topic));
    until(|| value(&topic, "retention.ms").1 == ConfigSource::Default);
    until(|| old || value(&group, "consumer.session.timeout.ms").0.as_deref() == Some("50000"));
    assert!(value(&broker, "log.retention.hours").0.is_some());
    let wrong =
        admin.alter_configs([(topic, vec![ConfigChange::set("no.such.config", "1")])]).wait().unwrap();
    assert_eq!(wrong.all().unwrap_err().kind(), ErrorKind::Broker);
}

fn offsets_are_found_and_records_deleted(place: &Place) {
    let (admin, topic) = (admin(place), place.topic(1));
    place.fill(&topic, 0..5);
    let first = TopicPartition::new(topic.as_str(), 0);
    let found = |at| admin.list_offsets([(first.clone(), at)]).wait().unwrap().all().unwrap()[0].1;
    assert_eq!(found(OffsetAt::Earliest).unwrap().offset, 0);
    assert_eq!(found(OffsetAt::Latest).unwrap().offset, 5);
    assert_eq!(found(OffsetAt::Timestamp(0)).unwrap().offset, 0);
    assert_eq!(found(OffsetAt::Timestamp(i64::MAX)), None);
    let deleted = admin.delete_records([(first.clone(), DeleteUpTo::Offset(2))]).wait().unwrap();
    assert_eq!(deleted.all().unwrap()[0].1, 2);
    assert_eq!(found(OffsetAt::Earliest).unwrap().offset, 2);
    admin.delete_records([(first.clone(), DeleteUpTo::All)]).wait().unwrap().all().unwrap();
    assert_eq!(found(OffsetAt::Earliest).unwrap().offset, 5);
}

fn groups_are_described_and_go_on_where_they_are_told(place: &Place) {
    let (admin, topic, group) = (admin(place), place.topic(1), unique("admin-group"));
    place.fill(&topic, 0..5);
    let first = TopicPartition::new(topic.as_str(), 0);
    let subscriber = place.subscriber(&topic, &group, json!({}));
    assert_eq!(read(&subscriber, 3).len(), 3);
    subscriber.commit().unwrap();
    let listed = admin.list_groups().wait().unwrap();
    assert!(listed.iter().any(|known| known.id == group && known.state.as_deref() == Some("Stable")));
    let described = admin.describe_groups([group.as_str()]).wait().unwrap().all().unwrap();
    assert_eq!(described[0].1.members[0].assignment, std::slice::from_ref(&first));
    let standing = admin.group_offsets(&group, None).wait().unwrap();
    assert_eq!((standing[0].offset, standing[0].lag()), (Some(3), Some(2)));
    // While it has members it cannot be moved, nor deleted.
    assert_eq!(admin.reset_offsets(&group, None, ResetTo::Earliest).wait().unwrap().errors().count(), 1);
    assert_eq!(admin.delete_groups([group.as_str()]).wait().unwrap().errors().count(), 1);
    subscriber.stop().unwrap();

    let planned = admin.plan_offsets(&group, None, ResetTo::Shift(-2)).wait().unwrap().all().unwrap();
    assert_eq!(planned[0].1, OffsetMove { from: Some(3), to: 1 });
    let moved = |to| admin.reset_offsets(&group, None, to).wait().unwrap().all().unwrap()[0].1.to;
    assert_eq!((moved(ResetTo::Latest), moved(ResetTo::Offset(2)), moved(ResetTo::Shift(-1))), (5, 2, 1));
    assert_eq!((moved(ResetTo::Ago(Duration::from_secs(3600))), moved(ResetTo::Offset(99))), (0, 5));
    admin.set_offsets(&group, [(first.clone(), 4)]).wait().unwrap().all().unwrap();
    let subscriber = place.subscriber(&topic, &group, json!({}));
    assert_eq!(read(&subscriber, 1)[0].offset, 4);
    subscriber.stop().unwrap();

    admin.delete_offsets(&group, [first.clone()]).wait().unwrap().all().unwrap();
    assert!(admin.group_offsets(&group, None).wait().unwrap().is_empty());
    // Kafka 3.9 lets a group go with its last offset.
    admin.set_offsets(&group, [(first, 0)]).wait().unwrap().all().unwrap();
    admin.delete_groups([group.as_str()]).wait().unwrap().all().unwrap();
    assert!(!admin.list_groups().wait().unwrap().iter().any(|known| known.id == group));
}

fn the_cluster_tells_what_it_serves_and_where_it_keeps_it(place: &Place) {
    let (admin, topic) = (admin(place), place.topic(2));
    let described = admin.describe_cluster().wait().unwrap();
    assert!(described.cluster_id.is_some() && !described.brokers.is_empty());
    let served = admin.api_versions().wait().unwrap().all().unwrap();
    assert!(served[0].1.iter().any(|api| api.name.as_deref() == Some("Produce")));
    let dirs = admin.log_dirs().wait().unwrap().all().unwrap();
    let kept = dirs[0].1.iter().flat_map(|dir| &dir.partitions);
    assert_eq!(kept.filter(|kept| *kept.partition.topic == *topic).count(), 2);
}

/// Waits for what a cluster needs a moment to agree on.
fn until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not come about");
    }
}

super::everywhere! { @library native "native";
    topics_live_from_creation_to_deletion
    configs_are_changed_one_by_one
    offsets_are_found_and_records_deleted
    groups_are_described_and_go_on_where_they_are_told
    the_cluster_tells_what_it_serves_and_where_it_keeps_it
}

//! `klamm topics`.

use super::{Cluster, expect, named, rows, without};
use crate::harness::wait_for;

super::against_each! {
    topics_are_created_listed_described_and_deleted
    partitions_are_added
    configs_of_topics_are_changed
    records_are_deleted
    an_unknown_topic_is_told_with_the_nearest
    what_is_there_already_is_told
}

fn topics_are_created_listed_described_and_deleted(cluster: &Cluster) {
    let topic = named("orders");
    let made = cluster.ok(&["topics", "create", &topic, "-p", "3", "-r", "1", "-c", "retention.ms=3600000"]);
    expect("topics-create.txt", &made, &[&topic]);
    cluster.settled(&topic);
    let checked =
        cluster.ok(&["topics", "create", &format!("{topic}x"), "--partitions", "2", "--dry-run", "--json"]);
    assert_eq!(rows(&checked)[0]["created"], false);
    let listed = cluster.ok(&["topics", "list", &format!("{topic}*")]);
    expect("topics-list.txt", &listed, &[&topic]);
    let listed = rows(&cluster.ok(&["topics", "list", &topic, "--json"]));
    expect("topics-list.json", &without(listed, &["id"]), &[&topic]);
    cluster.place.fill(&topic, 0..5);
    let described = cluster.ok(&["topics", "describe", &topic]);
    let (head, table) = described.split_at(described.find("PARTITION").unwrap());
    expect("topics-describe.txt", head, &[&topic]);
    assert_eq!(table.lines().count(), 4, "{described}");
    let described = rows(&cluster.ok(&["topics", "describe", &topic, "--json"]));
    let records: i64 = described
        .iter()
        .map(|row| row["log_end"].as_i64().unwrap() - row["log_start"].as_i64().unwrap())
        .sum();
    assert_eq!((described.len(), records), (3, 5));
    expect("topics-delete.txt", &cluster.ok(&["topics", "delete", &topic]), &[&topic]);
    assert_eq!(
        cluster.ok(&["topics", "delete", &topic, "--if-exists"]),
        format!("there is no topic {topic}\n")
    );
    wait_for("the topic to be gone", || {
        cluster.ok(&["topics", "list", &topic, "--json"]).is_empty().then_some(())
    });
}

fn partitions_are_added(cluster: &Cluster) {
    let topic = cluster.place.topic(1);
    let has = |count: i64| {
        let partitions = || rows(&cluster.ok(&["topics", "list", &topic, "--json"]))[0]["partitions"].clone();
        wait_for("partitions", || (partitions() == count).then_some(()));
    };
    cluster.ok(&["topics", "add-partitions", &topic, "--to", "3"]);
    has(3);
    cluster.ok(&["topics", "add-partitions", &topic, "--by", "2"]);
    has(5);
    cluster.ok(&["topics", "alter", &topic, "--partitions", "6"]);
    has(6);
    let told = cluster.fails(&["topics", "add-partitions", &topic, "--to", "2"]);
    assert!(told.contains("InvalidPartitions") && told.contains(&topic), "{told}");
}

fn configs_of_topics_are_changed(cluster: &Cluster) {
    let topic = cluster.place.topic(1);
    let set = |name: &str| {
        let configs = rows(&cluster.ok(&["configs", "describe", "topics", &topic, "--json"]));
        let found = configs.into_iter().find(|row| row["config"] == name && row["source"] == "topic");
        found.map(|row| row["value"].as_str().unwrap().to_owned())
    };
    let become_so = |bytes: Option<&str>, policy: &str| {
        let now = || (set("max.message.bytes"), set("cleanup.policy"));
        let then = (bytes.map(str::to_owned), Some(policy.to_owned()));
        wait_for("configs", || (now() == then).then_some(()));
    };
    let both = ["--set", "max.message.bytes=2000", "--append", "cleanup.policy=compact"];
    cluster.ok(&[&["topics", "alter", &*topic], &both[..]].concat());
    become_so(Some("2000"), "delete,compact");
    cluster.ok(&["topics", "alter", &topic, "--reset", "max.message.bytes", "--dry-run"]);
    assert_eq!(set("max.message.bytes"), Some("2000".to_owned()));
    let both = ["--reset", "max.message.bytes", "--subtract", "cleanup.policy=delete"];
    cluster.ok(&[&["topics", "alter", &*topic], &both[..]].concat());
    become_so(None, "compact");
    let told = cluster.fails(&["topics", "alter", &topic, "--set", "retention.mss=5"]);
    assert!(told.contains("did you mean 'retention.ms'?"), "{told}");
}

fn records_are_deleted(cluster: &Cluster) {
    let topic = cluster.place.topic(1);
    cluster.place.fill(&topic, 0..10);
    let starts = || {
        let described = rows(&cluster.ok(&["topics", "describe", &topic, "--json"]));
        described[0]["log_start"].as_i64().unwrap()
    };
    let planned =
        rows(&cluster.ok(&["topics", "delete-records", &topic, "--before", "4", "--dry-run", "--json"]));
    assert_eq!((&planned[0]["log_start"], &planned[0]["deleted"], starts()), (&4.into(), &false.into(), 0));
    cluster.ok(&["topics", "delete-records", &format!("{topic}:0"), "--before", "4"]);
    assert_eq!(starts(), 4);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("# up to where\n{topic},0,6\n")).unwrap();
    cluster.ok(&["topics", "delete-records", "--file", file.path().to_str().unwrap()]);
    assert_eq!(starts(), 6);
    let told = cluster.fails(&["topics", "delete-records", &topic, "--before", "99"]);
    assert!(told.contains("from 6 up to, and without, 10"), "{told}");
    cluster.ok(&["topics", "delete-records", &topic, "--before-time", "1999-01-01"]);
    assert_eq!(starts(), 6);
    cluster.ok(&["topics", "delete-records", &topic, "--all"]);
    assert_eq!(starts(), 10);
}

fn an_unknown_topic_is_told_with_the_nearest(cluster: &Cluster) {
    let topic = cluster.place.topic(1);
    let wrong = topic.replace("topic", "topci");
    for args in [
        vec!["topics", "describe", wrong.as_str()],
        vec!["topics", "delete", &wrong],
        vec!["topics", "alter", &wrong, "--set", "retention.ms=1"],
        vec!["topics", "add-partitions", &wrong, "--to", "5"],
        vec!["topics", "delete-records", &wrong, "--all"],
        vec!["configs", "describe", "topics", &wrong],
        vec!["cluster", "log-dirs", "--topic", &wrong],
        vec!["groups", "reset", "billing", "--topic", &wrong, "--to-latest"],
    ] {
        let told = cluster.run(&args);
        let wanted = format!("there is no topic '{wrong}'; did you mean '{topic}'?");
        assert!(told.code == Some(1) && told.err.contains(&wanted), "{args:?}: {told:?}");
    }
    let told = cluster.fails(&["topics", "describe", "nothing-like-any-other-name"]);
    assert!(told.contains("`klamm topics list` shows"), "{told}");
    let told = cluster.fails(&["topics", "delete-records", &format!("{topic}:7"), "--all"]);
    assert!(told.contains("has no partition 7"), "{told}");
}

fn what_is_there_already_is_told(cluster: &Cluster) {
    let topic = cluster.place.topic(1);
    let told = cluster.fails(&["topics", "create", &topic]);
    assert!(told.contains("TopicAlreadyExists") && told.contains("--if-not-exists"), "{told}");
    assert_eq!(
        cluster.ok(&["topics", "create", &topic, "--if-not-exists"]),
        format!("{topic} is there already\n")
    );
    let told = cluster.fails(&["topics", "create", "bad/name"]);
    assert!(told.contains("creating the topic 'bad/name'"), "{told}");
}

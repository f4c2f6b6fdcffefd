//! `klamm groups`.

use serde_json::{Value, json};

use super::{Cluster, expect, named, rows};
use crate::client::place::numbers;
use crate::harness::wait_for;

super::against_each! {
    groups_are_listed_described_and_deleted
    members_and_what_they_read_are_shown
    offsets_are_moved_every_way
    a_dry_run_moves_nothing
    offsets_come_from_files
    a_group_with_members_is_not_moved
    offsets_are_deleted
    an_unknown_group_is_told_with_the_nearest
    a_group_is_watched
}

/// A group that has read nothing of a topic with ten records.
fn standing(cluster: &Cluster) -> (String, String) {
    let (topic, group) = (named("orders"), named("billing"));
    crate::client::place::create_topic(&cluster.place.address, &topic, 1);
    cluster.place.fill(&topic, 0..10);
    // It says that the group was not there.
    cluster.reset(&[&group, "--topic", &topic, "--to-earliest", "--execute"]);
    (topic, group)
}

impl Cluster {
    /// Runs a command that succeeds, whatever it says on stderr.
    fn reset(&self, args: &[&str]) -> String {
        let said = self.run(&[&["groups", "reset"], args].concat());
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said.out
    }

    fn committed(&self, group: &str) -> Value {
        let described = rows(&self.ok(&["groups", "describe", group, "--json"]));
        described[0]["committed"].clone()
    }
}

fn groups_are_listed_described_and_deleted(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let described = cluster.ok(&["groups", "describe", &group]);
    expect("groups-describe.txt", &described, &[&topic, &group]);
    let listed = cluster.ok(&["groups", "list", "--json"]);
    let row = rows(&listed).into_iter().find(|row| row["group"] == *group).unwrap();
    assert_eq!(
        (&row["state"], &row["type"], &row["protocol_type"]),
        (&"Empty".into(), &"classic".into(), &"".into())
    );
    assert!(!cluster.ok(&["groups", "list", "--state", "stable"]).contains(&*group));
    let described = cluster.ok(&["groups", "describe", &group, "--json"]);
    expect("groups-describe.json", &described, &[&topic, &group]);
    assert_eq!(cluster.ok(&["groups", "delete", &group]), format!("deleted {group}\n"));
    assert_eq!(
        cluster.ok(&["groups", "delete", &group, "--if-exists"]),
        format!("there is no group {group}\n")
    );
}

fn members_and_what_they_read_are_shown(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let subscriber = cluster.place.subscriber(&topic, &group, Value::Null);
    assert_eq!(numbers(&subscriber, 10).len(), 10);
    let row = &rows(&cluster.ok(&["groups", "describe", &group, "--members", "--json"]))[0];
    assert_eq!(row["partitions"], json!([{ "topic": topic, "partition": 0 }]));
    assert_eq!((&row["state"], &row["host"]), (&"Stable".into(), &"127.0.0.1".into()));
    let row = &rows(&cluster.ok(&["groups", "describe", &group, "--json"]))[0];
    assert_eq!((&row["committed"], &row["lag"], &row["client_id"]), (&0.into(), &10.into(), &"suite".into()));
    let table = cluster.ok(&["groups", "describe", &group, "--members"]);
    assert!(
        table.starts_with(&format!("{group}: Stable, 1 member")) && table.contains(&format!("{topic}:0")),
        "{table}"
    );
    subscriber.stop().unwrap();
}

fn offsets_are_moved_every_way(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let far_ahead = "2999-01-01T00:00:00Z";
    for (to, expected) in [
        (vec!["--to-latest"], 10),
        (vec!["--to-earliest"], 0),
        (vec!["--to-offset", "4"], 4),
        (vec!["--shift-by", "3"], 7),
        (vec!["--shift-by", "-2"], 5),
        (vec!["--to-current"], 5),
        (vec!["--to-offset", "99"], 10),
        (vec!["--to-datetime", "2001-01-01"], 0),
        (vec!["--to-datetime", far_ahead], 10),
        (vec!["--by-duration", "1h"], 0),
        (vec!["--by-duration", "PT0S"], 10),
    ] {
        cluster.reset(&[&[&*group, "--topic", &*topic, "--execute"], &*to].concat());
        assert_eq!(cluster.committed(&group), expected, "{to:?}");
    }
    cluster.reset(&[&group, "--all-topics", "--to-offset", "2", "--execute"]);
    assert_eq!(cluster.committed(&group), 2);
}

fn a_dry_run_moves_nothing(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let planned = cluster.reset(&[&group, "--topic", &topic, "--to-offset", "7"]);
    expect("groups-reset.txt", &planned, &[&topic, &group]);
    assert_eq!(cluster.committed(&group), 0);
    let planned = cluster.reset(&[&group, "--topic", &topic, "--to-latest", "--json"]);
    expect("groups-reset.json", &planned, &[&topic, &group]);
    // A group that is not there is not made by it.
    let other = named("nobody-at-all");
    let said = cluster.run(&["groups", "reset", &other, "--topic", &topic, "--to-latest"]);
    assert!(said.code == Some(0) && said.err.contains("it would come to be"), "{said:?}");
    assert!(!cluster.ok(&["groups", "list", "--json"]).contains(&*other));
}

fn offsets_come_from_files(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(path, format!("\"{topic}\",0,6\n")).unwrap();
    cluster.reset(&[&group, "--from-file", path, "--execute"]);
    assert_eq!(cluster.committed(&group), 6);
    // What a plan says can be kept, and gone back to.
    std::fs::write(path, cluster.reset(&[&group, "--all-topics", "--to-current", "--json"])).unwrap();
    cluster.reset(&[&group, "--all-topics", "--to-latest", "--execute"]);
    cluster.reset(&[&group, "--from-file", path, "--execute"]);
    assert_eq!(cluster.committed(&group), 6);
    for (text, code, why) in [
        (format!("{topic},0,1\n{topic},zero,1"), 2, "line 2: the partition 'zero'"),
        (format!("{topic},9,1"), 1, "line 1: the topic"),
        ("no-such-topic-here,0,1".to_owned(), 1, "line 1: "),
    ] {
        std::fs::write(path, text).unwrap();
        let said = cluster.run(&["groups", "reset", &group, "--from-file", path, "--execute"]);
        assert!(said.code == Some(code) && said.err.contains(path) && said.err.contains(why), "{said:?}");
    }
}

fn a_group_with_members_is_not_moved(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let subscriber = cluster.place.subscriber(&topic, &group, Value::Null);
    assert_eq!(numbers(&subscriber, 10).len(), 10);
    for args in [
        vec!["groups", "reset", &group, "--all-topics", "--to-latest", "--execute"],
        vec!["groups", "delete", &group],
    ] {
        let told = cluster.fails(&args);
        assert!(told.contains("stop them first") && told.contains(&*group), "{told}");
    }
    subscriber.stop().unwrap();
}

fn offsets_are_deleted(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let other = cluster.place.topic(1);
    cluster.ok(&["groups", "reset", &group, "--topic", &other, "--to-latest", "--execute"]);
    cluster.ok(&["groups", "delete-offsets", &group, "--topic", &format!("{topic}:0")]);
    let left = rows(&cluster.ok(&["groups", "describe", &group, "--json"]));
    assert_eq!((left.len(), &left[0]["topic"]), (1, &other.into()));
}

fn an_unknown_group_is_told_with_the_nearest(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let wrong = group.replace("billing", "biling");
    for args in [
        vec!["groups", "describe", &wrong],
        vec!["groups", "watch", &wrong],
        vec!["groups", "delete", &wrong],
        vec!["groups", "reset", &wrong, "--all-topics", "--to-latest"],
        vec!["groups", "delete-offsets", &wrong, "--topic", &topic],
    ] {
        let told = cluster.fails(&args);
        let wanted = format!("there is no group '{wrong}'; did you mean '{group}'?");
        assert!(told.contains(&wanted), "{args:?}: {told}");
    }
}

fn a_group_is_watched(cluster: &Cluster) {
    let (topic, group) = standing(cluster);
    let watched = rows(&cluster.ok(&["groups", "watch", &group, "-n", "2", "-i", "1ms", "--json"]));
    assert!(watched.len() == 2 && watched.iter().all(|row| row["lag"] == 10), "{watched:?}");
    let watch = super::klamm(&[
        "groups",
        "watch",
        &group,
        "--until-caught-up",
        "-i",
        "10ms",
        "-b",
        &cluster.place.address,
    ])
    .stdout(std::process::Stdio::piped())
    .spawn()
    .unwrap();
    let mut watch = Some(watch);
    cluster.ok(&["groups", "reset", &group, "--topic", &topic, "--to-latest", "--execute"]);
    wait_for("the group to have caught up", || watch.as_mut()?.try_wait().unwrap());
    let output = watch.take().unwrap().wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("lag 0") && !text.contains('\x1b'), "{text}");
}

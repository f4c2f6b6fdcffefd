//! `klamm copy`.

use serde_json::{Value, json};

use super::{at, at_each_broker, done, klamm, numbers};
use crate::client::place::{Place, unique};

at_each_broker! {
    a_new_target_is_like_the_source_and_so_are_its_records
    a_group_keeps_how_far_the_copy_has_come
    offsets_that_cannot_be_kept_are_told
    partitions_that_the_target_lacks_are_told
    another_cluster_gets_the_same
}

fn report(text: &str) -> Value {
    let report: Value = serde_json::from_str(text).unwrap();
    json!([report["records"], report["offsets_kept"], report["complete"]])
}

fn filled(place: &Place) -> String {
    let topic = place.topic(3);
    let record = |n: u32| {
        let headers = r#"[{"key":"h","value":"1"},{"key":"h","value":null}]"#;
        format!(
            "{{\"key\":\"k{n}\",\"value\":\"v{n}\",\"partition\":{},\"timestamp\":{n}000,\"headers\":{headers}}}\n",
            n % 3
        )
    };
    let lines: String = (1..=9).map(record).collect();
    done(
        place,
        &["produce", &topic, "-J"],
        &format!("{lines}{{\"key\":\"k3\",\"partition\":0,\"timestamp\":10000}}\n"),
    );
    topic
}

/// All records of a topic as JSON, with another name for the topic.
fn content(place: &Place, topic: &str) -> Vec<String> {
    let read = done(place, &["consume", topic, "-J", "-e"], "").replace(topic, "TOPIC");
    let mut lines: Vec<String> = read.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

fn a_new_target_is_like_the_source_and_so_are_its_records(place: &Place) {
    let (source, target) = (filled(place), unique("copy"));
    let told = done(place, &["copy", &source, &target, "--json", "--keep-offsets"], "");
    assert_eq!(report(&told), json!([10, true, true]), "{told}");
    assert_eq!(content(place, &target), content(place, &source));
    assert_eq!(content(place, &source).len(), 10);
    // Without anybody who watches nothing is said.
    let said = at(place, &["copy", &source, &unique("copy"), "-z", "zstd"], "");
    assert_eq!((said.out.as_str(), said.err.as_str(), said.code), ("", "", Some(0)));
}

fn a_group_keeps_how_far_the_copy_has_come(place: &Place) {
    let (source, target, group) = (place.topic(1), unique("copy"), unique("group"));
    done(place, &["produce", &source], &numbers(0..10));
    let copy = |more: &[&str]| {
        let args: Vec<&str> = ["copy", &source, &target, "--json", "--group", &group]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        report(&done(place, &args, ""))
    };
    assert_eq!(copy(&["--count", "4"]), json!([4, true, true]));
    assert_eq!(copy(&[]), json!([6, true, true]));
    assert_eq!(copy(&[]), json!([0, true, true]));
    done(place, &["produce", &source], &numbers(10..12));
    assert_eq!(copy(&["--keep-offsets"]), json!([2, true, true]));
    assert_eq!(done(place, &["consume", &target, "-e"], ""), numbers(0..12));
}

fn offsets_that_cannot_be_kept_are_told(place: &Place) {
    let (source, target) = (place.topic(1), place.topic(1));
    done(place, &["produce", &source], &numbers(0..3));
    done(place, &["produce", &target], &numbers(0..1));
    let said = at(place, &["copy", &source, &target, "--keep-offsets"], "");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("offset 0 of partition 0 cannot be kept: the target's next is 1"), "{said:?}");
    assert_eq!(done(place, &["consume", &target, "-e"], ""), numbers(0..1));
    let told = done(place, &["copy", &source, &target, "--json"], "");
    assert_eq!(report(&told), json!([3, false, true]));
}

fn partitions_that_the_target_lacks_are_told(place: &Place) {
    let (source, target) = (filled(place), place.topic(2));
    let said = at(place, &["copy", &source, &target], "");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("has 2 partitions") && said.err.contains("--by-key"), "{said:?}");
    done(place, &["copy", &source, &target, "-p", "0-1"], "");
    done(place, &["copy", &source, &target, "--by-key"], "");
    let of_two = content(place, &source).iter().filter(|line| !line.contains("\"partition\":2")).count();
    assert_eq!(content(place, &target).len(), of_two + 10);
}

fn another_cluster_gets_the_same(place: &Place) {
    let other = Place::served("native");
    let source = filled(place);
    let args = ["copy", &source, "--target-bootstrap-server", &other.address, "--keep-offsets"];
    done(place, &args, "");
    assert_eq!(content(&other, &source), content(place, &source));
    // And back again, where it may be an Apache Kafka that is written to.
    let back = unique("back");
    done(&other, &["copy", &source, &back, "--target-bootstrap-server", &place.address], "");
    assert_eq!(content(place, &back), content(place, &source));
}

#[test]
fn what_cannot_be_copied_is_told() {
    let place = Place::served("native");
    let topic = place.topic(1);
    for (args, code, wanted) in [
        (vec!["copy", &topic], 2, "not copied to itself"),
        (vec!["copy", &topic, &topic], 2, "not copied to itself"),
        (vec!["copy", "absent", "other"], 1, "no topic 'absent'"),
        (vec!["copy", &topic, "other", "--no-create"], 1, "no topic 'other'"),
        (vec!["copy", &topic, "other", "-o", "5"], 1, "offset 5 is out of range"),
        (vec!["copy", &topic, "other", "--group", "g", "-o", "0"], 2, "--group"),
        (
            vec!["copy", &topic, "--target-bootstrap-server", "127.0.0.1:1", "--timeout", "300ms"],
            1,
            "127.0.0.1:1",
        ),
    ] {
        let said = at(&place, &args, "");
        assert_eq!(said.code, Some(code), "{args:?}: {said:?}");
        assert!(said.err.contains(wanted), "{args:?}: {said:?}");
    }
    assert_eq!(klamm(&["copy"], "").code, Some(2));
}

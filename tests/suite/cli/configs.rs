//! `klamm configs`.

use super::{Cluster, expect, named, rows};
use crate::harness::wait_for;

super::against_each! {
    what_is_set_is_shown_with_its_source
    brokers_are_changed
    groups_are_changed
    loggers_are_shown
    a_config_that_nobody_knows_is_told_with_the_nearest
}

fn what_is_set_is_shown_with_its_source(cluster: &Cluster) {
    let topic = named("orders");
    cluster.ok(&["topics", "create", &topic, "-p", "1", "-c", "retention.ms=5000"]);
    cluster.settled(&topic);
    if !cluster.is_older {
        expect("configs-describe.txt", &cluster.ok(&["configs", "describe", "topics", &topic]), &[&topic]);
    }
    let all = rows(&cluster.ok(&["configs", "describe", "topics", &topic, "--all", "--json"]));
    let segment = all.iter().find(|row| row["config"] == "segment.ms").unwrap();
    assert_eq!(
        (&segment["source"], &segment["kind"], &segment["name"]),
        (&"default".into(), &"topic".into(), &topic.into())
    );
    let retention = all.iter().find(|row| row["config"] == "retention.ms").unwrap();
    assert_eq!((&retention["value"], &retention["source"]), (&"5000".into(), &"topic".into()));
}

fn brokers_are_changed(cluster: &Cluster) {
    let id = rows(&cluster.ok(&["cluster", "brokers", "--json"]))[0]["broker"].to_string();
    let value = |whose: &[&str]| {
        let args = [&["configs", "describe", "brokers"], whose, &["--json"]].concat();
        let found = rows(&cluster.ok(&args)).into_iter().find(|row| row["config"] == "log.retention.ms");
        found.map(|row| {
            (row["value"].as_str().unwrap_or_default().to_owned(), row["source"].as_str().unwrap().to_owned())
        })
    };
    cluster.ok(&["configs", "alter", "brokers", "--default", "--set", "log.retention.ms=700000000"]);
    wait_for("brokers to go by it", || {
        (value(&["--default"]) == Some(("700000000".to_owned(), "all brokers".to_owned()))).then_some(())
    });
    cluster.ok(&["configs", "alter", "brokers", &id, "--set", "log.retention.ms=800000000"]);
    wait_for("the broker to go by it", || {
        (value(&[&id]) == Some(("800000000".to_owned(), "broker".to_owned()))).then_some(())
    });
    cluster.ok(&["configs", "alter", "brokers", &id, "--reset", "log.retention.ms"]);
    cluster.ok(&["configs", "alter", "brokers", "--default", "--reset", "log.retention.ms"]);
    let said = cluster.run(&["configs", "alter", "brokers", "one", "--set", "a=b"]);
    assert!(said.code == Some(2) && said.err.contains("'one' is no broker's id"), "{said:?}");
}

fn groups_are_changed(cluster: &Cluster) {
    let group = named("billing");
    if cluster.is_older {
        // There groups have no configs.
        let told = cluster.fails(&["configs", "alter", "groups", &group, "--set", "a=b"]);
        assert!(told.contains("InvalidRequest"), "{told}");
        return;
    }
    cluster.ok(&["configs", "alter", "groups", &group, "--set", "consumer.session.timeout.ms=50000"]);
    let set = || rows(&cluster.ok(&["configs", "describe", "groups", &group, "--json"]));
    let found = wait_for("the group's config", || {
        set()
            .into_iter()
            .find(|row| row["config"] == "consumer.session.timeout.ms" && row["source"] == "group")
    });
    assert_eq!((&found["value"], &found["kind"]), (&"50000".into(), &"group".into()));
}

fn loggers_are_shown(cluster: &Cluster) {
    if cluster.is_older {
        // It knows its loggers only with a library for logging that this one is started without.
        return;
    }
    let id = rows(&cluster.ok(&["cluster", "brokers", "--json"]))[0]["broker"].to_string();
    let loggers = rows(&cluster.ok(&["configs", "describe", "loggers", &id, "--all", "--json"]));
    let root = loggers.iter().find(|row| row["config"] == "root").unwrap();
    assert_eq!((&root["kind"], &root["name"]), (&"logger".into(), &id.into()));
}

fn a_config_that_nobody_knows_is_told_with_the_nearest(cluster: &Cluster) {
    let topic = cluster.place.topic(1);
    let told = cluster.fails(&["configs", "alter", "topics", &topic, "--set", "retention.msec=5"]);
    assert!(
        told.contains("there is no config 'retention.msec' there; did you mean 'retention.ms'?"),
        "{told}"
    );
    let told = cluster.fails(&["configs", "alter", "topics", &topic, "--set", "retention.ms=soon"]);
    assert!(told.contains("retention.ms") && told.contains("soon"), "{told}");
    for args in [
        vec!["configs", "alter", "topics", topic.as_str()],
        vec!["configs", "alter", "topics", "--set", "a=b"],
    ] {
        let said = cluster.run(&args);
        assert!(said.code == Some(2) && said.err.starts_with("klamm: "), "{said:?}");
    }
}

//! `klamm cluster`.

use super::{Cluster, rows};

super::against_each! {
    brokers_are_shown
    apis_and_their_versions_are_shown
    log_folders_are_shown
}

fn brokers_are_shown(cluster: &Cluster) {
    let brokers = rows(&cluster.ok(&["cluster", "brokers", "--json"]));
    let address = format!("{}:{}", brokers[0]["host"].as_str().unwrap(), brokers[0]["port"]);
    assert_eq!((brokers.len(), address), (1, cluster.place.address.clone()));
    assert_eq!(
        (&brokers[0]["fenced"], brokers[0]["cluster_id"].as_str().unwrap().len()),
        (&false.into(), 22)
    );
    let table = cluster.ok(&["cluster", "brokers"]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (lines[0][0], lines[1].as_slice()),
        ("cluster", ["BROKER", "HOST", "PORT", "RACK"].as_slice())
    );
    assert_eq!(lines[2][1], "127.0.0.1");
}

fn apis_and_their_versions_are_shown(cluster: &Cluster) {
    let apis = rows(&cluster.ok(&["cluster", "apis", "--json"]));
    let produce = apis.iter().find(|row| row["key"] == 0).unwrap();
    assert_eq!(produce["api"], "Produce");
    assert!(produce["min_version"].as_i64() <= produce["max_version"].as_i64());
    let id = produce["broker"].to_string();
    assert_eq!(rows(&cluster.ok(&["cluster", "apis", "--broker", &id, "--json"])).len(), apis.len());
    assert!(cluster.fails(&["cluster", "apis", "--broker", "77"]).contains("there is no broker 77"));
}

fn log_folders_are_shown(cluster: &Cluster) {
    let topic = cluster.place.topic(2);
    cluster.place.fill(&topic, 0..10);
    let dirs = rows(&cluster.ok(&["cluster", "log-dirs", "--topic", &topic, "--json"]));
    let size: i64 = dirs.iter().map(|row| row["size"].as_i64().unwrap()).sum();
    assert!(dirs.len() == 2 && size > 100, "{dirs:?}");
    let table = cluster.ok(&["cluster", "log-dirs", "--partitions"]);
    assert!(table.starts_with("BROKER  TOPIC") && table.contains(&*topic), "{table}");
    let table = cluster.ok(&["cluster", "log-dirs"]);
    assert!(table.starts_with("BROKER  DIR") && table.lines().count() == 2, "{table}");
}

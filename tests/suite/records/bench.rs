//! `klamm bench`.

use serde_json::Value;

use super::{at, at_each_broker, done, klamm, numbers};
use crate::client::place::Place;

at_each_broker! {
    every_test_gives_figures
    a_topic_of_ones_own_is_read_and_kept
}

fn every_test_gives_figures(place: &Place) {
    let args = ["bench", "--records", "2000", "--samples", "50", "--rate", "5000", "--json"];
    let rows: Vec<Value> =
        done(place, &args, "").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> =
        rows.iter().map(|row| (row["test"].as_str().unwrap(), row["records"].as_u64().unwrap())).collect();
    assert_eq!(seen, [("produce", 2000), ("consume", 2000), ("latency", 50)]);
    for row in &rows {
        assert!(
            row["records_per_second"].as_f64().unwrap() > 0.0 && row["mb_per_second"].as_f64().unwrap() > 0.0,
            "{row}"
        );
        assert_eq!(row["not_delivered"], 0);
    }
    for row in [&rows[0], &rows[2]] {
        let of = |name: &str| row["latency_ms"][name].as_f64().unwrap();
        assert!(of("p50") <= of("p99") && of("p99") <= of("max") && of("max") > 0.0, "{row}");
    }
    let table = done(place, &["bench", "produce", "consume", "-n", "100", "-s", "0"], "");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("TEST") && lines[0].ends_with("MAX MS"), "{table}");
    assert!(lines[1].starts_with("produce") && lines[2].starts_with("consume"), "{table}");
}

fn a_topic_of_ones_own_is_read_and_kept(place: &Place) {
    let topic = place.topic(2);
    done(place, &["produce", &topic], &numbers(0..10));
    let row: Value =
        serde_json::from_str(&done(place, &["bench", "consume", "--topic", &topic, "--json"], "")).unwrap();
    assert_eq!((&row["records"], &row["bytes"]), (&10.into(), &10.into()));
    assert_eq!(done(place, &["consume", &topic, "-e"], "").lines().count(), 10);
}

#[test]
fn what_cannot_be_measured_is_told() {
    let place = Place::served("native");
    let said = at(&place, &["bench", "consume"], "");
    assert!(said.code == Some(2) && said.err.contains("produce consume"), "{said:?}");
    assert_eq!(klamm(&["bench", "sprint"], "").code, Some(2));
    assert_eq!(klamm(&["bench", "--size", "-1"], "").code, Some(2));
    let said = klamm(&["bench", "-b", "127.0.0.1:1", "--timeout", "300ms"], "");
    assert!(said.code == Some(1) && said.err.contains("127.0.0.1:1"), "{said:?}");
}

//! Payloads that do not decode: nothing is lost, and nothing stops.

use klamm_client::ErrorKind;
use serde_json::json;

use super::place::{Place, read, text, unique};
use crate::harness::DEADLINE;

super::everywhere! {
    what_does_not_decode_comes_with_the_error
    dead_letters_go_to_their_topic_with_the_reason
}

fn what_does_not_decode_comes_with_the_error(place: &Place) {
    let topic = place.topic(1);
    let publisher = place.publisher(&topic, json!({}));
    publisher.publish(&1).unwrap();
    publisher.publish("no number").unwrap();
    publisher.publish(&3).unwrap();
    publisher.stop().unwrap();
    let subscriber = place.subscriber(&topic, &unique("group"), json!({}));
    assert_eq!(subscriber.get_data::<u64>(DEADLINE).unwrap(), Some(1));
    let error = subscriber.get_data::<u64>(DEADLINE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    assert_eq!(text(error.record().unwrap()), "no number");
    assert_eq!(subscriber.get_data::<u64>(DEADLINE).unwrap(), Some(3));
    assert_eq!(subscriber.details().undecodable_count, 1);
    subscriber.stop().unwrap();
}

fn dead_letters_go_to_their_topic_with_the_reason(place: &Place) {
    let (topic, dead, group) = (place.topic(1), place.topic(1), unique("group"));
    let publisher = place.publisher(&topic, json!({}));
    for value in ["1", "bad", "2", "worse", "3"] {
        publisher.publish(value).unwrap();
    }
    publisher.stop().unwrap();
    let subscriber = place.subscriber(&topic, &group, json!({ "dead_letter_topic": dead }));
    for wanted in 1..=3 {
        assert_eq!(subscriber.get_data::<u64>(DEADLINE).unwrap(), Some(wanted));
    }
    let letters = place.subscriber(&dead, &unique("group"), json!({}));
    let records = read(&letters, 2);
    assert_eq!(records.iter().map(text).collect::<Vec<_>>(), ["bad", "worse"]);
    let header = |name: &str| {
        let (_, value) = records[1].headers.iter().find(|(one, _)| one == name).unwrap();
        String::from_utf8(value.clone().unwrap().to_vec()).unwrap()
    };
    assert_eq!((header("dead_letter.topic"), header("dead_letter.offset")), (topic.clone(), "3".to_owned()));
    assert!(!header("dead_letter.error").is_empty());
    assert_eq!(subscriber.details().dead_letter_count, 2);
    subscriber.commit().unwrap();
    assert_eq!(subscriber.committed().unwrap()[0].1, Some(5));
    subscriber.stop().unwrap();
    letters.stop().unwrap();
}

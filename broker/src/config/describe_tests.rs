//! What is shown of configs, against answers that Apache Kafka 4.3.1 gave.

use crate::config::describe::{ConfigEntry, Keys, Synonym};
use crate::config::layers::{Layers, Overrides, Source};

fn configs(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn synonym(name: &str, value: &str, source: Source) -> Synonym {
    Synonym { name: name.to_owned(), value: Some(value.to_owned()), source }
}

fn only(entries: Vec<ConfigEntry>) -> ConfigEntry {
    assert_eq!(entries.len(), 1);
    entries.into_iter().next().unwrap()
}

#[test]
fn as_many_are_shown_as_kafka_shows() {
    let layers = Layers::default();
    assert_eq!(layers.describe_broker(Keys::of(&[])).len(), 340);
    assert_eq!(layers.describe_topic(&Overrides::new(), Keys::of(&[])).len(), 33);
    assert_eq!(layers.describe_created_topic(&Overrides::new()).len(), 33);
    assert_eq!(layers.describe_group("g", Keys::of(&[])).len(), 17);
    assert_eq!(layers.describe_client_metrics("m", Keys::of(&[])).len(), 3);
    assert!(layers.describe_cluster(Keys::of(&[])).is_empty());
    let internal = layers.describe_topic(&configs(&[("internal.segment.bytes", "100")]), Keys::of(&[]));
    assert_eq!(internal.len(), 34);
    assert!(layers.describe_broker(Keys::of(&["nobody.knows"])).is_empty());
}

#[test]
fn synonyms_are_listed_layer_by_layer() {
    let mut layers = Layers::default();
    let retention = |layers: &Layers| only(layers.describe_broker(Keys::of(&["log.retention.ms"])));
    let unset = retention(&layers);
    assert_eq!((unset.value, unset.synonyms, unset.source), (None, Vec::new(), Source::Default));
    layers.cluster = configs(&[("log.retention.ms", " 3600000 ")]);
    layers.broker = configs(&[("log.retention.ms", " 7200000 ")]);
    let set = retention(&layers);
    assert_eq!(set.value.as_deref(), Some("7200000"));
    assert_eq!(set.source, Source::Broker);
    let inherited = [
        synonym("log.retention.ms", " 7200000 ", Source::Broker),
        synonym("log.retention.ms", " 3600000 ", Source::Cluster),
        synonym("log.retention.hours", "168", Source::Default),
    ];
    assert_eq!(set.synonyms, inherited);
    let own = configs(&[("retention.ms", "+5")]);
    let topic = only(layers.describe_topic(&own, Keys::of(&["retention.ms"])));
    assert_eq!(topic.value.as_deref(), Some("5"));
    assert_eq!(topic.synonyms[0], synonym("retention.ms", "5", Source::Topic));
    assert_eq!(topic.synonyms[1..], inherited);
    let cluster = only(layers.describe_cluster(Keys::of(&[])));
    assert_eq!(cluster.value.as_deref(), Some(" 3600000 "));
    assert_eq!(cluster.synonyms, [synonym("log.retention.ms", " 3600000 ", Source::Cluster)]);
}

#[test]
fn a_synonym_in_another_unit_decides_and_is_not_shown() {
    let layers = Layers { fixed: configs(&[("log.retention.hours", "1")]), ..Layers::default() };
    let described = only(layers.describe_topic(&Overrides::new(), Keys::of(&["retention.ms"])));
    assert_eq!(described.value.as_deref(), Some("3600000"));
    assert_eq!((described.source, described.synonyms), (Source::Default, Vec::new()));
    // CreateTopics knows better.
    let created = layers.describe_created_topic(&configs(&[("flush.ms", " 5 ")]));
    let find = |name: &str| created.iter().find(|entry| entry.name == name).unwrap();
    assert_eq!(find("retention.ms").source, Source::Static);
    assert_eq!(find("flush.ms").value.as_deref(), Some(" 5 "));
    assert_eq!(find("flush.ms").source, Source::Topic);
}

#[test]
fn secrets_and_what_nobody_knows_are_not_shown() {
    let layers = Layers {
        broker: configs(&[("listener.name.plaintext.ssl.keystore.password", "secret"), ("foo.bar", "x")]),
        cluster: configs(&[("leader.replication.throttled.rate", "5")]),
        ..Layers::default()
    };
    let entry = |name: &str| only(layers.describe_broker(Keys::of(&[name])));
    let password = entry("listener.name.plaintext.ssl.keystore.password");
    assert_eq!(
        (password.value, password.sensitive, password.read_only, password.kind),
        (None, true, true, 9)
    );
    let unknown = entry("foo.bar");
    assert_eq!((unknown.value, unknown.sensitive, unknown.read_only, unknown.kind), (None, true, true, 0));
    assert_eq!(unknown.source, Source::Broker);
    let rate = entry("leader.replication.throttled.rate");
    assert_eq!(rate.synonyms, [synonym("leader.replication.throttled.rate", "5", Source::Cluster)]);
    assert!(!rate.read_only);
    assert!(entry("num.partitions").read_only);
}

#[test]
fn groups_inherit_from_the_broker() {
    let mut layers = Layers::default();
    layers.groups.insert("g".to_owned(), configs(&[("consumer.session.timeout.ms", "46000")]));
    let own = only(layers.describe_group("g", Keys::of(&["consumer.session.timeout.ms"])));
    assert_eq!(own.source, Source::Group);
    let inherited = synonym("group.consumer.session.timeout.ms", "45000", Source::Default);
    assert_eq!(
        own.synonyms,
        [synonym("consumer.session.timeout.ms", "46000", Source::Group), inherited.clone()]
    );
    let other = only(layers.describe_group("h", Keys::of(&["consumer.session.timeout.ms"])));
    assert_eq!((other.value.as_deref(), other.synonyms), (Some("45000"), vec![inherited]));
    let isolation = only(layers.describe_group("h", Keys::of(&["share.isolation.level"])));
    assert_eq!(isolation.synonyms, [synonym("share.isolation.level", "read_uncommitted", Source::Default)]);
}

//! The suite of Rust's `rdkafka`: what a Rust program does with Kafka, on librdkafka built from its own sources.

mod checks;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use checks::{Outcome, bootstrap, fail, name, numbered, same, until};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{
    BaseRecord, DeliveryResult, FutureProducer, FutureRecord, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Offset, Timestamp, TopicPartitionList};

const SOON: Duration = Duration::from_secs(15);

fn config(settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap()).set("linger.ms", "1").set("log_level", "0");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config
}

fn admin() -> AdminClient<DefaultClientContext> {
    config(&[]).create().expect("an admin client")
}

async fn create(topic: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<(), RDKafkaErrorCode> {
    let mut wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        wanted = wanted.set(key, value);
    }
    let made = admin().create_topics(&[wanted], &AdminOptions::new()).await.expect("an answer");
    made.into_iter().next().expect("one topic").map(drop).map_err(|(_, code)| code)
}

async fn topic(partitions: i32, settings: &[(&str, &str)]) -> Outcome<String> {
    let made = name("rdkafka");
    create(&made, partitions, settings).await.map_err(|code| format!("create: {code}"))?;
    Ok(made)
}

/// Produces v0, v1, … round the partitions and waits for every acknowledgement.
async fn produce(target: &str, count: usize, partitions: i32, settings: &[(&str, &str)]) -> Outcome {
    let producer: FutureProducer = config(settings).create().map_err(|e| e.to_string())?;
    let values = numbered(0, count);
    let mut waits = Vec::new();
    for (n, value) in values.iter().enumerate() {
        let record = FutureRecord::<str, str>::to(target).payload(value).partition(n as i32 % partitions);
        waits.push(producer.send_result(record).map_err(|(e, _)| e.to_string())?);
    }
    for wait in waits {
        wait.await.map_err(|e| e.to_string())?.map_err(|(e, _)| e.to_string())?;
    }
    Ok(())
}

async fn filled(count: usize) -> Outcome<String> {
    let made = topic(1, &[]).await?;
    produce(&made, count, 1, &[]).await?;
    Ok(made)
}

fn consumer(group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut all = vec![
        ("group.id", group),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "300"),
        ("fetch.wait.max.ms", "100"),
    ];
    all.extend_from_slice(settings);
    config(&all).create().expect("a consumer")
}

fn read(consumer: &BaseConsumer, count: usize) -> Outcome<Vec<OwnedMessage>> {
    let (mut got, begun) = (Vec::new(), Instant::now());
    while got.len() < count {
        if begun.elapsed() > Duration::from_secs(20) {
            return fail(format!("{} of {count} messages in time", got.len()));
        }
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => got.push(message.detach()),
            Some(Err(error)) => return fail(error.to_string()),
            None => {}
        }
    }
    Ok(got)
}

fn values(messages: &[OwnedMessage]) -> Vec<String> {
    messages.iter().map(|m| String::from_utf8_lossy(m.payload().unwrap_or_default()).into_owned()).collect()
}

fn read_from(target: &str, offset: Offset, count: usize) -> Outcome<Vec<OwnedMessage>> {
    let consumer = consumer(&name("rdkafka-group"), &[]);
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(target, 0, offset).map_err(|e| e.to_string())?;
    consumer.assign(&place).map_err(|e| e.to_string())?;
    read(&consumer, count)
}

async fn compressions() -> Outcome {
    let target = topic(1, &[]).await?;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        produce(&target, 20, 1, &[("compression.type", codec), ("linger.ms", "20")]).await?;
    }
    let wanted: Vec<_> = (0..5).flat_map(|_| numbered(0, 20)).collect();
    same("values", &values(&read_from(&target, Offset::Beginning, 100)?), &wanted)
}

async fn keys_headers_nulls_and_timestamps() -> Outcome {
    let target = topic(1, &[]).await?;
    let producer: FutureProducer = config(&[]).create().map_err(|e| e.to_string())?;
    let headers = OwnedHeaders::new()
        .insert(Header { key: "a", value: Some("1") })
        .insert(Header { key: "a", value: None::<&str> });
    let first = FutureRecord::to(&target).key("k").payload("v").timestamp(1_600_000_000_123).headers(headers);
    producer.send(first, SOON).await.map_err(|(e, _)| e.to_string())?;
    let second = FutureRecord::<str, str>::to(&target).key("k").timestamp(1_600_000_000_456);
    producer.send(second, SOON).await.map_err(|(e, _)| e.to_string())?;
    let got = read_from(&target, Offset::Beginning, 2)?;
    same(
        "first",
        &(got[0].key(), got[0].payload(), got[0].timestamp()),
        &(Some(&b"k"[..]), Some(&b"v"[..]), Timestamp::CreateTime(1_600_000_000_123)),
    )?;
    let seen: Vec<_> =
        got[0].headers().map(|h| h.iter().map(|h| (h.key, h.value)).collect()).unwrap_or_default();
    same("headers", &seen, &vec![("a", Some(&b"1"[..])), ("a", None)])?;
    same("second", &(got[1].payload(), got[1].timestamp()), &(None, Timestamp::CreateTime(1_600_000_000_456)))
}

async fn keyed_records_keep_their_partition() -> Outcome {
    let target = topic(4, &[]).await?;
    let producer: FutureProducer =
        config(&[("partitioner", "murmur2")]).create().map_err(|e| e.to_string())?;
    let mut places: HashMap<String, HashSet<i32>> = HashMap::new();
    for n in 0..40 {
        let key = format!("k{}", n % 10);
        let placed = producer
            .send(FutureRecord::to(&target).key(&key).payload("v"), SOON)
            .await
            .map_err(|(e, _)| e.to_string())?;
        places.entry(key).or_default().insert(placed.partition);
    }
    same("one partition a key", &places.values().all(|p| p.len() == 1), &true)
}

async fn log_append_time() -> Outcome {
    let target = topic(1, &[("message.timestamp.type", "LogAppendTime")]).await?;
    produce(&target, 1, 1, &[]).await?;
    match read_from(&target, Offset::Beginning, 1)?[0].timestamp() {
        Timestamp::LogAppendTime(stamp) if stamp > 1_600_000_000_000 => Ok(()),
        other => fail(format!("{other:?}")),
    }
}

async fn from_an_offset_a_time_and_the_end() -> Outcome {
    let target = topic(1, &[]).await?;
    let producer: FutureProducer = config(&[]).create().map_err(|e| e.to_string())?;
    for (n, value) in numbered(0, 10).iter().enumerate() {
        let record = FutureRecord::<str, str>::to(&target)
            .payload(value)
            .timestamp(1_700_000_000_000 + n as i64 * 1000);
        producer.send(record, SOON).await.map_err(|(e, _)| e.to_string())?;
    }
    same("offset", &values(&read_from(&target, Offset::Offset(4), 6)?), &numbered(4, 10))?;
    same("tail", &values(&read_from(&target, Offset::OffsetTail(2), 2)?), &numbered(8, 10))?;
    same("out of range", &values(&read_from(&target, Offset::Offset(1000), 10)?), &numbered(0, 10))?;
    let consumer = consumer(&name("rdkafka-group"), &[]);
    let mut times = TopicPartitionList::new();
    times.add_partition_offset(&target, 0, Offset::Offset(1_700_000_004_500)).map_err(|e| e.to_string())?;
    let found = consumer.offsets_for_times(times, SOON).map_err(|e| e.to_string())?;
    same("time", &found.elements()[0].offset(), &Offset::Offset(5))?;
    same("watermarks", &consumer.fetch_watermarks(&target, 0, SOON).map_err(|e| e.to_string())?, &(0, 10))
}

async fn idempotent_producer() -> Outcome {
    let target = topic(2, &[]).await?;
    produce(
        &target,
        2000,
        2,
        &[("enable.idempotence", "true"), ("linger.ms", "0"), ("batch.num.messages", "20")],
    )
    .await?;
    let wanted: Vec<_> = numbered(0, 2000).into_iter().step_by(2).collect();
    same("in order", &values(&read_from(&target, Offset::Beginning, 1000)?), &wanted)
}

async fn acks() -> Outcome {
    let target = topic(1, &[]).await?;
    for acks in ["0", "1", "all"] {
        produce(&target, 1, 1, &[("acks", acks)]).await?;
    }
    read_from(&target, Offset::Beginning, 3).map(drop)
}

/// Hears of deliveries on the client's own thread, as programs without async do.
struct Deliveries(std::sync::mpsc::Sender<Result<i64, KafkaError>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let _ = self.0.send(result.as_ref().map(|m| m.offset()).map_err(|(e, _)| e.clone()));
    }
}

async fn threaded_producer() -> Outcome {
    let target = topic(1, &[]).await?;
    let (sender, reports) = std::sync::mpsc::channel();
    let producer: ThreadedProducer<Deliveries> =
        config(&[]).create_with_context(Deliveries(sender)).map_err(|e| e.to_string())?;
    for value in numbered(0, 100) {
        producer.send(BaseRecord::<str, str>::to(&target).payload(&value)).map_err(|(e, _)| e.to_string())?;
    }
    producer.flush(SOON).map_err(|e| e.to_string())?;
    let mut offsets: Vec<_> = reports.try_iter().map(|r| r.unwrap_or(-1)).collect();
    offsets.sort_unstable();
    same("offsets", &offsets, &(0..100).collect())
}

async fn large_messages() -> Outcome {
    let (target, small) = (
        topic(1, &[("max.message.bytes", "3000000")]).await?,
        topic(1, &[("max.message.bytes", "1000")]).await?,
    );
    let producer: FutureProducer =
        config(&[("message.max.bytes", "4000000")]).create().map_err(|e| e.to_string())?;
    let big = vec![7_u8; 2_500_000];
    producer
        .send(FutureRecord::<str, [u8]>::to(&target).payload(&big), SOON)
        .await
        .map_err(|(e, _)| e.to_string())?;
    same("size", &read_from(&target, Offset::Beginning, 1)?[0].payload().map(<[u8]>::len), &Some(big.len()))?;
    match producer.send(FutureRecord::<str, [u8]>::to(&small).payload(&big[..2000]), SOON).await {
        Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => Ok(()),
        other => fail(format!("{other:?}")),
    }
}

async fn automatic_and_unknown_topics() -> Outcome {
    let target = name("rdkafka-auto");
    produce(&target, 1, 1, &[]).await?;
    same("records", &values(&read_from(&target, Offset::Beginning, 1)?), &numbered(0, 1))?;
    let consumer = consumer(&name("rdkafka-group"), &[("allow.auto.create.topics", "false")]);
    let nowhere = name("nowhere");
    consumer.subscribe(&[&nowhere]).map_err(|e| e.to_string())?;
    let mut seen = None;
    until("an error", || {
        if let Some(Err(error)) = consumer.poll(Duration::from_millis(100)) {
            seen = error.rdkafka_error_code();
        }
        seen.is_some()
    })?;
    same("error", &seen, &Some(RDKafkaErrorCode::UnknownTopicOrPartition))
}

/// How many partitions each member has, after a poll of each; counts the values that came.
fn shares(members: &[BaseConsumer], seen: &mut HashSet<String>) -> Vec<usize> {
    for member in members {
        if let Some(Ok(message)) = member.poll(Duration::from_millis(30)) {
            seen.extend(values(&[message.detach()]));
        }
    }
    members.iter().map(|m| m.assignment().map(|a| a.count()).unwrap_or(0)).collect()
}

async fn group_of_three(strategy: &str) -> Outcome {
    let (target, group, mut seen) = (topic(6, &[]).await?, name("rdkafka-group"), HashSet::new());
    let mut members: Vec<_> =
        (0..3).map(|_| consumer(&group, &[("partition.assignment.strategy", strategy)])).collect();
    for member in &members {
        member.subscribe(&[&target]).map_err(|e| e.to_string())?;
    }
    until("2, 2, 2", || shares(&members, &mut seen) == [2, 2, 2])?;
    produce(&target, 60, 6, &[]).await?;
    until("60 records", || {
        shares(&members, &mut seen);
        seen.len() == 60
    })?;
    drop(members.pop());
    until("3, 3", || shares(&members, &mut seen) == [3, 3])
}

async fn group_of_three_range() -> Outcome {
    group_of_three("range").await
}

async fn group_of_three_round_robin() -> Outcome {
    group_of_three("roundrobin").await
}

async fn group_of_three_cooperative_sticky() -> Outcome {
    group_of_three("cooperative-sticky").await
}

async fn static_members_and_a_crash() -> Outcome {
    let (target, group, mut seen) = (topic(4, &[]).await?, name("rdkafka-group"), HashSet::new());
    let mut members: Vec<_> =
        ["static-0", "static-1"].map(|id| consumer(&group, &[("group.instance.id", id)])).into();
    for member in &members {
        member.subscribe(&[&target]).map_err(|e| e.to_string())?;
    }
    until("2, 2", || shares(&members, &mut seen) == [2, 2])?;
    drop(members.pop()); // a static member does not say that it goes
    let begun = Instant::now();
    until("all four", || shares(&members, &mut seen) == [4])?;
    same("the session had to time out", &(begun.elapsed() > Duration::from_secs(2)), &true)
}

async fn commit_and_resume() -> Outcome {
    let (target, group) = (filled(10).await?, name("rdkafka-group"));
    let first = consumer(&group, &[]);
    first.subscribe(&[&target]).map_err(|e| e.to_string())?;
    read(&first, 10)?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&target, 0, Offset::Offset(4)).map_err(|e| e.to_string())?;
    first.commit(&offsets, CommitMode::Sync).map_err(|e| e.to_string())?;
    drop(first);
    let second = consumer(&group, &[]);
    second.subscribe(&[&target]).map_err(|e| e.to_string())?;
    same("the rest", &values(&read(&second, 6)?), &numbered(4, 10))?;
    let stored = second.committed_offsets(offsets, SOON).map_err(|e| e.to_string())?;
    same("stored", &stored.elements()[0].offset(), &Offset::Offset(4))?;
    let listed = second.fetch_group_list(Some(&group), Timeout::After(SOON)).map_err(|e| e.to_string())?;
    let described = &listed.groups()[0];
    same(
        "described",
        &(described.state(), described.protocol(), described.members().len()),
        &("Stable", "range", 1),
    )?;
    drop(second);
    let gone = admin().delete_groups(&[&group], &AdminOptions::new()).await.map_err(|e| e.to_string())?;
    same("deleted", &gone[0].is_ok(), &true)?;
    let twice = admin().delete_groups(&[&group], &AdminOptions::new()).await.map_err(|e| e.to_string())?;
    same("deleted twice", &twice[0].as_ref().err().map(|e| e.1), &Some(RDKafkaErrorCode::GroupIdNotFound))
}

async fn topics_come_grow_and_go() -> Outcome {
    let made = topic(2, &[]).await?;
    same("again", &create(&made, 1, &[]).await, &Err(RDKafkaErrorCode::TopicAlreadyExists))?;
    same("bad name", &create("in valid", 1, &[]).await, &Err(RDKafkaErrorCode::InvalidTopic))?;
    same(
        "bad config",
        &create(&name("x"), 1, &[("no.such", "1")]).await,
        &Err(RDKafkaErrorCode::InvalidConfig),
    )?;
    let (client, options) = (admin(), AdminOptions::new());
    let grown = client
        .create_partitions(&[NewPartitions::new(&made, 5)], &options)
        .await
        .map_err(|e| e.to_string())?;
    same("grown", &grown[0].is_ok(), &true)?;
    let count = || {
        client
            .inner()
            .fetch_metadata(Some(&made), SOON)
            .map(|m| m.topics()[0].partitions().len())
            .unwrap_or(0)
    };
    until("five", || count() == 5)?;
    let gone = client.delete_topics(&[&made], &options).await.map_err(|e| e.to_string())?;
    same("gone", &gone[0].is_ok(), &true)?;
    let twice = client.delete_topics(&[&made], &options).await.map_err(|e| e.to_string())?;
    same("twice", &twice[0].as_ref().err().map(|e| e.1), &Some(RDKafkaErrorCode::UnknownTopicOrPartition))
}

async fn configs() -> Outcome {
    let made = topic(1, &[("retention.ms", "123456")]).await?;
    let (client, options) = (admin(), AdminOptions::new());
    let get = async |key: &str| -> Outcome<String> {
        let found = client
            .describe_configs(&[ResourceSpecifier::Topic(&made)], &options)
            .await
            .map_err(|e| e.to_string())?;
        let resource = found.into_iter().next().ok_or("no resource")?.map_err(|e| e.to_string())?;
        same("resource", &resource.specifier, &OwnedResourceSpecifier::Topic(made.clone()))?;
        Ok(resource.get(key).and_then(|e| e.value.clone()).unwrap_or_default())
    };
    same("set", &get("retention.ms").await?, &"123456".to_owned())?;
    same("default", &get("segment.bytes").await?, &"1073741824".to_owned())?;
    let change = AlterConfig::new(ResourceSpecifier::Topic(&made)).set("retention.ms", "777");
    client.alter_configs(&[change], &options).await.map_err(|e| e.to_string())?[0]
        .as_ref()
        .map_err(|e| e.1.to_string())?;
    same("changed", &get("retention.ms").await?, &"777".to_owned())
}

async fn delete_records() -> Outcome {
    let target = filled(10).await?;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&target, 0, Offset::Offset(6)).map_err(|e| e.to_string())?;
    admin().delete_records(&before, &AdminOptions::new()).await.map_err(|e| e.to_string())?;
    same("left", &values(&read_from(&target, Offset::Beginning, 4)?), &numbered(6, 10))
}

#[tokio::main]
async fn main() {
    let mut run = checks::Run::new();
    macro_rules! checks {
        ($($check:ident),* $(,)?) => { $( run.check(stringify!($check), $check()).await; )* };
    }
    checks!(
        compressions,
        keys_headers_nulls_and_timestamps,
        keyed_records_keep_their_partition,
        log_append_time,
        from_an_offset_a_time_and_the_end,
        idempotent_producer,
        acks,
        threaded_producer,
        large_messages,
        automatic_and_unknown_topics,
        group_of_three_range,
        group_of_three_round_robin,
        group_of_three_cooperative_sticky,
        static_members_and_a_crash,
        commit_and_resume,
        topics_come_grow_and_go,
        configs,
        delete_records,
    );
    run.finish();
}

"""confluent-kafka (librdkafka): producing, consuming, groups, administration."""

import sys
import time

from checks import BOOTSTRAP, Child, Skip, check, equal, main, name, raises, serves, until
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})


def topic(partitions=1, **config):
    made = name("confluent")
    config = {key.replace("_", "."): value for key, value in config.items()}
    ADMIN.create_topics([NewTopic(made, partitions, 1, config=config)])[made].result(15)
    return made


def producer(**config):
    settings = {"bootstrap.servers": BOOTSTRAP, "linger.ms": 1}
    settings.update({key.replace("_", "."): value for key, value in config.items()})
    return Producer(settings)


def consumer(group=None, **config):
    settings = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group or name("confluent-group"),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 1000,
    }
    settings.update({key.replace("_", "."): value for key, value in config.items()})
    return Consumer(settings)


def produce(target, records, **config):
    """Produces (key, value, headers, timestamp, partition) tuples, shorter ones filled up; returns the reports."""
    sender, reports = producer(**config), []

    def delivered(error, message):
        reports.append((error, message))

    for record in records:
        key, value, headers, timestamp, partition = (list(record) + [None] * 5)[:5]
        more = {}
        if timestamp is not None:
            more["timestamp"] = timestamp
        if partition is not None:
            more["partition"] = partition
        sender.produce(target, key=key, value=value, headers=headers, on_delivery=delivered, **more)
    equal(sender.flush(20), 0, "left in the queue")
    return reports


def filled(count=10, **config):
    """A topic with `count` records v0, v1, ... in partition 0."""
    target = topic(**config)
    for error, _ in produce(target, [(None, f"v{n}", None, None, 0) for n in range(count)]):
        equal(error, None)
    return target


def read(client, count, seconds=20):
    """The next `count` messages of a consumer that is subscribed or assigned."""
    got = []

    def some():
        message = client.poll(0.2)
        if message is not None:
            if message.error():
                raise KafkaException(message.error())
            got.append(message)
        return len(got) >= count

    until(f"{count} messages", some, seconds, 0)
    return got


def read_from(target, offset, count, partition=0):
    client = consumer()
    client.assign([TopicPartition(target, partition, offset)])
    try:
        return read(client, count)
    finally:
        client.close()


def values(messages):
    return [message.value().decode() for message in messages]


@check
def compressions():
    target = topic()
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        for error, _ in produce(target, [(None, f"{codec}-{n}" * 50) for n in range(20)], compression_type=codec):
            equal(error, None, codec)
    got = values(read_from(target, OFFSET_BEGINNING, 100))
    wanted = [f"{codec}-{n}" * 50 for codec in ["none", "gzip", "snappy", "lz4", "zstd"] for n in range(20)]
    equal(got, wanted)


@check
def keys_headers_nulls_and_timestamps():
    target = topic()
    produce(
        target,
        [
            (b"k", b"v", [("a", b"1"), ("a", None), ("b", b"")], 1_600_000_000_123),
            (None, None, None, 1_600_000_000_456),
            (b"", b"", [], 1_600_000_000_789),
        ],
    )
    one, two, three = read_from(target, OFFSET_BEGINNING, 3)
    equal((one.key(), one.value(), one.headers()), (b"k", b"v", [("a", b"1"), ("a", None), ("b", b"")]))
    equal((two.key(), two.value(), two.headers()), (None, None, None))
    equal((three.key(), three.value()), (b"", b""))
    equal([m.timestamp() for m in (one, two, three)], [(1, 1_600_000_000_123), (1, 1_600_000_000_456), (1, 1_600_000_000_789)])


@check
def keyed_records_keep_their_partition():
    target = topic(4)
    reports = produce(target, [(f"key-{n % 10}", str(n)) for n in range(100)], partitioner="murmur2")
    places = {}
    for error, message in reports:
        equal(error, None)
        places.setdefault(message.key(), set()).add(message.partition())
    equal({len(partitions) for partitions in places.values()}, {1})
    equal(len(set().union(*places.values())) > 1, True, "more than one partition")


@check
def log_append_time():
    target = topic(message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    produce(target, [(None, b"v", None, 1000)])
    kind, stamp = read_from(target, OFFSET_BEGINNING, 1)[0].timestamp()
    equal(kind, 2)
    equal(before - 1000 <= stamp <= before + 60_000, True, f"stamp {stamp}")


@check
def from_an_offset_and_from_the_end():
    target = filled(10)
    equal(values(read_from(target, 4, 6)), [f"v{n}" for n in range(4, 10)])
    client = consumer()
    client.assign([TopicPartition(target, 0, OFFSET_END)])
    until("position at the end", lambda: client.poll(0.1) is None and client.get_watermark_offsets(
        TopicPartition(target, 0), cached=True)[1] == 10)
    produce(target, [(None, b"new")])
    equal(values(read(client, 1)), ["new"])
    client.seek(TopicPartition(target, 0, 2))
    equal(values(read(client, 1)), ["v2"])
    client.close()


@check
def offsets_for_times_and_watermarks():
    target = topic()
    produce(target, [(None, str(n), None, 1_700_000_000_000 + n * 1000) for n in range(10)])
    client = consumer()
    asked = [TopicPartition(target, 0, 1_700_000_004_500)]
    equal(client.offsets_for_times(asked, timeout=10)[0].offset, 5)
    equal(client.offsets_for_times([TopicPartition(target, 0, 0)], timeout=10)[0].offset, 0)
    equal(client.offsets_for_times([TopicPartition(target, 0, 1_800_000_000_000)], timeout=10)[0].offset, OFFSET_END)
    equal(client.get_watermark_offsets(TopicPartition(target, 0), timeout=10), (0, 10))
    client.close()


@check
def list_offsets():
    target = topic()
    produce(target, [(None, str(n), None, 1_700_000_000_000 + (n * 7 % 10) * 1000) for n in range(10)])
    place = TopicPartition(target, 0)

    def ask(spec):
        return ADMIN.list_offsets({place: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[place].result(10)

    equal(ask(OffsetSpec.earliest()).offset, 0)
    equal(ask(OffsetSpec.latest()).offset, 10)
    newest = ask(OffsetSpec.max_timestamp())
    equal((newest.offset, newest.timestamp), (7, 1_700_000_009_000))
    equal(ask(OffsetSpec.for_timestamp(1_700_000_006_000)).offset, 1)


@check
def out_of_range_resets_or_fails():
    target = filled(5)
    client = consumer(auto_offset_reset="error")
    client.assign([TopicPartition(target, 0, 1000)])

    def failed():
        message = client.poll(0.2)
        return message is not None and message.error() and message.error().code()

    equal(until("an error", failed), KafkaError._AUTO_OFFSET_RESET)
    client.close()
    equal(values(read_from(target, 1000, 5)), [f"v{n}" for n in range(5)])


@check
def commit_and_resume():
    target, group = filled(10), name("confluent-group")
    client = consumer(group)
    client.subscribe([target])
    last = read(client, 4)[-1]
    committed = client.commit(offsets=[TopicPartition(target, 0, last.offset() + 1, metadata="note")], asynchronous=False)
    equal(committed[0].error, None)
    client.close()
    client = consumer(group)
    client.subscribe([target])
    equal(values(read(client, 6)), [f"v{n}" for n in range(4, 10)])
    stored = client.committed([TopicPartition(target, 0)], timeout=10)[0]
    equal((stored.offset, stored.metadata), (4, "note"))
    client.close()


@check
def automatic_commit():
    target, group = filled(10), name("confluent-group")
    client = consumer(group, enable_auto_commit=True, auto_commit_interval_ms=200)
    client.subscribe([target])
    read(client, 10)
    client.close()
    client = consumer(group)
    equal(client.committed([TopicPartition(target, 0)], timeout=10)[0].offset, 10)
    client.close()


def assigned(clients):
    for client in clients:
        client.poll(0.05)
    return [len(client.assignment()) for client in clients]


def group_of_three(strategy, **config):
    target, group = topic(6), name("confluent-group")
    clients = [consumer(group, partition_assignment_strategy=strategy, **config) for _ in range(3)]
    for client in clients:
        client.subscribe([target])
    until("2, 2, 2", lambda: assigned(clients) == [2, 2, 2], 25)
    produce(target, [(None, str(n), None, None, n % 6) for n in range(60)])
    got = set()

    def all_read():
        for client in clients:
            message = client.poll(0.05)
            if message is not None and not message.error():
                got.add(message.value())
        return len(got) == 60

    until("all 60 records", all_read)
    clients[2].close()
    until("3, 3", lambda: sorted(assigned(clients[:2])) == [3, 3], 25)
    for client in clients[:2]:
        client.close()
    until("the group is empty", lambda: ADMIN.describe_consumer_groups([group])[group].result(10).state == ConsumerGroupState.EMPTY)


@check
def group_of_three_range():
    group_of_three("range")


@check
def group_of_three_round_robin():
    group_of_three("roundrobin")


@check
def group_of_three_cooperative_sticky():
    group_of_three("cooperative-sticky")


@check
def a_crashed_member_is_replaced():
    target, group = topic(4), name("confluent-group")
    child = Child("--member", target, group)
    equal(child.line(), "assigned 4")
    client = consumer(group)
    client.subscribe([target])
    until("two each", lambda: assigned([client]) == [2], 20)
    child.kill()
    started = time.monotonic()
    until("all four", lambda: assigned([client]) == [4], 20)
    equal(time.monotonic() - started > 2, True, "the session had to time out")
    client.close()


def member(target, group):
    """What the child process runs: a member that never leaves."""
    client = consumer(group)
    client.subscribe([target])
    shown = None
    while True:
        client.poll(0.1)
        count = len(client.assignment())
        if count and count != shown:
            shown = count
            print("assigned", count, flush=True)


@check
def static_members():
    target, group = topic(4), name("confluent-group")
    clients = [consumer(group, group_instance_id=f"static-{n}") for n in range(2)]
    for client in clients:
        client.subscribe([target])
    until("2, 2", lambda: assigned(clients) == [2, 2])
    before = clients[1].assignment()
    clients[1].close()
    described = ADMIN.describe_consumer_groups([group])[group].result(10)
    equal(sorted(m.group_instance_id for m in described.members), ["static-0", "static-1"])
    clients[1] = consumer(group, group_instance_id="static-1")
    clients[1].subscribe([target])
    until("the same partitions", lambda: assigned(clients) == [2, 2])
    equal(clients[1].assignment(), before)
    fenced = consumer(group, group_instance_id="static-1")
    fenced.subscribe([target])

    def fencing():
        fenced.poll(0.05)
        message = clients[1].poll(0.05)
        return message is not None and message.error() and message.error().code()

    equal(until("the older one is fenced", fencing), KafkaError._FATAL)
    for client in [clients[0], fenced, clients[1]]:
        client.close()


@check
def consumer_group_protocol():
    if not serves(68):
        raise Skip("the broker does not offer the new group protocol")
    target, group = topic(4), name("confluent-group")
    settings = {"bootstrap.servers": BOOTSTRAP, "group.id": group, "group.protocol": "consumer",
                "auto.offset.reset": "earliest", "enable.auto.commit": False}
    client = Consumer(settings)
    client.subscribe([target])
    until("all four", lambda: assigned([client]) == [4], 25)
    produce(target, [(None, str(n), None, None, n % 4) for n in range(8)])
    for message in read(client, 8):
        client.commit(message, asynchronous=False)
    equal(sum(p.offset for p in client.committed([TopicPartition(target, n) for n in range(4)], timeout=10)), 8)
    client.close()


@check
def list_and_describe_groups():
    target, group = filled(3), name("confluent-group")
    client = consumer(group, client_id="a-client")
    client.subscribe([target])
    last = read(client, 3)[-1]
    client.commit(last, asynchronous=False)
    listed = ADMIN.list_consumer_groups().result(10)
    equal({g.group_id: g.state for g in listed.valid}[group], ConsumerGroupState.STABLE)
    described = ADMIN.describe_consumer_groups([group])[group].result(10)
    equal((described.state, described.partition_assignor, len(described.members)), (ConsumerGroupState.STABLE, "range", 1))
    seen = described.members[0]
    equal((seen.client_id, [(p.topic, p.partition) for p in seen.assignment.topic_partitions]), ("a-client", [(target, 0)]))
    client.close()
    asked = ConsumerGroupTopicPartitions(group)
    stored = ADMIN.list_consumer_group_offsets([asked])[group].result(10)
    equal([(p.topic, p.offset) for p in stored.topic_partitions], [(target, 3)])


@check
def alter_and_delete_groups():
    target, group = filled(5), name("confluent-group")
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(target, 0, 2)])
    ADMIN.alter_consumer_group_offsets([asked])[group].result(10)
    client = consumer(group)
    client.subscribe([target])
    equal(values(read(client, 3)), ["v2", "v3", "v4"])
    error = raises(KafkaException, ADMIN.delete_consumer_groups([group])[group].result, 10)
    equal(error.args[0].code(), KafkaError.NON_EMPTY_GROUP)
    client.close()
    ADMIN.delete_consumer_groups([group])[group].result(10)
    equal(group in [g.group_id for g in ADMIN.list_consumer_groups().result(10).valid], False)
    error = raises(KafkaException, ADMIN.delete_consumer_groups([group])[group].result, 10)
    equal(error.args[0].code(), KafkaError.GROUP_ID_NOT_FOUND)


@check
def topics_come_grow_and_go():
    made = topic(2)
    error = raises(KafkaException, ADMIN.create_topics([NewTopic(made, 1, 1)])[made].result, 10)
    equal(error.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
    error = raises(KafkaException, list(ADMIN.create_topics([NewTopic(name("x"), 1, 3)]).values())[0].result, 10)
    equal(error.args[0].code(), KafkaError.INVALID_REPLICATION_FACTOR)
    error = raises(KafkaException, ADMIN.create_topics([NewTopic("in valid", 1, 1)])["in valid"].result, 10)
    equal(error.args[0].code(), KafkaError.TOPIC_EXCEPTION)
    checked = name("checked")
    ADMIN.create_topics([NewTopic(checked, 1, 1)], validate_only=True)[checked].result(10)
    equal(checked in ADMIN.list_topics(timeout=10).topics, False)
    ADMIN.create_partitions([NewPartitions(made, 5)])[made].result(10)
    until("five partitions", lambda: len(ADMIN.list_topics(made, timeout=10).topics[made].partitions) == 5)
    error = raises(KafkaException, ADMIN.create_partitions([NewPartitions(made, 3)])[made].result, 10)
    equal(error.args[0].code(), KafkaError.INVALID_PARTITIONS)
    described = ADMIN.describe_topics(TopicCollection([made]))[made].result(10)
    equal((described.name, len(described.partitions), described.is_internal), (made, 5, False))
    ADMIN.delete_topics([made])[made].result(10)
    until("gone", lambda: made not in ADMIN.list_topics(timeout=10).topics)
    error = raises(KafkaException, ADMIN.delete_topics([made])[made].result, 10)
    equal(error.args[0].code(), KafkaError.UNKNOWN_TOPIC_OR_PART)


def settings_of(kind, what):
    resource = ConfigResource(kind, what)
    return ADMIN.describe_configs([resource])[resource].result(10)


@check
def configs():
    made = topic(1, retention_ms="123456")
    got = settings_of(ResourceType.TOPIC, made)
    equal((got["retention.ms"].value, got["retention.ms"].is_default, got["retention.ms"].source), ("123456", False, 1))
    equal((got["cleanup.policy"].value, got["cleanup.policy"].is_default), ("delete", True))

    def change(*entries):
        resource = ConfigResource(ResourceType.TOPIC, made, incremental_configs=[
            ConfigEntry(key, value, incremental_operation=operation) for key, value, operation in entries])
        ADMIN.incremental_alter_configs([resource])[resource].result(10)

    change(("retention.ms", "777", AlterConfigOpType.SET), ("cleanup.policy", "compact", AlterConfigOpType.APPEND))
    until("the change", lambda: settings_of(ResourceType.TOPIC, made)["retention.ms"].value == "777")
    equal(sorted(settings_of(ResourceType.TOPIC, made)["cleanup.policy"].value.split(",")), ["compact", "delete"])
    change(("retention.ms", None, AlterConfigOpType.DELETE), ("cleanup.policy", "compact", AlterConfigOpType.SUBTRACT))
    until("the default", lambda: settings_of(ResourceType.TOPIC, made)["retention.ms"].value == "604800000")
    equal(settings_of(ResourceType.TOPIC, made)["cleanup.policy"].value, "delete")
    error = raises(KafkaException, change, ("retention.ms", "soon", AlterConfigOpType.SET))
    equal(error.args[0].code(), KafkaError.INVALID_CONFIG)
    error = raises(KafkaException, change, ("no.such.config", "1", AlterConfigOpType.SET))
    equal(error.args[0].code(), KafkaError.INVALID_CONFIG)
    resource = ConfigResource(ResourceType.TOPIC, made, set_config={"max.message.bytes": "2000"})
    ADMIN.alter_configs([resource])[resource].result(10)
    until("the old way", lambda: settings_of(ResourceType.TOPIC, made)["max.message.bytes"].value == "2000")


@check
def broker_configs_and_cluster():
    cluster = ADMIN.describe_cluster().result(10)
    equal(len(cluster.nodes) >= 1 and bool(cluster.cluster_id), True)
    equal(f"{cluster.nodes[0].host}:{cluster.nodes[0].port}", BOOTSTRAP.replace("localhost", "127.0.0.1"))
    got = settings_of(ResourceType.BROKER, str(cluster.nodes[0].id))
    equal("log.retention.hours" in got and "num.partitions" in got, True)


@check
def delete_records():
    target = filled(10)
    place = TopicPartition(target, 0, 6)
    equal(ADMIN.delete_records([place])[place].result(10).low_watermark, 6)
    equal(values(read_from(target, OFFSET_BEGINNING, 4)), ["v6", "v7", "v8", "v9"])
    beyond = TopicPartition(target, 0, 100)
    error = raises(KafkaException, ADMIN.delete_records([beyond])[beyond].result, 10)
    equal(error.args[0].code(), KafkaError.OFFSET_OUT_OF_RANGE)


@check
def idempotent_producer():
    target = topic(2)
    reports = produce(target, [(None, str(n), None, None, n % 2) for n in range(2000)], enable_idempotence=True, linger_ms=0)
    equal([error for error, _ in reports if error], [])
    for partition in range(2):
        got = values(read_from(target, OFFSET_BEGINNING, 1000, partition))
        equal(got, [str(n) for n in range(partition, 2000, 2)], f"partition {partition}")


@check
def acks():
    target = topic()
    for acks in [0, 1, "all"]:
        for error, message in produce(target, [(None, f"acks-{acks}")], acks=acks):
            equal(error, None)
            equal(message.offset() is not None, acks != 0, f"an offset with acks {acks}")
    equal(sorted(values(read_from(target, OFFSET_BEGINNING, 3))), ["acks-0", "acks-1", "acks-all"])


@check
def large_messages():
    target = topic(1, max_message_bytes="3000000")
    big = bytes(range(256)) * 10_000
    equal(produce(target, [(None, big)], message_max_bytes=4_000_000)[0][0], None)
    equal(read_from(target, OFFSET_BEGINNING, 1)[0].value() == big, True)
    small = topic(1, max_message_bytes="1000")
    error = produce(small, [(None, b"x" * 2000)])[0][0]
    equal(error.code(), KafkaError.MSG_SIZE_TOO_LARGE)
    equal(produce(small, [(None, b"x" * 500)])[0][0], None)


@check
def unknown_topics():
    client = consumer(allow_auto_create_topics=False)
    client.subscribe([name("nowhere")])

    def failed():
        message = client.poll(0.2)
        return message is not None and message.error() and message.error().code()

    equal(until("an error", failed), KafkaError.UNKNOWN_TOPIC_OR_PART)
    client.close()
    target = topic(1)
    error = produce(target, [(None, b"v", None, None, 7)], message_timeout_ms=3000)[0][0]
    equal(error.code(), KafkaError._UNKNOWN_PARTITION)


@check
def automatic_topics():
    target = name("auto")
    equal(produce(target, [(None, b"v")])[0][0], None)
    equal(values(read_from(target, OFFSET_BEGINNING, 1)), ["v"])


@check
def pattern_subscription():
    stem = name("pattern")
    for suffix in "ab":
        ADMIN.create_topics([NewTopic(f"{stem}-{suffix}", 1, 1)])[f"{stem}-{suffix}"].result(10)
    client = consumer()
    client.subscribe([f"^{stem}-.*"])
    until("two topics", lambda: assigned([client]) == [2])
    ADMIN.create_topics([NewTopic(f"{stem}-c", 1, 1)])[f"{stem}-c"].result(10)
    until("the third", lambda: assigned([client]) == [3])
    client.close()


@check
def pause_and_many_partitions():
    target = topic(20)
    produce(target, [(None, str(n), None, None, n % 20) for n in range(400)])
    client = consumer()
    client.subscribe([target])
    equal(len({message.value() for message in read(client, 400)}), 400)
    client.pause(client.assignment())
    produce(target, [(None, b"late", None, None, 3)])
    equal(client.poll(0.5), None)
    client.resume(client.assignment())
    equal(values(read(client, 1)), ["late"])
    client.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--member"]:
        member(*sys.argv[2:4])
    main()

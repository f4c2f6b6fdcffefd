"""kafka-python: producing, consuming, groups, and its wide administration client."""

import sys
import time

from checks import BOOTSTRAP, Child, check, equal, main, name, raises, until
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource, MemberToRemove, NewPartitions, NewTopic
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    NoError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def topic(partitions=1, **config):
    made = name("kafka-python")
    config = {key.replace("_", "."): value for key, value in config.items()}
    ADMIN.create_topics([NewTopic(made, partitions, 1, topic_configs=config)])
    return made


def producer(**config):
    return KafkaProducer(bootstrap_servers=BOOTSTRAP, **config)


def consumer(*topics, group=None, **config):
    settings = {
        "bootstrap_servers": BOOTSTRAP,
        "group_id": group,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": 6000,
        "heartbeat_interval_ms": 300,
        "fetch_max_wait_ms": 100,
        "metadata_max_age_ms": 1000,
    }
    settings.update(config)
    return KafkaConsumer(*topics, **settings)


def produce(target, records, **config):
    """Produces dictionaries of send()'s arguments; returns the records' metadata, or raises the first error."""
    with producer(**config) as sender:
        futures = [sender.send(target, **record) for record in records]
        sender.flush(20)
        return [future.get(20) for future in futures]


def filled(count=10, **config):
    target = topic(**config)
    produce(target, [{"value": f"v{n}".encode(), "partition": 0} for n in range(count)])
    return target


def read(client, count, seconds=20):
    got = []

    def some():
        for records in client.poll(200).values():
            got.extend(records)
        return len(got) >= count

    until(f"{count} records", some, seconds, 0)
    return got


def read_from(target, offset, count, partition=0):
    with_offset = TopicPartition(target, partition)
    client = consumer()
    client.assign([with_offset])
    if offset is None:
        client.seek_to_beginning(with_offset)
    else:
        client.seek(with_offset, offset)
    try:
        return read(client, count)
    finally:
        client.close()


def values(records):
    return [record.value.decode() for record in records]


@check
def compressions():
    target, codecs = topic(), [None, "gzip", "snappy", "lz4", "zstd"]
    for codec in codecs:
        produce(target, [{"value": f"{codec}-{n}".encode() * 50} for n in range(20)], compression_type=codec, linger_ms=5)
    got = values(read_from(target, None, 100))
    equal(got, [f"{codec}-{n}" * 50 for codec in codecs for n in range(20)])


@check
def keys_headers_nulls_and_timestamps():
    target = topic()
    produce(target, [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", b"2"), ("b", b"")], "timestamp_ms": 1_600_000_000_123},
        {"key": b"k", "value": None, "timestamp_ms": 1_600_000_000_456},
        {"value": b"", "timestamp_ms": 1_600_000_000_789},
    ])
    got = read_from(target, None, 3)
    equal([(r.key, r.value) for r in got], [(b"k", b"v"), (b"k", None), (None, b"")])
    equal(list(got[0].headers), [("a", b"1"), ("a", b"2"), ("b", b"")])
    equal([(r.timestamp, r.timestamp_type) for r in got],
          [(1_600_000_000_123, 0), (1_600_000_000_456, 0), (1_600_000_000_789, 0)])


@check
def keyed_records_keep_their_partition():
    target, places = topic(4), {}
    for n, placed in enumerate(produce(target, [{"key": b"key-%d" % (n % 10), "value": b"%d" % n} for n in range(100)])):
        places.setdefault(n % 10, set()).add(placed.partition)
    equal({len(found) for found in places.values()}, {1})


@check
def log_append_time():
    target, before = topic(message_timestamp_type="LogAppendTime"), int(time.time() * 1000)
    placed = produce(target, [{"value": b"v", "timestamp_ms": 1000}])[0]
    record = read_from(target, None, 1)[0]
    equal((record.timestamp_type, record.timestamp), (1, placed.timestamp))
    equal(before - 1000 <= record.timestamp <= before + 60_000, True)


@check
def from_an_offset_and_from_the_end():
    target = filled(10)
    equal(values(read_from(target, 4, 6)), [f"v{n}" for n in range(4, 10)])
    place, client = TopicPartition(target, 0), consumer()
    client.assign([place])
    client.seek_to_end(place)
    equal(client.position(place), 10)
    produce(target, [{"value": b"new"}])
    equal(values(read(client, 1)), ["new"])
    client.seek(place, 2)
    equal(values(read(client, 9))[0], "v2")
    client.close()


@check
def offsets_for_times_ends_and_lag():
    target = topic()
    produce(target, [{"value": b"%d" % n, "timestamp_ms": 1_700_000_000_000 + n * 1000} for n in range(10)])
    place, client = TopicPartition(target, 0), consumer(group=name("lag"))
    found = client.offsets_for_times({place: 1_700_000_004_500})[place]
    equal((found.offset, found.timestamp), (5, 1_700_000_005_000))
    equal(client.offsets_for_times({place: 1_800_000_000_000})[place], None)
    equal((client.beginning_offsets([place])[place], client.end_offsets([place])[place]), (0, 10))
    client.assign([place])
    client.seek(place, found.offset)
    equal(values(read(client, 5)), [str(n) for n in range(5, 10)])
    client.commit({place: OffsetAndMetadata(7, "", -1)})
    equal(client.end_offsets([place])[place] - client.committed(place), 3)
    client.close()


@check
def list_partition_offsets():
    target = topic()
    produce(target, [{"value": b"v", "timestamp_ms": 1_700_000_000_000 + (n * 7 % 10) * 1000} for n in range(10)])
    place = TopicPartition(target, 0)

    def ask(spec):
        found = ADMIN.list_partition_offsets({place: spec})[place]
        return found.offset, found.timestamp

    equal(ask(OffsetSpec.EARLIEST), (0, -1))
    equal(ask(OffsetSpec.LATEST), (10, -1))
    equal(ask(OffsetSpec.MAX_TIMESTAMP), (7, 1_700_000_009_000))
    equal(ask(OffsetSpec.EARLIEST_LOCAL), (0, -1))


@check
def out_of_range_resets_or_fails():
    target = filled(5)
    client = consumer(auto_offset_reset="none")
    client.assign([TopicPartition(target, 0)])
    client.seek(TopicPartition(target, 0), 1000)
    raises(OffsetOutOfRangeError, lambda: until("an error", lambda: client.poll(200)))
    client.close()
    equal(values(read_from(target, 1000, 5)), [f"v{n}" for n in range(5)])


@check
def commit_and_resume():
    target, group = filled(10), name("kafka-python-group")
    client = consumer(target, group=group, max_poll_records=4)
    last = read(client, 4)[3]
    place = TopicPartition(target, 0)
    client.commit({place: OffsetAndMetadata(last.offset + 1, "note", -1)})
    client.close()
    client = consumer(target, group=group)
    equal(values(read(client, 6)), [f"v{n}" for n in range(4, 10)])
    stored = client.committed(place, metadata=True)
    equal((stored.offset, stored.metadata), (4, "note"))
    client.close()


@check
def automatic_commit():
    target, group = filled(10), name("kafka-python-group")
    client = consumer(target, group=group, enable_auto_commit=True, auto_commit_interval_ms=200)
    read(client, 10)
    client.close()
    stored = ADMIN.list_group_offsets({group: None})[group]
    equal({place.topic: at.offset for place, at in stored.items()}, {target: 10})


def assigned(clients):
    for client in clients:
        client.poll(50)
    return [len(client.assignment()) for client in clients]


def group_of_three(assignor):
    target, group = topic(6), name("kafka-python-group")
    clients = [consumer(target, group=group, partition_assignment_strategy=[assignor]) for _ in range(3)]
    until("2, 2, 2", lambda: assigned(clients) == [2, 2, 2], 25, 0)
    produce(target, [{"value": b"%d" % n, "partition": n % 6} for n in range(60)])
    got = set()

    def all_read():
        for client in clients:
            for records in client.poll(50).values():
                got.update(record.value for record in records)
        return len(got) == 60

    until("all 60 records", all_read, 20, 0)
    clients[2].close()
    until("3, 3", lambda: assigned(clients[:2]) == [3, 3], 25, 0)
    for client in clients[:2]:
        client.close()
    until("empty", lambda: ADMIN.describe_groups([group])[group]["group_state"] == "Empty")


@check
def group_of_three_range():
    group_of_three(RangePartitionAssignor)


@check
def group_of_three_round_robin():
    group_of_three(RoundRobinPartitionAssignor)


@check
def group_of_three_sticky():
    group_of_three(StickyPartitionAssignor)


@check
def group_of_three_cooperative_sticky():
    group_of_three(CooperativeStickyAssignor)


def member(target, group):
    """What the child process runs: a member that never leaves."""
    client, shown = consumer(target, group=group), None
    while True:
        client.poll(100)
        count = len(client.assignment())
        if count and count != shown:
            shown = count
            print("assigned", count, flush=True)


@check
def a_crashed_member_is_replaced():
    target, group = topic(4), name("kafka-python-group")
    child = Child("--member", target, group)
    equal(child.line(), "assigned 4")
    client = consumer(target, group=group)
    until("two", lambda: assigned([client]) == [2], 20, 0)
    child.kill()
    started = time.monotonic()
    until("all four", lambda: assigned([client]) == [4], 20, 0)
    equal(time.monotonic() - started > 2, True, "the session had to time out")
    client.close()


@check
def static_members():
    target, group = topic(4), name("kafka-python-group")
    clients = [consumer(target, group=group, group_instance_id=f"static-{n}") for n in range(2)]
    until("2, 2", lambda: assigned(clients) == [2, 2], 25, 0)
    before = clients[1].assignment()
    clients[1].close()
    members = ADMIN.describe_groups([group])[group]["members"]
    equal(sorted(m["group_instance_id"] for m in members), ["static-0", "static-1"], "nobody left")
    clients[1] = consumer(target, group=group, group_instance_id="static-1")
    until("2, 2 again", lambda: assigned(clients) == [2, 2], 25, 0)
    equal(clients[1].assignment(), before)
    for client in clients:
        client.close()
    ADMIN.remove_group_members(group, [MemberToRemove(group_instance_id=f"static-{n}") for n in range(2)])
    until("empty", lambda: ADMIN.describe_groups([group])[group]["group_state"] == "Empty")


@check
def list_and_describe_groups():
    target, group = filled(3), name("kafka-python-group")
    client = consumer(target, group=group, client_id="a-client")
    read(client, 3)
    client.commit()
    described = ADMIN.describe_groups([group])[group]
    equal((described["group_state"], described["protocol_type"], described["protocol_data"]), ("Stable", "consumer", "range"))
    seen = described["members"][0]
    equal((seen["client_id"], seen["member_assignment"]["assigned_partitions"]),
          ("a-client", [{"topic": target, "partitions": [0]}]))
    listed = {g["group_id"]: g for g in ADMIN.list_groups()}
    equal((listed[group]["group_state"], listed[group]["group_type"]), ("Stable", "classic"))
    equal(group in {g["group_id"] for g in ADMIN.list_groups(states_filter=["Empty"])}, False)
    client.close()
    equal(group in {g["group_id"] for g in ADMIN.list_groups(states_filter=["Empty"])}, True)


@check
def group_offsets_alter_reset_delete():
    target, group = filled(10), name("kafka-python-group")
    place = TopicPartition(target, 0)
    equal(ADMIN.alter_group_offsets(group, {place: OffsetAndMetadata(3, "m", -1)})[place], NoError)
    client = consumer(target, group=group)
    equal(values(read(client, 7))[0], "v3")
    equal(ADMIN.delete_groups([group])[group], "NonEmptyGroupError")
    equal(ADMIN.delete_group_offsets(group, [place])[place].__name__, "GroupSubscribedToTopicError")
    client.close()
    equal(ADMIN.reset_group_offsets(group, {place: OffsetSpec.LATEST})[place]["offset"], 10)
    equal(ADMIN.list_group_offsets({group: None})[group][place].offset, 10)
    equal(ADMIN.delete_group_offsets(group, [place])[place], NoError)
    equal(place in ADMIN.list_group_offsets({group: None})[group], False)
    ADMIN.alter_group_offsets(group, {place: OffsetAndMetadata(3, "m", -1)})
    equal(ADMIN.delete_groups([group])[group], "OK")
    equal(ADMIN.delete_groups([group])[group], "GroupIdNotFoundError")
    equal(ADMIN.describe_groups([group])[group]["group_state"], "Dead")


@check
def topics_come_grow_and_go():
    made = topic(2)
    raises(TopicAlreadyExistsError, ADMIN.create_topics, [NewTopic(made, 1, 1)])
    raises(InvalidReplicationFactorError, ADMIN.create_topics, [NewTopic(name("x"), 1, 3)])
    raises(InvalidTopicError, ADMIN.create_topics, [NewTopic("in valid", 1, 1)])
    ADMIN.create_topics([NewTopic(name("checked"), 1, 1)], validate_only=True)
    assigned_by_hand = name("kafka-python")
    ADMIN.create_topics([NewTopic(assigned_by_hand, -1, -1, replica_assignments={0: [node()], 1: [node()]})])
    equal(len(ADMIN.describe_topics([assigned_by_hand])[0]["partitions"]), 2)
    ADMIN.create_partitions({made: NewPartitions(5)})
    until("five", lambda: len(ADMIN.describe_topics([made])[0]["partitions"]) == 5)
    raises(InvalidPartitionsError, ADMIN.create_partitions, {made: NewPartitions(3)})
    described = ADMIN.describe_topic_partitions([made])["topics"][0]
    equal((described["name"], len(described["partitions"]), described["is_internal"]), (made, 5, False))
    equal(made in ADMIN.list_topics(), True)
    ADMIN.delete_topics([made])
    until("gone", lambda: made not in ADMIN.list_topics())
    raises(UnknownTopicOrPartitionError, ADMIN.delete_topics, [made])


def node():
    return ADMIN.describe_cluster()["brokers"][0]["broker_id"]


@check
def topics_are_recreated_as_others():
    made = topic(1)
    produce(made, [{"value": b"old"}])
    old = ADMIN.describe_topics([made])[0]["topic_id"]
    ADMIN.delete_topics([made])
    until("gone", lambda: made not in ADMIN.list_topics())
    ADMIN.create_topics([NewTopic(made, 1, 1)])
    equal(ADMIN.describe_topics([made])[0]["topic_id"] == old, False)
    produce(made, [{"value": b"new"}])
    equal([(r.offset, r.value) for r in read_from(made, None, 1)], [(0, b"new")])


@check
def configs():
    made = topic(1, retention_ms="123456")

    def get(key):
        return ADMIN.describe_configs([ConfigResource("topic", made)], config_filter="all")["topic"][made][key]

    equal((get("retention.ms")["value"], get("retention.ms")["config_source"]), ("123456", "DYNAMIC_TOPIC_CONFIG"))
    equal((get("segment.bytes")["value"], get("segment.bytes")["config_source"]), ("1073741824", "DEFAULT_CONFIG"))
    ADMIN.alter_configs([ConfigResource("topic", made, {"retention.ms": "777"})])
    until("changed", lambda: get("retention.ms")["value"] == "777")
    answer = ADMIN.alter_configs([ConfigResource("topic", made, {"retention.ms": "soon"})])["topic"][made]
    equal("InvalidConfigurationError" in answer, True, answer)
    ADMIN.reset_configs([ConfigResource("topic", made, {"retention.ms": None})])
    until("the default", lambda: get("retention.ms")["value"] == "604800000")
    equal(made in ADMIN.list_config_resources()["topic"], True)


@check
def broker_configs():
    me = str(node())
    found = ADMIN.describe_configs([ConfigResource("broker", me)], config_filter="all")["broker"][me]
    equal((found["num.partitions"]["read_only"], "log.retention.hours" in found), (True, True))


@check
def cluster_log_dirs_and_producers():
    cluster = ADMIN.describe_cluster()
    equal(bool(cluster["cluster_id"]) and cluster["controller_id"] == cluster["brokers"][0]["broker_id"], True)
    target = topic()
    produce(target, [{"value": b"v"}], enable_idempotence=True)
    place = TopicPartition(target, 0)
    dirs = ADMIN.describe_log_dirs()[0]["log_dirs"]
    sizes = [p for d in dirs for t in d["topics"] if t["name"] == target for p in t["partitions"]]
    equal((len(sizes), sizes[0]["partition_size"] > 60), (1, True), str(sizes))
    active = ADMIN.describe_producers([place])[place].active_producers
    equal((len(active), active[0].last_sequence, active[0].current_transaction_start_offset), (1, 0, -1))
    equal(ADMIN.list_partition_reassignments(), {})


@check
def delete_records():
    target = filled(10)
    place = TopicPartition(target, 0)
    equal(ADMIN.delete_records({place: 6})[place]["low_watermark"], 6)
    equal(values(read_from(target, None, 4)), ["v6", "v7", "v8", "v9"])
    equal(ADMIN.delete_records({place: -1})[place]["low_watermark"], 10)
    raises(OffsetOutOfRangeError, ADMIN.delete_records, {place: 100})


@check
def idempotent_producer():
    target = topic(2)
    produce(target, [{"value": b"%d" % n, "partition": n % 2} for n in range(1000)], enable_idempotence=True, acks="all")
    for partition in range(2):
        equal(values(read_from(target, None, 500, partition)), [str(n) for n in range(partition, 1000, 2)])


@check
def acks():
    target = topic()
    for level in [0, 1, "all"]:
        produce(target, [{"value": f"acks-{level}".encode()}], acks=level, enable_idempotence=False)
    equal(sorted(values(read_from(target, None, 3))), ["acks-0", "acks-1", "acks-all"])


@check
def large_messages():
    big = bytes(range(256)) * 10_000
    target = topic(1, max_message_bytes="3000000")
    produce(target, [{"value": big}], max_request_size=4_000_000)
    equal(read_from(target, None, 1)[0].value == big, True)
    small = topic(1, max_message_bytes="1000")
    raises(MessageSizeTooLargeError, produce, small, [{"value": b"x" * 2000}])
    produce(small, [{"value": b"x" * 500}])


@check
def unknown_topics():
    client = consumer(allow_auto_create_topics=False)
    equal(client.partitions_for_topic(name("nowhere")) or None, None)
    client.close()
    equal(ADMIN.describe_topics([name("nowhere")])[0]["error_code"], 3)


@check
def automatic_topics():
    target = name("kafka-python-auto")
    produce(target, [{"value": b"v"}])
    equal(values(read_from(target, None, 1)), ["v"])


@check
def pattern_subscription():
    stem = name("pattern")
    ADMIN.create_topics([NewTopic(f"{stem}-{suffix}", 1, 1) for suffix in "ab"])
    client = consumer(group=name("kafka-python-group"))
    client.subscribe(pattern=f"^{stem}-.*")
    until("two topics", lambda: assigned([client]) == [2], 20, 0)
    ADMIN.create_topics([NewTopic(f"{stem}-c", 1, 1)])
    until("the third", lambda: assigned([client]) == [3], 20, 0)
    client.close()


@check
def many_partitions_and_pause():
    target = topic(20)
    produce(target, [{"value": b"%d" % n, "partition": n % 20} for n in range(400)])
    client = consumer(target, group=name("kafka-python-group"))
    equal(len(set(values(read(client, 400)))), 400)
    client.pause(*client.assignment())
    produce(target, [{"value": b"late", "partition": 3}])
    equal(client.poll(500), {})
    client.resume(*client.assignment())
    equal(values(read(client, 1)), ["late"])
    client.close()


@check
def old_versions():
    target = topic()
    old = {"api_version": (0, 11)}
    produce(target, [{"value": b"v", "key": b"k"}], enable_idempotence=False, **old)
    client = consumer(target, group=name("kafka-python-group"), **old)
    equal([(r.key, r.value) for r in read(client, 1)], [(b"k", b"v")])
    client.commit()
    equal(client.end_offsets([TopicPartition(target, 0)]), {TopicPartition(target, 0): 1})
    client.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--member"]:
        member(*sys.argv[2:4])
    main()

"""aiokafka: producing, consuming, groups and administration in asyncio."""

import asyncio
import re
import sys
import time

from checks import BOOTSTRAP, Child, check, equal, main, name
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata


def run(function):
    """Registers a coroutine function as a check."""

    def inside():
        asyncio.run(asyncio.wait_for(function(), 40))

    inside.__name__ = function.__name__
    return check(inside)


async def until(what, condition, seconds=20.0):
    """Waits until condition(), a coroutine function or a plain one, is true."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.05)


class Admin:
    """An administration client that is closed at the end of its block."""

    async def __aenter__(self):
        self.client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        await self.client.start()
        return self.client

    async def __aexit__(self, *_):
        await self.client.close()


async def topic(partitions=1, **config):
    made = name("aiokafka")
    config = {key.replace("_", "."): value for key, value in config.items()}
    async with Admin() as admin:
        answer = await admin.create_topics([NewTopic(made, partitions, 1, topic_configs=config)])
        equal([error[1] for error in answer.topic_errors], [0])
    return made


async def produce(target, records, **config):
    sender = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **config)
    await sender.start()
    try:
        futures = [await sender.send(target, **record) for record in records]
        return [await future for future in futures]
    finally:
        await sender.stop()


async def filled(count=10, **config):
    target = await topic(**config)
    await produce(target, [{"value": b"v%d" % n, "partition": 0} for n in range(count)])
    return target


async def consumer(*topics, group=None, **config):
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
    client = AIOKafkaConsumer(*topics, **settings)
    await client.start()
    return client


async def read(client, count, seconds=20):
    got, deadline = [], time.monotonic() + seconds
    while len(got) < count:
        equal(time.monotonic() < deadline, True, f"{len(got)} of {count} records in time")
        for records in (await client.getmany(timeout_ms=200)).values():
            got.extend(records)
    return got


async def read_from(target, offset, count, partition=0):
    client, place = await consumer(), TopicPartition(target, partition)
    client.assign([place])
    if offset is None:
        await client.seek_to_beginning(place)
    else:
        client.seek(place, offset)
    try:
        return await read(client, count)
    finally:
        await client.stop()


def values(records):
    return [record.value.decode() for record in records]


@run
async def compressions():
    target, codecs = await topic(), [None, "gzip", "snappy", "lz4", "zstd"]
    for codec in codecs:
        await produce(target, [{"value": f"{codec}-{n}".encode() * 50} for n in range(20)], compression_type=codec)
    equal(values(await read_from(target, None, 100)), [f"{codec}-{n}" * 50 for codec in codecs for n in range(20)])


@run
async def keys_headers_nulls_and_timestamps():
    target = await topic()
    await produce(target, [
        {"key": b"k", "value": b"v", "headers": [("a", b"1"), ("a", b"2")], "timestamp_ms": 1_600_000_000_123},
        {"key": b"k", "value": None, "timestamp_ms": 1_600_000_000_456},
        {"value": b"", "timestamp_ms": 1_600_000_000_789},
    ])
    got = await read_from(target, None, 3)
    equal([(r.key, r.value) for r in got], [(b"k", b"v"), (b"k", None), (None, b"")])
    equal([tuple(header) for header in got[0].headers], [("a", b"1"), ("a", b"2")])
    equal([(r.timestamp, r.timestamp_type) for r in got],
          [(1_600_000_000_123, 0), (1_600_000_000_456, 0), (1_600_000_000_789, 0)])


@run
async def keyed_records_keep_their_partition():
    target, places = await topic(4), {}
    placed = await produce(target, [{"key": b"key-%d" % (n % 10), "value": b"%d" % n} for n in range(100)])
    for n, record in enumerate(placed):
        places.setdefault(n % 10, set()).add(record.partition)
    equal({len(found) for found in places.values()}, {1})


@run
async def log_append_time():
    target = await topic(message_timestamp_type="LogAppendTime")
    await produce(target, [{"value": b"v", "timestamp_ms": 1000}])
    record = (await read_from(target, None, 1))[0]
    equal((record.timestamp_type, record.timestamp > 1_600_000_000_000), (1, True))


@run
async def from_an_offset_a_time_and_the_end():
    target = await topic()
    await produce(target, [{"value": b"v%d" % n, "timestamp_ms": 1_700_000_000_000 + n * 1000} for n in range(10)])
    equal(values(await read_from(target, 4, 6)), [f"v{n}" for n in range(4, 10)])
    client, place = await consumer(), TopicPartition(target, 0)
    client.assign([place])
    found = (await client.offsets_for_times({place: 1_700_000_004_500}))[place]
    equal((found.offset, found.timestamp), (5, 1_700_000_005_000))
    equal((await client.offsets_for_times({place: 1_800_000_000_000}))[place], None)
    equal((await client.beginning_offsets([place]), await client.end_offsets([place])), ({place: 0}, {place: 10}))
    client.seek(place, found.offset)
    equal(values(await read(client, 5)), [f"v{n}" for n in range(5, 10)])
    await client.seek_to_end(place)
    await produce(target, [{"value": b"new"}])
    equal(values(await read(client, 1)), ["new"])
    equal(client.highwater(place), 11)
    await client.stop()


@run
async def out_of_range_resets_or_fails():
    target = await filled(5)
    client, place = await consumer(auto_offset_reset="none"), TopicPartition(target, 0)
    client.assign([place])
    client.seek(place, 1000)
    try:
        await client.getone()
        raise AssertionError("no error")
    except OffsetOutOfRangeError:
        pass
    await client.stop()
    equal(values(await read_from(target, 1000, 5)), [f"v{n}" for n in range(5)])


@run
async def commit_and_resume():
    target, group = await filled(10), name("aiokafka-group")
    place = TopicPartition(target, 0)
    client = await consumer(target, group=group)
    await read(client, 10)
    await client.commit({place: OffsetAndMetadata(4, "note")})
    await client.stop()
    client = await consumer(target, group=group)
    equal(values(await read(client, 6)), [f"v{n}" for n in range(4, 10)])
    equal(await client.committed(place), 4)
    await client.stop()
    async with Admin() as admin:
        stored = await admin.list_consumer_group_offsets(group)
        equal((stored[place].offset, stored[place].metadata), (4, "note"))


@run
async def automatic_commit():
    target, group = await filled(10), name("aiokafka-group")
    client = await consumer(target, group=group, enable_auto_commit=True, auto_commit_interval_ms=200)
    await read(client, 10)
    await client.stop()
    async with Admin() as admin:
        equal((await admin.list_consumer_group_offsets(group))[TopicPartition(target, 0)].offset, 10)


def assigned(clients):
    return [len(client.assignment()) for client in clients]


async def state(group):
    async with Admin() as admin:
        return (await admin.describe_consumer_groups([group]))[0].groups[0]


async def group_of_three(assignor):
    target, group = await topic(6), name("aiokafka-group")
    clients = []
    for _ in range(3):
        clients.append(await consumer(target, group=group, partition_assignment_strategy=[assignor]))
    await until("2, 2, 2", lambda: assigned(clients) == [2, 2, 2])
    await produce(target, [{"value": b"%d" % n, "partition": n % 6} for n in range(60)])
    got = set()

    async def all_read():
        for client in clients:
            for records in (await client.getmany(timeout_ms=50)).values():
                got.update(record.value for record in records)
        return len(got) == 60

    await until("all 60 records", all_read)
    await clients[2].stop()
    await until("3, 3", lambda: assigned(clients[:2]) == [3, 3])
    for client in clients[:2]:
        await client.stop()
    equal((await state(group))[2], "Empty")


@run
async def group_of_three_range():
    await group_of_three(RangePartitionAssignor)


@run
async def group_of_three_round_robin():
    await group_of_three(RoundRobinPartitionAssignor)


@run
async def group_of_three_sticky():
    await group_of_three(StickyPartitionAssignor)


async def member(target, group):
    """What the child process runs: a member that never leaves."""
    client, shown = await consumer(target, group=group), None
    while True:
        await client.getmany(timeout_ms=100)
        count = len(client.assignment())
        if count and count != shown:
            shown = count
            print("assigned", count, flush=True)


@run
async def a_crashed_member_is_replaced():
    target, group = await topic(4), name("aiokafka-group")
    child = Child("--member", target, group)
    equal(await asyncio.to_thread(child.line), "assigned 4")
    client = await consumer(target, group=group)
    await until("two", lambda: assigned([client]) == [2])
    child.kill()
    started = time.monotonic()
    await until("all four", lambda: assigned([client]) == [4])
    equal(time.monotonic() - started > 2, True, "the session had to time out")
    await client.stop()


@run
async def static_members():
    target, group = await topic(4), name("aiokafka-group")
    clients = [await consumer(target, group=group, group_instance_id=f"static-{n}") for n in range(2)]
    await until("2, 2", lambda: assigned(clients) == [2, 2])
    before = clients[1].assignment()
    await clients[1].stop()
    equal(len((await state(group))[5]), 2, "nobody left")
    clients[1] = await consumer(target, group=group, group_instance_id="static-1")
    await until("2, 2 again", lambda: assigned(clients) == [2, 2])
    equal(clients[1].assignment(), before)
    for client in clients:
        await client.stop()


@run
async def list_and_describe_groups():
    target, group = await filled(3), name("aiokafka-group")
    client = await consumer(target, group=group, client_id="a-client", partition_assignment_strategy=[RangePartitionAssignor])
    await read(client, 3)
    described = await state(group)
    equal((described[0], described[1], described[2], described[3], described[4]), (0, group, "Stable", "consumer", "range"))
    async with Admin() as admin:
        equal((group, "consumer") in [entry[:2] for entry in await admin.list_consumer_groups()], True)
        equal(await admin.find_coordinator(group) >= 0, True)
    await client.stop()


@run
async def topics_come_grow_and_go():
    made = await topic(2)
    async with Admin() as admin:
        for wrong, code in [(NewTopic(made, 1, 1), 36), (NewTopic(name("x"), 1, 3), 38), (NewTopic("in valid", 1, 1), 17),
                            (NewTopic(name("x"), 0, 1), 37), (NewTopic(name("x"), 1, 1, topic_configs={"no.such": "1"}), 40)]:
            equal((await admin.create_topics([wrong])).topic_errors[0][1], code)
        equal((await admin.create_topics([NewTopic(name("x"), 1, 1)], validate_only=True)).topic_errors[0][1], 0)
        await admin.create_partitions({made: NewPartitions(5)})
        described = (await admin.describe_topics([made]))[0]
        equal((described["topic"], len(described["partitions"]), described["is_internal"]), (made, 5, False))
        equal(made in await admin.list_topics(), True)
        equal([code for _, code in (await admin.delete_topics([made])).topic_error_codes], [0])

        async def gone():
            return made not in await admin.list_topics()

        await until("gone", gone)
        equal([code for _, code in (await admin.delete_topics([made])).topic_error_codes], [3])
        equal((await admin.describe_topics([made]))[0]["error_code"], 3)


@run
async def configs_and_cluster():
    made = await topic(1, retention_ms="123456")
    async with Admin() as admin:
        async def get(key):
            answer = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, made)])
            return {entry[0]: entry[1] for entry in answer[0].resources[0][4]}[key]

        async def changed():
            return await get("retention.ms") == "777"

        equal(await get("retention.ms"), "123456")
        equal(await get("segment.bytes"), "1073741824")
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, made, configs={"retention.ms": "777"})])
        await until("the change", changed)
        cluster = await admin.describe_cluster()
        equal(len(cluster["brokers"]) >= 1 and bool(cluster["cluster_id"]), True)


@run
async def delete_records():
    target = await filled(10)
    place = TopicPartition(target, 0)
    async with Admin() as admin:
        equal(await admin.delete_records({place: RecordsToDelete(before_offset=6)}), {place: 6})
    equal(values(await read_from(target, None, 4)), ["v6", "v7", "v8", "v9"])


@run
async def idempotent_producer():
    target = await topic(2)
    await produce(target, [{"value": b"%d" % n, "partition": n % 2} for n in range(1000)], enable_idempotence=True)
    for partition in range(2):
        equal(values(await read_from(target, None, 500, partition)), [str(n) for n in range(partition, 1000, 2)])


@run
async def acks():
    target = await topic()
    for level in [0, 1, "all"]:
        await produce(target, [{"value": f"acks-{level}".encode()}], acks=level)
    equal(sorted(values(await read_from(target, None, 3))), ["acks-0", "acks-1", "acks-all"])


@run
async def large_messages():
    big = bytes(range(256)) * 10_000
    target = await topic(1, max_message_bytes="3000000")
    await produce(target, [{"value": big}], max_request_size=4_000_000, max_batch_size=4_000_000)
    equal((await read_from(target, None, 1))[0].value == big, True)
    small = await topic(1, max_message_bytes="1000")
    try:
        await produce(small, [{"value": b"x" * 2000}])
        raise AssertionError("no error")
    except MessageSizeTooLargeError:
        pass
    await produce(small, [{"value": b"x" * 500}])


@run
async def unknown_partitions_and_automatic_topics():
    target = name("aiokafka-auto")
    await produce(target, [{"value": b"v"}])
    equal(values(await read_from(target, None, 1)), ["v"])
    async with Admin() as admin:
        try:
            await admin.delete_records({TopicPartition(target, 9): RecordsToDelete(before_offset=0)})
            raise AssertionError("no error")
        except KafkaError:
            pass


@run
async def pattern_subscription():
    stem = name("pattern")
    async with Admin() as admin:
        await admin.create_topics([NewTopic(f"{stem}-{suffix}", 1, 1) for suffix in "ab"])
        client = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=name("aiokafka-group"), metadata_max_age_ms=500)
        client.subscribe(pattern=f"^{re.escape(stem)}-.*")
        await client.start()
        await until("two topics", lambda: assigned([client]) == [2])
        await admin.create_topics([NewTopic(f"{stem}-c", 1, 1)])
        await until("the third", lambda: assigned([client]) == [3])
        await client.stop()


@run
async def many_partitions_and_pause():
    target = await topic(20)
    await produce(target, [{"value": b"%d" % n, "partition": n % 20} for n in range(400)])
    client = await consumer(target, group=name("aiokafka-group"))
    equal(len(set(values(await read(client, 400)))), 400)
    client.pause(*client.assignment())
    await produce(target, [{"value": b"late", "partition": 3}])
    equal(await client.getmany(timeout_ms=500), {})
    client.resume(*client.assignment())
    equal(values(await read(client, 1)), ["late"])
    await client.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--member"]:
        asyncio.run(member(*sys.argv[2:4]))
    main()

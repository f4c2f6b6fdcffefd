"""aiokafka over two restarts of the broker."""

import asyncio
import time

from restarting import BOOTSTRAP, COUNT, GROUP, TOPIC, before, finish, restarted
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

PLACE = TopicPartition(TOPIC, 0)
acknowledged, consumed = [], []


async def consume(done):
    client = AIOKafkaConsumer(TOPIC, bootstrap_servers=BOOTSTRAP, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False,
                              session_timeout_ms=6000, heartbeat_interval_ms=500, fetch_max_wait_ms=100, request_timeout_ms=5000)
    await client.start()
    kept = False
    while not (done.is_set() and kept):
        try:
            records = (await client.getmany(timeout_ms=100)).get(PLACE, [])
            consumed.extend(int(record.value) for record in records)
            kept = kept and not records
            if not kept:
                await asyncio.wait_for(client.commit({PLACE: await client.position(PLACE)}), 2)
                kept = True
        except (KafkaError, asyncio.TimeoutError):
            await asyncio.sleep(0.1)  # the broker is away; a later commit covers it
        except asyncio.CancelledError:
            # aiokafka cancels what waits for a coordinator that has gone, and at times lets that be seen from outside.
            if done.is_set():
                raise
    await client.stop()


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    await admin.close()
    done = asyncio.Event()
    consuming = asyncio.create_task(consume(done))
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, enable_idempotence=True, request_timeout_ms=40000)
    await producer.start()
    futures = []
    for n in range(COUNT):
        before(n)
        futures.append(await producer.send(TOPIC, b"%d" % n, partition=0))
        await asyncio.sleep(0.004)
    for n, future in enumerate(futures):
        try:
            await asyncio.wait_for(future, 40)
            acknowledged.append(n)
        except (KafkaError, asyncio.TimeoutError):
            pass  # counted by its absence
    await producer.stop()
    await asyncio.to_thread(restarted)
    deadline = time.monotonic() + 30
    while len(set(consumed)) < COUNT and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    done.set()
    await asyncio.wait_for(consuming, 30)
    reader = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=GROUP, enable_auto_commit=False)
    await reader.start()
    reader.assign([PLACE])
    committed, end = await reader.committed(PLACE), (await reader.end_offsets([PLACE]))[PLACE]
    reader.seek(PLACE, 0)
    log = []
    while len(log) < end and time.monotonic() < deadline + 20:
        log.extend(int(record.value) for record in (await reader.getmany(timeout_ms=500)).get(PLACE, []))
    finish(acknowledged, consumed, log, committed)


asyncio.run(main())

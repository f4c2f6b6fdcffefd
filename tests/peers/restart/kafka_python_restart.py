"""kafka-python over two restarts of the broker."""

import threading
import time

from restarting import BOOTSTRAP, COUNT, GROUP, TOPIC, before, finish, restarted, until
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

QUICK = {"bootstrap_servers": BOOTSTRAP, "reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": 300, "retry_backoff_ms": 100}
acknowledged, consumed, done = [], [], threading.Event()
PLACE = TopicPartition(TOPIC, 0)


def consume():
    client = KafkaConsumer(TOPIC, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False, session_timeout_ms=6000,
                           heartbeat_interval_ms=500, fetch_max_wait_ms=100, **QUICK)
    while not done.is_set():
        try:
            # Long: a poll whose time runs out while its member joins loses the assignment.
            records = client.poll(2000)
            consumed.extend(int(record.value) for record in records.get(PLACE, []))
            if records:
                client.commit(timeout_ms=1000)
        except KafkaError:
            pass  # the broker is away; a later commit covers it
    # The commit of the last one may have met a broker that was away.
    until("a last commit", lambda: committed_all(client))
    client.close()


def committed_all(client):
    try:
        client.poll(100)
        client.commit(timeout_ms=2000)
        return True
    except KafkaError:
        return False


KafkaAdminClient(**QUICK).create_topics([NewTopic(TOPIC, 1, 1)])
thread = threading.Thread(target=consume)
thread.start()
producer = KafkaProducer(enable_idempotence=True, acks="all", delivery_timeout_ms=40000, request_timeout_ms=5000, **QUICK)
futures = []
for n in range(COUNT):
    before(n)
    futures.append(producer.send(TOPIC, b"%d" % n, partition=0))
    time.sleep(0.004)
for n, future in enumerate(futures):
    try:
        future.get(40)
        acknowledged.append(n)
    except KafkaError:
        pass  # counted by its absence
restarted()
try:
    until("all consumed", lambda: len(set(consumed)) == COUNT, 30)
finally:
    done.set()
    thread.join(20)
    reader = KafkaConsumer(group_id=GROUP, enable_auto_commit=False, **QUICK)
    committed, end = reader.committed(PLACE), reader.end_offsets([PLACE])[PLACE]
    reader.assign([PLACE])
    reader.seek(PLACE, 0)
    log, deadline = [], time.monotonic() + 20
    while len(log) < end and time.monotonic() < deadline:
        log.extend(int(record.value) for record in reader.poll(500).get(PLACE, []))
    finish(acknowledged, consumed, log, committed)

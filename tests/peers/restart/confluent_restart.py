"""confluent-kafka over two restarts of the broker: an idempotent producer and a member of a group go on."""

import threading
import time

from restarting import BOOTSTRAP, COUNT, GROUP, TOPIC, before, finish, restarted, until
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

QUICK = {"bootstrap.servers": BOOTSTRAP, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 300, "log_level": 0}
acknowledged, consumed, done = [], [], threading.Event()


def consume():
    client = Consumer(QUICK | {"group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False, "session.timeout.ms": 6000,
                               "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 100})
    client.subscribe([TOPIC])
    while not done.is_set():
        message = client.poll(0.1)
        if message is not None and not message.error():
            consumed.append(int(message.value()))
            if len(consumed) % 50 == 0 or consumed[-1] == COUNT - 1:
                try:
                    client.commit(message, asynchronous=False)
                except KafkaException:
                    pass  # the broker is away; a later commit covers it
    # The commit of the last one may have met a broker that was away.
    until("a last commit", lambda: committed_all(client))
    client.close()


def committed_all(client):
    try:
        client.poll(0.1)
        return client.commit(offsets=[TopicPartition(TOPIC, 0, len(set(consumed)))], asynchronous=False)
    except KafkaException:
        return None


admin = AdminClient(QUICK)
admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(15)
thread = threading.Thread(target=consume)
thread.start()
producer = Producer(QUICK | {"enable.idempotence": True, "linger.ms": 0, "message.timeout.ms": 40000})
for n in range(COUNT):
    before(n)
    producer.produce(TOPIC, str(n), on_delivery=lambda error, message: error or acknowledged.append(int(message.value())))
    producer.poll(0)
    time.sleep(0.004)
producer.flush(40)
restarted()
try:
    until("all consumed", lambda: len(set(consumed)) == COUNT, 30)
finally:
    done.set()
    thread.join(20)
    reader = Consumer(QUICK | {"group.id": GROUP, "enable.auto.commit": False})
    committed = reader.committed([TopicPartition(TOPIC, 0)], timeout=15)[0].offset
    end = reader.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=15)[1]
    reader.assign([TopicPartition(TOPIC, 0, 0)])
    log = []
    while len(log) < end:
        message = reader.poll(10)
        log.append(int(message.value()))
    finish(acknowledged, consumed, log, committed)

"""confluent-kafka while leaders move: sends and reads until its standard input ends, then says whether all has come."""

import os
import sys
import threading
import time

from confluent_kafka import Consumer, Producer

TOPIC, GROUP, PARTITIONS = os.environ["TOPIC"], os.environ["GROUP"], int(os.environ["PARTITIONS"])
QUICK = {"bootstrap.servers": os.environ["BOOTSTRAP_SERVERS"], "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 300,
         "socket.timeout.ms": 3000, "topic.metadata.refresh.fast.interval.ms": 100, "log_level": 0}
acknowledged, failed, consumed = set(), [], set()
ended, done = threading.Event(), threading.Event()


def consume():
    client = Consumer(QUICK | {"group.id": GROUP, "auto.offset.reset": "earliest", "auto.commit.interval.ms": 200,
                               "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 100})
    client.subscribe([TOPIC])
    while not done.is_set():
        message = client.poll(0.1)
        if message is not None and not message.error():
            consumed.add((message.partition(), int(message.value())))
    client.close()


def report(error, message):
    if error:
        failed.append(str(error))
    else:
        acknowledged.add((message.partition(), int(message.value())))


threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
reader = threading.Thread(target=consume)
reader.start()
producer = Producer(QUICK | {"enable.idempotence": True, "linger.ms": 0, "request.timeout.ms": 3000, "message.timeout.ms": 60000})
sent = 0
while not ended.is_set():
    producer.produce(TOPIC, str(sent // PARTITIONS), partition=sent % PARTITIONS, on_delivery=report)
    producer.poll(0)
    sent += 1
    time.sleep(0.002)
left = producer.flush(60)
deadline = time.monotonic() + 40
while len(consumed) < sent and time.monotonic() < deadline:
    time.sleep(0.02)
done.set()
reader.join(20)
print(f"sent {sent}, acknowledged {len(acknowledged)}, read {len(consumed)}, failed {len(failed)}: {failed[:3]}", flush=True)
sys.exit(0 if left == 0 and len(acknowledged) == len(consumed) == sent else 1)

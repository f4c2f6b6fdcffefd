"""confluent-kafka as the other end of an exchange of records; README.md says what it reads and writes.

exchange.py write TOPIC      writes the records of standard input, then ends
exchange.py read TOPIC N     prints the first N records of the topic, then ends
exchange.py member TOPIC GROUP STRATEGY   prints what it is given as a member of a group, until standard input ends
"""

import base64
import json
import os
import sys
import threading

from confluent_kafka import Consumer, Producer

BOOTSTRAP = os.environ["BOOTSTRAP_SERVERS"]


def packed(data):
    return None if data is None else base64.b64encode(data).decode()


def unpacked(text):
    return None if text is None else base64.b64decode(text)


def write(topic):
    producers = {}
    failed = []
    for line in sys.stdin:
        record = json.loads(line)
        codec = record["codec"]
        if codec not in producers:
            producers[codec] = Producer(
                {"bootstrap.servers": BOOTSTRAP, "compression.type": codec, "partitioner": "murmur2_random", "linger.ms": 20}
            )
        producers[codec].produce(
            topic,
            key=unpacked(record["key"]),
            value=unpacked(record["value"]),
            headers=[(name, unpacked(value)) for name, value in record["headers"]],
            timestamp=record["timestamp"],
            on_delivery=lambda error, _: failed.append(str(error)) if error else None,
        )
    for producer in producers.values():
        assert producer.flush(20) == 0, "not everything was delivered"
    assert not failed, failed


def show(message):
    line = {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": packed(message.key()),
        "value": packed(message.value()),
        "headers": [[name, packed(value)] for name, value in message.headers() or []],
        "timestamp": message.timestamp()[1],
    }
    print(json.dumps(line), flush=True)


def consumer(topic, group, strategy):
    config = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 200,
        "auto.commit.interval.ms": 100,
        "partition.assignment.strategy": strategy,
    }
    made = Consumer(config)
    made.subscribe([topic])
    return made


def read(topic, count):
    reader = consumer(topic, f"exchange-{os.getpid()}", "range")
    while count:
        message = reader.poll(0.2)
        if message is not None and not message.error():
            show(message)
            count -= 1
    reader.close()


def member(topic, group, strategy):
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    reader = consumer(topic, group, strategy)
    while not ended.is_set():
        message = reader.poll(0.05)
        if message is not None and not message.error():
            show(message)
    reader.close()


if __name__ == "__main__":
    what, topic, *more = sys.argv[1:]
    if what == "write":
        write(topic)
    elif what == "read":
        read(topic, int(more[0]))
    else:
        member(topic, *more)

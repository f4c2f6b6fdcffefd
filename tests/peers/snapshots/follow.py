"""A member of a group that prints every value it gets and commits behind it, whatever becomes of the broker, until its
standard input ends. The first argument names the library."""

import os
import select
import sys

BOOTSTRAP, TOPIC, GROUP = os.environ["BOOTSTRAP_SERVERS"], "followed", "followers"


def over():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def say(value):
    print(value.decode(), flush=True)


def confluent():
    from confluent_kafka import Consumer, KafkaException
    client = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": GROUP, "auto.offset.reset": "earliest", "enable.auto.commit": False,
                       "session.timeout.ms": 6000, "heartbeat.interval.ms": 300, "fetch.wait.max.ms": 100, "log_level": 0,
                       "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 300, "topic.metadata.refresh.interval.ms": 1000})
    client.subscribe([TOPIC])
    while not over():
        message = client.poll(0.1)
        if message is None or message.error():
            continue
        try:
            client.commit(message, asynchronous=False)
        except KafkaException:
            continue  # it comes again
        say(message.value())


def kafka_python():
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError
    client = KafkaConsumer(TOPIC, bootstrap_servers=BOOTSTRAP, group_id=GROUP, auto_offset_reset="earliest", enable_auto_commit=False,
                           session_timeout_ms=6000, heartbeat_interval_ms=300, fetch_max_wait_ms=100, reconnect_backoff_ms=50,
                           reconnect_backoff_max_ms=300, metadata_max_age_ms=1000, max_poll_records=1)
    while not over():
        # Long: a poll whose time runs out while its member joins loses the assignment.
        for messages in client.poll(timeout_ms=2000).values():
            for message in messages:
                try:
                    client.commit()
                except KafkaError:
                    continue  # it comes again
                say(message.value)


{"confluent": confluent, "kafka-python": kafka_python}[sys.argv[1]]()

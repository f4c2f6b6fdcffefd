"""The Python originals at the work of src/one.rs: original.py kafka-python|confluent-kafka WORK BOOTSTRAP RECORDS.

Prints a line of JSON like it does.
"""

import json
import sys
import threading
import time

FILL = "o" * 64


def reading(at, number):
    """A hundred bytes of JSON."""
    note = FILL[: 100 - len('{"at":,"sensor":,"unit":"celsius","note":""}') - len(str(at)) - len(str(number))]
    record = {"at": at, "sensor": number, "unit": "celsius", "note": note}
    return json.dumps(record, separators=(",", ":")).encode()


class KafkaPython:
    def __init__(self, bootstrap, linger):
        import kafka

        self.kafka, self.bootstrap = kafka, bootstrap
        self.producer = kafka.KafkaProducer(
            bootstrap_servers=bootstrap, acks=1, linger_ms=linger, batch_size=131072
        )

    def publish(self, payload):
        self.producer.send("readings", payload)

    def flush(self):
        self.producer.flush()

    def subscribe(self):
        self.consumer = self.kafka.KafkaConsumer(
            "readings",
            bootstrap_servers=self.bootstrap,
            group_id="bench_group",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        self.records = iter(self.consumer)

    def next(self):
        return json.loads(next(self.records).value)


class ConfluentKafka:
    def __init__(self, bootstrap, linger):
        import confluent_kafka

        self.kafka, self.bootstrap, self.linger = confluent_kafka, bootstrap, linger
        self.producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": 1,
                "linger.ms": linger,
                "batch.size": 131072,
                "queue.buffering.max.messages": 1000000,
            }
        )

    def publish(self, payload):
        while True:
            try:
                self.producer.produce("readings", payload)
                return self.producer.poll(0)
            except BufferError:
                self.producer.poll(0.01)

    def flush(self):
        self.producer.flush()

    def subscribe(self):
        self.consumer = self.kafka.Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench_group",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
            }
        )
        self.consumer.subscribe(["readings"])
        self.waiting = []

    def next(self):
        # Waits until there are as many, or the time is over: where latency counts one is enough.
        many = 1 if self.linger == 0 else 500
        while not self.waiting:
            self.waiting = [message for message in self.consumer.consume(many, 0.05) if not message.error()][::-1]
        return json.loads(self.waiting.pop().value())


def main():
    library, work, bootstrap, records = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    linger = 0 if work == "latency" else 5
    client = (KafkaPython if library == "kafka-python" else ConfluentKafka)(bootstrap, linger)
    client.publish(reading(1, 1))
    client.flush()
    if work != "publish":
        client.subscribe()
        client.next()
    waits = []
    began, processor = time.perf_counter(), time.process_time()

    def publishing():
        for number in range(records):
            at = number
            if work == "latency":
                left = number / 10000 - (time.perf_counter() - began)
                if left > 0:
                    time.sleep(left)
                at = int((time.perf_counter() - began) * 1e9)
            client.publish(reading(at, number))
        client.flush()

    publisher = threading.Thread(target=publishing)
    publisher.start()
    for _ in range(records if work != "publish" else 0):
        at = client.next()["at"]
        waits.append((time.perf_counter() - began) * 1e3 - at / 1e6)
    publisher.join()
    elapsed, used = time.perf_counter() - began, time.process_time() - processor
    figures = {"records_per_second": records / elapsed, "cpu_microseconds": used * 1e6 / records, "p50": None, "p99": None}
    if work == "latency":
        waits.sort()
        figures.update(records_per_second=None, p50=waits[len(waits) // 2], p99=waits[len(waits) * 99 // 100])
    print(json.dumps(figures), flush=True)


main()

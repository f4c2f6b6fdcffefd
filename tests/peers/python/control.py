"""A broker controlled over HTTP, by the standard library alone, while an unmodified confluent-kafka works with it.

One broker for all checks; each begins with a reset. KLAMM names the binary."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from checks import check, equal, main, until
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

KLAMM = os.environ.get("KLAMM", "klamm")
DAY_MS = 24 * 3600 * 1000


class Refused(Exception):
    """A refusal: its status, and the problem that came with it."""

    def __init__(self, status, problem):
        super().__init__(problem["detail"])
        self.status, self.problem = status, problem


class Control:
    """All that the checks know of the interface: a URL, a method, JSON."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token

    def __call__(self, method, path, body=None, raw=None):
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                got = answer.read()
                return json.loads(got) if answer.headers.get("Content-Type") == "application/json" else got
        except urllib.error.HTTPError as error:
            equal(error.headers["Content-Type"], "application/problem+json")
            raise Refused(error.code, json.load(error)) from None

    def get(self, path):
        return self("GET", path)

    def post(self, path, **body):
        return self("POST", path, body)

    def put(self, path, **body):
        return self("PUT", path, body)

    def delete(self, path):
        return self("DELETE", path)

    def refused(self, method, path, body, status, words):
        """That a request is refused with this status, in a sentence that has these words."""
        try:
            got = self(method, path, body)
        except Refused as refusal:
            equal(refusal.status, status, str(refusal))
            assert words in str(refusal), str(refusal)
        else:
            raise AssertionError(f"{method} {path} was not refused: {got}")


class Broker:
    """A `klamm serve` of its own."""

    def __init__(self, *arguments, **variables):
        command = [KLAMM, "serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--ready", "json", "--clock", "manual", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables)
        ready = json.loads(self.process.stdout.readline())
        self.servers = ready["bootstrap_servers"]
        self.control = Control(ready["control"], variables.get("KLAMM_CONTROL_TOKEN"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


BROKER = Broker("--topic", "orders:1", "--seed", "7")
control = BROKER.control


def producer(servers=None, **config):
    settings = {"bootstrap.servers": servers or BROKER.servers, "linger.ms": 0, "log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200, "retry.backoff.ms": 20}
    settings.update({key.replace("_", "."): value for key, value in config.items()})
    return Producer(settings)


@contextlib.contextmanager
def consumer(group, client="reader", **config):
    settings = {
        "bootstrap.servers": BROKER.servers,
        "group.id": group,
        "client.id": client,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "heartbeat.interval.ms": 100,
        "fetch.wait.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 1000,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200,
        "log_level": 0,
    }
    settings.update({key.replace("_", "."): value for key, value in config.items()})
    made = Consumer(settings)
    made.subscribe(["orders"])
    try:
        yield made
    finally:
        made.close()


def send(sender, *values, topic="orders"):
    """Produces values and gives the errors of their reports."""
    errors = []
    for value in values:
        sender.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    equal(sender.flush(20), 0, "left in the queue")
    return errors


def take(reader, count):
    """The next values, each of which is committed."""
    values = []

    def one():
        message = reader.poll(0.1)
        if message is not None and not message.error():
            try:
                reader.commit(message, asynchronous=False)
            except KafkaException:
                return False  # the group began anew: it comes again
            values.append(message.value().decode(errors="replace"))
        return len(values) >= count

    until(f"{count} values", one, pause=0)
    return values


class Polled:
    """Has a consumer be polled by a thread, as an application does it, and keeps its assignment."""

    def __init__(self, reader):
        self.reader, self.over = reader, False
        self.thread = threading.Thread(target=self.poll)
        self.thread.start()

    def poll(self):
        while not self.over:
            self.reader.poll(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


def values():
    return [record["value"] for record in control.get("/topics/orders/records")["records"]]


def fresh(function):
    """A check that begins with the broker as it started."""

    def begin():
        control.post("/reset")
        control.put("/time", now_ms=max(control.get("/time")["now_ms"], int(time.time() * 1000)))
        function()

    begin.__name__ = function.__name__
    return check(begin)


@fresh
def a_day_of_retention_passes_in_a_moment():
    equal(send(producer(), "old"), [None])
    began = time.monotonic()
    control.post("/time/advance", by_ms=8 * DAY_MS)
    took = time.monotonic() - began
    equal(values(), [])
    assert took < 5, f"it took {took} s"
    with consumer("retention") as reader:
        equal(reader.get_watermark_offsets(TopicPartition("orders", 0), 10), (1, 1))


@fresh
def a_session_times_out_when_the_clock_says_so():
    # The heartbeats of one of two members get lost.
    lost = control.post("/faults", api="Heartbeat", client_id="silent", close="before_work")["id"]
    with consumer("sessions", "silent", session_timeout_ms=30_000) as silent, Polled(silent):
        control.post("/wait/group", group="sessions", members=1)
        with consumer("sessions", "alive", session_timeout_ms=30_000) as alive, Polled(alive):
            # The first member cannot be told to join again by an answer to a heartbeat: its session ends too.
            control.post("/wait/hits", rule=lost, count=1)

            def members():
                return [member["client_id"] for member in control.get("/groups/sessions")["members"]]

            until("the second member to join", lambda: len(members()) == 2)
            began = time.monotonic()
            control.post("/time/advance", by_ms=20_000)
            equal(members(), ["silent", "alive"])
            control.post("/time/advance", by_ms=11_000)
            control.post("/wait/group", group="sessions", members=1, timeout_ms=30_000)
            equal(members(), ["alive"])
            equal(control.get("/groups/sessions")["members"][0]["assignment"], [{"topic": "orders", "partitions": [0]}])
            assert time.monotonic() - began < 25, "it was waited for"


@fresh
def a_lost_acknowledgement_doubles_what_is_not_idempotent():
    for idempotent, wanted in ((False, ["once", "once"]), (True, ["once"])):
        control.post("/reset")
        rule = control.post("/faults", api="Produce", topic="orders", nth=1, close="before_answer")
        equal(send(producer(enable_idempotence=idempotent), "once"), [None])
        equal(control.get(f"/faults/{rule['id']}")["hits"], 1)
        equal(values(), wanted, f"idempotence {idempotent}")


@fresh
def an_error_code_is_in_the_answer():
    control.post("/faults", api="Produce", topic="orders", first=1, error="NOT_LEADER_OR_FOLLOWER")
    equal(send(producer(), "tried again"), [None])
    equal(values(), ["tried again"])
    control.post("/faults", api="Produce", topic="orders", error="TOPIC_AUTHORIZATION_FAILED")
    equal([error.code() for error in send(producer(), "refused")], [KafkaError.TOPIC_AUTHORIZATION_FAILED])
    equal([rule["hits"] for rule in control.get("/faults")["rules"]], [1, 1])
    control.delete("/faults")
    equal(send(producer(), "taken"), [None])


@fresh
def an_answer_is_delayed():
    control.post("/faults", api="Produce", delay={"min_ms": 400, "max_ms": 400})
    sender, began = producer(), time.monotonic()
    equal(send(sender, "slow"), [None])
    assert time.monotonic() - began >= 0.4, "it was not delayed"


@fresh
def a_closed_connection_is_opened_again():
    rule = control.post("/faults", api="Produce", first=2, close="before_work")
    equal(send(producer(), "at last"), [None])
    equal(control.delete(f"/faults/{rule['id']}")["hits"], 2)
    equal(values(), ["at last"])


@fresh
def a_test_waits_for_records():
    sender = producer()
    threading.Timer(0.1, lambda: send(sender, *map(str, range(100)))).start()
    waited = control.post("/wait/records", topic="orders", count=100)
    assert waited["waited_ms"] < 10_000, waited
    try:
        control.post("/wait/records", topic="orders", count=101, timeout_ms=50)
    except Refused as refusal:
        equal(refusal.status, 409)
        equal(refusal.problem["seen"], "100 records in 1 partition of 'orders'")
    else:
        raise AssertionError("there are not that many")


@fresh
def a_test_waits_for_a_group_its_commits_and_its_lag():
    send(producer(), "0", "1", "2")
    with consumer("waited") as reader:
        reading = threading.Thread(target=take, args=(reader, 3))
        reading.start()
        control.post("/wait/group", group="waited", members=1, timeout_ms=20_000)
        control.post("/wait/commit", group="waited", topic="orders", partition=0, offset=2, timeout_ms=20_000)
        control.post("/wait/lag", group="waited", lag=0, timeout_ms=20_000)
        control.post("/wait/connections", count=1)
        reading.join()
    control.post("/wait/idle")
    equal(control.get("/groups/waited/lag")["partitions"][0]["committed"], 3)


@fresh
def a_test_looks_without_a_consumer():
    sender = producer(client_id="shop")
    sender.produce("orders", "lamp", key="k", headers={"trace": b"7"}, timestamp=1_700_000_000_000)
    sender.produce("orders", b"\xff\x00")
    sender.flush(20)
    first, second = control.get("/topics/orders/records")["records"]
    equal(first, {"partition": 0, "offset": 0, "timestamp_ms": 1_700_000_000_000, "key": "k", "value": "lamp", "headers": [["trace", "7"]]})
    equal(second["value"], {"base64": "/wA="})
    assert "shop" in [connection["client_id"] for connection in control.get("/connections")["connections"]]
    counts = {count["api"]: count["requests"] for count in control.get("/requests")["counts"] if count["client_id"] == "shop"}
    assert counts["Produce"] >= 1 and counts["ApiVersions"] >= 1, counts
    with consumer("looked-at", "looker") as reader:
        take(reader, 2)
        group = control.get("/groups/looked-at")
        equal(group["state"], "Stable")
        equal([member["client_id"] for member in group["members"]], ["looker"])
        equal(group["offsets"][0]["offset"], 2)


@fresh
def clients_survive_a_restore_and_a_reset():
    sender = producer()
    with consumer("survivors") as reader:
        send(sender, "0", "1")
        equal(take(reader, 2), ["0", "1"])
        control.put("/snapshots/two")
        send(sender, "2", "3")
        equal(take(reader, 2), ["2", "3"])
        control.post("/snapshots/two/restore")
        equal(values(), ["0", "1"])
        send(sender, "after a restore")
        equal(take(reader, 1), ["after a restore"])
        control.post("/reset")
        send(sender, "after a reset")
        equal(take(reader, 1), ["after a reset"])
        equal(values(), ["after a reset"])
    control.delete("/snapshots/two")


@fresh
def a_fork_goes_its_own_way():
    send(producer(), "both")
    fork = control.post("/forks")
    send(producer(fork["bootstrap_servers"]), "the fork alone")
    there = Control(fork["control_url"])
    equal([record["value"] for record in there.get("/topics/orders/records")["records"]], ["both", "the fork alone"])
    equal(values(), ["both"])
    now = control.get("/time")["now_ms"]
    there.post("/time/advance", by_ms=DAY_MS)
    equal(control.get("/time")["now_ms"], now)
    control.delete(f"/forks/{fork['fork']}")
    equal(control.get("/forks"), {"forks": []})


@fresh
def a_snapshot_is_a_fixture_in_a_file():
    send(producer(), "kept")
    control.put("/snapshots/fixture")
    file = control.get("/snapshots/fixture/file")
    control.post("/reset")
    equal(values(), [])
    control("PUT", "/snapshots/from-a-file/file", raw=file)
    control.post("/snapshots/from-a-file/restore")
    equal(values(), ["kept"])
    control.refused("POST", "/snapshots/none/restore", {}, 404, "no snapshot 'none'")
    equal(values(), ["kept"])


@fresh
def a_cluster_moves_under_a_client_that_goes_on():
    broker = Broker("--brokers", "3", "--topic", "moving:3")
    there = broker.control
    try:
        sender = producer(broker.servers, enable_idempotence=True)
        equal(send(sender, "0", "1", topic="moving"), [None, None])
        for partition in range(3):
            before = next(one for one in there.get("/cluster")["partitions"] if (one["topic"], one["partition"]) == ("moving", partition))
            to = next(node for node in before["isr"] if node != before["leader"])
            moved = there.put("/cluster/leader", topic="moving", partition=partition, node=to)
            after = next(one for one in moved["partitions"] if (one["topic"], one["partition"]) == ("moving", partition))
            equal((after["leader"], after["leader_epoch"]), (to, before["leader_epoch"] + 1))
        equal(send(sender, "2", "3", topic="moving"), [None, None])
        equal(there.post("/cluster/nodes/2/stop")["state"], "stopped")
        equal(send(sender, "4", "5", topic="moving"), [None, None])
        there.refused("POST", "/cluster/nodes/2/stop", None, 409, "node 2")
        there.refused("POST", "/cluster/nodes/9/stop", None, 404, "no node 9")
        equal(there.post("/cluster/nodes/2/bring-back")["state"], "running")
        equal(send(sender, "6", topic="moving"), [None])
        records = there.get("/topics/moving/records")["records"]
        equal(sorted(record["value"] for record in records), [str(number) for number in range(7)])
    finally:
        broker.stop()


@fresh
def a_journal_is_left_behind_and_had_again():
    with tempfile.TemporaryDirectory() as folder:
        journal = os.path.join(folder, "journal")
        broker = Broker("--topic", "orders:1", "--seed", "11", "--journal", journal)
        broker.control.post("/faults", api="Produce", first=1, error="NOT_LEADER_OR_FOLLOWER")
        equal(send(producer(broker.servers), "journaled"), [None])
        broker.control.post("/time/advance", by_ms=DAY_MS)
        assert broker.control.get("/journal")["requests"] >= 3
        equal(broker.control.get("/")["seed"], 11)
        equal(broker.stop(), 0)
        replayed = subprocess.run([KLAMM, "replay", journal, "--times", "3"], capture_output=True, text=True)
        equal(replayed.returncode, 0, replayed.stdout + replayed.stderr)
        assert "ended as they did then" in replayed.stdout, replayed.stdout


@fresh
def what_means_nothing_is_refused_and_changes_nothing():
    now = control.get("/time")["now_ms"]
    control.refused("POST", "/faults", {"topik": "orders", "error": 6}, 422, "topik")
    control.refused("PUT", "/time", {"now_ms": now - 1}, 422, "cannot go back")
    control.refused("POST", "/time/advance", {"by_ms": 10**18}, 422, "366 days")
    control.refused("POST", "/nothing", {}, 404, "/openapi.json")
    try:
        control("POST", "/faults", raw=b'{"api": ')
    except Refused as refusal:
        equal(refusal.status, 400)
        assert "line 1 column 8" in str(refusal), str(refusal)
    equal(control.get("/time")["now_ms"], now)
    equal(control.get("/faults"), {"rules": []})


@fresh
def a_wrong_token_is_refused():
    broker = Broker(KLAMM_CONTROL_TOKEN="secret")
    try:
        for token in (None, "wrong"):
            Control(broker.control.url, token).refused("POST", "/reset", {}, 401, "token")
        equal(broker.control.get("/time")["manual"], True)
    finally:
        broker.stop()


try:
    main()
finally:
    code = BROKER.stop()
    assert code == 0, f"the broker ended with {code}"

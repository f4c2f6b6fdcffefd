"""What the Python suites share: named checks, deadlines, unique names. It must not know any client."""

import os
import select
import socket
import struct
import subprocess
import sys
import time
import uuid

BOOTSTRAP = os.environ.get("BOOTSTRAP_SERVERS", "127.0.0.1:9092")
RUN = uuid.uuid4().hex[:8]
_checks = []


def check(function):
    """Registers a check; its name is the function's, with dashes."""
    _checks.append(function)
    return function


def name(stem):
    """A topic or group name that no other suite or run uses."""
    return f"{stem}-{RUN}-{uuid.uuid4().hex[:6]}"


def until(what, condition, seconds=20.0, pause=0.05):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def equal(got, wanted, what=""):
    """Fails with both values where they differ."""
    if got != wanted:
        raise AssertionError(f"{what + ': ' if what else ''}got {short(got)}, wanted {short(wanted)}")


def raises(kind, function, *arguments, **named):
    """The exception of the given kind that the call must raise."""
    try:
        value = function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}; got {short(value)}")


def short(value):
    """A printable form that stays on one line."""
    text = repr(value).replace("\n", " ")
    return text if len(text) < 400 else text[:400] + "..."


def serves(key):
    """Whether the broker lists an API: asked on the wire, as clients keep that to themselves."""
    host, port = BOOTSTRAP.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as wire, wire.makefile("rb") as answer:
        wire.sendall(struct.pack(">ihhih", 10, 18, 0, 1, -1))
        size = struct.unpack(">i", answer.read(4))[0]
        _, _, count = struct.unpack_from(">ihi", answer.read(10))
        listed = answer.read(size - 10)
    return key in {struct.unpack_from(">h", listed, 6 * n)[0] for n in range(count)}


class Child:
    """The same script run as another process with arguments; its lines are read one by one. Killed, it crashes."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, sys.argv[0], *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def line(self):
        """The next line that it prints; fails when it ends without one, or prints none for long."""
        if not select.select([self.process.stdout], [], [], 40)[0]:
            self.kill()
            raise AssertionError("the child process printed nothing for 40 s")
        text = self.process.stdout.readline()
        if not text:
            raise AssertionError("the child process ended early")
        return text.strip()

    def kill(self):
        """Ends it without any farewell to the broker."""
        self.process.kill()
        self.process.wait()


def report(title, error):
    """Prints the line of one check."""
    if error is None:
        print(f"ok {title}", flush=True)
    else:
        print(f"FAIL {title}: {type(error).__name__}: {short(str(error))[1:-1]}", flush=True)


def selected():
    """The checks to run: all, or those whose names contain the script's first argument."""
    wanted = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    return [function for function in _checks if wanted in function.__name__]


def title(function):
    """A check's name as it is printed."""
    return function.__name__.replace("_", "-")


class Skip(Exception):
    """Raised by a check of something that the broker says it does not serve."""


def main():
    """Runs every check and exits 1 if any failed."""
    failed = 0
    for function in selected():
        started = time.monotonic()
        error = None
        try:
            function()
        except Skip as reason:
            print(f"skip {title(function)}: {reason}", flush=True)
            continue
        except Exception as problem:  # a check may fail in any way; the next ones still run
            error = problem
            failed += 1
        if os.environ.get("PEERS_TIMES"):
            print(f"# {time.monotonic() - started:.1f}s", end=" ")
        report(title(function), error)
    sys.exit(1 if failed else 0)

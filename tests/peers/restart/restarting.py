"""What the restart suites in Python share: the broker's restarts, and what must hold after them."""

import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
from checks import BOOTSTRAP, name, report, until  # noqa: E402

COUNT = 600
TOPIC, GROUP = name("restart"), name("restart-group")
_bounces = []


def _bounce(how, earlier):
    if earlier:
        earlier.join()
    subprocess.run(os.environ[how], shell=True, check=True)
    time.sleep(0.3)  # clients shall meet a port on which nothing listens
    subprocess.run(os.environ["BROKER_START"], shell=True, check=True)


def before(n):
    """To be called before record n is sent: at a third the broker is killed, at two thirds stopped; sending goes on."""
    if n in (COUNT // 3, 2 * COUNT // 3):
        how = "BROKER_KILL" if n == COUNT // 3 else "BROKER_STOP"
        thread = threading.Thread(target=_bounce, args=(how, _bounces[-1] if _bounces else None))
        thread.start()
        _bounces.append(thread)


def restarted():
    """Waits for the last restart."""
    for thread in _bounces:
        thread.join(60)


def finish(acknowledged, consumed, log, committed, idempotent=True):
    """Prints the checks: what was acknowledged, what the running consumer got, what the log has, what was committed."""
    wanted, problems = list(range(COUNT)), {}
    if sorted(acknowledged) != wanted:
        problems["all-acknowledged"] = f"{len(set(acknowledged))} of {COUNT}"
    if set(consumed) != set(wanted):
        problems["the-consumer-goes-on"] = f"{len(set(consumed))} of {COUNT}, last {consumed[-3:]}"
    if idempotent and log != wanted:
        problems["the-log-has-each-once-in-order"] = f"{len(log)} records, {len(set(log))} different"
    if not idempotent and set(log) != set(wanted):
        problems["the-log-has-each"] = f"{len(set(log))} of {COUNT}"
    if committed != len(log):
        problems["the-commit-is-kept"] = f"{committed}, the log ends at {len(log)}"
    for title in ["all-acknowledged", "the-consumer-goes-on", "the-log-has-each-once-in-order" if idempotent else "the-log-has-each",
                  "the-commit-is-kept"]:
        report(title, AssertionError(problems[title]) if title in problems else None)
    sys.stdout.flush()
    os._exit(1 if problems else 0)  # client threads that hang must not hide the result

"""An empty task, and how long it takes from enqueueing to its end: the floor under all background work.

`python -m bench.empty NUMBER` prints the seconds of each round as JSON; a worker of this module must serve the queue.
"""

import json
import sys
import time
from functools import cache

import redis
from django.conf import settings

from portal.celery import app

QUEUE = "bench"
DONE = "bench:done"


@cache
def broker() -> redis.Redis:
    """A connection of our own, by which the end is told."""
    return redis.Redis.from_url(settings.BROKER_URL.replace("redis+socket://", "unix://"), socket_timeout=60)


@app.task(name="bench.empty")
def empty() -> None:
    """Say that it ran."""
    broker().rpush(DONE, 1)


def round_trip() -> float:
    """Seconds from enqueueing to the end of the task."""
    began = time.monotonic()
    app.send_task("bench.empty", queue=QUEUE, retry=False)
    if broker().blpop([DONE], timeout=30) is None:
        raise TimeoutError("The empty task did not run within 30 s.")
    return time.monotonic() - began


if __name__ == "__main__":
    round_trip()
    print(json.dumps([round_trip() for _ in range(int(sys.argv[1]))]))

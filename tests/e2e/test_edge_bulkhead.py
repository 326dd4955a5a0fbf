"""Machines restore whatever people do: sign-ins by the dozen and a locked database hold up no storage request."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.edge_world import World
from tests.e2e.wire import ask, request
from tests.portal_process import Portal

pytestmark = pytest.mark.system
SIGN_INS = 100 if os.environ.get("STRONGROOM_LONG") else 30
SLOWEST = 3.0  # seconds for a storage request; a hundredth of that on a machine with nothing else to do
PAUSE = 0.05  # seconds between requests, so that the tests beside this one get their share
LOCKED = 15.0  # seconds; a writer waits for twenty
WAITING = 12  # the web has eight threads


def reading(world: World, until: Callable[[], bool]) -> list[float]:
    """How long each of the owner's requests for an object takes, one after the other; each gets it."""
    wanted = request(f"GET {world.own}/config", "Connection: close")
    took = []
    while not until():
        began = time.monotonic()
        assert ask(world.portal, world.owners, wanted).status == 200
        took.append(time.monotonic() - began)
        time.sleep(PAUSE)
    return took


def sign_in(portal: Portal) -> int:
    """The status of a sign-in with the right password, tried again for as long as too many others sign in."""
    with httpx.Client(base_url=portal.portal_url, timeout=180) as client:
        client.get("/accounts/login/")
        form = {"username": "staff", "password": portal.accounts["staff"]}
        headers = {"X-CSRFToken": client.cookies["csrftoken"], "Referer": portal.portal_url}
        for _ in range(60):
            answer = client.post("/accounts/login/", data=form, headers=headers)
            if answer.status_code != 503:
                break
            time.sleep(int(answer.headers["Retry-After"]))
        return answer.status_code


@contextmanager
def locked_database(portal: Portal) -> Iterator[None]:
    """Another process has the database to itself for writing."""
    with closing(sqlite3.connect(portal.data / "strongroom.sqlite3", isolation_level=None, timeout=60)) as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            database.execute("ROLLBACK")


def test_many_sign_ins_at_once_hold_up_no_storage(world: World) -> None:
    """All of them are let in, too."""
    with ThreadPoolExecutor(SIGN_INS) as pool:
        people = [pool.submit(sign_in, world.portal) for _ in range(SIGN_INS)]
        took = reading(world, lambda: all(person.done() for person in people))
    assert {person.result() for person in people} == {302}
    assert max(took) < SLOWEST, sorted(took)[-5:]


def test_a_locked_database_holds_up_no_storage(world: World) -> None:
    """Whatever waits for it: more writers than the web has threads, and sign-ins."""
    release = threading.Event()
    portal = world.portal
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        staff.client.timeout = httpx.Timeout(120)
        with ThreadPoolExecutor(WAITING) as pool, locked_database(portal):
            waiting = [pool.submit(staff.call, "POST", f"vaults/{world.vault}/credentials", {}) for _ in range(9)]
            for _ in range(WAITING - len(waiting)):
                pool.submit(sign_in, portal)
            threading.Timer(LOCKED, release.set).start()
            took = reading(world, release.is_set)
            assert not any(one.done() for one in waiting)  # they waited all the time
    assert {one.result().status_code for one in waiting} <= {201, 409, 503}
    assert max(took) < SLOWEST, sorted(took)[-5:]

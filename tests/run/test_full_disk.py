"""When the disk of the data folder is full nothing new is stored, and everything can be restored."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.api_person import ApiPerson
from tests.e2e.machine import Machine, contents, make_machine, restored
from tests.e2e.ready import active_vault, certificate_of, credentials, machine_id
from tests.e2e.wire import ask, request
from tests.portal_process import Portal, start
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk of its own"),
]
SIZE = "8g"  # more than the reserve that a region keeps; only what is written to it takes memory
FOR = 40  # seconds for which it is read from; the gateways' next sign of life and the next sweep are within
FULL = "answers, but takes no changes: it is full, read-only or locked"
NAME = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Disk:
    """A disk that nobody else uses, which can shrink to what is on it and grow again."""

    place: Path

    def shrink(self) -> None:
        """Leave not a byte."""
        wait_for("the disk to shrink", self._shrunk)
        assert shutil.disk_usage(self.place).free == 0

    def grow(self) -> None:
        """As large as it was."""
        _mount("remount", SIZE, self.place)

    def _shrunk(self) -> bool:
        used = shutil.disk_usage(self.place).used
        return _mount("remount", str(used), self.place, must=False)


def _mount(option: str, size: str, place: Path, *, must: bool = True) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"{option},size={size},mode=0700", "none", str(place)]
    return subprocess.run(words, check=must, capture_output=not must).returncode == 0


@contextmanager
def own_disk() -> Iterator[Disk]:
    """It, mounted for as long as the block lasts."""
    place = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp"))
    _mount("nodev", SIZE, place)
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        place.rmdir()


@pytest.fixture
def disk() -> Iterator[Disk]:
    with own_disk() as disk:
        yield disk


@pytest.fixture
def portal(disk: Disk) -> Iterator[Portal]:
    """A portal on that disk."""
    portal = start(disk.place / "d")
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.stop()


def backed_up(portal: Portal, folder: Path) -> tuple[Machine, str]:
    """A machine with a backup, and the address of its repository."""
    with closing(ApiPerson(portal.portal_url, "staff", portal.accounts["staff"])) as staff:
        vault = active_vault(portal, staff, "Full-disk", "local")
        machine = make_machine(folder, "full", files=3, megabytes=1)
        machine.setup(credentials(staff, vault, folder))
        return machine, f"/local-a/{vault}/{machine_id(staff, vault, 'full')}"


def health(portal: Portal, page: str) -> tuple[int, dict[str, dict[str, object]]]:
    """Status and parts of a page of health, which answers within five seconds whatever does not work."""
    answer = httpx.get(f"{portal.portal_url}/health/{page}", timeout=5)
    return answer.status_code, answer.json()["parts"]


def is_back(portal: Portal, part: str, before: int) -> bool:
    """Whether the part runs again, in another process."""
    return portal.pids().get(part, before) != before


def test_reading_goes_on_and_storing_comes_back(portal: Portal, disk: Disk, tmp_path: Path) -> None:
    """All the time, also when web, gate and gateway had to start anew on the full disk; with room all is as before."""
    machine, own = backed_up(portal, tmp_path)
    pair = certificate_of(machine)
    read = request(f"GET {own}/config", "Connection: close")
    store = request(f"POST {own}/data/{NAME}", "Connection: close", body=b"junk")
    lock = request(f"POST {own}/locks/{NAME}", "Connection: close", body=b"junk")
    disk.shrink()
    seen = set()
    until = time.monotonic() + FOR
    while time.monotonic() < until:
        seen.add(ask(portal, pair, read).status)
        health(portal, "live")
        time.sleep(0.5)
    assert seen == {200}
    code, parts = health(portal, "ready")
    assert (code, parts["database"]) == (503, {"ok": False, "detail": FULL})
    assert ask(portal, pair, store).status >= 500
    for part in ("gateway-local-a", "gate"):
        before = portal.kill(part)
        wait_for(f"{part} to be back", partial(is_back, portal, part, before))
        wait_for("reading", lambda: ask(portal, pair, read).status == 200)
    assert ask(portal, pair, store).status >= 500
    disk.grow()
    portal.wait_until_ready(120)
    wait_for("storing to be possible", lambda: ask(portal, pair, lock).status == 200, seconds=120, pause=1)
    ask(portal, pair, request(f"DELETE {own}/locks/{NAME}", "Connection: close"))
    machine.agent("backup")
    machine.agent("restore", "--target", tmp_path / "back")
    assert contents(restored(tmp_path / "back", machine.files)) == contents(machine.files)

"""The portal as `make run` starts it: ready, refusing a second start, coming back after each kill, honest when ill."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.portal_process import Portal, start
from tests.ports import free_port
from tests.waiting import wait_for

pytestmark = pytest.mark.system
PARTS = ("valkey", "storage", "gateway-local-a", "gateway-local-b", "web", "gate", "worker", "edge")


def test_every_part_is_there_and_well(portal: Portal) -> None:
    """Health as the contract words it, and one process for each part."""
    answer = httpx.get(f"{portal.portal_url}/health/ready", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert set(document) == {"status", "parts"}
    assert list(document["parts"]) == ["database", "broker", "worker", "beat", "storage", "edge"]
    assert all(set(part) == {"ok", "detail"} and part["ok"] is True for part in document["parts"].values())
    assert set(portal.pids()) == set(PARTS)


def test_sign_ins_are_private(portal: Portal) -> None:
    """Four of them, in a file for the owner alone, in a folder for the owner alone."""
    assert set(portal.accounts) == {"staff", "approver", "auditor", "admin"}
    assert len(set(portal.accounts.values())) == 4
    assert (portal.data / "demo-accounts.json").stat().st_mode & 0o777 == 0o600
    assert (portal.data / "run").stat().st_mode & 0o777 == 0o700


def test_secrets_are_in_no_log_and_on_no_command_line(portal: Portal) -> None:
    """Neither what the edge shows the web nor what seals the CA keys."""
    secrets = [path.read_text().strip() for path in (portal.data / "secrets").iterdir()]
    secrets += portal.accounts.values()
    seen = "".join(path.read_text() for path in (portal.data / "logs").iterdir())
    seen += b"".join(_command(pid) for pid in portal.processes()).decode()
    assert len(secrets) == 7
    assert [number for number, secret in enumerate(secrets) if secret in seen] == []


def test_who_has_no_use_for_a_secret_is_not_given_it(portal: Portal) -> None:
    """The edge and the gateways' parents show one to the gate; nobody else is told any."""
    secrets = [path.read_bytes().strip() for path in (portal.data / "secrets").iterdir()]
    told = {name: _environment(pid) for name, pid in portal.pids().items()}
    rclones = [_environment(pid) for pid in portal.processes() if b"serve\0restic" in _command(pid)]
    assert len(rclones) == 2
    knowing = {name for name, seen in told.items() if any(secret in seen for secret in secrets)}
    assert knowing == {"edge", "gateway-local-a", "gateway-local-b"}
    assert sum(any(secret in seen for secret in secrets) for seen in rclones) == 0


def test_a_second_start_on_the_same_data_folder_is_refused(portal: Portal) -> None:
    """One line that names the folder and the process; the first goes on."""
    second = start(portal.data)
    assert second.process.wait(30) == 1
    last = (portal.data / "terminal.log").read_text().splitlines()[-1]
    expected = f"already runs on the data folder {portal.data} (process {portal.process.pid})."
    assert last == f"Strongroom does not start: Strongroom {expected}"
    portal.wait_until_ready()


@pytest.mark.parametrize("variable", ["PORT", "EDGE_PORT"])
def test_a_port_that_is_taken_is_refused(portal: Portal, variable: str) -> None:
    """By the name of its variable, before anything is made."""
    taken = str({"PORT": portal.port, "EDGE_PORT": portal.edge_port}[variable])
    other = {"PORT": "EDGE_PORT", "EDGE_PORT": "PORT"}[variable]
    second = start(portal.data.with_name(variable), **{variable: taken, other: str(free_port())})
    assert second.process.wait(30) == 1
    expected = f"port {taken} is taken by another program; set {variable} to a free one."
    assert (second.data / "terminal.log").read_text() == f"Strongroom does not start: {expected}\n"


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_comes_back(portal: Portal, part: str) -> None:
    """As another process, with everything ready again."""
    old = portal.kill(part)
    wait_for(f"{part} to come back", lambda: portal.pids().get(part, old) != old)
    portal.wait_until_ready(120)


def test_workers_of_a_killed_web_do_not_stay(portal: Portal) -> None:
    """They belong to nobody any more; the new web has its own two."""

    def webs() -> set[int]:
        return {pid for pid in portal.processes() if b"/web.sock" in _command(pid)}

    before = webs()
    assert len(before) == 3
    portal.kill("web")
    wait_for("the workers of the killed web to end", lambda: not before & webs())
    portal.wait_until_ready(120)
    wait_for("the new web and its workers", lambda: len(webs()) == 3)


def test_a_stopped_broker_shows_and_passes(portal: Portal) -> None:
    """It hangs rather than dies: health says so and names it, and pages go on."""
    pid = portal.pids()["valkey"]

    def seen() -> bool:
        """The worker and beat are found ill as well when their last signs of life came late."""
        ill = _ill(portal)
        return "broker" in ill and ill <= {"broker", "worker", "beat"}

    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("health to see it", seen)
        assert httpx.get(f"{portal.portal_url}/health/ready", timeout=10).status_code == 503
        assert httpx.get(f"{portal.portal_url}/health/live", timeout=10).status_code == 200
        assert httpx.get(f"{portal.portal_url}/accounts/login/", timeout=10).status_code == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    portal.wait_until_ready(120)


def test_a_stopped_worker_shows(portal: Portal) -> None:
    """Its canary is missed; half a minute is the limit that the health check knows."""
    pid = portal.pids()["worker"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("health to see it", lambda: "worker" in _ill(portal), pause=0.5)
        assert httpx.get(f"{portal.portal_url}/health/ready", timeout=10).status_code == 503
    finally:
        os.kill(pid, signal.SIGCONT)
    portal.wait_until_ready(120)


def _ill(portal: Portal) -> set[str]:
    health = portal.health() or {"parts": {}}
    return {name for name, part in health["parts"].items() if not part["ok"]}


def _environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

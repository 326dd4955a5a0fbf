"""Runs that are ended from outside: children first, the repository free again, and nobody left in doubt."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from strongroom_agent.state.home import Home

from tests.waiting import wait_for

from .serving import Storage
from .world import World

pytestmark = pytest.mark.system
PROGRAM = [sys.executable, "-m", "strongroom_agent"]


@contextmanager
def backing_up(world: World, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A backup in the middle of its uploads, which wait until the block is left."""
    world.peer.faults.storage_pause = threading.Event()
    (world.source / "file-1.bin").write_bytes(os.urandom(501))
    environment = {**os.environ, "STRONGROOM_AGENT_HOME": str(world.home)}
    process = subprocess.Popen(
        [*PROGRAM, "backup", "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how
    )
    try:
        assert world.peer.uploading.wait(180)
        yield process
    finally:
        world.peer.faults.storage_pause.set()
        process.kill()
        process.communicate(timeout=180)


def restic_of(process: subprocess.Popen[bytes]) -> int:
    """The process id of the agent's restic."""
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def locks(world: World, storage: Storage) -> list[Path]:
    machine = next(iter(world.peer.machines))
    return list((storage.folder / "local-a" / world.peer.vault["id"] / machine / "locks").iterdir())


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM", "SIGINT"])
def test_a_run_that_is_stopped_ends_its_restic_and_is_reported(ready: World, storage: Storage, name: str) -> None:
    def as_in_a_terminal() -> None:
        """Whoever runs the tests may have been told to outlive theirs."""
        for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)

    with backing_up(ready, preexec_fn=as_in_a_terminal) as process:
        restic = restic_of(process)
        process.send_signal(signal.Signals[name])
        out, _ = process.communicate(timeout=180)
        assert not alive(restic)
    answer = json.loads(out)
    assert (process.returncode, answer["code"]) == (1, "interrupted")
    assert answer["message"].startswith(f"Stopped by {name} before it was done.")
    assert locks(ready, storage) == []
    last = ready.run("status").answer["last_runs"]["backup"]
    assert (last["outcome"], last["code"]) == ("failed", "interrupted")
    assert ready.run("backup").status == 0
    assert [(run["outcome"], run["code"]) for run in ready.peer.runs.values()] == [
        ("failed", "interrupted"),
        ("succeeded", "done"),
    ]


def test_what_is_told_to_outlive_its_terminal_does(ready: World) -> None:
    def as_nohup_does() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with backing_up(ready, preexec_fn=as_nohup_does) as process:
        process.send_signal(signal.SIGHUP)
        assert ready.peer.faults.storage_pause is not None
        ready.peer.faults.storage_pause.set()
        out, _ = process.communicate(timeout=180)
    assert (process.returncode, json.loads(out)["code"]) == (0, "done")


def test_killing_the_agent_leaves_no_restic_and_blocks_nobody(ready: World, storage: Storage) -> None:
    """The agent has no say at kill -9; its child ends all the same, and the next run reports what happened."""
    with backing_up(ready) as process:
        restic = restic_of(process)
        process.kill()
        process.wait(30)
        wait_for("restic lives on without its agent", lambda: not alive(restic))
    status = ready.run("status").answer
    last = status["last_runs"]["backup"]
    assert (last["outcome"], last["code"], last["finished_at"]) == ("failed", "interrupted", None)
    assert "\nThe backup that began " in status["message"]
    assert ready.run("backup").answer["code"] == "done"
    killed = next(iter(ready.peer.runs.values()))
    assert killed["finished_at"] > killed["started_at"] == last["started_at"]
    assert locks(ready, storage) == []
    assert [(run["outcome"], run["code"]) for run in ready.peer.runs.values()] == [
        ("failed", "interrupted"),
        ("succeeded", "done"),
    ]


def test_a_second_run_is_told_who_is_at_it_and_since_when(ready: World) -> None:
    with backing_up(ready) as process:
        ran = ready.run("backup")
        running = ready.run("status").answer
    assert (ran.status, ran.answer["code"]) == (1, "busy")
    since = datetime.now(UTC).strftime("%-d %b %Y")
    assert f"in progress on this machine (pid {process.pid}, since {since}" in ran.answer["message"]
    assert running["running"]["kind"] == "backup"
    assert "\nUnder way: backup, since " in running["message"]
    ready.run("backup")


def test_what_a_dead_run_left_in_the_lock_file_blocks_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "lock").write_text("pid 1, since 2020-01-01 00:00 UTC")
    assert not home.in_use()
    with home.locked():
        assert home.in_use()
    assert not home.in_use()


def test_a_lock_of_this_machine_under_another_host_name_is_not_in_use(ready: World, storage: Storage) -> None:
    """restic judges by host name and process id: after a renaming its own lock counts as live for half an hour."""
    with backing_up(ready) as process:
        (lock,) = locks(ready, storage)
        content = lock.read_bytes()
        process.send_signal(signal.SIGTERM)
        process.wait(180)
    lock.write_bytes(content)
    other = subprocess.run(
        [
            "/usr/bin/unshare",
            "--uts",
            "sh",
            "-c",
            'hostname somewhere-else && exec "$@"',
            "sh",
            *PROGRAM,
            "backup",
            "--json",
        ],
        env={**os.environ, "STRONGROOM_AGENT_HOME": str(ready.home)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    if b"Operation not permitted" in other.stderr:
        pytest.skip("only root may change the host name of a namespace")
    assert json.loads(other.stdout)["code"] == "done"
    assert locks(ready, storage) == []

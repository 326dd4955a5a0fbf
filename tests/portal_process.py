"""The whole portal, started by what `make run` starts it with, on free ports and in a data folder of its own."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import prepared_folder
from tests.ports import free_port
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent
READY = 900  # seconds; the first start builds the agent's package, for which alone it has 600
STOP = 40
# It waits in the shell: each start of one costs more than all the questions.
COPIED = """
import time
from vaults.models import Vault
until = time.monotonic() + {seconds}
copied = False
while not copied and time.monotonic() < until:
    time.sleep(0.2)
    vault = Vault.objects.select_related("copy").get(pk="{vault}")
    copied = (vault.copy.complete_as_of or vault.created_at) >= vault.last_backup_at
print(copied)
"""


@dataclass
class Portal:
    """A portal that was started; parts are known by the names of supervisord's programs."""

    data: Path
    port: int
    edge_port: int
    process: "subprocess.Popen[str]"
    environment: Mapping[str, str]

    @property
    def portal_url(self) -> str:
        """Where people go."""
        return f"http://localhost:{self.port}"

    @property
    def edge_url(self) -> str:
        """Where machines go."""
        return f"https://localhost:{self.edge_port}"

    @property
    def accounts(self) -> dict[str, str]:
        """The passwords of the four sign-ins."""
        accounts: dict[str, str] = json.loads((self.data / "demo-accounts.json").read_text())
        return accounts

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """What machines trust at the edge."""
        return ssl.create_default_context(cafile=str(self.data / "pki" / "root.pem"))

    def health(self) -> dict[str, Any] | None:
        """What `/health/ready` says, None when nobody answers."""
        try:
            answer: dict[str, Any] = httpx.get(f"{self.portal_url}/health/ready", timeout=10).json()
        except (httpx.TransportError, ValueError):
            return None
        return answer

    def wait_until_ready(self, seconds: float = READY) -> None:
        """Return when every part is well; fails with the logs of those that are not."""

        def ready() -> bool:
            assert self.process.poll() is None, f"The portal ended:\n{self.log()}"
            return (self.health() or {}).get("status") == "ok"

        try:
            wait_for("the portal to be ready", ready, seconds=seconds, pause=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.health()}\n{self.log()}") from error

    def pids(self) -> dict[str, int]:
        """The process of each part that is there: its parent is supervisord, which names it in its environment."""
        found: dict[str, int] = {}
        for pid in self.processes():
            variables = _environment(pid)
            if (name := variables.get("SUPERVISOR_PROCESS_NAME")) and _parent(pid) == self.supervisor():
                found[name] = pid
        return found

    def processes(self) -> set[int]:
        """All processes of this portal but the one that was started."""
        marked = {pid for pid in _all() if _environment(pid).get("STRONGROOM_RUN") == str(self.data)}
        return marked - {self.process.pid}

    def supervisor(self) -> int:
        """Supervisord's process id."""
        return int((self.data / "run" / "supervisord.pid").read_text())

    def kill(self, part: str) -> int:
        """`kill -9` the part, once it is there; the process id that it had."""

        def killed() -> int | None:
            pid = self.pids().get(part)
            if pid is None:
                return None
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return None
            return pid

        return wait_for(f"{part} to be there", killed)

    def manage(self, *arguments: str) -> str:
        """What a management command writes, run beside the portal."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=dict(self.environment), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def wait_for_copy(self, vault_id: str, seconds: float = 300) -> None:
        """Return when the paired region has all of the vault.

        A worker that was killed before holds its copies for four minutes, and no more than a few are made at once.
        """
        code = COPIED.format(vault=vault_id, seconds=seconds)
        assert self.manage("shell", "-v", "0", "-c", code).strip() == "True", f"{vault_id} was not copied in time"

    def log(self) -> str:
        """The end of every log, what the terminal showed first."""
        texts = [f"== terminal\n{(self.data / 'terminal.log').read_text()}"]
        for path in sorted((self.data / "logs").glob("*.log")):
            texts.append(f"== {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-25:]))
        return "\n".join([*texts, "== locks", *self.locks()])

    def locks(self) -> list[str]:
        """Who holds locks of the database, where it is SQLite's: what `portal away` alone does not tell."""
        inodes = {path.stat().st_ino for path in self.data.glob("strongroom.sqlite3*")}
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return [
            " ".join([*words[1:], _environment(int(words[4])).get("SUPERVISOR_PROCESS_NAME", "")])
            for words in held
            if len(words) > 5 and words[5].rpartition(":")[2].isdigit() and int(words[5].rpartition(":")[2]) in inodes
        ]

    def stop(self, signum: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does; the exit status. Fails when anything of it is left."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        status = self.process.wait(STOP)
        assert self.processes() == set(), "Processes are left after the stop."
        return status


def start(data: Path, **environment: str) -> Portal:
    """Start a portal on `data` without waiting for it; PORT and EDGE_PORT are free ones unless given."""
    ports = {"PORT": str(free_port()), "EDGE_PORT": str(free_port())}
    ours = {**ports, "STRONGROOM_DATA": str(data), **environment}
    everything = {name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE"}} | ours
    data.mkdir(parents=True, exist_ok=True)
    with (data / "terminal.log").open("a") as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.runner"],
            cwd=ROOT,
            env=everything,
            stdout=terminal,
            stderr=terminal,
            text=True,
        )
    return Portal(data, int(ours["PORT"]), int(ours["EDGE_PORT"]), process, everything)


@contextmanager
def running(**environment: str) -> Iterator[Portal]:
    """A ready portal in a folder of its own, both gone afterwards. On SQLite it was prepared before."""
    data = _new_folder()
    if "DATABASE_URL" not in environment:
        prepared_folder.give(data)
    with _ready(data, **environment) as portal:
        yield portal


@pytest.fixture(scope="session")
def portal() -> Iterator[Portal]:
    """One portal for all tests that leave it as they found it: ready."""
    with running() as portal:
        yield portal


def _new_folder() -> Path:
    """The path is short: sockets lie below it."""
    data = Path(tempfile.mkdtemp(prefix="sr-", dir="/tmp")) / "d"
    data.mkdir(mode=0o700)
    return data


@contextmanager
def _ready(data: Path, **environment: str) -> Iterator[Portal]:
    portal = start(data, **environment)
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.stop(signal.SIGTERM)
        shutil.rmtree(data.parent)


def _all() -> set[int]:
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}


def _environment(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}  # gone, or not ours
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0

"""A machine with files, a state folder of its own, and the program to run on it."""

import contextlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from strongroom_agent.cli import program
from strongroom_agent.portal import client

from .cheap_key import PASSPHRASE
from .peer import Peer


@dataclass(frozen=True)
class Ran:
    """One run of the program: exit status, the JSON object, what was told to a person."""

    status: int
    answer: dict[str, Any]
    progress: str


@dataclass(frozen=True)
class World:
    """Folders of one machine below `root`."""

    root: Path
    peer: Peer

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def told(self) -> list[tuple[str, str]]:
        """What the portal was told of runs."""
        return [(run["kind"], run["outcome"]) for run in self.peer.runs.values()]

    def fill(self, count: int = 12) -> None:
        """Some files to protect."""
        (self.source / "sub" / "empty").mkdir(parents=True, exist_ok=True)
        for number in range(count):
            place = self.source if number % 2 else self.source / "sub"
            (place / f"file-{number}.bin").write_bytes(os.urandom(500 * number + number))

    def run(self, *arguments: str, typed: str = "", **environment: str) -> Ran:
        """Run a command with --json in this process, with `typed` coming through a pipe; checks the JSON contract."""
        out, err = io.StringIO(), io.StringIO()
        environment = {"STRONGROOM_AGENT_HOME": str(self.home), "HOME": str(self.root), **environment}
        with (
            mock.patch.dict(os.environ, environment),
            mock.patch.object(sys, "stdin", io.StringIO(typed)),
            mock.patch.object(client, "FIRST_PAUSE", 0.01),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = program.run([*arguments, "--json"])
        return Ran(status, one_object(out.getvalue(), status), err.getvalue())

    def setup(
        self, *more: str, credential: dict[str, Any] | None = None, name: str = "hr-db-02", **environment: str
    ) -> Ran:
        """`setup --unattended` with everything that it needs, and `more` flags."""
        path = self.root / "Payroll_Sun Nov 22 2026.VaultCredentials"
        if credential is not None or not path.exists():
            path.write_text(json.dumps(credential or self.peer.credential()))
        secret = self.root / "secret"
        secret.write_text(PASSPHRASE + "\n")
        arguments = ["setup", "--unattended", "--credentials", str(path), "--install-dir", str(self.root / "program")]
        arguments += ["--cache-dir", str(self.root / "cache"), "--protect", str(self.source), "--name", name]
        if "--generate-passphrase" not in more and "--passphrase-file" not in more:
            arguments += ["--passphrase-file", str(secret)]
        if "--schedule" in more:  # no flag of the program: the schedulers and the PATH of this computer are left alone
            more = tuple(word for word in more if word != "--schedule")
        else:
            arguments += ["--no-schedule", "--no-link"]
        return self.run(*arguments, *more, **environment)

    def register_only(self) -> None:
        """Let setup get as far as the registration, which spares the time of a backup."""
        self.peer.faults.storage["local-a"] = 507
        assert self.setup().answer["code"] == "quota_full"
        self.peer.faults.storage.clear()


def one_object(text: str, status: int) -> dict[str, Any]:
    """The JSON object on standard output, which must be the only thing there and hold the agreed fields."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    answer = json.loads(text)
    assert isinstance(answer, dict)
    assert list(answer)[:4] == ["ok", "code", "message", "remedy"]
    assert answer["ok"] is (status == 0)
    assert all(isinstance(answer[name], str) for name in ("code", "message", "remedy"))
    assert answer["message"]
    assert answer["ok"] or answer["code"] != "done"
    return answer

"""A backup that takes long enough for something to happen in the middle of it: the agent's restic, held back."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from tests.e2e.machine import Machine
from tests.waiting import wait_for

KIB_A_SECOND = 4000
MEGABYTES = 24


@dataclass
class SlowBackup:
    """A running `restic backup` of the file `data`; `said` is what it has written so far, errors included."""

    process: "subprocess.Popen[str]"
    stored: Path
    before: int
    data: Path
    said: list[str] = field(default_factory=list)

    def wait_for_middle(self) -> None:
        """Return when some of the data is stored and some is not."""
        wait_for("the backup to store data", lambda: self.objects() > self.before + 1)
        assert self.process.poll() is None, self.said

    def objects(self) -> int:
        """How many data objects the machine has."""
        return len([path for path in (self.stored / "data").rglob("*") if path.is_file()])

    def has_said(self, text: str) -> bool:
        """Whether it has written this."""
        return any(text in line for line in self.said)

    def finish(self, seconds: float = 90) -> int:
        """Its exit status; it is given this long."""
        return self.process.wait(seconds)


@contextmanager
def slow_backup(machine: Machine, repository: str, stored: Path) -> Iterator[SlowBackup]:
    """Back up MEGABYTES of new data to the address of the repository; `stored` is its folder. Killed at the end."""
    new = machine.folder / f"new-{len(list(machine.folder.glob('new-*')))}"
    new.write_bytes(os.urandom(MEGABYTES * 1_000_000))
    home = machine.home
    command = ["restic", "--repo", f"rest:{repository}", "--password-file", home / "passphrase"]
    command += ["--cacert", home / "ca.pem", "--tls-client-cert", home / "client.pem", "--no-cache"]
    command += ["--pack-size", "4", "--limit-upload", str(KIB_A_SECOND), "backup", new]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([str(one) for one in command], text=True, **output) as process:  # type: ignore[call-overload]
        backup = SlowBackup(process, stored, 0, new)
        backup.before = backup.objects()
        reader = Thread(target=lambda: backup.said.extend(process.stdout))
        reader.start()
        try:
            yield backup
        finally:
            process.kill()  # asked kindly, it would try for a minute to take its lock away
            reader.join()

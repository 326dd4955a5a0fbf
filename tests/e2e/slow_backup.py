"""A backup that lasts as long as a test wants: the agent's restic, held back, and fed until it is told to finish."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from tests.e2e.machine import Machine
from tests.waiting import wait_for

KIB_A_SECOND = 5000


@dataclass
class SlowBackup:
    """A running `restic backup` of endless input, kept in `data`; `said` is what it has written, errors included."""

    process: "subprocess.Popen[bytes]"
    stored: Path
    before: int
    data: Path
    enough: Event = field(default_factory=Event)
    said: list[str] = field(default_factory=list)

    def wait_for_middle(self) -> None:
        """Return when some of the data is stored."""
        wait_for("the backup to store data", lambda: self.objects() > self.before + 1)

    def objects(self) -> int:
        """How many data objects the machine has."""
        return len([path for path in (self.stored / "data").rglob("*") if path.is_file()])

    def has_said(self, text: str) -> bool:
        """Whether it has written this."""
        return any(text in line for line in self.said)

    def finish(self, seconds: float = 180) -> int:
        """End the input; the exit status of restic, which is given this long."""
        self.enough.set()
        return self.process.wait(seconds)

    def feed(self) -> None:
        """Write new data until `finish`, or until nobody reads it any more."""
        assert self.process.stdin
        with suppress(BrokenPipeError), self.process.stdin as pipe, self.data.open("wb") as copy:
            while not self.enough.is_set():
                piece = os.urandom(65536)
                copy.write(piece)
                pipe.write(piece)

    def listen(self) -> None:
        """Note what restic says."""
        assert self.process.stdout
        self.said.extend(line.decode() for line in self.process.stdout)


@contextmanager
def slow_backup(machine: Machine, repository: str, stored: Path, *, pack: int = 4) -> Iterator[SlowBackup]:
    """Back up to the address of the repository, in objects of `pack` MiB; `stored` is its folder. Killed at the end.

    Two objects are under way at a time, so each one takes pack / 2.5 seconds.
    """
    new = machine.folder / f"new-{len(list(machine.folder.glob('new-*')))}"
    home = machine.home
    command = ["restic", "--repo", f"rest:{repository}", "--password-file", home / "passphrase"]
    command += ["--cacert", home / "ca.pem", "--tls-client-cert", home / "client.pem", "--no-cache"]
    command += ["--pack-size", str(pack), "--limit-upload", str(KIB_A_SECOND), "--option", "rest.connections=2"]
    command += ["backup", "--stdin", "--stdin-filename", new]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([str(one) for one in command], **pipes) as process:  # type: ignore[call-overload]
        backup = SlowBackup(process, stored, 0, new)
        backup.before = backup.objects()
        threads = [Thread(target=backup.listen), Thread(target=backup.feed)]
        for thread in threads:
            thread.start()
        try:
            yield backup
        finally:
            process.kill()  # asked kindly, it would try for a minute to take its lock away
            for thread in threads:
                thread.join()

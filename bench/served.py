"""Our web processes alone, without edge and workers: what pages cost."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import measure, programs
from bench.client import Answer, Ask, Client


@dataclass(frozen=True)
class Site:
    """A served site; `database` is the pid above the database's processes on this machine, if there are any."""

    process: subprocess.Popen[bytes]
    client: Client
    database: int | None = None

    def send(self, ask: Ask) -> Answer:
        """One checked request."""
        return self.client.send(ask)

    def cpu_seconds(self) -> float:
        """CPU used so far by the web processes, and by the database where it is a server on this machine."""
        pids = measure.tree(self.process.pid)
        if self.database is not None:
            pids += measure.tree(self.database)
        return measure.cpu_seconds(pids)


@contextlib.contextmanager
def site(folder: Path, settings: str, env: dict[str, str], database: int | None) -> Iterator[Site]:
    """Serve `settings` on a socket in `folder`, by the command that the portal itself is served by."""
    socket = folder / f"{settings.split('.')[-1]}.sock"
    words = programs.python("-m", "deploy.runner.web", str(socket))
    with programs.running(words, {**env, "DJANGO_SETTINGS_MODULE": settings}, folder / f"{settings}.log") as process:
        client = Client(socket)
        programs.wait_until(client.is_answered, f"Serving {settings}", process)
        try:
            yield Site(process, client, database)
        finally:
            client.close()

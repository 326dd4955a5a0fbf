"""Running restic on one repository: its arguments, its environment, its output, its end."""

import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from strongroom_agent.core import surroundings
from strongroom_agent.core.paths import as_listed

from .errors import explain, is_final
from .retries import Retries

# restic's complaints are short; the last ones say why it gave up.
_KEPT_LINES = 400
ANY = range(-256, 256)  # every status there is
_PATIENCE = 30  # seconds for restic to remove its lock after it was asked to stop


@dataclass(frozen=True)
class Connection:
    """How to reach one repository: paths of the files that restic reads, never their contents."""

    program: str
    url: str
    client_pem: str
    ca_pem: str
    passphrase_file: str
    cache_dir: str
    temp_dir: str
    read_only: bool = False
    proxy: str | None = field(default=None, repr=False)
    key_hint: str = ""
    limits: tuple[str, ...] = ()  # restic's own options for the bandwidth
    folder: str = ""  # a repository in a folder of this machine instead of at `url`


@dataclass(frozen=True)
class Ended:
    """How a restic ended: exit status and the last lines of its standard error."""

    status: int
    complaints: list[str]


class Restic:
    """restic bound to one repository."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def beside(self, folder: str) -> "Restic":
        """The same restic on a repository in a folder of this machine."""
        return Restic(replace(self.connection, url="", folder=folder))

    def run(
        self,
        *arguments: str,
        on_line: Callable[[str], None] | None = None,
        on_complaint: Callable[[str], None] | None = None,
        accept: Container[int] = (0,),
    ) -> Ended:
        """Run a command to its end, handing each line of its output to `on_line`, of its complaints to `on_complaint`.

        Bytes in them that are no text appear as U+FFFD, one for each. AgentError with a remedy when it ends with a
        status that is not in `accept`.
        """
        complaints: deque[str] = deque(maxlen=_KEPT_LINES)
        with self._running(arguments, complaints, on_complaint) as process:
            assert process.stdout is not None  # noqa: S101 - we asked for a pipe
            for raw in process.stdout:
                if on_line is not None:
                    on_line(as_text(raw).rstrip("\r\n"))
        ended = Ended(process.returncode, list(complaints))
        if ended.status not in accept:
            raise explain(arguments[0], ended.status, ended.complaints)
        return ended

    @contextmanager
    def stream(self, *arguments: str) -> Iterator[IO[bytes]]:
        """The raw output of a command, to be read in the block. AgentError if restic fails."""
        complaints: deque[str] = deque(maxlen=_KEPT_LINES)
        with self._running(arguments, complaints) as process:
            assert process.stdout is not None  # noqa: S101 - we asked for a pipe
            yield process.stdout
            while process.stdout.read(1 << 20):
                pass
        if process.returncode != 0:
            raise explain(arguments[0], process.returncode, list(complaints))

    @contextmanager
    def _running(
        self,
        arguments: tuple[str, ...],
        complaints: deque[str],
        on_complaint: Callable[[str], None] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.connection.temp_dir,  # the person's may be gone; `repair packs` writes copies there
            env=surroundings.environment(self.connection.temp_dir, self.connection.proxy),
            # Signals of the terminal are for us: restic is told to stop, or it would leave its lock behind.
            start_new_session=True,
            preexec_fn=surroundings.dies_with_us(),
        )
        reader = threading.Thread(target=_collect, args=(process, complaints, on_complaint), daemon=True)
        reader.start()
        try:
            yield process
            process.wait()
        finally:
            _stop(process)
            reader.join(_PATIENCE)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        at = self.connection
        command = [at.program, *("--repo", at.folder or f"rest:{at.url}")]
        command += ["--password-file", at.passphrase_file, "--cache-dir", at.cache_dir]
        command += ["--cacert", at.ca_pem, "--tls-client-cert", at.client_pem]
        if at.key_hint:
            command += ["--key-hint", at.key_hint]
        if at.read_only:
            command.append("--no-lock")
        return [*command, *at.limits, *arguments]


def as_text(raw: bytes) -> str:
    """Output of restic as text, with U+FFFD for each byte that is none: as its own JSON does it."""
    return as_listed(raw.decode("utf-8", "surrogateescape"))


def _collect(
    process: subprocess.Popen[bytes], complaints: deque[str], on_complaint: Callable[[str], None] | None
) -> None:
    """Keep what restic complains about, and end it when its retries are in vain.

    On its own it would go on for a quarter of an hour against a refusal that is final.
    """
    retries = Retries()
    for raw in process.stderr or ():
        if line := as_text(raw).strip("\r\n "):
            complaints.append(line)
            retries.observe(line)
            if on_complaint is not None:
                on_complaint(line)
            if is_final(line):
                _interrupt(process)


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """As with Ctrl-C: at other signals restic dies and leaves its lock behind."""
    if sys.platform == "win32":
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask first, and give it time to remove its lock from the repository."""
    if process.poll() is not None:
        return
    _interrupt(process)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

"""The parent of one region's gateway: `python -S -m deploy.runner.gateway` (standard library only, to stay small).

While the gateway serves, a marker file holds the time of the last sign of life. A marker that is there at the start
means that gateway, parent or machine died without warning, perhaps in the middle of an upload. Recent objects are then
compared with their names before anything is stored again. Reading needs no leave of the disk: it goes on when that is
full and neither marker nor comparison can be written.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.runner.guard import SECRETS, end_with_parent
from deploy.runner.relay import Relay
from deploy.runner.signals import Signals
from deploy.runner.transfers import Gate

SIGN_OF_LIFE = 10.0  # seconds between two
STARTING = 0.2  # seconds between two looks while not all is open yet
PROBE = 64 * 1024  # bytes for which there must be room before a comparison is worth a try
RESERVED = 64  # descriptors for all but transfers: the note of a sign of life, the question to the gate, comparisons
MARGIN = timedelta(minutes=15)  # an upload that stood still when the end came was last written to no longer before


@dataclass(frozen=True)
class Marker:
    """The file with the last sign of life, as an RFC 3339 time in UTC."""

    path: Path

    def last(self) -> datetime | None:
        """When the gateway was last known to live, None after a clean stop. Unreadable counts as ever."""
        try:
            return datetime.fromisoformat(self.path.read_text().strip())
        except FileNotFoundError:
            return None
        except ValueError:
            return datetime.fromtimestamp(0, UTC) + MARGIN

    def touch(self) -> bool:
        """Note a sign of life; on disk when this returns, since it is there for power failures too.

        False when it cannot be written, as on a full disk: the one before stays then, and more is compared later.
        """
        draft = self.path.with_suffix(".new")
        try:
            _write(draft, datetime.now(UTC).isoformat())
            draft.replace(self.path)
        except OSError:
            return False
        return True

    def can_be_written(self) -> bool:
        """Whether there is room for it; it stays as it is."""
        draft = self.path.with_suffix(".new")
        try:
            _write(draft, " " * PROBE)
            draft.unlink()
        except OSError:
            with suppress(OSError):
                draft.unlink()  # what could be written of it
            return False
        return True

    def clear(self) -> None:
        """Note a clean stop."""
        self.path.unlink(missing_ok=True)


class Comparison:
    """The comparison of recent objects with their names, which has to pass before anything may be stored.

    It is tried until it does: it may fail for want of room, and a disk that is full is no reason not to restore.
    """

    def __init__(self, marker: Marker, check: Sequence[str], rest: float) -> None:
        self._marker = marker
        self._check = check
        self._rest = rest
        self._since = marker.last()
        self._process: subprocess.Popen[bytes] | None = None
        self._next = 0.0

    def passed(self) -> bool:
        """Whether anything may be stored, by what is known now; goes on with the comparison if not."""
        if self._since is None:
            return self._marker.touch()
        if self._process is None:
            self._begin(self._since - MARGIN)
        elif (status := self._process.poll()) is not None:
            self._process = None
            self._next = time.monotonic() + self._rest
            if status == 0:
                self._since = None
                return self._marker.touch()
            _log(f"the comparison ended with {status}; nothing can be stored until one passes")
        return False

    def stop(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _begin(self, since: datetime) -> None:
        if time.monotonic() < self._next:
            return
        if not self._marker.can_be_written():  # nor could the comparison write its entry
            self._next = time.monotonic() + self._rest
            return
        _log(f"no clean stop the last time: comparing objects since {since.isoformat()} with their names")
        self._process = subprocess.Popen([*self._check, "--since", since.isoformat()])


@dataclass(frozen=True)
class Gateway:
    """One region's gateway: `check` compares objects (`--since TIME` is added), `serve` is rclone on `inner`.

    The edge comes to `socket`, where a relay passes on to rclone, and asks `gate` about transfers that are under way.
    `finish` is how many seconds uploads under way get at a stop, `rest` how many pass after a failed check, so that
    trying again costs little. `most` is how many transfers may be open.
    """

    marker: Marker
    socket: Path
    inner: Path
    gate: Path
    check: Sequence[str]
    serve: Sequence[str]
    finish: float
    rest: float
    most: int

    def run(self) -> int:
        """Serve until told to stop; the exit status, 0 only for a clean stop. Nothing is stored before a comparison
        has passed, where one is due; reading goes on meanwhile, since restic compares what it reads."""
        for path in (self.inner, self.socket):
            path.unlink(missing_ok=True)
        signals = Signals([signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])
        parent = os.getpid()
        child = subprocess.Popen(
            self.serve, env=_without_secrets(), preexec_fn=lambda: end_with_parent(signal.SIGKILL, parent)
        )
        comparison = Comparison(self.marker, self.check, self.rest)
        relay: Relay | None = None
        pause = STARTING
        while not (signals.wait(pause) & {signal.SIGTERM, signal.SIGINT}):
            if child.poll() is not None or not (relay is None or relay.works):
                _log(f"rclone ended with {child.returncode}")
                comparison.stop()
                child.kill()
                return 1
            if relay is None:
                relay = self._relay() if _listens(self.inner) else None
            elif relay.writable:
                self.marker.touch()
            else:
                relay.writable = comparison.passed()
            pause = SIGN_OF_LIFE if relay and relay.writable else STARTING
        comparison.stop()
        return self._finish(child, relay)

    def _relay(self) -> Relay:
        relay = Relay(self.socket, self.inner, Gate.at(self.gate).ask, self.most)
        relay.start()
        return relay

    def _finish(self, child: "subprocess.Popen[bytes]", relay: Relay | None) -> int:
        """Let uploads under way end. The marker goes only when all of them did, and none was left to compare."""
        if relay is not None:
            relay.close()
        child.terminate()
        try:
            child.wait(self.finish)
        except subprocess.TimeoutExpired:
            _log("an upload did not end in time")
            child.kill()
            child.wait()
            return 1
        if relay is not None and relay.writable:
            self.marker.clear()
        return 0


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _without_secrets() -> dict[str, str]:
    """The environment without what rclone has no use for."""
    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _log(text: str) -> None:
    with suppress(OSError):  # on a full disk, what we do counts more than the note about it
        sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} gateway: {text}\n")
        sys.stderr.flush()


def main(description: str) -> int:
    """Run the gateway that the JSON object describes, with the fields of Gateway but `most`, which is for us to say."""
    given = json.loads(description)
    end_with_parent(signal.SIGTERM, os.getppid())
    _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    given["most"] = max(1, (descriptors - RESERVED) // 2)
    given |= {name: Path(given[name]) for name in ("socket", "inner", "gate")}
    given["marker"] = Marker(Path(given["marker"]))
    return Gateway(**given).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

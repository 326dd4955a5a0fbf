"""The parent of one region's gateway: `python -S -m deploy.runner.gateway` (standard library only, to stay small).

While the gateway serves, a marker file holds the time of the last sign of life. A marker that is there at the start
means that gateway, parent or machine died without warning, perhaps in the middle of an upload. Recent objects are then
compared with their names, by the command after `--check`, before the first request is taken.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.runner.guard import end_with_parent
from deploy.runner.signals import Signals

SIGN_OF_LIFE = 10.0  # seconds between two
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

    def touch(self) -> None:
        """Note a sign of life; on disk when this returns, since it is there for power failures too."""
        draft = self.path.with_suffix(".new")
        with draft.open("w") as file:
            file.write(datetime.now(UTC).isoformat())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    def clear(self) -> None:
        """Note a clean stop."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Gateway:
    """One region's gateway: `check` compares objects (`--since TIME` is added), `serve` is rclone on `socket`.

    `finish` is how many seconds uploads under way get at a stop, `rest` how many pass after a failed check, so that
    trying again costs little.
    """

    marker: Marker
    socket: Path
    check: Sequence[str]
    serve: Sequence[str]
    finish: float
    rest: float

    def run(self) -> int:
        """Check if need be, serve until told to stop; the exit status, 0 only for a clean stop."""
        since = self.marker.last()
        if since is not None and not self._checked(since - MARGIN):
            time.sleep(self.rest)
            return 1
        self.marker.touch()
        self.socket.unlink(missing_ok=True)
        signals = Signals([signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])
        parent = os.getpid()
        child = subprocess.Popen(self.serve, preexec_fn=lambda: end_with_parent(signal.SIGKILL, parent))
        while not (signals.wait(SIGN_OF_LIFE) & {signal.SIGTERM, signal.SIGINT}):
            if child.poll() is not None:
                _log(f"rclone ended with {child.returncode}")
                return 1
            self.marker.touch()
        return self._finish(child)

    def _checked(self, since: datetime) -> bool:
        _log(f"no clean stop the last time: comparing objects since {since.isoformat()} with their names")
        status = subprocess.run([*self.check, "--since", since.isoformat()], check=False).returncode
        if status:
            _log(f"the comparison ended with {status}; the gateway stays closed")
        return not status

    def _finish(self, child: "subprocess.Popen[bytes]") -> int:
        """Let uploads under way end. The marker goes only when all of them did."""
        child.terminate()
        try:
            child.wait(self.finish)
        except subprocess.TimeoutExpired:
            _log("an upload did not end in time")
            child.kill()
            child.wait()
            return 1
        self.marker.clear()
        return 0


def _log(text: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} gateway: {text}\n")
    sys.stderr.flush()


def main(description: str) -> int:
    """Run the gateway that the JSON object describes, with the fields of Gateway."""
    given = json.loads(description)
    end_with_parent(signal.SIGTERM, os.getppid())
    given |= {"marker": Marker(Path(given["marker"])), "socket": Path(given["socket"])}
    return Gateway(**given).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""Having the edge read its certificates again when they change, while requests go on.

Caddy loads its configuration anew on SIGUSR1: it listens on with the new one, and gives requests on the old one three
seconds (its grace period) to end. restic tries a request again that was cut. When Caddy cannot use the new files it
keeps the old ones, and says so in its log.
"""

import xmlrpc.client
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from deploy.runner.terminal import say

READ_BY_EDGE = ("client-ca.pem", "edge.key", "edge.pem")
_State = tuple[tuple[int, int] | None, ...]


class Reloading:
    """Looks at the files in `folder` when told to, and calls `reload` once for each change that has settled.

    A change has settled when nothing has happened since the look before: the files are written one after the other.
    """

    def __init__(self, folder: Path, reload: Callable[[], None]) -> None:
        self._folder = folder
        self._reload = reload
        self._loaded = self._seen = self._state()

    def look(self) -> None:
        """Reload if it is time to. A reload that fails is said, and tried again at the next look."""
        before, self._seen = self._seen, self._state()
        if self._seen == self._loaded or self._seen != before:
            return
        try:
            self._reload()
        except (OSError, HTTPException, xmlrpc.client.Error) as error:
            say(f"The edge could not be told that its certificates have changed ({error}); trying again.")
            return
        self._loaded = self._seen

    def _state(self) -> _State:
        return tuple(_stamp(self._folder / name) for name in READ_BY_EDGE)


def signal_edge(control: Path) -> None:
    """Have supervisord, which knows its own children best, send the edge SIGUSR1; raises what is in the way."""
    from supervisor.xmlrpc import SupervisorTransport  # not needed before, and the runner waits most of its life

    transport = SupervisorTransport(serverurl=f"unix://{control}")
    with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as supervisord:
        supervisord.supervisor.signalProcess("front:edge", "USR1")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_ino, state.st_mtime_ns

"""The web processes: `python -m deploy.runner.web SOCKET`; with `gate` behind it, the gate (portal/gate_settings.py).

The site is loaded once, before granian forks its workers, which then share most of their memory and start at once.
"""

import gc
import multiprocessing
import os
import sys
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

WORKERS = 2
THREADS = 8  # in each worker; a request that waits for the database, or for a password, does not hold up the others
GATE_WORKERS = 1  # it answers some thousand questions a second


def main(socket: str, workers: int) -> None:
    """Serve until told to stop; workers that die are replaced."""
    multiprocessing.set_start_method("fork")
    _load()
    Granian(
        "portal.wsgi:application",
        uds=Path(socket),
        uds_permissions=0o600,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=5,
        log_level=LogLevels.warning,
    ).serve()


def _load() -> None:
    """Import all that requests need; opens no connection and starts no thread, since neither survives a fork."""
    from django.urls import get_resolver

    import portal.wsgi  # noqa: F401 - sets Django up

    get_resolver().url_patterns  # noqa: B018 - imports every view
    gc.freeze()  # a collection would write to the pages that the workers share


if __name__ == "__main__":
    if sys.argv[2:] == ["gate"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = "portal.gate_settings"
        main(sys.argv[1], GATE_WORKERS)
    else:
        main(sys.argv[1], WORKERS)

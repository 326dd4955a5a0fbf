"""`enqueue()`: hands work to the workers, by name, after the commit, without ever failing or waiting for long.

When the broker is away nothing is lost: rows say what is due, and the sweep enqueues them again. So a publish gets half
a second, and after a failure the next ones are not even tried for `REST` seconds.
"""

import logging
import time
from functools import partial

from django.db import transaction

from portal.celery import app

log = logging.getLogger(__name__)
REST = 5.0  # seconds
_resting_until = 0.0


def enqueue(task: str, *args: str | int) -> None:
    """Send the task named `task` when the open transaction commits (at once when none is open).

    Never raises for a broker that is away; the row that the task is about must be findable by the sweep.
    """
    transaction.on_commit(partial(_send, task, args), robust=True)


def _send(task: str, args: tuple[str | int, ...]) -> None:
    global _resting_until
    if time.monotonic() < _resting_until:
        return
    try:
        app.send_task(task, args=args, retry=False)
    except Exception as error:  # noqa: BLE001 - kombu raises whatever its transport does; the sweep makes up for it
        _resting_until = time.monotonic() + REST
        log.warning("The broker did not take %s (%s): the sweep will send it.", task, type(error).__name__)

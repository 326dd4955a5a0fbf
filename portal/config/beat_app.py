"""The clock: a thread of the worker that sends what is due. A process for it alone would cost 40 MB.

Whether it sends is seen where it always was: by health, which misses the sweep when this thread hangs.
"""

import logging
import os
import signal
import threading

from celery import Celery
from celery.beat import Scheduler, Service

log = logging.getLogger(__name__)


class Clock(threading.Thread):
    """Sends the tasks of the schedule for as long as the process lives; two clocks at once are harmless."""

    def __init__(self, app: Celery) -> None:
        super().__init__(name="clock", daemon=True)  # nothing of it has to be put away at a stop
        self._service = Service(app, scheduler_cls=Scheduler)

    def run(self) -> None:
        """Send what is due. Whatever ends this ends the worker too, which is started again with a new clock."""
        try:
            self._service.start()
        except Exception:
            log.exception("The clock has stopped: the worker stops, too, and is started again.")
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

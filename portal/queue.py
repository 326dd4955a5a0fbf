"""`enqueue()`: publishes a task after the commit; it never raises and never blocks the caller.

A thread of its own does the sending, since a broker that hangs costs seconds even with short timeouts (kombu connects
several times), and a name that does not resolve has no timeout at all. When the broker is away nothing is lost: rows
say what is due, and the sweep enqueues them again; so after a failure nothing is even tried for `REST` seconds.
"""

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import transaction
from kombu import Connection

from portal.celery import app

log = logging.getLogger(__name__)
REST = 5.0  # seconds without a try after a failure
PATIENCE = 0.4  # seconds for each answer of the broker
EXPIRES = 600  # seconds; by then the sweep has sent the message again, if it still matters


def enqueue(task: str, *args: str | int, delay: int = 0) -> None:
    """Send the task named `task` when the open transaction commits (at once when none is open).

    A worker begins it `delay` seconds later, which must be few: workers keep such messages in memory. Never raises for
    a broker that is away; the row that the task is about must be findable by the sweep.
    """
    transaction.on_commit(partial(_send, task, args, **({"delay": delay} if delay else {})), robust=True)


def _send(task: str, args: tuple[str | int, ...], delay: int = 0) -> None:
    _publisher.hand_over(task, args, delay)


class Publisher:
    """Sends messages one after the other from a thread of its own, which alone holds the connection."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publisher")
        self._connection: Connection | None = None
        self._resting_until = 0.0

    @property
    def resting(self) -> bool:
        """Whether a failure is so recent that nothing is tried."""
        return time.monotonic() < self._resting_until

    def finish(self) -> None:
        """Wait for what was handed over; takes no more."""
        self._thread.shutdown()

    def hand_over(self, task: str, args: tuple[str | int, ...], delay: int = 0) -> None:
        """Have the message sent; returns at once. A process that ends waits for what it handed over."""
        if not self.resting:
            self._thread.submit(self._publish, task, args, delay)

    def _publish(self, task: str, args: tuple[str | int, ...], delay: int) -> None:
        if self.resting:
            return  # the one before has failed meanwhile
        try:
            with app.amqp.Producer(self._connected()) as producer:
                app.send_task(task, args=args, countdown=delay or None, retry=False, expires=EXPIRES, producer=producer)
        except Exception as error:  # noqa: BLE001 - kombu raises whatever its transport does; the sweep makes up for it
            self._resting_until = time.monotonic() + REST
            self._disconnect()
            log.warning("The broker did not take %s (%s): the sweep will send it.", task, type(error).__name__)

    def _connected(self) -> Connection:
        if self._connection is None:
            limits = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
            options = {**app.conf.broker_transport_options, **limits}
            self._connection = Connection(app.conf.broker_url, connect_timeout=PATIENCE, transport_options=options)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()


_publisher = Publisher()


def _start_afresh() -> None:
    global _publisher
    _publisher = Publisher()


os.register_at_fork(after_in_child=_start_afresh)  # threads and connections do not survive a fork

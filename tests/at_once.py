"""Real concurrency in tests: calls that start together, each in a thread with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import connection

Result = TypeVar("Result")


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result | Exception]:
    """What each call gave or raised, in the order of `calls`."""
    start = threading.Barrier(len(calls))
    outcomes: list[Result | Exception] = [RuntimeError("never ended")] * len(calls)

    def run(number: int) -> None:
        try:
            start.wait()
            outcomes[number] = calls[number]()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcomes[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes

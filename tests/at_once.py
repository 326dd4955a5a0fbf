"""Real concurrency in tests: calls that start together, each in a thread with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from django.db import connection

Result = TypeVar("Result")
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one lock, and so no order")


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


def own_connection(act: Callable[[], object]) -> object:
    """What `act` gives or raises, in a thread whose connection to the database ends with it."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    finally:
        connection.close()


def waiting() -> int:
    """How many connections to this database wait for a lock.

    Tests beside this one have databases of their own on the same server, and wait too. A lock that is waited for may
    name no database, so those are counted that hold one in this. The view of activity would say the same twice in one
    transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_locks"
            " JOIN pg_database ON pg_database.oid = database WHERE granted AND datname = current_database())"
        )
        return int(cursor.fetchone()[0])

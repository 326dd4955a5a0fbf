"""The database at another migration, for tests of those that move what is stored."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrated(to: list[tuple[str, str]]) -> Any:
    """The models as they were at those migrations, to which the database is brought; use it with `newest_again`."""
    executor = MigrationExecutor(connection)
    executor.migrate(to)
    return MigrationExecutor(connection).loader.project_state(to).apps


def to_newest() -> None:
    """Bring the database to the newest migrations, which the models of the code need."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def newest_again() -> Iterator[None]:
    """At the end the database is as all other tests need it."""
    yield
    to_newest()

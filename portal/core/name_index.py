"""Finding rows by a part of their name without reading all names: an index over groups of three letters.

PostgreSQL has an extension for it, pg_trgm; SQLite a kind of table, FTS5 with its trigram tokenizer, which triggers
keep in step in the transaction of each change. Both are derived from the names alone, so they are made after each
`migrate` where they are missing: a migration that alters a table on SQLite makes it anew and drops its triggers
without a word. Where neither can be had, all names are read: slower, and right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DatabaseError, connection, transaction
from django.db.models import Model, Q
from django.db.models.expressions import RawSQL
from django.db.models.signals import post_migrate

GRAM = 3
"""Shorter texts are in too many names for an index to be of use."""
FEW = 1_000
"""So many names are gathered and sorted faster than found on a walk through all in the order of a list."""


@dataclass(frozen=True)
class NameIndex:
    """The index over the names of one model, which has the columns `id`, `name` and `name_key` (lower case)."""

    table: str

    @property
    def name(self) -> str:
        """Of the index on PostgreSQL, and of the table beside on SQLite."""
        return f"{self.table}_named"

    @property
    def triggers(self) -> dict[str, str]:
        """The triggers on SQLite, by name."""
        add = f'INSERT INTO "{self.name}" (name, key) VALUES (new.name_key, new.id);'  # noqa: S608  # our own tables
        # Reads all of it; rows of ours are not deleted.
        drop = f'DELETE FROM "{self.name}" WHERE key = old.id;'  # noqa: S608
        events = {"insert": ("INSERT", add), "delete": ("DELETE", drop), "update": ("UPDATE OF name", drop + " " + add)}
        return {
            f"{self.name}_{word}": (
                f'CREATE TRIGGER "{self.name}_{word}" AFTER {event} ON "{self.table}" BEGIN {what} END'
            )
            for word, (event, what) in events.items()
        }


INDEXES: dict[str, NameIndex] = {}
"""By table; apps add theirs when they are loaded."""


def register(app: AppConfig, table: str) -> None:
    """Have an index over the names of the app's table after each `migrate`."""
    INDEXES[table] = index = NameIndex(table)

    def after_migrate(**_: object) -> None:
        make(index)

    post_migrate.connect(after_migrate, sender=app, weak=False, dispatch_uid=index.name)


@checks.register(checks.Tags.database, deploy=True)
def every_index_stands(
    app_configs: Sequence[Any] | None = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Search by name is fast, and on SQLite its triggers are there."""
    tables = connection.introspection.table_names() if databases else []
    return [
        checks.Warning(
            f"There is no index over the names in {index.table}: searching reads all of them.",
            hint="Run manage.py migrate; on PostgreSQL its role must be allowed to create the extension pg_trgm.",
            id="strongroom.W021",
        )
        for index in INDEXES.values()
        if index.table in tables and not stands(index)
    ]


def named_like(model: type[Model], text: str) -> Q:
    """Rows with `text` in their name, whatever its case.

    One more query where the index can help, which looks no further than FEW: the rows of a text that many names have
    are found sooner on a walk in the order of the list.
    """
    plain = Q(name_key__contains=text.lower())
    index = INDEXES.get(model._meta.db_table)
    if index is None or connection.vendor != "sqlite" or len(text) < GRAM or not stands(index):
        return plain
    phrase = '"' + text.lower().replace('"', '""') + '"'
    found = f'SELECT key FROM "{index.name}" WHERE name MATCH %s'  # noqa: S608  # names of our own tables
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM ({found} LIMIT {FEW})", [phrase])  # noqa: S608
        (number,) = cursor.fetchone()
    return plain if number >= FEW else Q(pk__in=RawSQL(found, [phrase]))  # noqa: S611  # the text is a parameter


def stands(index: NameIndex) -> bool:
    """Whether the index is there and kept in step."""
    return not missing(index)


def missing(index: NameIndex) -> list[str]:
    """What the index needs and the database does not have."""
    wanted = [index.name, *(index.triggers if connection.vendor == "sqlite" else ())]
    there = _there(index)
    return [name for name in wanted if name not in there]


def make(index: NameIndex) -> bool:
    """Make what is missing, and fill it; whether it stands now. It does not where the database has no such index."""
    if stands(index):
        return True
    try:
        with transaction.atomic():
            (_make_on_sqlite if connection.vendor == "sqlite" else _make_on_postgresql)(index)
    except DatabaseError:
        return False
    return True


def _there(index: NameIndex) -> set[str]:
    question = (
        "SELECT name FROM sqlite_master WHERE name LIKE %s"
        if connection.vendor == "sqlite"
        else "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(question, [f"{index.name}%"])
        return {name for (name,) in cursor.fetchall()}


def _make_on_sqlite(index: NameIndex) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE IF EXISTS "{index.name}"')
        cursor.execute(f"CREATE VIRTUAL TABLE \"{index.name}\" USING fts5(name, key UNINDEXED, tokenize='trigram')")
        for name, sql in index.triggers.items():
            cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"')
            cursor.execute(sql)
        cursor.execute(f'INSERT INTO "{index.name}" (name, key) SELECT name_key, id FROM "{index.table}"')  # noqa: S608


def _make_on_postgresql(index: NameIndex) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute(f'CREATE INDEX "{index.name}" ON "{index.table}" USING gin (name_key gin_trgm_ops)')

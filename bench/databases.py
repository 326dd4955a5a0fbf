"""Databases for the bench alone: SQLite in the data folder, or new ones on the server that DATABASE_URL names."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@contextlib.contextmanager
def fresh(name: str) -> Iterator[dict[str, str]]:
    """The environment for an empty database, dropped afterwards; DATABASE_URL's role must be allowed to create it."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        yield {}
        return
    database = f"strongroom_bench_{name}_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        try:
            yield {"DATABASE_URL": urlunsplit(urlsplit(url)._replace(path=f"/{database}"))}
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


def server_pid() -> int | None:
    """The process above the database's own, when it is a server on this machine; None for SQLite and far servers."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        return None
    with psycopg.connect(url) as connection:
        backend = connection.info.backend_pid
        try:
            is_here = Path(f"/proc/{backend}/comm").read_text().startswith("postgres")
            return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1]) if is_here else None
        except FileNotFoundError:
            return None


def engine() -> str:
    """What the run's numbers were taken on."""
    return "PostgreSQL" if os.environ.get("DATABASE_URL") else "SQLite"

"""The database's settings: from DATABASE_URL, with whatever libpq understands behind the question mark, or SQLite."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from django.core.exceptions import ImproperlyConfigured

from portal.config import env

OF_THE_ADDRESS = frozenset({"user", "password", "dbname"})


def database(name: str, default_path: Path) -> dict[str, Any]:
    """Django's settings from the URL in the variable `name`, or the file NAME_FILE; else SQLite at `default_path`.

    `postgresql://user:password@host:port/name?sslmode=verify-full&…`: each option reaches libpq, and one that it does
    not know is refused, so that none is silently without effect. Raises ImproperlyConfigured, never with the password.
    """
    url = env.text(name, "")
    if not url:
        return sqlite(default_path)
    if not url.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(f"{name} must begin with postgresql://; leave it away for SQLite.")
    import dj_database_url  # SQLite needs neither of the two

    options = _options(name, url)
    try:
        found: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    except (dj_database_url.ParseError, ValueError):
        raise ImproperlyConfigured(
            f"{name} is not a URL: write what is special in it, such as / or # in a password, as % and two digits."
        ) from None
    given = found.setdefault("OPTIONS", {})
    for column in ("host", "port"):
        if column in options:
            found[column.upper()] = str(given.pop(column))
    if not found["NAME"] and "service" not in options:
        raise ImproperlyConfigured(f"{name} names no database: postgresql://user:password@host:port/NAME.")
    return found


def _options(name: str, url: str) -> dict[str, str]:
    """What stands behind the question mark, when libpq knows all of it."""
    from psycopg.pq import Conninfo

    query = url.partition("#")[0].partition("?")[2]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ImproperlyConfigured(f"{name}: options are written as ?name=value&name=value.") from None
    known = {option.keyword.decode() for option in Conninfo.get_defaults()} - OF_THE_ADDRESS
    for option, _ in pairs:
        if option in OF_THE_ADDRESS:
            raise ImproperlyConfigured(f"{name}: {option} belongs before the question mark.")
        if option not in known:
            raise ImproperlyConfigured(f"{name} has an option that PostgreSQL does not know: {option}.")
    options = dict(pairs)
    if len(options) != len(pairs):
        raise ImproperlyConfigured(f"{name} has an option twice.")
    return options


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite as several processes need it: WAL, a busy timeout, and write transactions that say so at once."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;"
                " PRAGMA foreign_keys=ON; PRAGMA cache_size=-16000; PRAGMA mmap_size=134217728;"
            ),
        },
    }

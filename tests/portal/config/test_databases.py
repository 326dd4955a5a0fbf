"""DATABASE_URL: all of it reaches the database, and what would have no effect is refused."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql.base import DatabaseWrapper
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config import databases
from tests.long import MANY

NOWHERE = Path("/nowhere/db.sqlite3")


def of(url: str) -> dict[str, object]:
    """The settings for the URL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("URL", url)
        return databases.database("URL", NOWHERE)


def parameters(url: str) -> dict[str, object]:
    """What psycopg is called with."""
    settings = {"TIME_ZONE": None, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False, **of(url)}
    found: dict[str, object] = DatabaseWrapper(settings).get_connection_params()
    return found


def test_everything_reaches_the_database() -> None:
    url = (
        "postgresql://us%40er:p%40%20%2Fw@db.example.org:5433/na%20me?sslmode=verify-full&sslrootcert=/a%20b/ca.pem"
        "&options=-c%20statement_timeout%3D5s&connect_timeout=3&application_name=strongroom&target_session_attrs=any"
    )
    wanted = {
        "user": "us@er",
        "password": "p@ /w",
        "host": "db.example.org",
        "port": 5433,
        "dbname": "na me",
        "sslmode": "verify-full",
        "sslrootcert": "/a b/ca.pem",
        "options": "-c statement_timeout=5s",
        "connect_timeout": 3,
        "application_name": "strongroom",
        "target_session_attrs": "any",
    }
    found = parameters(url)
    assert {name: found[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://u@/db?host=/run/postgresql", "/run/postgresql"),
        ("postgresql://u@%2Frun%2Fpostgresql/db", "/run/postgresql"),
        ("postgresql://u@[::1]/db", "::1"),
        ("postgresql://u@/db?host=one,two&port=1,2", "one,two"),
    ],
)
def test_hosts(url: str, host: str) -> None:
    assert (of(url)["HOST"], parameters(url)["host"]) == (host, host)


@settings(max_examples=100 * MANY)
@given(st.text(st.characters(exclude_characters="/?#[]%", exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_password_may_hold_anything_that_ends_no_part_of_a_url(password: str) -> None:
    """Spaces and @ too."""
    assert of(f"postgresql://u:{password}@localhost/db")["PASSWORD"] == password


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://u:hush@h/db", "must begin with postgresql://"),
        ("postgresql://u:hush@h/", "names no database"),
        ("postgresql://u:hush@h", "names no database"),
        ("postgresql://u:hush@h/db?sslmod=verify-full", "does not know: sslmod"),
        ("postgresql://u:hush@h/db?pool=true", "does not know: pool"),
        ("postgresql://u:hush@h/db?sslmode", "written as"),
        ("postgresql://u:hush@h/db?password=other", "password belongs before"),
        ("postgresql://u:hush@h/db?sslmode=a&sslmode=b", "twice"),
        ("postgresql://u:hush#x@h/db", "not a URL"),
        ("postgresql://u:hush@h:port/db", "not a URL"),
        ("postgresql://u:hush@[::1/db", "not a URL"),
    ],
)
def test_what_would_have_no_effect_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=complaint) as refused:
        of(url)
    assert "hush" not in str(refused.value)


def test_the_file_counts_as_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text("postgresql://u@localhost/db\n")
    monkeypatch.setenv("URL_FILE", str(tmp_path / "url"))
    assert databases.database("URL", NOWHERE)["NAME"] == "db"


def test_without_one_it_is_sqlite() -> None:
    assert of("")["NAME"] == NOWHERE

"""What a deployment is refused for, the sign-ins of a trial, and collecting static files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django.fixtures import Settings

from portal import checks
from portal.accounts.models import Membership, Subscription, User
from portal.audit.models import AuditEvent
from portal.web import static_files


@pytest.fixture
def safe(settings: Settings, tmp_path: Path) -> Settings:
    """A production that may start."""
    settings.PRODUCTION = True
    settings.DEBUG = False
    settings.PORTAL_URL = "https://backup.example.org"
    settings.EDGE_URL = "https://backup.example.org:8443"
    settings.DATA = tmp_path
    return settings


def found() -> list[str | None]:
    """The ids of all findings."""
    return [
        message.id for message in checks.addresses() + checks.numbers() + checks.connections() + checks.production()
    ]


def test_a_safe_production_starts(safe: Settings) -> None:
    """Nothing is found, nothing is left in the data folder."""
    checks.refuse_unsafe()
    assert found() == []
    assert list(safe.DATA.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORTAL_URL", "http://backup.example.org", "strongroom.E001"),
        ("PORTAL_URL", "ftp://localhost", "strongroom.E001"),
        ("PORTAL_URL", "http://localhost.example.org:8000", "strongroom.E001"),
        ("EDGE_URL", "http://localhost:8443", "strongroom.E002"),
        ("PORTAL_URL", "https://backup.example.org/portal", "strongroom.E003"),
        ("RENEWABLE_DAYS", -1, "strongroom.E004"),
        ("RENEWABLE_DAYS", 36501, "strongroom.E004"),
        ("OPEN_REQUESTS", 0, "strongroom.E005"),
        ("SEAL_KEY", "", "strongroom.E017"),
        ("DEBUG", True, "strongroom.E011"),
        ("DATA", Path("/proc/none"), "strongroom.E013"),
    ],
)
def test_what_production_is_refused_for(safe: Settings, name: str, value: object, expected: str) -> None:
    """Each by its own finding; the web does not come up either."""
    setattr(safe, name, value)
    assert [one for one in found() if one != "strongroom.E016"] == [expected]
    with pytest.raises(ImproperlyConfigured):
        checks.refuse_unsafe()


def postgresql(host: str, **options: str) -> dict[str, object]:
    """The settings of a database on that host."""
    return {"ENGINE": "django.db.backends.postgresql", "HOST": host, "OPTIONS": options}


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        (postgresql("db.example.org"), ["strongroom.E018"]),
        (postgresql("db.example.org", sslmode="require"), ["strongroom.E018"]),
        (postgresql("db.example.org", sslmode="verify-ca"), ["strongroom.E018"]),
        (postgresql("localhost,db.example.org"), ["strongroom.E018"]),
        (postgresql("localhost", hostaddr="192.0.2.1"), ["strongroom.E018"]),
        (postgresql("", service="backup"), ["strongroom.E018"]),
        (postgresql("db.example.org", sslmode="verify-full"), []),
        (postgresql("localhost"), []),
        (postgresql("::1"), []),
        (postgresql("/run/postgresql"), []),
        (postgresql(""), []),
    ],
)
def test_a_database_over_the_network_shows_who_it_is(
    safe: Settings, monkeypatch: pytest.MonkeyPatch, database: dict[str, object], expected: list[str]
) -> None:
    monkeypatch.setitem(safe.DATABASES, "default", database)
    assert found() == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://broker.example.org:6379/0", ["strongroom.E019"]),
        ("rediss://broker.example.org:6379/0", ["strongroom.E019"]),
        ("rediss://broker.example.org:6379/0?ssl_cert_reqs=none", ["strongroom.E019"]),
        ("rediss://broker.example.org:6379/0?ssl_cert_reqs=required", []),
        ("redis://:secret@127.0.0.1:6379/0", []),
        ("redis://[::1]:6379/0", []),
        ("redis+socket:///run/valkey.sock", []),
    ],
)
def test_a_broker_over_the_network_shows_who_it_is(safe: Settings, url: str, expected: list[str]) -> None:
    safe.BROKER_URL = url
    assert found() == expected


def test_demo_accounts_are_refused(safe: Settings) -> None:
    """Their passwords lie in a file."""
    (safe.DATA / "demo-accounts.json").touch()
    assert found() == ["strongroom.E012"]


def test_a_sealing_key_made_by_a_trial_is_refused(safe: Settings) -> None:
    """In the data folder it protects from nobody, and by the environment it is still the one that lay there."""
    (safe.DATA / "secrets").mkdir()
    (safe.DATA / "secrets" / "strongroom_seal_key").write_text(f"{safe.SEAL_KEY}\n")
    assert found() == ["strongroom.E014"]
    with pytest.raises(ImproperlyConfigured, match="lies in the data folder, beside the keys that it seals"):
        checks.refuse_unsafe()
    safe.SEAL_KEY = "one of our own, which nobody has written there"
    assert found() == []


@pytest.mark.django_db
def test_people_of_a_trial_are_refused(safe: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when the file with their passwords was deleted, until the last of them is deactivated."""
    safe.PRODUCTION = False
    call_command("demo_accounts")
    safe.PRODUCTION = True
    (safe.DATA / "demo-accounts.json").unlink()
    check = {"tags": ["database"], "databases": ["default"], "deploy": True, "fail_level": "ERROR"}
    with pytest.raises(SystemCheckError, match=r"strongroom\.E015.* admin, approver, auditor, staff"):
        call_command("check", **check)
    User.objects.exclude(username="admin").update(is_active=False)
    with pytest.raises(SystemCheckError, match=r"can still sign in: admin\."):
        call_command("check", **check)
    User.objects.update(is_active=False)
    call_command("check", **check)
    assert "no issues" in capsys.readouterr().out


def test_a_trial_may_be_as_it_likes(safe: Settings) -> None:
    """The checks are for production."""
    safe.PRODUCTION = False
    safe.DEBUG = True
    checks.refuse_unsafe()


@pytest.mark.parametrize("address", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_localhost_may_be_plain_in_a_trial_alone(safe: Settings, address: str) -> None:
    """By each of its names; it is what PORTAL_URL is when nobody sets it."""
    safe.PORTAL_URL = address
    assert found() == ["strongroom.E016"]
    with pytest.raises(ImproperlyConfigured, match="PORTAL_URL is not https: set it"):
        checks.refuse_unsafe()
    safe.PRODUCTION = False
    checks.refuse_unsafe()


def test_a_worker_does_not_start_either(tmp_path: Path) -> None:
    """As supervisord starts it; and a refused start leaves no sealing key behind."""
    unsafe = {"STRONGROOM_PRODUCTION": "yes", "STRONGROOM_DATA": str(tmp_path), "PORTAL_URL": "https://a.example"}
    unsafe |= {"EDGE_URL": "https://a.example:8443"}
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    command = [sys.executable, "-m", "deploy.runner.worker"]
    done = subprocess.run(command, env=environment | unsafe, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "STRONGROOM_SEAL_KEY is not set" in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if "seal" in path.name] == []


@pytest.mark.django_db
def test_the_sign_ins_of_a_trial(settings: Settings, tmp_path: Path) -> None:
    """One for each role, audited, in a private file, made once."""
    settings.DATA = tmp_path
    call_command("demo_accounts")
    file = tmp_path / "demo-accounts.json"
    passwords = json.loads(file.read_text())
    assert list(passwords) == ["staff", "approver", "auditor", "admin"]
    assert file.stat().st_mode & 0o777 == 0o600
    for name, password in passwords.items():
        user = User.objects.get(username=name)
        assert user.check_password(password)
        roles = (user.is_approver, user.is_auditor, user.is_administrator)
        assert roles == (name == "approver", name == "auditor", name == "admin")
    (membership,) = Membership.objects.all()
    assert (membership.user.username, membership.subscription.name) == ("staff", "Default")
    assert AuditEvent.objects.filter(action="user:create").count() == 4
    assert not AuditEvent.objects.exclude(actor_label="demo_accounts").exists()

    file.unlink()
    call_command("demo_accounts")
    assert not file.exists()
    assert User.objects.count() == 4


@pytest.mark.django_db
def test_production_has_no_demo_accounts(safe: Settings) -> None:
    """Nobody is made."""
    call_command("demo_accounts")
    assert not User.objects.exists()
    assert not Subscription.objects.exists()
    assert list(safe.DATA.iterdir()) == []


def test_static_files_are_collected_when_they_change(settings: Settings, tmp_path: Path) -> None:
    """The first time, and then not until a source has changed; what is gone there goes here."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "page.css").write_text("body {}")
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    assert static_files.collect()
    assert not static_files.collect()
    (source / "page.css").rename(source / "other.css")
    assert static_files.collect()
    assert not (tmp_path / "static" / "page.css").exists()
    assert (tmp_path / "static" / "other.css").exists()

"""What all tests share: people, a subscription, regions, and vaults in the state that a test begins with."""

import gc
import socket
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from playwright.sync_api import expect
from pytest_django import DjangoAssertNumQueries

from agents.models import ReplacementRequest
from portal.accounts.models import Subscription, User
from tests.agents import peer
from tests.agents.factories import Issue, credential_file
from tests.browser import browser as browser  # a fixture
from tests.documented import undocumented
from tests.factories import member_of, person, vault_in
from tests.portal_process import Portal
from tests.portal_process import portal as portal  # a fixture, for all system tests
from vaults.models import Region, RetentionChange, Vault, VaultRequest

gc.set_threshold(100_000, 50, 50)  # looking through all that is loaded, again and again, took a tenth of the time

expect.set_options(timeout=30_000)  # milliseconds: pages come late on a busy machine


PAGES = ("/views/", "/portal/web/")
ALL_PAGES = "/portal/web/test_hostile_pages.py"
PARSERS = ("/agents/protocol/test_hostile", "/vaults/api/test_hostile.py", "/agents/packages/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the database: those are the ones which another database can tell something.

    On PostgreSQL most tests of single pages are `long`: what they ask is tested where it is written, and each page is
    asked there by the tests of ALL_PAGES. So is what is thrown at parsers, before any database is asked.
    """
    for item in items:
        if {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db"):
            item.add_marker("database")
        path = str(item.path)
        if connection.vendor == "postgresql" and (_is_of_one_page(path) or any(part in path for part in PARSERS)):
            item.add_marker("long")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure with a portal comes with the end of its logs, which are gone with its folder."""
    report = yield
    started = getattr(item, "funcargs", {}).get("portal")
    if report.failed and isinstance(started, Portal) and started.data.exists():
        report.sections.append(("The portal's logs", started.log()))
    return report


def _is_of_one_page(path: str) -> bool:
    return any(part in path for part in PAGES) and ALL_PAGES not in path


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Unit tests reach no socket but the database's and those of this machine's own unix sockets."""
    if "system" in request.keywords:
        yield
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and str(address[0]) not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"A unit test tried to reach {address!r}.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(autouse=True)
def no_broker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """Unit tests have no broker: what would be sent is in the list, in order."""
    sent: list[tuple[str, tuple[Any, ...]]] = []
    if "system" not in request.keywords:
        monkeypatch.setattr("portal.queue._send", lambda task, args, delay=0: sent.append((task, args)))
    return sent


@pytest.fixture(autouse=True)
def documented_refusals(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the JSON API refuses in a unit test is in its description (tests/documented.py)."""
    if "system" in request.keywords:
        return
    call = Client.request

    def checked(self: Client, **environ: Any) -> Any:
        response = call(self, **environ)
        assert not (lacks := undocumented(environ, response)), lacks
        return response

    monkeypatch.setattr(Client, "request", checked)


@pytest.fixture
def django_assert_num_queries(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> DjangoAssertNumQueries:
    """Counts what a page asks in a process that has served pages before: kinds of models are looked up once."""
    ContentType.objects.get_for_models(VaultRequest, ReplacementRequest, RetentionChange)
    return django_assert_num_queries


@pytest.fixture
def django_assert_max_num_queries(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> DjangoAssertNumQueries:
    """The same, as a bound."""
    ContentType.objects.get_for_models(VaultRequest, ReplacementRequest, RetentionChange)
    return django_assert_max_num_queries


@pytest.fixture
def subscription(db: None) -> Subscription:
    return Subscription.objects.create(name="Default")


@pytest.fixture
def staff(subscription: Subscription) -> User:
    """IT staff: a member of `subscription` and nothing else."""
    return member_of(subscription, "staff")


@pytest.fixture
def approver(db: None) -> User:
    return person("approver", is_approver=True)


@pytest.fixture
def auditor(db: None) -> User:
    return person("auditor", is_auditor=True)


@pytest.fixture
def administrator(db: None) -> User:
    return person("admin", is_administrator=True)


@pytest.fixture
def outsider(db: None) -> User:
    """IT staff of another subscription."""
    return member_of(Subscription.objects.create(name="Elsewhere"), "outsider")


@pytest.fixture
def regions(db: None) -> tuple[Region, Region]:
    """`Local A` and `Local B`."""
    return (
        Region.objects.get_or_create(slug="local-a", defaults={"name": "Local A"})[0],
        Region.objects.get_or_create(slug="local-b", defaults={"name": "Local B"})[0],
    )


@pytest.fixture
def make_vault(subscription: Subscription, regions: tuple[Region, Region]) -> Callable[..., Vault]:
    """Makes vaults of `subscription` in `Local A`, unless told otherwise, as `vault_in` does."""

    def make(name: str = "Payroll", **columns: Any) -> Vault:
        return vault_in(**{"subscription": subscription, "region": regions[0], "name": name, **columns})

    return make


@pytest.fixture
def vault(make_vault: Callable[..., Vault]) -> Vault:
    """An Active, geo-redundant vault named Payroll, without machines."""
    return make_vault()


@pytest.fixture
def issue(vault: Vault, staff: User) -> Issue:
    """Issues a credential for `vault`: the document of its file."""
    return lambda machines=1: credential_file(vault, staff, machines)


@pytest.fixture
def machine(issue: Issue) -> peer.Machine:
    """A machine that has just registered."""
    machine = peer.Machine()
    assert peer.register(issue(), machine).status_code == 201
    return machine

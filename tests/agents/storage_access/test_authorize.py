"""What the edge is told: 204, 403, 503, 507; by default no."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.machines import revoke
from agents.models import Machine, MachineCertificate
from agents.storage_access import restic_paths
from portal.accounts.models import User
from tests.agents import peer
from tests.agents.peer import register, say
from tests.agents.storage_access.edge import HASH, Edge, decimal, folder
from tests.factories import as_actor
from vaults.models import Credential, PairedCopy, Region, Vault
from vaults.states import VaultState

NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def edge(machine: peer.Machine) -> Edge:
    """A connection of `machine`."""
    return Edge.showing(str(machine.answer["certificate"]))


ALLOWED = [
    ("POST", "?create=true"),
    *[(method, "config") for method in ("GET", "HEAD", "POST")],
    *[(method, f"{kind}/") for kind in ("data", "index", "keys", "locks", "snapshots") for method in ("GET", "HEAD")],
    *[
        (method, f"{kind}/{HASH}")
        for kind in ("data", "index", "keys", "locks", "snapshots")
        for method in ("GET", "HEAD", "POST")
    ],
    *[("DELETE", f"{kind}/{HASH}") for kind in ("data", "index", "locks", "snapshots")],
]


@pytest.mark.parametrize(("method", "rest"), ALLOWED)
def test_restics_requests_to_its_own_folder_pass(edge: Edge, machine: peer.Machine, method: str, rest: str) -> None:
    assert edge.ask(folder(machine) + rest, method) == 204


REFUSED = [
    ("DELETE", f"keys/{HASH}"),
    *[("DELETE", path) for path in ("index/", f"index/{HASH}/", f"index/{HASH}?x", f"index//{HASH}", f"INDEX/{HASH}")],
    *[(method, "config") for method in ("DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "")],
    *[(method, f"data/{HASH}") for method in ("PUT", "PATCH", "MOVE", "COPY", "GET ", "POST\n")],
    *[("POST", kind) for kind in ("data/", "locks/", "")],
    ("DELETE", ""),
    ("DELETE", "locks/"),
    ("GET", ""),
    ("GET", "?create=true"),
    ("HEAD", "?create=true"),
    *[
        ("POST", query)
        for query in ("?create=True", "?create=true&x=1", "?create=true#", "?x=1&create=true", "??create=true")
    ],
    *[
        ("GET", path)
        for path in (
            "config?",
            "config?x=1",
            "config/",
            "config#",
            "config\n",
            "config%0a",
            "Config",
            "/config",
            "./config",
            "../config",
            "x/../config",
            "%2e%2e/config",
            "..%2fconfig",
            "..\\config",
            "data",
            "data//",
            f"data//{HASH}",
            f"data/{HASH}/",
            f"data/{HASH}?x",
            f"data/{HASH[:-1]}",
            f"data/{HASH}0",
            f"data/{HASH.upper()}",
            f"data/{HASH[:2]}/{HASH}",
            f"data/{HASH[:-1]}\u0661",
            f"data/{HASH[:-1]}g",
            f"data/../keys/{HASH}",
            f"data/.{HASH[1:]}",
            f"data/\uff0e\uff0e/{HASH}",
            f"other/{HASH}",
            f"data/{HASH} ",
            f"data/{HASH}\x00",
            f"data/{HASH};x",
        )
    ],
]


@pytest.mark.parametrize(("method", "rest"), REFUSED)
def test_all_else_in_its_own_folder_does_not(method: str, rest: str) -> None:
    own = f"/local-a/{uuid.uuid4()}/{uuid.uuid4()}/"
    assert restic_paths.parse(method, own + rest) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda uri: uri[1:],
        lambda uri: "/" + uri,
        lambda uri: "http://localhost" + uri,
        lambda uri: uri.replace("/local-a/", "/"),
        lambda uri: uri.replace("/local-a/", "//local-a/"),
        lambda uri: uri.replace("/local-a/", "/./local-a/"),
        lambda uri: uri.replace("/local-a/", "/local-b/../local-a/"),
        lambda uri: uri.replace("/local-a/", "/Local-A/"),
        lambda uri: uri.replace("/local-a/", "/local%2da/"),
        lambda uri: uri.replace("/local-a/", "/local-c/"),
        lambda uri: uri.replace("/local-a/", "/" + "a" * 33 + "/"),
        lambda uri: uri.replace("/config", "//config"),
        lambda uri: uri.upper(),
        lambda uri: uri.replace("-", "", 5).replace("locala", "local-a"),
        lambda uri: "",
        lambda uri: "/",
        lambda uri: "/local-a/",
        lambda uri: "*",
    ],
)
def test_other_spellings_of_the_way_there_do_not_pass(
    edge: Edge, machine: peer.Machine, change: Callable[[str], str]
) -> None:
    assert edge.ask(folder(machine) + "config") == 204
    assert edge.ask(change(folder(machine) + "config")) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Edge-Secret": ""},
        {"X-Edge-Secret": "wrong"},
        {"X-Edge-Secret": "\u00fc"},
        {"X-Client-Serial": "<nil>", "X-Client-Fingerprint": NOTHING},
        {"X-Client-Serial": "", "X-Client-Fingerprint": ""},
        {"X-Client-Serial": "0"},
        {"X-Client-Serial": "1" * 5000},
        {"X-Client-Serial": "\u0661"},
        {"X-Client-Serial": "-1"},
        {"X-Client-Fingerprint": NOTHING},
        {"X-Client-Fingerprint": ""},
    ],
)
def test_without_secret_or_certificate_nobody_passes(
    edge: Edge, machine: peer.Machine, headers: dict[str, str]
) -> None:
    assert edge.ask(folder(machine) + "config", **headers) == 403


def test_secret_is_asked_for_before_anything_else(django_assert_num_queries: DjangoAssertNumQueries, db: None) -> None:
    with django_assert_num_queries(0):
        assert Edge("1", HASH).ask("/", **{"X-Edge-Secret": "wrong"}) == 403


def test_it_is_asked_by_get_only(edge: Edge) -> None:
    with override_settings(ROOT_URLCONF="agents.gate_urls"):
        assert Client().post("/gateway/authorize").status_code == 405
        assert Client().get("/gateway/transfers").status_code == 405


def test_the_site_itself_does_not_answer_the_edge() -> None:
    """The gate does, whose threads nobody else can take."""
    for path in ("/gateway/authorize", "/gateway/transfers"):
        assert Client().get(path).status_code == 404


def test_answer_costs_one_query(
    edge: Edge, machine: peer.Machine, copied: PairedCopy, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert edge.ask(folder(machine) + f"data/{HASH}", "POST") == 204


def test_credentials_certificate_reaches_nothing(
    issue: Callable[..., dict[str, object]], machine: peer.Machine
) -> None:
    assert Edge.showing(str(issue()["certificate"])).ask(folder(machine) + "config") == 403


def test_neighbours_reach_nothing(
    issue: Callable[..., dict[str, object]],
    machine: peer.Machine,
    make_vault: Callable[..., Vault],
) -> None:
    neighbour = peer.Machine("neighbour")
    assert register(issue(), neighbour).status_code == 201
    edge = Edge.showing(str(neighbour.answer["certificate"]))
    assert edge.ask(folder(neighbour) + "config") == 204
    assert edge.ask(folder(machine) + "config") == 403
    other = make_vault("Other")
    assert edge.ask(f"/local-a/{other.pk}/{neighbour.id}/config") == 403


def test_right_serial_with_another_fingerprint_is_refused(edge: Edge, machine: peer.Machine) -> None:
    edge.fingerprint = HASH
    assert edge.ask(folder(machine) + "config") == 403


def test_revoked_machine_is_out_at_once(edge: Edge, machine: peer.Machine, staff: User) -> None:
    uri = folder(machine) + "config"
    assert edge.ask(uri) == 204
    revoke(uuid.UUID(machine.id), actor=as_actor(staff), reason="Stolen")
    assert edge.ask(uri) == 403


def test_machine_that_has_left_is_out(edge: Edge, machine: peer.Machine) -> None:
    assert say(machine.holder, "unregister").status_code == 200
    assert edge.ask(folder(machine) + "config") == 403


@pytest.mark.parametrize(("state", "status"), [("Registered", 204), ("Ready", 204), ("Suspended", 403)])
def test_state_of_the_machine_decides(edge: Edge, machine: peer.Machine, state: str, status: int) -> None:
    Machine.objects.update(state=state)
    assert edge.ask(folder(machine) + "config") == status


@pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
def test_vault_that_is_not_active_is_closed(edge: Edge, machine: peer.Machine, state: VaultState) -> None:
    Vault.objects.update(state=state)
    assert edge.ask(folder(machine) + "config") == 403


def test_certificate_ends(edge: Edge, machine: peer.Machine) -> None:
    MachineCertificate.objects.update(not_after=timezone.now() - timedelta(seconds=1))
    assert edge.ask(folder(machine) + "config") == 403


def test_superseded_certificate_is_good_until_its_end(edge: Edge, machine: peer.Machine) -> None:
    MachineCertificate.objects.update(superseded_at=timezone.now())
    assert edge.ask(folder(machine) + "config") == 204


class TestPair:
    """The copy in the paired region."""

    READS = (("GET", "config"), ("HEAD", f"data/{HASH}"), ("GET", "snapshots/"))
    WRITES = (
        ("POST", f"data/{HASH}"),
        ("POST", f"locks/{HASH}"),
        ("DELETE", f"locks/{HASH}"),
        ("DELETE", f"index/{HASH}"),
        ("POST", "?create=true"),
    )

    def test_may_be_read_and_nothing_more(self, edge: Edge, machine: peer.Machine, copied: PairedCopy) -> None:
        pair = folder(machine, "local-b")
        assert {edge.ask(pair + rest, method) for method, rest in self.READS} == {204}
        assert {edge.ask(pair + rest, method) for method, rest in self.WRITES} == {403}

    def test_is_not_there_without_a_copy(self, edge: Edge, machine: peer.Machine) -> None:
        assert edge.ask(folder(machine, "local-b") + "config") == 403

    def test_is_not_there_for_a_locally_redundant_vault(
        self, edge: Edge, machine: peer.Machine, copied: PairedCopy
    ) -> None:
        Vault.objects.update(redundancy="local")
        assert edge.ask(folder(machine, "local-b") + "config") == 403


class TestReserve:
    """A region that is nearly full takes nothing new, but can be read."""

    @pytest.mark.parametrize(
        ("free", "total", "status"),
        [
            (10**11, 10**12, 204),
            (10**11 - 1, 10**12, 507),
            (5 * 10**9, 10**10, 204),
            (5 * 10**9 - 1, 10**10, 507),
            (0, 0, 507),
            (None, None, 204),
        ],
    )
    def test_of_a_tenth_or_five_gigabytes(
        self, edge: Edge, machine: peer.Machine, free: int | None, total: int | None, status: int
    ) -> None:
        Region.objects.update(free_bytes=free, total_bytes=total)
        assert edge.ask(folder(machine) + f"data/{HASH}", "POST") == status
        assert edge.ask(folder(machine) + "?create=true", "POST") == status

    def test_leaves_reading_and_its_locks_alone(self, edge: Edge, machine: peer.Machine) -> None:
        Region.objects.update(free_bytes=10**9, total_bytes=10**12)
        for method, rest in (("GET", f"data/{HASH}"), ("POST", f"locks/{HASH}"), ("DELETE", f"locks/{HASH}")):
            assert edge.ask(folder(machine) + rest, method) == 204

    def test_locks_end_before_the_disk_is_full(self, edge: Edge, machine: peer.Machine) -> None:
        Region.objects.update(free_bytes=10**9 - 1, total_bytes=10**12)
        asked = {
            "GET config": 204,
            f"GET data/{HASH}": 204,
            "GET locks/": 204,
            f"DELETE locks/{HASH}": 204,
            f"POST locks/{HASH}": 507,
        }
        assert {line: edge.ask(folder(machine) + line.split()[1], line.split()[0]) for line in asked} == asked


@pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
def test_database_that_does_not_answer_is_no_no(
    edge: Edge, machine: peer.Machine, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(self: CursorWrapper, sql: str, params: object = None) -> NoReturn:
        raise error("gone")

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", broken)
        assert edge.ask(folder(machine) + "config") == 503


def test_serial_survives_its_two_spellings(machine: peer.Machine) -> None:
    row = MachineCertificate.objects.get()
    assert format(int(decimal(row.serial)), "x") == row.serial
    assert not Credential.objects.filter(serial=row.serial).exists()


class TestTransfers:
    """The same question about what is under way, for many at once."""

    def test_each_is_judged_as_when_it_was_let_in(self, edge: Edge, machine: peer.Machine) -> None:
        own, pair = folder(machine), folder(machine, "local-b")
        asked = [
            ("POST", f"{own}data/{HASH}"),
            ("GET", f"{own}data/{HASH}"),
            ("GET", f"{pair}data/{HASH}"),
            ("POST", f"{own}locks/{HASH}"),
            ("POST", f"{own}data/{HASH}"),
        ]
        assert edge.ask_about(*asked).json() == [204, 204, 403, 204, 204]
        Region.objects.update(free_bytes=10**9, total_bytes=10**12)
        assert edge.ask_about(*asked).json() == [507, 204, 403, 204, 507]
        assert edge.ask_about().json() == []

    def test_none_goes_on_after_the_end(self, edge: Edge, machine: peer.Machine, staff: User) -> None:
        row = Machine.objects.get(pk=machine.id)
        revoke(row.pk, actor=as_actor(staff), reason="gone")
        own = folder(machine)
        assert edge.ask_about(("POST", f"{own}data/{HASH}"), ("GET", f"{own}config")).json() == [403, 403]

    def test_many_of_one_kind_cost_one_query(
        self, edge: Edge, machine: peer.Machine, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        own = folder(machine)
        with django_assert_num_queries(1):
            assert edge.ask_about(*[("GET", f"{own}data/{HASH}")] * 20).json() == [204] * 20

    def test_secret_is_asked_for_first(
        self, edge: Edge, machine: peer.Machine, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(0):
            answer = edge.ask_about(("GET", f"{folder(machine)}config"), **{"X-Edge-Secret": "wrong"})
        assert (answer.status_code, answer.content) == (403, b"")

    def test_when_nobody_can_tell(self, edge: Edge, machine: peer.Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(self: CursorWrapper, sql: str, params: object = None) -> NoReturn:
            raise OperationalError("gone")

        with monkeypatch.context() as patch:
            patch.setattr(CursorWrapper, "execute", broken)
            assert edge.ask_about(("GET", f"{folder(machine)}config")).status_code == 503

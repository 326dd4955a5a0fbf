"""Setup with a one-time code: against a test portal over real TLS, also against impostors and after lost answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from strongroom_agent.portal import enrolment_code
from strongroom_agent.state.home import Home

from .authority import Authority, pem_of
from .cheap_key import PASSPHRASE
from .peer import Problem
from .serving import Storage, serving
from .shown_code import CODE, PLAIN, root_of
from .world import Ran, World

pytestmark = pytest.mark.system
ANY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def coded(world: World) -> World:
    """A machine, and a portal that has shown CODE."""
    world.peer.codes[PLAIN] = b""
    return world


@pytest.fixture
def impostor(tmp_path: Path, storage: Storage) -> Iterator[World]:
    """A server with certificates of its own that names the roots of another."""
    folder = tmp_path / "impostor"
    folder.mkdir()
    with serving(Authority(), folder, storage.rclone) as peer:
        peer.codes[PLAIN] = b""
        yield World(folder, peer)


def setup(world: World, *more: str, code: str = CODE, pin: str = "", edge: str = "", typed: str = "") -> Ran:
    secret = world.root / "secret"
    secret.write_text(PASSPHRASE + "\n")
    arguments = ["setup", "--unattended", "--code", code, "--edge", edge or world.peer.url]
    arguments += ["--ca-sha256", pin or root_of(world.peer.authority), "--vault", world.peer.vault["id"]]
    arguments += ["--install-dir", str(world.root / "program"), "--cache-dir", str(world.root / "cache")]
    arguments += ["--protect", str(world.source), "--name", "hr-db-02", "--passphrase-file", str(secret)]
    arguments += ["--no-schedule", "--no-link"]
    return world.run(*arguments, *more, typed=typed)


def redeemed(world: World) -> int:
    return world.peer.requests.count(("POST", "redeem"))


def test_a_code_becomes_a_machine_that_is_proven(coded: World) -> None:
    coded.fill(2)
    ran = setup(coded)
    assert (ran.status, ran.answer["code"]) == (0, "done"), ran
    assert coded.told == [("backup", "succeeded"), ("restore_check", "succeeded")]
    left = {path.name for path in coded.home.rglob("*")}
    assert not left & {enrolment_code.FILE, "code.json"}
    again = setup(coded, code="-", typed="")
    assert (again.status, again.answer["code"]) == (0, "done_already")
    assert "nothing was changed, and no code was used" in again.answer["message"]
    assert (redeemed(coded), len(coded.told)) == (1, 2)


def test_with_a_file_and_once_a_second_run_changes_nothing(coded: World) -> None:
    coded.fill(2)
    assert coded.setup("--once").status == 0
    before = {path: path.stat().st_mtime_ns for path in coded.home.rglob("*") if path.name != "lock"}
    ran = coded.setup("--once")
    assert (ran.status, ran.answer["code"], len(coded.told)) == (0, "done_already", 2)
    assert {path: path.stat().st_mtime_ns for path in coded.home.rglob("*") if path.name != "lock"} == before


def test_a_machine_of_another_vault_is_refused_and_the_code_stays(coded: World) -> None:
    coded.fill(2)
    assert setup(coded).status == 0
    coded.peer.codes["0" * 12] = b""
    coded.peer.vault = {**coded.peer.vault, "id": ANY}
    ran = setup(coded, code="0000-0000-0000")
    assert (ran.status, ran.answer["code"]) == (1, "already_registered")
    assert "strongroom-agent unregister first" in ran.answer["remedy"]
    assert coded.peer.codes["0" * 12] == b""


def test_the_code_is_typed_or_piped(coded: World) -> None:
    coded.fill(2)
    assert setup(coded, code="-", typed=" 7k3m 9qxt-2vfd\n").status == 0


def test_letters_that_look_like_digits() -> None:
    assert enrolment_code.normal("oil0-0000-000z\n") == "01100000000Z"


@pytest.mark.parametrize("text", ["", "7K3M", "7K3M-9QXT-2VFU", "7K3M-9QXT-2VFDD", "ÄÄÄÄ-9QXT-2VFD"])
def test_what_is_no_code_is_not_sent(coded: World, text: str) -> None:
    ran = setup(coded, code="-", typed=text)
    assert (ran.status, ran.answer["code"]) == (2, "usage")
    assert "twelve letters and digits" in ran.answer["message"]
    assert redeemed(coded) == 0


@pytest.mark.parametrize(
    "given",
    [
        ["--code", CODE],
        ["--code", CODE, "--edge", "https://x", "--vault", ANY],
        ["--code", CODE, "--edge", "http://x", "--ca-sha256", "0" * 64, "--vault", ANY],
        ["--code", CODE, "--edge", "https://x/y", "--ca-sha256", "0" * 64, "--vault", ANY],
        ["--code", CODE, "--edge", "https://x", "--ca-sha256", "0" * 63, "--vault", ANY],
        ["--code", CODE, "--edge", "https://x", "--ca-sha256", "0" * 64, "--vault", "Payroll"],
        ["--code", CODE, "--credentials", "x"],
        ["--credentials", "x", "--edge", "https://x"],
    ],
)  # fmt: skip
def test_wrong_lines(world: World, given: list[str]) -> None:
    rest = ["--install-dir", "p", "--cache-dir", "c", "--protect", "s", "--passphrase-file", "f"]
    ran = world.run("setup", "--unattended", *given, *rest)
    assert (ran.status, ran.answer["code"]) == (2, "usage"), ran


def test_after_a_lost_answer_the_same_key_is_sent(coded: World) -> None:
    coded.fill(2)
    coded.peer.faults.lost_answers = {"redeem"}
    assert setup(coded).status == 0
    assert redeemed(coded) == 2


def test_an_interrupted_setup_goes_on_without_a_code(coded: World) -> None:
    coded.fill(2)
    coded.peer.faults.storage["local-a"] = 507
    assert setup(coded).answer["code"] == "quota_full"
    coded.peer.faults.storage.clear()
    ran = setup(coded, code="-", typed="")
    assert (ran.status, redeemed(coded), len(coded.peer.machines)) == (0, 1, 1), ran


@pytest.mark.parametrize("code", ["code_ended", "code_expired", "code_invalid", "code_issuer_left", "code_used"])
def test_refusals_are_told_in_the_portals_words(coded: World, code: str) -> None:
    coded.peer.faults.refuse["redeem"] = Problem(code, "The portal says no.", "Show another.")
    ran = setup(coded)
    assert (ran.status, ran.answer["code"], ran.answer["message"]) == (3, code, "The portal says no. Show another.")
    assert not coded.peer.machines


def test_a_code_is_not_written_down(coded: World) -> None:
    coded.peer.faults.refuse["redeem"] = Problem("code_expired")
    ran = setup(coded)
    kept = "".join(path.read_text(errors="replace") for path in coded.home.rglob("*") if path.is_file())
    for text in (CODE, PLAIN):
        assert text not in kept + ran.progress + str(ran.answer)


class TestTrust:
    """No code is sent to a server that is not under the root that the line names."""

    def test_another_root(self, coded: World) -> None:
        ran = setup(coded, pin="0" * 64)
        assert (ran.status, ran.answer["code"]) == (1, "edge_untrusted")
        assert "No code was sent." in ran.answer["message"]
        assert redeemed(coded) == 0

    def test_an_impostor_that_names_the_right_root(self, coded: World, impostor: World) -> None:
        """It has the root's certificate, as everybody may, and no key under it."""
        impostor.peer.named_roots = coded.peer.authority.roots
        ran = setup(coded, edge=impostor.peer.url)
        assert (ran.status, ran.answer["code"]) == (4, "network"), ran
        assert "certificate verify failed" in ran.answer["message"]
        assert redeemed(impostor) == 0

    def test_several_roots_as_during_a_rotation(self, coded: World) -> None:
        coded.fill(2)
        coded.peer.named_roots = Authority().roots + coded.peer.authority.roots
        assert setup(coded).status == 0

    @pytest.mark.parametrize(
        "named", ["", "x" * 70_000, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_nonsense_instead_of_roots(self, coded: World, named: str) -> None:
        coded.peer.named_roots = named
        ran = setup(coded)
        assert (ran.status, ran.answer["code"]) in {(1, "edge_untrusted"), (4, "network")}
        assert redeemed(coded) == 0

    def test_another_host_under_the_same_root(self, coded: World) -> None:
        """The certificate is for 127.0.0.1; localhost is the same server under another name."""
        ran = setup(coded, edge=coded.peer.url.replace("127.0.0.1", "localhost"))
        assert (ran.status, ran.answer["code"]) == (4, "network")
        assert "match" in ran.answer["message"]
        assert redeemed(coded) == 0

    @pytest.mark.parametrize("what", ["a client's certificate", "an old one"])
    def test_other_certificates_under_the_same_root(self, coded: World, tmp_path: Path, what: str) -> None:
        with mock.patch.object(type(coded.peer.authority), "edge", _client if what[0:8] == "a client" else _old):
            folder = tmp_path / "other"
            folder.mkdir()
            with serving(coded.peer.authority, folder, coded.peer.rclone) as other:
                other.codes[PLAIN] = b""
                ran = setup(coded, edge=other.url)
        assert ran.status in {3, 4}, ran
        assert ran.answer["code"] in {"network", "clock_skew"}
        assert ("POST", "redeem") not in other.requests

    def test_a_credential_for_other_roots(self, coded: World) -> None:
        answer = coded.peer.redeem

        def forged(body: bytes) -> tuple[int, dict[str, object]]:
            status, document = answer(body)
            return status, {**document, "ca_certificates": Authority().roots}

        with mock.patch.object(coded.peer, "redeem", forged):
            ran = setup(coded)
        assert ran.answer["code"] == "edge_untrusted"
        assert not coded.peer.machines
        assert not Home(coded.home).path(enrolment_code.FILE).exists()


def _client(self: Authority) -> str:
    return _edge_with(self, use="client")


def _old(self: Authority) -> str:
    return _edge_with(self, use="old")


def _edge_with(authority: Authority, use: str) -> str:
    key, san = ec.generate_private_key(ec.SECP256R1()), x509.IPAddress(ip_address("127.0.0.1"))
    if use == "client":
        return authority.edges.issue(key.public_key(), san, Usage.CLIENT_AUTH) + pem_of(key)
    long_ago = datetime.now(UTC) - timedelta(days=20)
    return authority.edges.issue(key.public_key(), san, Usage.SERVER_AUTH, now=long_ago) + pem_of(key)

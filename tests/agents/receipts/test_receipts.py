"""Receipts: taken with the report of their run, from the machine whose run it is, and never for anything else."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, MachineCertificate, Receipt, Run
from agents.receipts.receipts import FORMAT, TYPE
from portal.accounts.models import User
from portal.core.digests import canonical
from portal.core.times import rfc3339
from portal.pki import authorities
from portal.pki.crypto import issuing, keys
from portal.pki.crypto.certificates import Kind, Profile, pem
from tests.agents import peer
from tests.agents.factories import run_of as run_row
from tests.agents.hostile import at_least, changed_bytes
from tests.agents.peer import refused, report, run_of
from vaults.models import Vault

CHECKED: dict[str, Any] = {
    "compared": 10,
    "compared_bytes": 1000,
    "proven": 10,
    "total": 10,
    "changed": 0,
    "mismatched": 0,
}
Content = dict[str, Any]


@pytest.fixture
def told() -> Content:
    """The report of a restore check."""
    return run_of("restore_check", code="done", snapshot="ab" * 32, **CHECKED)


def content(machine: peer.Machine, told: Content, /, **changes: object) -> Content:
    """What an honest receipt says of this report."""
    words = ("run", "kind", "outcome", "code", "snapshot", "started_at", "finished_at")
    return {
        "format": FORMAT,
        "machine": {"id": machine.id, "name": machine.name},
        "vault": {name: machine.answer["vault"][name] for name in ("id", "name")},
        "region": "Local A",
        **{word: told.get(word, "") for word in words},
        "figures": {name: value for name, value in told.items() if type(value) is int},
        "proven": {"files": 10, "bytes": 1000, "sha256": "cd" * 32},
        "lately_days": 30,
        "agent_version": "1.0.0",
        "engine_version": "0.18.1",
        "portal_time": None,
        **changes,
    }


def signed(holder: peer.Holder, said: Content, **header: object) -> str:
    """The receipt as the holder signs it."""
    return holder.sign(canonical(said), {**holder.header(), "typ": TYPE, **header}).decode()


def receipt_of(machine: peer.Machine, told: Content, /, **changes: object) -> str:
    return signed(machine.holder, content(machine, told, **changes))


def wrong(machine: peer.Machine, told: Content, receipt: object) -> str:
    """Why the report with this receipt is refused; nothing of it was stored."""
    problem = refused(report(machine, {**told, "receipt": receipt}), 422, "invalid")
    assert list(problem["errors"]) == ["receipt"]
    assert not Run.objects.exists()
    assert not Receipt.objects.exists()
    return str(problem["errors"]["receipt"][0])


@pytest.fixture
def other(issue: Callable[..., dict[str, object]]) -> peer.Machine:
    """Another machine of the same vault."""
    machine = peer.Machine(name="other")
    assert peer.register(issue(), machine).status_code == 201
    return machine


class TestTaken:
    def test_it_is_stored_as_it_came_and_once(self, machine: peer.Machine, told: Content) -> None:
        receipt = receipt_of(machine, told)
        for _ in range(2):
            assert report(machine, {**told, "receipt": receipt}).status_code == 200
        stored = Receipt.objects.get()
        assert (str(stored.run_id), stored.compact, stored.signer) == (told["run"], receipt, "newest")

    @pytest.mark.parametrize("kind", ["backup", "check"])
    def test_backups_and_checks_have_one_and_a_failed_one_too(self, machine: peer.Machine, kind: str) -> None:
        told = run_of(kind, outcome="failed", code="network")
        assert report(machine, {**told, "receipt": receipt_of(machine, told)}).status_code == 200
        assert Receipt.objects.get().run.kind == kind

    def test_a_report_needs_none(self, machine: peer.Machine, told: Content) -> None:
        assert report(machine, {**told, "receipt": None}).status_code == 200
        assert report(machine, run_of()).status_code == 200
        assert not Receipt.objects.exists()

    def test_one_that_waited_while_the_certificate_was_renewed(self, machine: peer.Machine, told: Content) -> None:
        receipt = receipt_of(machine, told)
        key = keys.new_key()
        answer = peer.renew(machine.holder, key)
        assert answer.status_code == 200
        machine.key, machine.answer = key, {**machine.answer, **answer.json()}
        assert report(machine, {**told, "receipt": receipt}).status_code == 200
        assert Receipt.objects.get().signer == "earlier"

    def test_one_by_a_revoked_certificate_is_kept_as_what_it_is(
        self, client: Client, machine: peer.Machine, told: Content, staff: User
    ) -> None:
        receipt = receipt_of(machine, told)
        key = keys.new_key()
        answer = peer.renew(machine.holder, key)
        machine.key, machine.answer = key, {**machine.answer, **answer.json()}
        first = MachineCertificate.objects.order_by("pk").first()
        assert first
        MachineCertificate.objects.filter(pk=first.pk).update(revoked_at=timezone.now())
        assert report(machine, {**told, "receipt": receipt}).status_code == 200
        assert Receipt.objects.get().signer == "revoked"
        client.force_login(staff)
        assert "Revoked since" in client.get(f"/machines/{machine.id}/").content.decode()


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"run": str(uuid4())}, "run"),
            ({"kind": "check"}, "kind"),
            ({"outcome": "failed"}, "outcome"),
            ({"code": ""}, "code"),
            ({"snapshot": "ef" * 32}, "snapshot"),
            ({"started_at": rfc3339(timezone.now() - timedelta(days=1))}, "started_at"),
            ({"finished_at": "2026-01-01T00:00:00.000000Z"}, "finished_at"),
            ({"figures": {**CHECKED, "proven": 11}}, "proven"),
            ({"figures": {**CHECKED, "lately": 11}}, "lately"),
            ({"figures": {}}, "compared, compared_bytes, proven, total, changed, mismatched"),
            ({"figures": None}, "compared, compared_bytes, proven, total, changed, mismatched"),
        ],
    )
    def test_it_says_something_else_than_the_report(
        self, machine: peer.Machine, told: Content, changes: Content, what: str
    ) -> None:
        why = wrong(machine, told, receipt_of(machine, told, **changes))
        assert why.startswith("It does not say the same as the report: ")
        assert sorted(why.removeprefix("It does not say the same as the report: ").rstrip(".").split(", ")) == sorted(
            what.split(", ")
        )

    @pytest.mark.parametrize("changes", [{"machine": {"id": str(uuid4())}}, {"vault": {}}, {"machine": "x"}])
    def test_it_is_about_another_machine_or_vault(self, machine: peer.Machine, told: Content, changes: Content) -> None:
        assert wrong(machine, told, receipt_of(machine, told, **changes)) == "It is about another machine or vault."

    def test_another_key_has_signed_it(self, machine: peer.Machine, told: Content) -> None:
        thief = peer.Holder(keys.new_key(), machine.holder.chain)
        why = wrong(machine, told, signed(thief, content(machine, told)))
        assert why == "Its signature does not fit its certificate."

    def test_another_machine_has_signed_it(self, machine: peer.Machine, other: peer.Machine, told: Content) -> None:
        assert (
            wrong(machine, told, signed(other.holder, content(machine, told))) == "It was not signed by this machine."
        )

    def test_the_credential_has_signed_it(
        self, machine: peer.Machine, told: Content, issue: Callable[..., dict[str, object]]
    ) -> None:
        holder = peer.Holder.of(issue())
        assert wrong(machine, told, signed(holder, content(machine, told))) == "It was not signed by this machine."

    def test_a_certificate_by_our_key_of_which_there_is_no_row(self, machine: peer.Machine, told: Content) -> None:
        key, now = keys.new_key(), timezone.now()
        profile = Profile(Kind.MACHINE, Machine.objects.get().pk)
        authority = authorities.client_authority()
        leaf = issuing.issue_client(
            authority, key.public_key(), profile, at=now.replace(microsecond=0), until=now + timedelta(days=7)
        )
        holder = peer.Holder(key, pem(leaf, authority.certificate))
        why = wrong(machine, told, signed(holder, content(machine, told)))
        assert why == "It was not signed by a certificate that this machine has, or had lately."

    def test_a_request_is_no_receipt_and_a_receipt_no_request(self, machine: peer.Machine, told: Content) -> None:
        """Whoever has read one can send it nowhere as the other."""
        plain = machine.holder.sign(canonical(content(machine, told))).decode()
        assert wrong(machine, told, plain).startswith("Its header is not exactly alg (ES256), typ (")
        request = machine.holder.sign(json.dumps(machine.holder.payload("runs", **told)).encode()).decode()
        assert wrong(machine, told, request).startswith("Its header is not exactly")
        for what in ("runs", "heartbeat", "renew", "unregister", "retain", "register"):
            payload = canonical({**machine.holder.payload(what, **told), "agent_version": "1", "engine_version": "1"})
            sealed = machine.holder.sign(payload, {**machine.holder.header(), "typ": TYPE})
            assert peer.send(what, sealed).status_code in {400, 403}
        assert not Run.objects.exists()
        assert Machine.objects.get().state == "Registered"

    @pytest.mark.parametrize("typ", ["", "JWT", TYPE.upper(), None, ["strongroom-receipt+jws"]])
    def test_another_typ(self, machine: peer.Machine, told: Content, typ: object) -> None:
        why = wrong(machine, told, signed(machine.holder, content(machine, told), typ=typ))
        assert why.startswith("Its header is not exactly")

    @pytest.mark.parametrize("more", [{"jku": "https://x"}, {"crit": []}, {"kid": "1"}, {"alg": "none"}])
    def test_more_in_its_header(self, machine: peer.Machine, told: Content, more: Content) -> None:
        why = wrong(machine, told, signed(machine.holder, content(machine, told), **more))
        assert why.startswith("Its header is not exactly")

    def test_a_spelling_that_is_not_canonical(self, machine: peer.Machine, told: Content) -> None:
        header = {**machine.holder.header(), "typ": TYPE}
        spelled = machine.holder.sign(json.dumps(content(machine, told)).encode(), header).decode()
        assert wrong(machine, told, spelled) == "It is not a receipt in canonical JSON."
        assert wrong(machine, told, receipt_of(machine, told, format="x")) == "It is not a receipt in canonical JSON."

    def test_one_that_is_too_large(self, machine: peer.Machine, told: Content) -> None:
        large = receipt_of(machine, told, padding="x" * 16_000)
        assert "16384" in wrong(machine, told, large)

    @pytest.mark.parametrize("junk", ["", ".", "a.b.c", "é", 7, {}, ["x"], True])
    def test_junk(self, machine: peer.Machine, told: Content, junk: object) -> None:
        assert wrong(machine, told, junk)

    @pytest.mark.parametrize("kind", ["restore", "repair", "retain"])
    def test_runs_that_have_none(self, machine: peer.Machine, kind: str) -> None:
        told = run_of(kind)
        assert wrong(machine, told, receipt_of(machine, told)) == "Runs of this kind have none."

    @at_least(100)
    @given(st.data())
    def test_a_change_in_transit(self, machine: peer.Machine, data: st.DataObject) -> None:
        told = run_of("restore_check", code="done", **CHECKED)
        receipt = receipt_of(machine, told)
        changed = changed_bytes(data, receipt.encode()).decode("latin-1").replace("\0", "x")
        if changed != receipt:
            assert wrong(machine, told, changed)


class TestGivenOut:
    @pytest.fixture
    def stored(self, machine: peer.Machine, told: Content) -> str:
        """The receipt of the run `told`."""
        receipt = receipt_of(machine, told)
        assert report(machine, {**told, "receipt": receipt}).status_code == 200
        return receipt

    def test_as_a_file_that_is_what_the_machine_signed(
        self, client: Client, machine: peer.Machine, told: Content, stored: str, auditor: User
    ) -> None:
        client.force_login(auditor)
        answer = client.get(f"/machines/{machine.id}/receipts/{told['run']}/")
        assert (answer.status_code, answer.content.decode()) == (200, stored + "\n")
        assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("application/jose", "nosniff")
        at = Run.objects.get().finished_at.strftime("%Y-%m-%dT%H%M%SZ")
        assert answer["Content-Disposition"] == f'attachment; filename="receipt_hr-db-02_restore_check_{at}.jws"'

    def test_to_nobody_who_may_not_see_the_machine(
        self, client: Client, machine: peer.Machine, other: peer.Machine, told: Content, stored: str, outsider: User
    ) -> None:
        path = f"/machines/{machine.id}/receipts/{told['run']}/"
        assert client.get(path).status_code == 302
        client.force_login(outsider)
        assert client.get(path).status_code == 404
        assert stored not in client.get(path).content.decode()

    def test_of_this_machine_alone_and_where_there_is_one(
        self, client: Client, machine: peer.Machine, other: peer.Machine, told: Content, stored: str, staff: User
    ) -> None:
        client.force_login(staff)
        bare = run_of()
        assert report(machine, bare).status_code == 200
        assert client.get(f"/machines/{other.id}/receipts/{told['run']}/").status_code == 404
        assert client.get(f"/machines/{machine.id}/receipts/{bare['run']}/").status_code == 404
        assert client.get(f"/machines/{machine.id}/receipts/{uuid4()}/").status_code == 404
        assert client.post(f"/machines/{machine.id}/receipts/{told['run']}/").status_code == 405

    def test_the_page_lists_them_in_as_many_queries_however_many_there_are(
        self,
        client: Client,
        machine: peer.Machine,
        vault: Vault,
        staff: User,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        client.force_login(staff)
        row = Machine.objects.get()
        for number in range(120):
            run = run_row(row, ago=timedelta(minutes=number))
            if number % 2:
                Receipt.objects.create(run=run, compact="x", signer="newest")
        with django_assert_max_num_queries(17):
            first = client.get(f"/machines/{machine.id}/").content.decode()
        shown = first.count(f'href="/machines/{machine.id}/receipts/')
        assert shown == first.count('scope="row" class="run"') // 2
        assert shown > 10
        assert "after=" in first

    def test_it_goes_when_its_run_goes(self, stored: str) -> None:
        Run.objects.all().delete()
        assert not Receipt.objects.exists()

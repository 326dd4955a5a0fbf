"""Locking a machine out, its signs of life, and its leaving; by JSON too."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.machines import revoke, shown
from agents.models import Machine, MachineCertificate, SpentToken
from agents.protocol import spent_tokens
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.errors import ContentChanged, Invalid, NotAllowed, NotFound, StaleState
from portal.pki.crypto import keys
from tests.agents import peer
from tests.agents.peer import refused, register, say
from tests.agents.replacing import agreed, file_for
from tests.factories import as_actor
from vaults.models import Vault


class TestRevoke:
    def test_outsiders_find_nothing_and_onlookers_may_not(
        self, machine: peer.Machine, outsider: User, approver: User, auditor: User
    ) -> None:
        with pytest.raises(NotFound):
            revoke(UUID(machine.id), actor=as_actor(outsider), reason="Stolen")
        for person in (approver, auditor):
            with pytest.raises(NotAllowed):
                revoke(UUID(machine.id), actor=as_actor(person), reason="Stolen")
        assert Machine.objects.get().state == "Registered"

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\0b"])
    def test_it_takes_a_reason_that_can_be_stored(self, machine: peer.Machine, staff: User, reason: str) -> None:
        with pytest.raises(Invalid):
            revoke(UUID(machine.id), actor=as_actor(staff), reason=reason)

    def test_it_takes_certificates_and_place_away(self, machine: peer.Machine, staff: User, vault: Vault) -> None:
        revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen")
        row = Machine.objects.get()
        assert (row.state, row.state_reason) == ("Revoked", "Stolen")
        assert not MachineCertificate.objects.filter(revoked_at=None).exists()
        vault.refresh_from_db()
        assert (vault.machine_count, vault.redundancy_locked) == (0, True)
        entry = AuditEvent.objects.get(action="machine:revoke")
        assert (entry.actor, entry.detail) == (staff, {"from": "Registered", "to": "Revoked", "reason": "Stolen"})

    def test_it_happens_once(self, machine: peer.Machine, staff: User, vault: Vault) -> None:
        revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen")
        with pytest.raises(StaleState):
            revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen")
        vault.refresh_from_db()
        assert vault.machine_count == 0

    def test_it_means_the_computer_that_was_shown(self, machine: peer.Machine, staff: User, approver: User) -> None:
        """A page from before a replacement does not lock out the computer that has come since."""
        tag = shown(Machine.objects.get())
        document = file_for(staff, agreed(staff, approver, machine.id))
        assert register(document, peer.Machine()).status_code == 201
        with pytest.raises(ContentChanged, match="Another computer has taken the place of hr-db-02"):
            revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen", expected=tag)
        assert Machine.objects.get().state == "Registered"
        revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen", expected=shown(Machine.objects.get()))

    @pytest.mark.parametrize("what", ["heartbeat", "runs", "renew", "unregister"])
    def test_the_machine_is_told(self, machine: peer.Machine, staff: User, what: str) -> None:
        revoke(UUID(machine.id), actor=as_actor(staff), reason="Stolen")
        refused(say(machine.holder, what), 403, "not_allowed", begins="hr-db-02 is Revoked.")


class TestHeartbeat:
    VERSIONS = {"agent_version": "1.2.0", "engine_version": "0.18.1"}

    def test_it_is_noted(self, machine: peer.Machine) -> None:
        response = say(machine.holder, "heartbeat", **self.VERSIONS)
        assert response.json() == {"ok": True, "state": "Registered", "renew": False, "damaged": False}
        row = Machine.objects.get()
        assert (row.agent_version, row.platform) == ("1.2.0", {**peer.PLATFORM, "engine": "0.18.1"})
        assert row.last_seen_at is not None
        assert timezone.now() - row.last_seen_at < timedelta(minutes=1)

    def test_it_says_when_to_renew(self, machine: peer.Machine) -> None:
        MachineCertificate.objects.update(not_after=timezone.now() + timedelta(days=5, hours=23))
        assert say(machine.holder, "heartbeat", **self.VERSIONS).json()["renew"] is True

    def test_expired_certificate_is_told_to_renew(self, machine: peer.Machine) -> None:
        MachineCertificate.objects.update(not_after=timezone.now() - timedelta(days=1))
        refused(say(machine.holder, "heartbeat", **self.VERSIONS), 403, "not_allowed", holds="strongroom-agent renew")

    def test_certificate_that_was_renewed_gives_no_sign_of_life(self, machine: peer.Machine) -> None:
        MachineCertificate.objects.update(superseded_at=timezone.now())
        refused(say(machine.holder, "heartbeat", **self.VERSIONS), 403, "not_allowed", holds="was renewed at")

    def test_fields_are_checked(self, machine: peer.Machine) -> None:
        problem = refused(say(machine.holder, "heartbeat", agent_version=1), 422, "invalid")
        assert problem["errors"].keys() == {"agent_version", "engine_version"}

    def test_credential_is_no_machine(self, issue: Callable[..., dict[str, object]]) -> None:
        refused(say(peer.Holder.of(issue()), "heartbeat", **self.VERSIONS), 403, "not_allowed")


class TestUnregister:
    def test_it_leaves_and_may_say_so_again(self, machine: peer.Machine, vault: Vault) -> None:
        for _ in range(2):
            response = say(machine.holder, "unregister")
            assert (response.status_code, response.json()) == (200, {"ok": True})
        vault.refresh_from_db()
        assert (vault.machine_count, Machine.objects.get().state) == (0, "Unregistered")
        assert not MachineCertificate.objects.filter(revoked_at=None).exists()
        assert AuditEvent.objects.filter(action="machine:unregister").count() == 1

    @pytest.mark.parametrize(
        ("column", "holds"), [("not_after", "certificate ended at"), ("superseded_at", "certificate was renewed at")]
    )
    def test_an_old_copy_does_not_make_the_machine_leave(
        self, machine: peer.Machine, vault: Vault, column: str, holds: str
    ) -> None:
        MachineCertificate.objects.update(**{column: timezone.now() - timedelta(days=1)})
        problem = refused(say(machine.holder, "unregister"), 403, "not_allowed", holds=holds)
        assert problem["remedy"] == "Renew it: strongroom-agent renew."
        vault.refresh_from_db()
        assert (vault.machine_count, Machine.objects.get().state) == (1, "Registered")

    def test_after_a_lost_renewal_the_machine_leaves_with_what_it_gets_by_repeating_it(
        self, machine: peer.Machine
    ) -> None:
        key = keys.new_key()
        fields = {"csr": peer.request_for(key)}
        assert say(machine.holder, "renew", **fields).status_code == 200
        refused(say(machine.holder, "unregister"), 403, "not_allowed")
        chain = say(machine.holder, "renew", **fields).json()["certificate"]
        assert say(peer.Holder(key, chain), "unregister").status_code == 200
        assert Machine.objects.get().state == "Unregistered"

    def test_redundancy_stays_locked(self, machine: peer.Machine, vault: Vault) -> None:
        say(machine.holder, "unregister")
        vault.refresh_from_db()
        assert vault.redundancy_locked


class TestJson:
    def test_outsiders_find_nothing(self, client: Client, machine: peer.Machine, outsider: User, vault: Vault) -> None:
        client.force_login(outsider)
        for path in (f"vaults/{vault.pk}/machines", f"machines/{machine.id}", f"machines/{uuid4()}"):
            assert client.get(f"/api/v1/{path}").status_code == 404

    def test_strangers_are_told_to_sign_in(self, client: Client, machine: peer.Machine) -> None:
        assert client.get(f"/api/v1/machines/{machine.id}").status_code == 401

    def test_onlookers_read_and_do_not_revoke(self, client: Client, machine: peer.Machine, auditor: User) -> None:
        client.force_login(auditor)
        assert client.get(f"/api/v1/machines/{machine.id}").status_code == 200
        response = client.post(
            f"/api/v1/machines/{machine.id}/revoke", {"reason": "x"}, content_type="application/json"
        )
        assert response.status_code == 403

    def test_a_machine(self, client: Client, machine: peer.Machine, staff: User, vault: Vault) -> None:
        client.force_login(staff)
        row = Machine.objects.get()
        shown = client.get(f"/api/v1/machines/{machine.id}").json()
        assert shown["id"] == str(row.pk)
        assert {name: shown[name] for name in ("name", "vault_id", "state", "state_reason", "agent_version")} == {
            "name": "hr-db-02",
            "vault_id": str(vault.pk),
            "state": "Registered",
            "state_reason": "",
            "agent_version": "1.0.0",
        }
        assert (shown["platform"], shown["last_backup_at"]) == (peer.PLATFORM, None)

    def test_list_in_pages(
        self,
        client: Client,
        issue: Callable[..., dict[str, object]],
        staff: User,
        vault: Vault,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        document = issue(machines=3)
        for name in ("c", "a", "b"):
            register(document, peer.Machine(name))
        client.force_login(staff)
        first = client.get(f"/api/v1/vaults/{vault.pk}/machines?limit=2").json()
        with django_assert_max_num_queries(4):
            rest = client.get(f"/api/v1/vaults/{vault.pk}/machines?limit=2&after={first['next']}").json()
        assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
        assert rest["next"] is None

    def test_those_that_have_left_are_a_list_of_their_own(
        self, client: Client, issue: Callable[..., dict[str, object]], staff: User, vault: Vault
    ) -> None:
        document = issue(machines=3)
        for name in ("here", "gone", "shut-out"):
            register(document, peer.Machine(name))
        Machine.objects.filter(name="gone").update(state="Unregistered")
        Machine.objects.filter(name="shut-out").update(state="Revoked")
        client.force_login(staff)
        url = f"/api/v1/vaults/{vault.pk}/machines"
        lists = [client.get(url + query).json()["items"] for query in ("", "?show=registered", "?show=left")]
        assert [[item["name"] for item in one] for one in lists] == [["here", "shut-out"]] * 2 + [["gone"]]
        assert client.get(f"{url}?show=nonsense").status_code == 422

    def test_revoke(self, client: Client, machine: peer.Machine, staff: User) -> None:
        client.force_login(staff)
        url = f"/api/v1/machines/{machine.id}/revoke"
        assert client.post(url, {"reason": ""}, content_type="application/json").status_code == 422
        shown = client.post(url, {"reason": "Stolen"}, content_type="application/json").json()
        assert (shown["state"], shown["state_reason"]) == ("Revoked", "Stolen")
        assert client.post(url, {"reason": "Stolen"}, content_type="application/json").status_code == 409


def test_used_messages_are_forgotten_when_they_are_too_old_to_count(db: None) -> None:
    now = timezone.now()
    for number, minutes in enumerate((0, 14, 16)):
        SpentToken.objects.create(jti=str(number), at=now - timedelta(minutes=minutes))
    assert spent_tokens.forget(now) == 1
    assert list(SpentToken.objects.order_by("jti").values_list("jti", flat=True)) == ["0", "1"]

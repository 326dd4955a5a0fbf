"""Registering with a replacement credential: what it takes, what it leaves, and what it refuses."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from strongroom_agent.core.errors import AgentError
from strongroom_agent.state import departure

from agents.machines import revoke
from agents.models import Machine, MachineCertificate, ReplacementRequest, Run
from agents.replacement import replacements
from agents.states import MachineState, ReplacementState
from agents.storage_access import authorize
from portal.accounts.models import Membership, User
from portal.audit.models import AuditEvent
from portal.core.times import for_people
from portal.notifications.models import Notification
from portal.pki.crypto import certificates, keys
from tests.agents import peer
from tests.agents.factories import Issue, run_of
from tests.agents.peer import refused, register, say
from tests.agents.replacing import agreed, file_for, row
from tests.factories import as_actor
from vaults.models import Credential, Vault


@pytest.fixture
def document(staff: User, approver: User, machine: peer.Machine) -> dict[str, Any]:
    """The file with which a computer may take the place of `machine`."""
    return file_for(staff, agreed(staff, approver, machine.id))


def storage_of(machine: peer.Machine, vault: Vault, holder: peer.Machine) -> int:
    """What the edge is told when `holder` asks for the config of `machine`."""
    leaf = certificates.read_chain(str(holder.answer["certificate"]))[0]
    question = authorize.Question(
        method="GET",
        uri=f"/local-a/{vault.pk}/{machine.id}/config",
        serial=str(leaf.serial_number),
        fingerprint=certificates.fingerprint(leaf),
    )
    return authorize.decide(question, at=timezone.now())


class TestSuccess:
    def test_identity_and_folder_stay_and_the_old_certificates_die(
        self, document: dict[str, Any], machine: peer.Machine, vault: Vault
    ) -> None:
        key = keys.new_key()
        renewed = peer.Machine(key=key)
        renewed.answer = say(machine.holder, "renew", csr=peer.request_for(key)).json()
        newcomer = peer.Machine()
        assert [storage_of(machine, vault, one) for one in (machine, renewed)] == [204, 204]
        assert register(document, newcomer).status_code == 201
        assert newcomer.answer["machine"] == machine.answer["machine"]
        assert newcomer.answer["repositories"] == machine.answer["repositories"]
        assert [storage_of(machine, vault, one) for one in (machine, renewed, newcomer)] == [403, 403, 204]
        for what in ("renew", "runs", "heartbeat", "unregister"):
            told = say(machine.holder, what, csr="")
            refused(told, 403, "not_allowed", holds="This computer's place was taken by another one on ")
            assert "unregister --forget" in told.json()["remedy"]
        # The agent knows it by these words, and remembers it when it forgets its vault.
        refusal, taken_at = AgentError("not_allowed", told.json()["detail"]), row(machine.id).replaced_at
        assert taken_at is not None
        assert (departure.place_taken(refusal), departure.for_good(refusal)) == (for_people(taken_at), True)

    def test_a_machine_that_is_revoked_knows_that_it_is_for_good(self, machine: peer.Machine, staff: User) -> None:
        revoke(row(machine.id).pk, actor=as_actor(staff), reason="Lost")
        told = say(machine.holder, "heartbeat", agent_version="1", engine_version="1").json()
        refusal = AgentError("not_allowed", told["detail"])
        assert (departure.place_taken(refusal), departure.for_good(refusal)) == ("", True)

    def test_what_is_written(
        self, document: dict[str, Any], machine: peer.Machine, vault: Vault, staff: User, approver: User
    ) -> None:
        before = row(machine.id)
        assert register(document, peer.Machine("HR-DB-02"), agent_version="2.0.0").status_code == 201
        after = row(machine.id)
        credential = Credential.objects.get(purpose="replace")
        assert (after.name, after.registered_at, after.agent_version) == ("hr-db-02", before.registered_at, "2.0.0")
        assert (after.credential, credential.machines_used, before.replaced_at) == (credential, 1, None)
        assert after.replaced_at == after.last_seen_at
        asked = ReplacementRequest.objects.get()
        assert (asked.state, asked.ended_at) == (ReplacementState.USED, after.replaced_at)
        entry = AuditEvent.objects.get(action="machine:replace")
        assert (entry.actor_label, entry.vault_id) == ("machine HR-DB-02", vault.pk)
        assert entry.detail == {
            "from": "Registered",
            "to": "Registered",
            "credential": credential.serial,
            "issued_by": "staff",
        }
        told = Notification.objects.get(key=f"machine-replace:{machine.id}")
        assert told.title == 'Another computer has taken the place of machine "hr-db-02" in vault "Payroll".'
        assert not Notification.objects.filter(key__startswith="replacement").exists()

    @pytest.mark.parametrize("state", list(MachineState))
    def test_from_every_state_it_comes_back_as_registered_and_is_counted_once(
        self, staff: User, approver: User, machine: peer.Machine, vault: Vault, state: MachineState
    ) -> None:
        if state == MachineState.REVOKED:
            revoke(row(machine.id).pk, actor=as_actor(staff), reason="Stolen")
        elif state == MachineState.UNREGISTERED:
            say(machine.holder, "unregister")
        else:
            Machine.objects.update(state=state, state_reason="x")
        document = file_for(staff, agreed(staff, approver, machine.id))
        assert register(document, peer.Machine()).status_code == 201
        vault.refresh_from_db()
        after = row(machine.id)
        assert (after.state, after.state_reason, vault.machine_count) == ("Registered", "", 1)
        assert (vault.redundancy_locked, vault.redundancy_locked_by) == (True, "hr-db-02")
        assert MachineCertificate.objects.filter(revoked_at=None).count() == 1

    def test_it_has_to_prove_itself_anew(self, document: dict[str, Any], machine: peer.Machine, vault: Vault) -> None:
        earlier = timezone.now() - timedelta(days=1)
        Machine.objects.update(state="Ready", last_backup_at=earlier, last_restore_check_at=earlier)
        run_of(row(machine.id), Run.Kind.RESTORE_CHECK)
        newcomer = peer.Machine()
        register(document, newcomer)
        after = row(machine.id)
        assert (after.last_backup_at, after.last_restore_check_at, after.runs.count()) == (earlier, None, 1)
        assert _reported(newcomer, "backup") == "Registered"
        assert _reported(newcomer, "restore_check", compared=3, mismatched=0) == "Ready"

    def test_the_damage_of_its_repository_is_there_as_before(
        self, document: dict[str, Any], machine: peer.Machine
    ) -> None:
        run_of(row(machine.id), code="done_on_damaged", ago=timedelta(hours=1))
        Machine.objects.update(concern="damaged")
        register(document, newcomer := peer.Machine())
        assert row(machine.id).concern == "damaged"
        _reported(newcomer, "backup")
        assert row(machine.id).concern == "damaged"
        _reported(newcomer, "check")
        assert row(machine.id).concern == ""

    def test_what_was_wrong_with_the_old_computer_is_gone_with_it(
        self, document: dict[str, Any], machine: peer.Machine
    ) -> None:
        run_of(row(machine.id), code="done_with_losses", ago=timedelta(hours=1))
        Machine.objects.update(concern="losses")
        register(document, peer.Machine())
        assert row(machine.id).concern == ""

    def test_repeating_it_gives_the_same(self, document: dict[str, Any], machine: peer.Machine, vault: Vault) -> None:
        newcomer = peer.Machine()
        assert register(document, newcomer).status_code == 201
        first = newcomer.answer
        assert register(document, newcomer).status_code == 200
        assert newcomer.answer == first
        assert AuditEvent.objects.filter(action="machine:replace").count() == 1
        vault.refresh_from_db()
        assert vault.machine_count == 1

    def test_again_later(self, staff: User, approver: User, document: dict[str, Any], machine: peer.Machine) -> None:
        register(document, peer.Machine())
        third = peer.Machine()
        assert register(file_for(staff, agreed(staff, approver, machine.id)), third).status_code == 201
        assert third.id == machine.id
        assert ReplacementRequest.objects.filter(state=ReplacementState.USED).count() == 2

    def test_queries(self, document: dict[str, Any], django_assert_num_queries: DjangoAssertNumQueries) -> None:
        with django_assert_num_queries(44):
            assert register(document, peer.Machine()).status_code == 201


class TestRefusals:
    def test_another_name(self, document: dict[str, Any], machine: peer.Machine) -> None:
        problem = refused(
            register(document, peer.Machine("hr-db-03")),
            403,
            "credential_invalid",
            begins="Invalid vault credentials provided.",
            holds="They can only replace hr-db-02.",
        )
        assert "--name hr-db-02" in problem["remedy"]
        assert Machine.objects.count() == 1
        assert register(document, peer.Machine()).status_code == 201

    def test_of_somebody_who_has_left(self, document: dict[str, Any], machine: peer.Machine, staff: User) -> None:
        Membership.objects.filter(user=staff).delete()
        problem = refused(
            register(document, peer.Machine()), 403, "credential_superseded", holds="has left Default. Download a new"
        )
        assert problem["remedy"].startswith("Download a new file from the machine's Replace page")
        assert say(machine.holder, "heartbeat", agent_version="1", engine_version="1").status_code == 200

    def test_another_machine(self, document: dict[str, Any], issue: Issue, machine: peer.Machine) -> None:
        other = peer.Machine("hr-db-03")
        register(issue(), other)
        refused(register(document, peer.Machine("hr-db-03")), 409, "machine_exists", holds="hr-db-03 is already")
        assert say(other.holder, "heartbeat", agent_version="1", engine_version="1").status_code == 200

    def test_another_computer_after_the_first(self, document: dict[str, Any], machine: peer.Machine) -> None:
        newcomer = peer.Machine()
        register(document, newcomer)
        refused(
            register(document, peer.Machine()),
            403,
            "credential_used_up",
            begins="Invalid vault credentials provided.",
            holds="has been used by hr-db-02",
        )
        assert say(newcomer.holder, "heartbeat", agent_version="1", engine_version="1").status_code == 200

    def test_a_key_from_before(self, document: dict[str, Any], machine: peer.Machine) -> None:
        problem = refused(register(document, peer.Machine(key=machine.key)), 422, "invalid")
        assert problem["errors"].keys() == {"csr"}
        assert register(document, peer.Machine()).status_code == 201

    def test_a_name_that_became_anothers_meanwhile(
        self, document: dict[str, Any], machine: peer.Machine, issue: Issue, staff: User
    ) -> None:
        say(machine.holder, "unregister")
        register(issue(), peer.Machine())
        refused(register(document, peer.Machine()), 409, "machine_exists", holds="since this one left it")
        with pytest.raises(Exception, match="Another machine named hr-db-02"):
            file_for(staff, ReplacementRequest.objects.get())

    def test_expired(self, document: dict[str, Any]) -> None:
        Credential.objects.update(expires_at=timezone.now())
        refused(
            register(document, peer.Machine()),
            403,
            "credential_expired",
            begins="Vault credentials file provided has expired.",
            holds="the machine's Replace page",
        )

    @pytest.mark.parametrize("state", ["Creating", "Failed", "Removing", "Removed"])
    def test_a_vault_that_is_not_active(self, document: dict[str, Any], vault: Vault, state: str) -> None:
        Vault.objects.update(state=state)
        refused(register(document, peer.Machine()), 409, "vault_not_active")

    def test_the_credential_reaches_no_backup(
        self, document: dict[str, Any], machine: peer.Machine, vault: Vault
    ) -> None:
        impostor = peer.Machine(answer={"certificate": document["certificate"]})
        assert storage_of(machine, vault, impostor) == 403

    def test_a_vaults_own_credential_takes_no_place(self, machine: peer.Machine, issue: Issue) -> None:
        refused(register(issue(), peer.Machine()), 409, "machine_exists")

    def test_a_replaced_machine_does_not_come_back_with_its_first_credential(
        self, staff: User, approver: User, issue: Issue
    ) -> None:
        first, old = issue(), peer.Machine()
        register(first, old)
        replacing = file_for(staff, agreed(staff, approver, old.id))
        assert register(replacing, peer.Machine()).status_code == 201
        refused(register(first, old), 403, "credential_used_up")

    def test_cancelled_meanwhile(self, document: dict[str, Any], staff: User) -> None:
        replacements.cancel(ReplacementRequest.objects.get().pk, actor=as_actor(staff))
        refused(
            register(document, peer.Machine()), 403, "credential_superseded", holds="A member of the vault ended it at"
        )


def _reported(machine: peer.Machine, kind: str, **figures: int) -> str:
    """The state of the machine after it has reported a run that succeeded just now."""
    now = timezone.now().isoformat()
    run = {"run": str(uuid4()), "kind": kind, "outcome": "succeeded", "started_at": now, "finished_at": now}
    answer = say(machine.holder, "runs", **run, **figures).json()
    return str(answer["state"])

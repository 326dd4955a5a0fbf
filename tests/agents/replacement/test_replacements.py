"""Asking for a replacement and deciding on it: who may, once, about what, and until when."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.machines import revoke
from agents.models import Machine, ReplacementRequest
from agents.replacement import replacements
from agents.states import ReplacementState
from agents.tasks import expire_replacements
from portal.accounts.models import Membership, Subscription, User
from portal.audit.models import AuditEvent
from portal.core.actor import Actor, Via
from portal.core.errors import ContentChanged, DomainError, Invalid, NotAllowed, NotFound, OwnRequest, StaleState
from portal.notifications.models import Notification
from portal.pki.crypto import keys
from tests.agents import peer
from tests.agents.factories import Issue
from tests.agents.peer import register, say
from tests.agents.replacing import agree, agreed, ask, digest_of, file_for, row
from tests.factories import as_actor, member_of
from vaults.credentials.issuance import VaultNotActive
from vaults.models import Credential, Vault
from vaults.states import VaultState

State = ReplacementState


@pytest.fixture
def colleague(subscription: Subscription) -> User:
    return member_of(subscription)


@pytest.fixture
def asked(staff: User, machine: peer.Machine) -> ReplacementRequest:
    return ask(staff, machine.id)


def state_of(asked: ReplacementRequest) -> str:
    return ReplacementRequest.objects.get(pk=asked.pk).state


class TestAsking:
    def test_outsiders_find_nothing_and_onlookers_may_not(
        self, machine: peer.Machine, outsider: User, approver: User, auditor: User
    ) -> None:
        with pytest.raises(NotFound):
            ask(outsider, machine.id)
        for person in (approver, auditor):
            with pytest.raises(NotAllowed):
                ask(person, machine.id)
        assert not ReplacementRequest.objects.exists()

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "a\0b"])
    def test_it_takes_a_reason_that_can_be_stored(self, staff: User, machine: peer.Machine, reason: str) -> None:
        with pytest.raises(Invalid):
            ask(staff, machine.id, reason)

    @pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
    def test_the_vault_must_be_active(self, staff: User, machine: peer.Machine, state: VaultState) -> None:
        Vault.objects.update(state=state)
        with pytest.raises(VaultNotActive):
            ask(staff, machine.id)

    def test_a_name_that_is_anothers_by_now_cannot_come_back(
        self, staff: User, machine: peer.Machine, issue: Issue
    ) -> None:
        say(machine.holder, "unregister")
        assert register(issue(), peer.Machine("HR-db-02")).status_code == 201
        with pytest.raises(DomainError, match="Another machine named hr-db-02 has registered") as caught:
            ask(staff, machine.id)
        assert caught.value.code == "machine_exists"

    def test_the_same_again_is_the_same(self, staff: User, machine: peer.Machine) -> None:
        assert ask(staff, machine.id) == ask(staff, machine.id, " The disk is broken. ")
        assert ReplacementRequest.objects.count() == 1

    def test_one_at_a_time(
        self, staff: User, colleague: User, machine: peer.Machine, asked: ReplacementRequest
    ) -> None:
        for person, reason in ((staff, "Another reason."), (colleague, asked.reason)):
            with pytest.raises(StaleState, match="staff has already requested this"):
                ask(person, machine.id, reason)
        agree(colleague, asked)
        with pytest.raises(StaleState):
            ask(colleague, machine.id)

    def test_those_who_can_decide_are_told(
        self, staff: User, colleague: User, approver: User, auditor: User, outsider: User, asked: ReplacementRequest
    ) -> None:
        key = f"replacement:{asked.pk}"
        told = Notification.objects.get(key=key)
        assert told.title == 'staff requests the replacement of machine "hr-db-02" of "Payroll".'
        people = (staff, colleague, approver, auditor, outsider)
        seen = [Notification.objects.visible_to(user).filter(key=key).exists() for user in people]
        assert seen == [True, True, True, False, False]
        entry = AuditEvent.objects.get(action="replacement:ask")
        assert (entry.actor, entry.vault_id) == (staff, asked.machine.vault_id)
        assert entry.detail == {"machine": str(asked.machine_id), "reason": "The disk is broken."}


@pytest.mark.parametrize(
    ("act", "action"), [(replacements.cancel, "replacement:cancel"), (replacements.issue, "replacement:download")]
)
@pytest.mark.parametrize("who", ["auditor", "colleague"])
def test_what_somebody_may_not_do_is_in_the_log(
    request: pytest.FixtureRequest, asked: ReplacementRequest, act: Callable[..., object], action: str, who: str
) -> None:
    person = request.getfixturevalue(who)
    with pytest.raises(NotAllowed):
        act(asked.pk, actor=as_actor(person))
    entry = AuditEvent.objects.get(refused=True)
    assert (entry.action, entry.actor, entry.target_id) == (action, person, str(asked.pk))
    assert entry.detail == {"code": "not_allowed"}


class TestDeciding:
    @pytest.mark.parametrize("decide", [replacements.approve, replacements.reject])
    def test_never_ones_own(self, staff: User, asked: ReplacementRequest, decide: object) -> None:
        staff.is_approver = True
        staff.save()
        with pytest.raises(OwnRequest):
            decide(asked.pk, actor=as_actor(staff), comment="x", digest=digest_of(asked))  # type: ignore[operator]
        assert state_of(asked) == State.PENDING
        entry = AuditEvent.objects.get(action="replacement:decide")
        assert (entry.refused, entry.actor, entry.detail) == (True, staff, {"code": "own_request"})

    def test_not_in_the_database_either(self, staff: User, asked: ReplacementRequest) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            asked.decisions.create(verdict="approve", by=staff, requested_by=staff, at=timezone.now())

    def test_outsiders_find_nothing_and_auditors_may_not(
        self, asked: ReplacementRequest, outsider: User, auditor: User
    ) -> None:
        with pytest.raises(NotFound):
            agree(outsider, asked)
        with pytest.raises(NotAllowed, match="Only approvers and members of Default"):
            agree(auditor, asked)
        assert state_of(asked) == State.PENDING

    def test_not_with_a_token_that_may_only_read(self, colleague: User, asked: ReplacementRequest) -> None:
        reader = Actor(label="colleague", via=Via.TOKEN, user=colleague, read_only=True)
        for act in (replacements.approve, replacements.reject):
            with pytest.raises(NotAllowed):
                act(asked.pk, actor=reader, comment="x", digest=digest_of(asked))
        for other in (replacements.cancel, replacements.issue):
            with pytest.raises(NotAllowed):
                other(asked.pk, actor=reader)

    @pytest.mark.parametrize("who", ["approver", "colleague"])
    def test_approvers_and_other_members_agree(
        self, request: pytest.FixtureRequest, asked: ReplacementRequest, staff: User, who: str
    ) -> None:
        decider: User = request.getfixturevalue(who)
        agree(decider, asked)
        asked.refresh_from_db()
        decision = asked.decisions.get()
        assert (asked.state, asked.ended_at) == (State.APPROVED, None)
        assert (decision.verdict, decision.by, decision.comment) == ("approve", decider, "Agreed.")
        assert not Notification.objects.filter(key=f"replacement:{asked.pk}").exists()
        told = Notification.objects.get(key=f"replacement-outcome:{asked.machine_id}")
        assert told.title == 'The replacement of machine "hr-db-02" was agreed to.'
        assert told.step.startswith("staff can download its credentials until ")
        entry = AuditEvent.objects.get(action="replacement:approved")
        assert (entry.actor, entry.target_id) == (decider, str(asked.pk))
        assert (entry.detail["digest"], entry.detail["comment"]) == (digest_of(asked), "Agreed.")

    def test_rejecting_takes_words(self, approver: User, asked: ReplacementRequest) -> None:
        digest = digest_of(asked)
        with pytest.raises(Invalid):
            replacements.reject(asked.pk, actor=as_actor(approver), comment=" ", digest=digest)
        replacements.reject(asked.pk, actor=as_actor(approver), comment="It answers ping.", digest=digest)
        asked.refresh_from_db()
        assert (asked.state, asked.ended_at is not None) == (State.REJECTED, True)
        assert Notification.objects.get(key=f"replacement-outcome:{asked.machine_id}").step == (
            "approver: It answers ping."
        )

    def test_once(self, approver: User, colleague: User, asked: ReplacementRequest) -> None:
        digest = digest_of(agree(approver, asked))
        for decide in (replacements.approve, replacements.reject):
            with pytest.raises(StaleState):
                decide(asked.pk, actor=as_actor(colleague), comment="x", digest=digest)

    def test_about_what_was_looked_at(self, approver: User, staff: User, asked: ReplacementRequest) -> None:
        digest = digest_of(asked)
        revoke(asked.machine_id, actor=as_actor(staff), reason="Stolen")
        with pytest.raises(ContentChanged, match="hr-db-02 is Revoked"):
            replacements.approve(asked.pk, actor=as_actor(approver), comment="", digest=digest)
        assert state_of(asked) == State.PENDING
        assert agree(approver, asked).state == State.APPROVED

    @pytest.mark.parametrize("decide", [replacements.approve, replacements.reject])
    def test_not_once_its_time_is_over(self, approver: User, asked: ReplacementRequest, decide: object) -> None:
        """Nor in the minutes until the sweep comes by."""
        ReplacementRequest.objects.update(requested_at=timezone.now() - timedelta(days=14))
        with pytest.raises(StaleState, match="This request could be decided until "):
            decide(asked.pk, actor=as_actor(approver), comment="x", digest=digest_of(asked))  # type: ignore[operator]
        assert state_of(asked) == State.PENDING

    def test_the_right_to_decide_comes_before_the_comment(
        self, asked: ReplacementRequest, staff: User, outsider: User, auditor: User
    ) -> None:
        for person, error in ((outsider, NotFound), (auditor, NotAllowed), (staff, OwnRequest)):
            with pytest.raises(error):
                replacements.reject(asked.pk, actor=as_actor(person), comment="", digest="")

    def test_a_machine_that_becomes_ready_changes_nothing(self, approver: User, asked: ReplacementRequest) -> None:
        digest = digest_of(asked)
        Machine.objects.update(state="Ready")
        assert replacements.approve(asked.pk, actor=as_actor(approver), comment="", digest=digest)


class TestEnding:
    def test_the_one_who_asked_takes_it_back(self, staff: User, colleague: User, asked: ReplacementRequest) -> None:
        with pytest.raises(NotAllowed):
            replacements.cancel(asked.pk, actor=as_actor(colleague))
        replacements.cancel(asked.pk, actor=as_actor(staff))
        with pytest.raises(StaleState):
            replacements.cancel(asked.pk, actor=as_actor(staff))
        assert state_of(asked) == State.CANCELLED
        assert not Notification.objects.filter(key=f"replacement:{asked.pk}").exists()

    def test_members_call_off_what_was_agreed_to_with_its_credential(
        self, staff: User, colleague: User, approver: User, asked: ReplacementRequest
    ) -> None:
        agree(approver, asked)
        document = file_for(staff, asked)
        with pytest.raises(NotAllowed):
            replacements.cancel(asked.pk, actor=as_actor(approver))
        replacements.cancel(asked.pk, actor=as_actor(colleague))
        assert register(document, peer.Machine()).json()["code"] == "credential_superseded"
        assert AuditEvent.objects.filter(action="credential:end", actor=colleague).count() == 1

    def test_revoking_calls_off_what_was_agreed_to_before(
        self, staff: User, approver: User, asked: ReplacementRequest
    ) -> None:
        agree(approver, asked)
        document = file_for(staff, asked)
        revoke(asked.machine_id, actor=as_actor(staff), reason="Stolen")
        assert state_of(asked) == State.CANCELLED
        assert register(document, peer.Machine()).json()["code"] == "credential_superseded"
        assert row(asked.machine_id).state == "Revoked"
        told = Notification.objects.get(key=f"replacement-outcome:{asked.machine_id}")
        assert told.step == "The machine was revoked after the replacement had been agreed. Request it again if needed."

    def test_so_does_a_suspension(
        self, staff: User, approver: User, asked: ReplacementRequest, machine: peer.Machine
    ) -> None:
        """Whoever agreed did not know that two computers hold the machine's identity."""
        agree(approver, asked)
        document = file_for(staff, asked)
        for _ in range(2):  # with the same certificate, for another key each time
            say(machine.holder, "renew", csr=peer.request_for(keys.new_key()))
        assert row(asked.machine_id).state == "Suspended"
        assert state_of(asked) == State.CANCELLED
        with pytest.raises(StaleState):
            file_for(staff, asked)
        assert register(document, peer.Machine()).json()["code"] == "credential_superseded"
        told = Notification.objects.get(key=f"replacement-outcome:{asked.machine_id}")
        assert told.step.startswith("The machine was suspended after the replacement had been agreed.")

    def test_it_expires(self, staff: User, approver: User, asked: ReplacementRequest) -> None:
        expire_replacements()
        assert state_of(asked) == State.PENDING
        ReplacementRequest.objects.update(requested_at=timezone.now() - timedelta(days=14, minutes=1))
        expire_replacements()
        asked.refresh_from_db()
        assert (asked.state, asked.ended_at is not None) == (State.EXPIRED, True)
        assert Notification.objects.get(key=f"replacement-outcome:{asked.machine_id}").state == "attention"

    def test_an_agreement_expires_unless_a_credential_is_out(
        self, staff: User, approver: User, asked: ReplacementRequest
    ) -> None:
        agree(approver, asked)
        file_for(staff, asked)
        ReplacementRequest.objects.update(decided_at=timezone.now() - timedelta(hours=48, minutes=1))
        expire_replacements()
        assert state_of(asked) == State.APPROVED
        with pytest.raises(StaleState):
            file_for(staff, asked)
        Credential.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
        expire_replacements()
        assert state_of(asked) == State.EXPIRED
        assert ask(staff, asked.machine_id) != asked


class TestIssuing:
    def test_nobody_agreed(self, staff: User, asked: ReplacementRequest) -> None:
        with pytest.raises(StaleState, match="waiting for a second person"):
            file_for(staff, asked)
        assert not Credential.objects.filter(purpose="replace").exists()

    def test_only_the_one_who_asked(
        self, colleague: User, approver: User, outsider: User, asked: ReplacementRequest
    ) -> None:
        agree(approver, asked)
        with pytest.raises(NotFound):
            file_for(outsider, asked)
        for person in (colleague, approver):
            with pytest.raises(NotAllowed):
                file_for(person, asked)

    def test_a_membership_that_was_taken_away_counts_at_once(
        self, staff: User, approver: User, asked: ReplacementRequest
    ) -> None:
        agree(approver, asked)
        Membership.objects.filter(user=staff).delete()
        with pytest.raises(NotFound):
            file_for(staff, asked)

    def test_the_file(self, staff: User, approver: User, asked: ReplacementRequest, vault: Vault) -> None:
        agree(approver, asked)
        issued = replacements.issue(asked.pk, actor=as_actor(staff))
        document = issued.document
        assert document["purpose"] == "replace"
        assert document["machine"] == {"id": str(asked.machine_id), "name": "hr-db-02"}
        assert issued.file_name == f"Payroll_hr-db-02_{issued.credential.issued_at:%a %b %d %Y}.VaultCredentials"
        assert issued.credential.expires_at - issued.credential.issued_at == timedelta(hours=48)
        entry = AuditEvent.objects.filter(action="credential:issue").latest("id")
        assert (entry.vault_id, entry.detail["replaces"], entry.detail["key"]) == (vault.pk, "hr-db-02", "server")

    def test_only_the_last_one_is_valid_and_the_vaults_own_is_left_alone(
        self, staff: User, approver: User, asked: ReplacementRequest, issue: Issue
    ) -> None:
        newcomers = issue()
        agree(approver, asked)
        first, second = file_for(staff, asked), file_for(staff, asked)
        problem = register(first, peer.Machine()).json()
        assert problem["code"] == "credential_superseded"
        assert problem["remedy"].startswith("Download a new file from the machine's Replace page")
        assert register(second, peer.Machine()).status_code == 201
        assert register(newcomers, peer.Machine("newcomer")).status_code == 201

    def test_one_valid_in_the_database_too(self, staff: User, approver: User, asked: ReplacementRequest) -> None:
        agree(approver, asked)
        for _ in range(2):
            file_for(staff, asked)
        with pytest.raises(IntegrityError), transaction.atomic():
            Credential.objects.filter(purpose="replace").update(ended_at=None)
        with pytest.raises(IntegrityError), transaction.atomic():
            Credential.objects.filter(purpose="replace").update(machine_id=None)

    def test_a_vault_that_is_not_active(self, staff: User, approver: User, machine: peer.Machine) -> None:
        asked = agreed(staff, approver, machine.id)
        Vault.objects.update(state=VaultState.REMOVING)
        with pytest.raises(VaultNotActive):
            file_for(staff, asked)
        assert UUID(machine.id) == asked.machine_id

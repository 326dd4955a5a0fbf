"""Replacements at the same moment as other things that are done to the machine, with real concurrency."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agents.machines import revoke
from agents.models import Machine, MachineCertificate, ReplacementRequest
from agents.replacement import replacements
from portal.accounts.models import Membership, Subscription, User
from portal.core.errors import NotAllowed, StaleState
from portal.pki.crypto import keys
from tests.agents import peer
from tests.agents.peer import register, say
from tests.agents.replacing import agree, agreed, ask, digest_of, file_for
from tests.at_once import at_once
from tests.factories import as_actor, member_of
from vaults.models import Credential, Vault

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(staff: User, approver: User, machine: peer.Machine) -> ReplacementRequest:
    """A request that was agreed to."""
    return agreed(staff, approver, machine.id)


@pytest.fixture
def document(staff: User, asked: ReplacementRequest) -> dict[str, Any]:
    return file_for(staff, asked)


def test_a_requester_who_is_taken_out_while_they_wait_gets_nothing(
    staff: User, asked: ReplacementRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = replacements._locked

    def taken_out(request: ReplacementRequest) -> ReplacementRequest:
        """Whoever held the lock before was an administrator who took the requester out."""
        Membership.objects.filter(user=staff).delete()
        return locked(request)

    monkeypatch.setattr(replacements, "_locked", taken_out)
    with pytest.raises(NotAllowed):
        replacements.issue(asked.pk, actor=as_actor(staff))
    assert not Credential.objects.filter(purpose="replace").exists()


def consistent(vault: Vault) -> Machine:
    """The machine, once counter and certificates have been found to fit its state."""
    machine = Machine.objects.get()
    vault.refresh_from_db()
    valid = MachineCertificate.objects.filter(revoked_at=None).count()
    inside = machine.state not in {"Revoked", "Unregistered"}
    assert (vault.machine_count, valid) == ((1, 1) if inside else (0, 0))
    return machine


def test_two_computers_with_one_file(document: dict[str, Any], vault: Vault) -> None:
    machines = [peer.Machine() for _ in range(4)]
    acts: list[Callable[[], int]] = [lambda one=one: register(document, one).status_code for one in machines]  # type: ignore[misc]
    assert sorted(at_once(acts), key=str) == [201, 403, 403, 403]
    assert consistent(vault).state == "Registered"


def test_one_computer_many_times(document: dict[str, Any], vault: Vault) -> None:
    machine = peer.Machine()
    acts = [lambda: register(document, machine).status_code] * 4
    assert sorted(at_once(acts), key=str) == [200, 200, 200, 201]
    assert consistent(vault).state == "Registered"


@pytest.mark.parametrize("state", ["Registered", "Ready"])
def test_revoking_wins(document: dict[str, Any], vault: Vault, staff: User, state: str) -> None:
    """Whichever comes first, a machine that somebody revoked is out afterwards, with whoever sits in its place."""
    Machine.objects.update(state=state)
    machine_id = Machine.objects.get().pk
    newcomer = peer.Machine()
    registered, revoked = at_once(
        [
            lambda: register(document, newcomer).status_code,
            lambda: revoke(machine_id, actor=as_actor(staff), reason="Stolen"),
        ]
    )
    assert registered in {201, 403}
    assert revoked is None
    assert consistent(vault).state == "Revoked"
    assert ReplacementRequest.objects.get().state == ("used" if registered == 201 else "cancelled")


def test_leaving_and_being_replaced(document: dict[str, Any], vault: Vault, machine: peer.Machine) -> None:
    """A certificate that has just died takes nobody out of the vault."""
    newcomer = peer.Machine()
    left, registered = at_once(
        [lambda: say(machine.holder, "unregister").status_code, lambda: register(document, newcomer).status_code]
    )
    assert registered == 201
    assert left in {200, 403, 409}
    assert consistent(vault).state == "Registered"


def test_renewing_and_being_replaced(document: dict[str, Any], vault: Vault, machine: peer.Machine) -> None:
    newcomer, key = peer.Machine(), keys.new_key()
    renewed, registered = at_once(
        [
            lambda: say(machine.holder, "renew", csr=peer.request_for(key)).status_code,
            lambda: register(document, newcomer).status_code,
        ]
    )
    assert (registered, renewed in {200, 403}) == (201, True)
    assert consistent(vault).state == "Registered"
    standing = MachineCertificate.objects.get(revoked_at=None)
    assert standing.key_digest == keys.digest(newcomer.key.public_key())


def test_the_name_is_taken_once(
    document: dict[str, Any], vault: Vault, machine: peer.Machine, issue: Callable[..., dict[str, object]]
) -> None:
    """Somebody registers a new machine under the name of one that has left, while that one comes back."""
    say(machine.holder, "unregister")
    own = issue()
    outcomes = at_once(
        [
            lambda: register(own, peer.Machine()).status_code,
            lambda: register(document, peer.Machine()).status_code,
        ]
    )
    assert sorted(outcomes, key=str) == [201, 409]
    vault.refresh_from_db()
    assert (vault.machine_count, Machine.objects.exclude(state="Unregistered").count()) == (1, 1)


def test_many_downloads_leave_one_valid(asked: ReplacementRequest, staff: User) -> None:
    documents = at_once([lambda: file_for(staff, asked)] * 6)
    valid = Credential.objects.get(purpose="replace", ended_at=None)
    assert valid == Credential.objects.filter(purpose="replace").latest("issued_at")
    assert sum(isinstance(one, dict) for one in documents) == 6
    assert ReplacementRequest.objects.get().credential == valid


def test_downloading_while_it_is_called_off(asked: ReplacementRequest, staff: User) -> None:
    at_once([lambda: file_for(staff, asked), lambda: replacements.cancel(asked.pk, actor=as_actor(staff))])
    assert ReplacementRequest.objects.get().state == "cancelled"
    assert not Credential.objects.filter(purpose="replace", ended_at=None).exists()


def test_of_agreeing_and_rejecting_one_wins(
    staff: User, approver: User, machine: peer.Machine, subscription: Subscription
) -> None:
    asked, colleague = ask(staff, machine.id), member_of(subscription)
    digest = digest_of(asked)
    outcomes = at_once(
        [
            lambda: agree(approver, asked).state,
            lambda: replacements.reject(asked.pk, actor=as_actor(colleague), comment="No.", digest=digest).state,
        ]
    )
    assert [type(one) for one in outcomes].count(StaleState) == 1
    assert ReplacementRequest.objects.get().state in outcomes


def test_an_agreement_of_now_outlives_a_sweep_that_saw_the_request(
    staff: User, approver: User, machine: peer.Machine
) -> None:
    """Agreed to in the last moment, and committed when the sweep has already found the request overdue."""
    asked = ask(staff, machine.id)
    overdue, seen, begun = timezone.now() - timedelta(days=14, seconds=1), threading.Event(), threading.Event()
    ReplacementRequest.objects.update(requested_at=overdue)

    def agree_slowly() -> None:
        with transaction.atomic():
            ReplacementRequest.objects.update(requested_at=asked.requested_at)  # for the sweep it stays as it was
            agree(approver, asked)
            ReplacementRequest.objects.update(requested_at=overdue)
            begun.set()
            assert seen.wait(10)

    def sweep() -> int:
        def watch(execute: Callable[..., Any], *query: Any) -> Any:
            try:
                return execute(*query)
            finally:
                seen.set()

        assert begun.wait(10)
        with connection.execute_wrapper(watch):
            return replacements.expire(10)

    assert at_once([agree_slowly, sweep]) == [None, 0]
    assert ReplacementRequest.objects.get().state == "approved"


def test_asking_at_once_is_one_request(staff: User, machine: peer.Machine, subscription: Subscription) -> None:
    colleague = member_of(subscription)
    outcomes = at_once([lambda: ask(staff, machine.id), lambda: ask(colleague, machine.id)])
    assert ReplacementRequest.objects.count() == 1
    assert [type(one) for one in outcomes].count(StaleState) == 1

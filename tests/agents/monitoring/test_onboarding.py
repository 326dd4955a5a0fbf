"""From the code or the file to a proven restore: what is written when, and what administrators read of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.models import Onboarding, RefusedRegistration
from agents.monitoring.onboarding import ways
from portal.accounts.models import User
from tests.agents import peer
from tests.agents.factories import Issue, credential_of, machine_in
from tests.agents.peer import register, report, run_of
from tests.agents.redeeming import redeem, with_key
from tests.factories import as_actor, person
from vaults.credentials import one_time_codes
from vaults.models import Credential, OneTimeCode, Vault

pytestmark = pytest.mark.django_db
PROVEN: dict[str, Any] = {"compared": 1, "total": 1, "mismatched": 0}
URL = "/agents/onboarding/"


def test_a_machine_with_a_code_begins_when_it_was_shown(vault: Vault, staff: User) -> None:
    shown = one_time_codes.show(vault.pk, actor=as_actor(staff))
    machine = peer.Machine()
    register(with_key(redeem(shown, machine.key), machine.key), another := peer.Machine())
    row = Onboarding.objects.get(machine=UUID(another.id))
    assert (row.by_code, row.began_at, row.backed_up_at, row.proven_at) == (True, shown.code.shown_at, None, None)


def test_first_reports_that_went_well_are_noted_once(issue: Issue) -> None:
    machine = peer.Machine()
    register(issue(), machine)
    report(machine, run_of("backup", outcome="failed"))
    assert Onboarding.objects.get().backed_up_at is None
    report(machine, run_of("backup"))
    report(machine, run_of("restore_check", **PROVEN))
    row = Onboarding.objects.get()
    assert (row.by_code, row.began_at) == (False, Credential.objects.get().issued_at)
    assert row.backed_up_at is not None
    assert row.proven_at is not None
    report(machine, run_of("backup"))
    report(machine, run_of("restore_check", **PROVEN))
    again = Onboarding.objects.get()
    assert (again.backed_up_at, again.proven_at) == (row.backed_up_at, row.proven_at)


def onboarded(
    vault: Vault, staff: User, number: int, *, seconds: int | None, backed_up: bool = True, step: str = ""
) -> None:
    """A machine by a file of two hours ago, proven after so long."""
    began = timezone.now() - timedelta(hours=2)
    credential = credential_of(vault, staff, issued_at=began, machines_used=1, ended_at=began)
    Onboarding.objects.create(
        machine=machine_in(vault, credential, f"m{number}"),
        began_at=began,
        by_code=False,
        registered_at=began,
        backed_up_at=began if backed_up else None,
        proven_at=None if seconds is None else began + timedelta(seconds=seconds),
        step=step,
    )


def test_figures(vault: Vault, staff: User) -> None:
    for number in range(20):
        onboarded(vault, staff, number, seconds=(number + 1) * 10)
    onboarded(vault, staff, 20, seconds=None)
    onboarded(vault, staff, 21, seconds=None, backed_up=False)
    credential_of(vault, staff, issued_at=timezone.now() - timedelta(hours=3))
    credential_of(vault, staff)  # a moment ago: it may still be used
    code, file = ways()
    assert (code.name, code.begun, code.registered, code.median) == ("One-time code", 0, 0, None)
    assert (file.begun, file.begun_unused, file.registered, file.backed_up, file.proven) == (23, 1, 22, 21, 20)
    assert (file.lost_before_backup, file.lost_before_proof) == (1, 1)
    assert (file.median_text, file.percentile_text) == ("1 min 40 s", "3 min 10 s")


def test_where_they_stopped(vault: Vault, staff: User) -> None:
    """By what was told last, unless a report says more; what is proven has stopped nowhere."""
    steps = ["", "storage", "backup", "backup", "backup"]
    for number, step in enumerate(steps):
        onboarded(vault, staff, number, seconds=None, backed_up=False, step=step)
    onboarded(vault, staff, 5, seconds=None, step="backup")  # the message that it restores was lost
    onboarded(vault, staff, 6, seconds=None, step="restore")
    onboarded(vault, staff, 7, seconds=9, step="restore")
    assert ways()[1].stopped == (
        ("Registered, and no step was told", 1),
        ("Storage", 1),
        ("First backup", 3),
        ("Restore check", 2),
    )


def test_who_was_refused_before_registration(vault: Vault, staff: User) -> None:
    then = timezone.now() - timedelta(hours=2)
    codes = [one_time_codes.show(vault.pk, actor=as_actor(staff)).code for _ in range(3)]
    OneTimeCode.objects.update(shown_at=then)
    for code in codes[:2]:
        for _ in range(2):
            RefusedRegistration.objects.create(vault=vault, one_time_code=code, code="x", message="x", at=then)
    file = credential_of(vault, staff, issued_at=then)
    RefusedRegistration.objects.create(vault=vault, credential=file, code="x", message="x", at=then)
    assert [(way.begun, way.begun_unused, way.begun_refused) for way in ways()] == [(3, 3, 2), (1, 1, 1)]


def test_administrators_read_it_in_a_fixed_number_of_queries(
    client: Client, vault: Vault, staff: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(person("boss", is_administrator=True))
    onboarded(vault, staff, 0, seconds=72)
    client.get(URL)
    with django_assert_num_queries(4):
        ways()
    for number in range(1, 9):
        onboarded(vault, staff, number, seconds=72)
    with django_assert_num_queries(4):
        ways()
    assert "1 min 12 s" in client.get(URL).content.decode()


def test_nobody_else_reads_it(client: Client, staff: User, auditor: User) -> None:
    for who in (staff, auditor):
        client.force_login(who)
        assert client.get(URL).status_code == 403

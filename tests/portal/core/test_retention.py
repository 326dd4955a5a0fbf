"""What is only of use for a while goes, and nothing else does."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from agents.models import Machine, RefusedRegistration, Run
from portal.accounts.models import SignInFailure, User
from portal.audit.actions import Action
from portal.audit.models import AuditEvent
from portal.audit.record import record
from portal.core import retention
from portal.notifications.models import Dismissal, Notification
from tests.agents.factories import credential_of, machine_in, run_of
from tests.factories import as_actor
from tests.vaults.factories import operation_of
from vaults.models import Operation, RemovalCount, Vault

NOW = timezone.now()


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def test_sessions_go_when_they_have_ended(db: None) -> None:
    for key, days in (("over", 1), ("live", -1)):
        Session.objects.create(session_key=key, session_data="", expire_date=ago(days))
    assert retention.run()["sessions"] == 1
    assert list(Session.objects.values_list("session_key", flat=True)) == ["live"]


def test_notifications_go_by_how_they_ended(staff: User) -> None:
    made = {}
    for state in Notification.State:
        for days in (89, 91, 401):
            key = f"{state}-{days}"
            made[key] = Notification.objects.create(
                key=key, user=staff, state=state, title="x", started_at=ago(days), updated_at=ago(days)
            )
    Dismissal.objects.create(notification=made["succeeded-91"], user=staff, at=NOW)
    Dismissal.objects.create(notification=made["succeeded-89"], user=staff, at=NOW)
    retention.run()
    left = set(Notification.objects.values_list("key", flat=True))
    gone = {f"{state}-{days}" for state in ("succeeded", "info") for days in (91, 401)}
    assert left == set(made) - gone - {"failed-401", "attention-401"}
    assert [one.notification.key for one in Dismissal.objects.select_related("notification")] == ["succeeded-89"]


def test_operations_go_but_for_the_running_and_the_newest(vault: Vault) -> None:
    kept = [
        operation_of(vault, "create", state="failed", started_at=ago(300), finished_at=ago(300)),
        operation_of(vault, "make-copy", state="succeeded", started_at=ago(9), finished_at=NOW),
        operation_of(vault, "end-copy", state="running", started_at=ago(500)),
    ]
    operation_of(vault, "make-copy", state="failed", started_at=ago(99), finished_at=ago(91))
    assert retention.run()["operations"] == 1
    assert set(Operation.objects.all()) == set(kept)


def test_counts_of_removals_go_but_for_those_of_today_and_yesterday(db: None) -> None:
    today = timezone.now().date()
    for days in range(4):
        RemovalCount.objects.create(machine_id=uuid4(), day=today - timedelta(days=days), count=5)
    assert retention.run()["counts of removals"] == 2
    assert set(RemovalCount.objects.values_list("day", flat=True)) == {today, today - timedelta(days=1)}


@pytest.fixture
def machine(vault: Vault, staff: User) -> Machine:
    return machine_in(vault, credential_of(vault, staff))


def test_runs_go_after_more_than_a_year_but_for_the_newest_of_their_kind(machine: Machine) -> None:
    def ran(kind: str, days: float) -> Run:
        run = run_of(machine, Run.Kind(kind), timedelta(days=days))
        Run.objects.filter(pk=run.pk).update(reported_at=ago(days))
        return run

    kept = {ran("backup", 399), ran("backup", 1), ran("check", 500)}
    for days in (401, 402, 900):
        ran("backup", days)
    assert retention.run()["runs"] == 3
    assert set(Run.objects.all()) == kept


def test_what_was_found_outlives_what_could_not_look(machine: Machine) -> None:
    """A check that found damage stays as long as no later one has looked; of those that could not, the newest."""
    for days, code in ((900, "done"), (800, "repository_damaged"), (700, "network"), (600, "network")):
        outcome = Run.Outcome.SUCCEEDED if code == "done" else Run.Outcome.FAILED
        run = run_of(machine, Run.Kind.CHECK, timedelta(days=days), outcome=outcome, code=code)
        Run.objects.filter(pk=run.pk).update(reported_at=ago(days))
    assert retention.run()["runs"] == 2
    assert list(Run.objects.order_by("reported_at").values_list("code", flat=True)) == ["repository_damaged", "network"]


def test_refused_registrations_and_wrong_passwords(vault: Vault) -> None:
    for days in (399, 401):
        RefusedRegistration.objects.create(vault=vault, name=str(days), code="x", message="x", at=ago(days))
    for tried in (0.5, 1.5):
        SignInFailure.objects.create(username=str(tried), address="192.0.2.1", at=ago(tried))
    retention.run()
    assert list(RefusedRegistration.objects.values_list("name", flat=True)) == ["399"]
    assert list(SignInFailure.objects.values_list("username", flat=True)) == ["0.5"]


def test_the_audit_log_stays(staff: User) -> None:
    record(Action.USER_CREATE, actor=as_actor(staff), target=staff)
    before = AuditEvent.objects.count()
    retention.run()
    assert AuditEvent.objects.count() == before


def test_many_go_in_batches_and_not_all_at_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "MOST", 6)
    Session.objects.bulk_create(
        Session(session_key=str(number), session_data="", expire_date=ago(1)) for number in range(8)
    )
    assert [retention.run()["sessions"] for _ in range(3)] == [6, 2, 0]

"""What machines report: stored once, and what follows from it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from agents import runs
from agents.models import Machine, MachineCertificate, Run
from portal.audit.models import AuditEvent
from portal.moments import for_people, rfc3339
from portal.notifications.models import Notification
from tests.agents import peer
from tests.agents.conftest import register, say
from tests.agents.test_registration import refused
from vaults.models import PairedCopy, Vault

SNAPSHOT = "0123456789abcdef" * 4


def run_of(kind: str = "backup", *, ended: datetime | None = None, **fields: object) -> dict[str, object]:
    """A report of a run that ended now, or then."""
    ended = ended or timezone.now()
    return {
        "run": str(uuid4()),
        "kind": kind,
        "outcome": "succeeded",
        "started_at": rfc3339(ended - timedelta(minutes=1)),
        "finished_at": rfc3339(ended),
        **fields,
    }


def report(machine: peer.Machine, fields: dict[str, object]) -> Any:
    """Send it; the response."""
    return say(machine.holder, "runs", **fields)


CHECKED = {"compared": 10, "compared_bytes": 1000, "total": 10, "changed": 0, "mismatched": 0}


def test_a_database_that_is_away_is_told_as_such(machine: peer.Machine) -> None:
    """The agent keeps the report, and tries again."""

    def away(*args: object) -> None:
        raise OperationalError("could not connect to server")

    with connection.execute_wrapper(away):
        refused(report(machine, run_of()), 503, "unavailable")
    assert not Run.objects.exists()
    assert report(machine, run_of()).status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"run": "7"}, "run"),
        ({"kind": "burn"}, "kind"),
        ({"outcome": "maybe"}, "outcome"),
        ({"snapshot": "xyz"}, "snapshot"),
        ({"message": "x" * 501}, "message"),
        ({"files": -1}, "files"),
        ({"files": 2**63}, "files"),
        ({"files": 1.5}, "files"),
        ({"files": "1"}, "files"),
        ({"started_at": "2026-11-22"}, "started_at"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "started_at"),
        ({"finished_at": "2026-11-22T10:00:00"}, "finished_at"),
        ({"finished_at": "9999-12-31T23:59:59-14:00"}, "message"),
        ({"started_at": "2999-01-01T00:00:00Z"}, "message"),
    ],
)
def test_fields_are_checked(machine: peer.Machine, changes: dict[str, object], field: str) -> None:
    problem = refused(report(machine, {**run_of(), **changes}), 422, "invalid")
    assert list(problem["errors"]) == [field]
    assert not Run.objects.exists()


def test_certificate_that_was_renewed_reports_nothing(machine: peer.Machine) -> None:
    MachineCertificate.objects.update(superseded_at=timezone.now())
    refused(report(machine, run_of()), 403, "not_allowed", holds="was renewed at")
    assert not Run.objects.exists()


def test_backup_is_stored_with_what_follows(
    machine: peer.Machine, vault: Vault, copied: PairedCopy, no_broker: list[tuple[str, tuple[Any, ...]]]
) -> None:
    ended = timezone.now()
    told = run_of(ended=ended, snapshot=SNAPSHOT, files=200, bytes=10**8, bytes_added=10**7)
    assert report(machine, told).json() == {"ok": True, "state": "Registered"}
    run = Run.objects.get()
    assert (str(run.pk), run.kind, run.outcome, run.snapshot) == (told["run"], "backup", "succeeded", SNAPSHOT)
    assert run.figures == {"files": 200, "bytes": 10**8, "bytes_added": 10**7}
    row = Machine.objects.get()
    vault.refresh_from_db()
    assert row.last_backup_at == vault.last_backup_at == ended
    copied.refresh_from_db()
    assert copied.due_at is not None
    entry = AuditEvent.objects.get(action="machine:backup")
    assert (entry.target_id, entry.detail["snapshot"]) == (str(row.pk), SNAPSHOT)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("First line.\nSecond line.\r\nThird.", "First line. Second line.  Third."),
        ("a\x1b[31mred\x7f\x9b", "a\ufffd[31mred\ufffd\ufffd"),
        ("evil\u202egnp.exe\u2066\u200b", "evil\ufffdgnp.exe\ufffd\ufffd"),
        ("x\u2028y\u2029z", "x y z"),
        ("Größe 5\u00a0GB, 日本語 🙂", "Größe 5\u00a0GB, 日本語 🙂"),
        ("\n" * 500, " " * 500),
    ],
)
def test_what_a_machine_says_is_one_line(machine: peer.Machine, sent: str, kept: str) -> None:
    assert report(machine, run_of(outcome="failed", message=sent)).status_code == 200
    assert Run.objects.get().message == kept
    assert Notification.objects.get(key=f"machine-backup:{machine.id}").step == kept[:300]


def test_a_flood_of_reports_is_told_to_wait(
    machine: peer.Machine, issue: Callable[..., dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_IN_AN_HOUR", 3)
    told = [run_of() for _ in range(4)]
    assert [report(machine, fields).status_code for fields in told] == [200, 200, 200, 429]
    refusal = report(machine, told[3])
    problem = refused(refusal, 429, "throttled", begins="This machine has reported 3 runs within an hour.")
    assert 3590 < int(refusal["Retry-After"]) == problem["retry_after"] <= 3600
    assert (Run.objects.count(), AuditEvent.objects.filter(action="machine:backup").count()) == (3, 3)
    assert report(machine, told[0]).status_code == 200
    other = peer.Machine("other")
    register(issue(), other)
    assert report(other, run_of()).status_code == 200
    oldest = Run.objects.filter(machine_id=machine.id).order_by("reported_at")[0]
    Run.objects.filter(pk=oldest.pk).update(reported_at=timezone.now() - timedelta(hours=1))
    assert report(machine, told[3]).status_code == 200


def test_repeated_report_changes_nothing(machine: peer.Machine) -> None:
    told = run_of()
    for fields in (told, {**told, "outcome": "failed", "message": "Changed my mind."}):
        assert report(machine, fields).status_code == 200
    assert Run.objects.get().outcome == "succeeded"
    assert AuditEvent.objects.filter(action="machine:backup").count() == 1


def test_number_of_anothers_run_is_refused(machine: peer.Machine, issue: Callable[..., dict[str, object]]) -> None:
    told, other = run_of(), peer.Machine("other")
    report(machine, told)
    register(issue(), other)
    assert list(refused(report(other, told), 422, "invalid")["errors"]) == ["run"]


def test_late_report_does_not_turn_time_back(machine: peer.Machine, vault: Vault) -> None:
    now = timezone.now()
    for ended in (now, now - timedelta(days=1)):
        assert report(machine, run_of(ended=ended)).status_code == 200
    vault.refresh_from_db()
    assert Machine.objects.get().last_backup_at == vault.last_backup_at == now


@pytest.mark.parametrize("order", [("backup", "restore_check"), ("restore_check", "backup")])
def test_backup_and_compared_restore_make_it_ready(machine: peer.Machine, vault: Vault, order: tuple[str, str]) -> None:
    now = timezone.now()
    states = [
        report(machine, run_of(kind, ended=now, **(CHECKED if kind == "restore_check" else {}))).json()["state"]
        for kind in order
    ]
    assert states == ["Registered", "Ready"]
    vault.refresh_from_db()
    assert vault.last_restore_check_at == now
    assert AuditEvent.objects.filter(action="machine:ready").count() == 1
    told = Notification.objects.get(key=f"machine-ready:{machine.id}")
    assert (told.state, told.step) == ("succeeded", f"Ready: backed up and restored on {for_people(now)}")
    assert report(machine, run_of()).json()["state"] == "Ready"


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "failed"},
        {"mismatched": 1},
        {"compared": 0},
        {"compared": None},
        {"mismatched": None},
        {"kind": "check"},
        {"kind": "restore"},
    ],
)
def test_nothing_less_proves_a_restore(machine: peer.Machine, vault: Vault, changes: dict[str, object]) -> None:
    report(machine, run_of())
    told = {
        name: value for name, value in {**run_of("restore_check"), **CHECKED, **changes}.items() if value is not None
    }
    assert report(machine, told).json()["state"] == "Registered"
    vault.refresh_from_db()
    assert (vault.last_restore_check_at, Machine.objects.get().last_restore_check_at) == (None, None)


def test_failed_backup_is_no_backup(machine: peer.Machine, vault: Vault) -> None:
    report(machine, run_of(outcome="failed", message="The disk is gone."))
    vault.refresh_from_db()
    assert (vault.last_backup_at, Machine.objects.get().last_backup_at) == (None, None)


def test_failure_is_shown_until_the_next_success(machine: peer.Machine) -> None:
    report(machine, run_of(outcome="failed", message="The disk is gone."))
    key = f"machine-backup:{machine.id}"
    told = Notification.objects.get(key=key)
    assert told.title == 'Backup of machine "hr-db-02" in vault "Payroll" failed.'
    assert (told.state, told.step) == ("failed", "The disk is gone.")
    report(machine, run_of())
    assert not Notification.objects.filter(key=key).exists()


def test_mismatches_are_a_failure_whatever_the_outcome_says(machine: peer.Machine) -> None:
    report(machine, {**run_of("restore_check"), **CHECKED, "mismatched": 3})
    told = Notification.objects.get(key=f"machine-restore_check:{machine.id}")
    assert (told.state, told.step) == ("failed", "3 files differ from what was backed up.")


def test_a_failed_check_has_the_pair_looked_at(machine: peer.Machine, copied: PairedCopy) -> None:
    """What it misses may be there; the round begins with this machine."""
    report(machine, run_of("check"))
    assert (PairedCopy.objects.get().due_at, PairedCopy.objects.get().reported) == (None, [])
    report(machine, run_of("check", outcome="failed", message="a pack is missing"))
    assert (PairedCopy.objects.get().due_at is None, PairedCopy.objects.get().reported) == (False, [machine.id])

"""What machines report: stored once, and what follows from it."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from agents.models import Machine, MachineCertificate, Run
from agents.monitoring import concerns, runs
from portal.audit.models import AuditEvent
from portal.core.times import for_people
from portal.notifications.models import Notification
from tests.agents import peer
from tests.agents.peer import refused, register, report, run_of, say
from vaults.integrity import losses
from vaults.models import LostObject, PairedCopy, SuspectObject, Vault
from vaults.regions.storage.layout import Stored

SNAPSHOT = "0123456789abcdef" * 4


@pytest.fixture
def row(machine: peer.Machine) -> Callable[[], Machine]:
    """The machine's row as it is now."""
    return lambda: Machine.objects.get(pk=machine.id)


def lose(vault: Vault, machine: peer.Machine, ago: timedelta = timedelta()) -> LostObject:
    """The portal has set an object of the machine aside, and no region has it whole."""
    path = f"{vault.pk}/{machine.id}/data/{uuid4().hex * 2}"
    losses.note(vault, vault.region, Stored(path, 1, timezone.now()))
    LostObject.objects.filter(path=path).update(found_at=timezone.now() - ago)
    return LostObject.objects.get(path=path)


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
        ({"code": "Done"}, "code"),
        ({"code": "done-with-losses"}, "code"),
        ({"code": "d" * 41}, "code"),
        ({"code": "done\n"}, "code"),
        ({"code": None}, "code"),
        ({"proven": -1}, "proven"),
        ({"proven": True}, "proven"),
        ({"vanished": 0.5}, "vanished"),
        ({"lost": 2**63}, "lost"),
        ({"kind": "repairs"}, "kind"),
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
    assert report(machine, told).json() == {"ok": True, "state": "Registered", "damaged": False}
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
    told = Notification.objects.get(key=f"machine-backup:{machine.id}").step
    assert told == kept if len(kept) <= 300 else len(told) <= 300 and kept.startswith(told.removesuffix("…"))


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
        {"compared": 0, "proven": 0},
        {"compared": None},
        {"proven": 5, "mismatched": 1},
        {"proven": 5, "outcome": "failed"},
        {"code": "restore_incomplete"},
        {"code": "undone"},
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


def test_a_clock_that_is_ahead_hides_nothing(machine: peer.Machine, row: Callable[[], Machine]) -> None:
    """A check that ends minutes from now would be the newest until then."""
    report(machine, run_of("check", ended=timezone.now() + timedelta(minutes=4)))
    assert Run.objects.get().finished_at <= timezone.now()
    report(machine, run_of("check", outcome="failed", code="repository_damaged"))
    assert row().concern == "check-failed"


def test_damage_that_was_over_is_not_told_again_when_a_later_check_fails(
    machine: peer.Machine, row: Callable[[], Machine]
) -> None:
    """The new check tells of something else; people were shown the old text as news."""
    now = timezone.now()
    report(machine, run_of(ended=now - timedelta(minutes=9), code="done_on_damaged", message="The old damage."))
    report(machine, run_of("check", ended=now - timedelta(minutes=6)))
    report(machine, run_of("check", outcome="failed", code="repository_damaged", message="The new damage."))
    assert row().concern == "check-failed"
    assert [run.message for _, run in concerns.current_concerns(row())] == ["The new damage."]


def test_a_failed_check_has_the_pair_looked_at(machine: peer.Machine, copied: PairedCopy) -> None:
    """What it misses may be there; the round begins with this machine."""
    report(machine, run_of("check"))
    assert (PairedCopy.objects.get().due_at, PairedCopy.objects.get().reported) == (None, [])
    report(machine, run_of("check", outcome="failed", message="a pack is missing"))
    assert (PairedCopy.objects.get().due_at is None, PairedCopy.objects.get().reported) == (False, [machine.id])


def test_objects_that_a_machine_found_damaged_are_compared_in_the_next_round(
    machine: peer.Machine, vault: Vault, copied: PairedCopy
) -> None:
    """Whatever became of the run: a repair may have succeeded, and the object still be damaged."""
    names = [f"{kind}/{'ab' * 32}" for kind in ("data", "index", "keys", "snapshots")]
    report(machine, run_of("repair", code="done", damaged=names))
    folder = f"{vault.pk}/{machine.id}"
    assert sorted(SuspectObject.objects.values_list("path", "compared_at")) == [
        (f"{folder}/data/ab/{'ab' * 32}", None),
        *((f"{folder}/{kind}/{'ab' * 32}", None) for kind in ("index", "keys", "snapshots")),
    ]
    assert (PairedCopy.objects.get().due_at is None, PairedCopy.objects.get().reported) == (False, [machine.id])


@pytest.mark.parametrize(
    "damaged",
    [
        ["config"],
        ["locks/" + "ab" * 32],
        ["../data/" + "ab" * 32],
        ["data/" + "AB" * 32],
        ["data/" + "ab" * 32 + "\n"],
        ["index/ab"] * 201,
    ],
)
def test_names_that_no_machine_would_tell_are_refused(
    machine: peer.Machine, copied: PairedCopy, damaged: list[str]
) -> None:
    refused(report(machine, run_of("check", damaged=damaged)), 422, "invalid")
    assert SuspectObject.objects.count() == 0


@pytest.mark.parametrize(("compared", "proven"), [(0, 1), (None, 1), (3, 0), (3, 4)])
def test_a_file_that_changes_all_the_time_proves_a_restore_by_what_the_snapshot_recorded(
    machine: peer.Machine, compared: int | None, proven: int
) -> None:
    report(machine, run_of())
    figures = {**CHECKED, "compared": compared, "proven": proven, "changed": 1}
    given = {name: value for name, value in figures.items() if value is not None}
    assert report(machine, {**run_of("restore_check", code="done"), **given}).json()["state"] == "Ready"
    assert Run.objects.get(kind="restore_check").figures["proven"] == proven


def test_what_the_agent_says_of_its_run_is_kept(machine: peer.Machine) -> None:
    told = run_of(code="done_with_losses", vanished=2, lost=40, message="/srv has lost 40 of 41 files.")
    report(machine, told)
    run = Run.objects.get()
    assert (run.code, run.figures) == ("done_with_losses", {"vanished": 2, "lost": 40})
    entry = AuditEvent.objects.get(action="machine:backup")
    assert (entry.detail["code"], entry.detail["lost"]) == ("done_with_losses", 40)
    report(machine, run_of("repair", code="done"))
    assert Run.objects.filter(kind="repair", outcome="succeeded").count() == 1
    assert AuditEvent.objects.filter(action="machine:repair").count() == 1


@pytest.mark.parametrize("code", ["restore_incomplete", "engine_failed", "donext"])
def test_success_is_what_the_code_says_too(machine: peer.Machine, code: str) -> None:
    report(machine, run_of("restore", code=code, message="ledger.db differs."))
    assert Run.objects.get().outcome == "failed"
    told = Notification.objects.get(key=f"machine-restore:{machine.id}")
    assert (told.state, told.step) == ("failed", "ledger.db differs.")


@pytest.mark.parametrize(
    ("kind", "fields", "concern"),
    [
        ("backup", {"code": "done"}, ""),
        ("backup", {"code": "done_with_unreadable"}, ""),
        ("backup", {"code": "done_with_losses"}, "losses"),
        ("backup", {"code": "done_on_damaged"}, "damaged"),
        ("backup", {"code": "done_with_losses", "outcome": "failed"}, "losses"),
        ("backup", {"code": "network", "outcome": "failed"}, "backup-failed"),
        ("check", {"outcome": "failed"}, "check-failed"),
        ("restore_check", {"outcome": "failed"}, "restore-check-failed"),
        ("restore_check", {**CHECKED, "mismatched": 1}, "restore-check-failed"),
        ("restore", {"outcome": "failed", "code": "no_room"}, ""),
        ("repair", {"outcome": "failed"}, ""),
    ],
)
def test_what_turns_a_machine_amber_until_the_next_good_run_of_its_kind(
    machine: peer.Machine, row: Callable[[], Machine], kind: str, fields: dict[str, object], concern: str
) -> None:
    report(machine, {**run_of(kind), **fields})
    assert row().concern == concern
    report(machine, run_of("check" if kind == "backup" else "backup"))
    assert row().concern == concern
    report(machine, {**run_of(kind), **(CHECKED if kind == "restore_check" else {})})
    assert row().concern == ""
    assert not Notification.objects.filter(key=f"machine-{kind}:{machine.id}").exists()


def test_the_worst_is_shown_and_a_late_report_changes_nothing(
    machine: peer.Machine, row: Callable[[], Machine]
) -> None:
    report(machine, run_of("check", outcome="failed"))
    report(machine, run_of(code="done_with_losses", message="/srv is empty."))
    assert row().concern == "losses"
    report(machine, run_of(ended=timezone.now() - timedelta(hours=1)))
    assert row().concern == "losses"
    assert Notification.objects.get(key=f"machine-backup:{machine.id}").step == "/srv is empty."
    report(machine, run_of())
    assert row().concern == "check-failed"


def test_damage_that_a_backup_told_of_ends_with_a_check_that_began_later_and_misses_nothing(
    machine: peer.Machine, row: Callable[[], Machine]
) -> None:
    now = timezone.now()
    key = f"machine-backup:{machine.id}"
    report(machine, run_of(code="done_on_damaged", ended=now - timedelta(minutes=10)))
    for kind, minutes, outcome in (
        ("check", 9.5, "succeeded"),
        ("check", 7, "failed"),
        ("restore_check", 6, "succeeded"),
    ):
        report(machine, run_of(kind, ended=now - timedelta(minutes=minutes), outcome=outcome))
        assert (row().concern, Notification.objects.filter(key=key).count()) == ("damaged", 1)
    report(machine, run_of("check", ended=now - timedelta(minutes=4)))
    assert (row().concern, Notification.objects.filter(key=key).count()) == ("", 0)
    report(machine, run_of(code="done_on_damaged", ended=now))
    assert row().concern == "damaged"


def test_people_are_told_once_for_each_change(machine: peer.Machine) -> None:
    key, told = f"machine-backup:{machine.id}", []
    codes = ["done_with_losses", "done_with_losses", "done_on_damaged", "done_on_damaged", "done", "done_with_losses"]
    for code in codes:
        report(machine, run_of(code=code, message=code))
        told.append(Notification.objects.filter(key=key).values_list("updated_at", "state", "title").first())
    assert [one == two for one, two in pairwise(told)] == [True, False, True, False, False]
    assert told[0] is not None
    assert told[2] is not None
    assert told[0][1:] == ("attention", 'Machine "hr-db-02" of vault "Payroll" needs attention: files missing.')
    assert told[2][1:] == ("attention", 'Machine "hr-db-02" of vault "Payroll" needs attention: damaged.')
    assert told[4] is None


def test_the_machine_hears_of_damage_until_a_check_that_began_later_misses_nothing(
    machine: peer.Machine, vault: Vault, issue: Callable[..., dict[str, object]]
) -> None:
    other = peer.Machine("other")
    register(issue(), other)
    lose(vault, machine, ago=timedelta(seconds=30))
    assert report(other, run_of()).json()["damaged"] is False
    assert report(machine, run_of()).json()["damaged"] is True
    assert report(machine, run_of("check")).json()["damaged"] is True  # it began a minute ago, before that was found
    LostObject.objects.update(found_at=timezone.now() - timedelta(minutes=2))
    for fields in ({**run_of("restore_check"), **CHECKED}, run_of("check", outcome="failed"), run_of("repair")):
        assert report(machine, fields).json()["damaged"] is True
    versions = {"agent_version": "1.0.0", "engine_version": "0.18.0"}
    assert say(machine.holder, "heartbeat", **versions).json()["damaged"] is True
    lose(vault, other, ago=timedelta(minutes=2))
    assert report(machine, run_of("check")).json()["damaged"] is False
    assert say(machine.holder, "heartbeat", **versions).json()["damaged"] is False
    assert report(other, run_of()).json()["damaged"] is True


def test_what_stands_is_told_and_what_is_over_is_withdrawn(machine: peer.Machine, row: Callable[[], Machine]) -> None:
    """A check without a connection is over with the next backup, whatever that tells itself; the next one is news."""
    now, key = timezone.now(), f"machine-check:{machine.id}"
    told = []
    for minutes, kind, fields in (
        (9.0, "check", {"code": "network", "outcome": "failed"}),
        (7.0, "backup", {"code": "done_with_losses"}),
        (5.0, "check", {"code": "network", "outcome": "failed"}),
        (3.0, "backup", {"code": "done"}),
        (1.0, "check", {"code": "repository_damaged", "outcome": "failed"}),
    ):
        report(machine, {**run_of(kind, ended=now - timedelta(minutes=minutes)), **fields})
        told.append((row().concern, Notification.objects.filter(key=key).exists()))
    assert told == [("check-failed", True), ("losses", False), ("losses", True), ("", False), ("check-failed", True)]

"""Machines that are late: from what they tell of their schedules, shown from the clock, told to people once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents import states
from agents.models import Machine
from agents.monitoring import schedules
from agents.monitoring.concerns import reasons_of, with_damage
from agents.monitoring.dashboard import estate_of
from agents.queries import machines_of
from agents.states import Concern
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from tests.agents import peer
from tests.agents.factories import credential_of, machine_in
from tests.agents.peer import refused, report, run_of, say
from vaults.models import Vault

HOUR = timedelta(hours=1)
VERSIONS = {"agent_version": "1.1.0", "engine_version": "0.18.0"}


def told(machine: peer.Machine, **fields: object) -> Any:
    return say(machine.holder, "heartbeat", **VERSIONS, **fields)


def row(machine: peer.Machine) -> Machine:
    return with_damage(Machine.objects.filter(pk=machine.id)).get()


def open_notices() -> list[str]:
    found = Notification.objects.filter(key__startswith="machine-late:")
    return [one.title for one in found]


def waited(machine: peer.Machine, since: timedelta) -> Machine:
    """The machine as if its last backup had ended so long ago."""
    then = timezone.now() - since
    late = states.late_from(then, 24)
    Machine.objects.filter(pk=machine.id).update(backup_every_hours=24, last_backup_at=then, late_from=late)
    return row(machine)


class TestTold:
    def test_a_heartbeat_tells_of_the_schedule_and_a_change_is_recorded(self, machine: peer.Machine) -> None:
        before = timezone.now()
        assert told(machine, schedule={"every_hours": 24}).status_code == 200
        found = row(machine)
        assert found.backup_every_hours == 24
        assert found.late_from is not None
        assert before + 30 * HOUR <= found.late_from <= timezone.now() + 30 * HOUR
        assert told(machine, schedule={"every_hours": 24}).status_code == 200
        assert row(machine).late_from == found.late_from  # a sign of life is no backup
        assert told(machine, schedule=None).status_code == 200
        assert (row(machine).backup_every_hours, row(machine).late_from) == (None, None)
        entries = AuditEvent.objects.filter(action="machine:schedule").order_by("id")
        changes = [(entry.detail["before"], entry.detail["every_hours"]) for entry in entries]
        assert changes == [(None, 24), (24, None)]

    def test_an_agent_that_tells_of_none_changes_nothing(self, machine: peer.Machine) -> None:
        told(machine, schedule={"every_hours": 168})
        assert told(machine).status_code == 200
        assert report(machine, run_of()).status_code == 200
        assert row(machine).backup_every_hours == 168

    def test_a_report_tells_of_it_too_and_a_backup_sets_the_next_moment(self, machine: peer.Machine) -> None:
        ended = timezone.now() - HOUR
        assert report(machine, run_of(ended=ended, schedule={"every_hours": 168})).status_code == 200
        found = row(machine)
        assert found.backup_every_hours == 168
        assert found.late_from is not None
        assert found.late_from >= ended + 180 * HOUR

    @pytest.mark.parametrize("wrong", [{}, {"every_hours": 0}, {"every_hours": 745}, {"every_hours": "24"}, 24, []])
    def test_what_is_no_schedule_is_refused(self, machine: peer.Machine, wrong: object) -> None:
        refused(told(machine, schedule=wrong), 422, "invalid")
        assert row(machine).backup_every_hours is None


class TestLate:
    @pytest.mark.parametrize(
        ("hours", "look"),
        [
            (1, None),
            (29, None),
            (31, states.LATE),
            (71, states.LATE),
            (73, states.NO_BACKUPS),
            (9000, states.NO_BACKUPS),
        ],
    )
    def test_amber_after_interval_and_grace_and_red_after_three_intervals(
        self, machine: peer.Machine, hours: int, look: object
    ) -> None:
        found = waited(machine, hours * HOUR)
        assert (found.lateness, found.attention) == (look, look)
        assert [reason.look for reason in reasons_of(found)] == ([look] if look else [])
        needing = [one.pk for one in machines_of(found.vault_id, "attention")]
        assert needing == ([found.pk] if look else [])

    def test_of_a_week_the_grace_is_half_a_day(self) -> None:
        assert [states.grace(hours) / HOUR for hours in (1, 12, 24, 96, 168)] == [2, 3, 6, 12, 12]

    def test_what_is_worse_is_shown_in_its_place(self, machine: peer.Machine) -> None:
        Machine.objects.filter(pk=machine.id).update(concern=Concern.BACKUP_FAILED)
        found = waited(machine, 31 * HOUR)
        assert found.attention == states.CONCERNS[Concern.BACKUP_FAILED]
        assert waited(machine, 80 * HOUR).attention == states.NO_BACKUPS

    @pytest.mark.parametrize("state", ["Suspended", "Revoked", "Unregistered"])
    def test_those_that_may_not_back_up_are_not_late(self, machine: peer.Machine, state: str) -> None:
        waited(machine, 80 * HOUR)
        Machine.objects.filter(pk=machine.id).update(state=state)
        assert row(machine).lateness is None
        assert schedules.tell_of_late(timezone.now(), 10) == 0

    def test_without_a_schedule_nobody_is_late_by_it(self, machine: peer.Machine) -> None:
        Machine.objects.filter(pk=machine.id).update(last_backup_at=timezone.now() - 9000 * HOUR)
        assert row(machine).attention is None
        assert schedules.tell_of_late(timezone.now(), 10) == 0


class TestPeopleAreTold:
    def test_once_for_each_lateness_until_a_backup_comes(self, machine: peer.Machine) -> None:
        waited(machine, 31 * HOUR)
        assert [schedules.tell_of_late(timezone.now(), 10) for _ in range(3)] == [1, 0, 0]
        assert open_notices() == ['Machine "hr-db-02" of vault "Payroll" is late with its backup.']
        assert AuditEvent.objects.filter(action="machine:late").count() == 1
        assert report(machine, run_of(outcome="failed", code="network")).status_code == 200
        assert len(open_notices()) == 1
        assert report(machine, run_of()).status_code == 200
        assert (open_notices(), row(machine).late_told_at) == ([], None)
        waited(machine, 31 * HOUR)
        assert schedules.tell_of_late(timezone.now(), 10) == 1

    def test_an_old_report_that_comes_late_ends_nothing(self, machine: peer.Machine) -> None:
        waited(machine, 31 * HOUR)
        schedules.tell_of_late(timezone.now(), 10)
        old = timezone.now() - 90 * HOUR
        assert report(machine, run_of(ended=old)).status_code == 200
        assert len(open_notices()) == 1
        assert schedules.tell_of_late(timezone.now(), 10) == 0

    def test_that_nothing_is_promised_any_more_ends_it(self, machine: peer.Machine) -> None:
        waited(machine, 31 * HOUR)
        schedules.tell_of_late(timezone.now(), 10)
        assert told(machine, schedule=None).status_code == 200
        assert open_notices() == []

    def test_one_round_tells_of_so_many_the_longest_first(
        self, vault: Vault, staff: User, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        credential = credential_of(vault, staff, machines=50)
        then = timezone.now() - 50 * HOUR
        for number in range(9):
            late = then + number * HOUR
            machine_in(vault, credential, f"m{number}", backup_every_hours=24, late_from=late)
        with django_assert_max_num_queries(1 + 4 * 14):
            assert schedules.tell_of_late(timezone.now(), 4) == 4
        names = Machine.objects.exclude(late_told_at=None).order_by("name").values_list("name", flat=True)
        assert list(names) == ["m0", "m1", "m2", "m3"]
        assert schedules.tell_of_late(timezone.now(), 500) == 5


def test_the_dashboard_has_the_worst_first_and_each_once(vault: Vault, staff: User) -> None:
    credential, now = credential_of(vault, staff, machines=50), timezone.now()
    hours = count(31)

    def make(name: str, late: datetime | None, **columns: object) -> None:
        every = 24 if late else None
        last = now - next(hours) * HOUR
        machine_in(vault, credential, name, backup_every_hours=every, late_from=late, last_backup_at=last, **columns)

    make("a-fine", now + HOUR)
    make("b-failed", None, concern=Concern.BACKUP_FAILED)
    make("c-amber", now - HOUR)
    make("d-red", now - 90 * HOUR)
    make("e-no-schedule", None)
    estate = estate_of(vault, now)
    assert [one.name for one in estate.needing_attention] == ["d-red", "c-amber", "b-failed"]
    assert estate.waited_for == 4
    assert {one.machine.name for one in estate.late} == {"b-failed", "e-no-schedule"}


def test_pages_and_calls_say_it(client: Client, machine: peer.Machine, staff: User, vault: Vault) -> None:
    client.force_login(staff)
    page: Callable[[str], str] = lambda path: client.get(path).content.decode()  # noqa: E731
    assert "No schedule" in page(f"/machines/{machine.id}/")
    assert "No schedule" in page(f"/vaults/{vault.pk}/machines/")
    waited(machine, 80 * HOUR)
    text = page(f"/machines/{machine.id}/")
    assert "Its schedule promises a backup daily; the last one ended on" in text
    assert 'class="notice red"' in text
    assert "every 24 hours" in page(f"/vaults/{vault.pk}/machines/")
    answer = client.get(f"/api/v1/machines/{machine.id}").json()
    assert (answer["backup_every_hours"], answer["attention"]) == (24, "No backups")
    assert answer["late_from"]

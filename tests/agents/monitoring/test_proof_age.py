"""Green names its evidence, fades with it, and turns amber; and how long a restore would take against what is expected.

Nothing here waits: the moments are moved into the past.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from agents import states
from agents.models import Machine
from agents.monitoring import proof_age
from agents.monitoring.concerns import reasons_of
from agents.monitoring.dashboard import estate_of
from agents.monitoring.restore_time import about
from agents.queries import machines_of
from agents.states import Concern, MachineState
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.notifications.models import Notification
from tests.agents import peer
from tests.agents.factories import credential_of, machine_in
from tests.agents.peer import report, run_of
from tests.factories import as_actor
from vaults.lifecycle import expected_restore
from vaults.models import Vault

HOUR = timedelta(hours=1)
PROVEN: dict[str, Any] = {
    "compared": 118,
    "compared_bytes": 9000,
    "proven": 120,
    "total": 120,
    "changed": 2,
    "mismatched": 0,
}
GIB = 1024**3
MEASURED: dict[str, Any] = {
    "total_bytes": 412 * GIB,
    "restored": 100,
    "restored_bytes": GIB,
    "restore_ms": 27_670,
    "total": 120,
}


def row(machine: peer.Machine) -> Machine:
    """The machine as pages have it."""
    return machines_of(Machine.objects.get(pk=machine.id).vault_id).select_related("vault").get(pk=machine.id)


def proven(machine: peer.Machine, ended: datetime | None = None, **figures: object) -> None:
    """The machine is backed up, and a restore of it is proven; by now, or by then."""
    for told in (run_of(ended=ended), run_of("restore_check", ended=ended, **{**PROVEN, **figures})):
        assert report(machine, told).status_code == 200


def aged(machine: peer.Machine, age: timedelta, every: int | None = None) -> Machine:
    """As `proven()`, and that was so long ago."""
    proven(machine)
    then = timezone.now() - age
    Machine.objects.filter(pk=machine.id).update(
        last_restore_check_at=then,
        last_backup_at=timezone.now(),
        backup_every_hours=every,
        late_from=None,
        fades_from=states.fades_from(then, every),
        unproven_from=states.unproven_from(then, every),
    )
    return row(machine)


def text_of(client: Client, path: str) -> str:
    """What the page says, in one line."""
    return " ".join(strip_tags(client.get(path).content.decode()).split())


def notices() -> list[str]:
    """What people are told of just now."""
    return list(Notification.objects.order_by("key").values_list("title", flat=True))


class TestFading:
    @pytest.mark.parametrize(
        ("every", "fades", "unproven"),
        [(None, 48, 168), (1, 48, 168), (24, 48, 168), (36, 72, 168), (168, 336, 672)],
    )
    def test_the_moments_follow_from_the_schedule(self, every: int | None, fades: int, unproven: int) -> None:
        then = timezone.now()
        assert states.fades_from(then, every) - then == fades * HOUR
        assert states.unproven_from(then, every) - then == unproven * HOUR

    @pytest.mark.parametrize(
        ("every", "hours", "faded", "amber"),
        [
            (24, 47, False, False),
            (24, 49, True, False),
            (24, 167, True, False),
            (24, 169, True, True),
            (168, 335, False, False),
            (168, 337, True, False),
            (168, 673, True, True),
            (None, 49, True, False),
            (None, 169, True, True),
        ],
    )
    def test_green_then_grey_then_amber(
        self, machine: peer.Machine, every: int | None, hours: int, faded: bool, amber: bool
    ) -> None:
        found = aged(machine, hours * HOUR, every)
        assert (found.faded, found.attention) == (faded, states.UNPROVEN if amber else None)
        assert [reason.look for reason in reasons_of(found)] == ([states.UNPROVEN] if amber else [])
        assert [one.pk for one in machines_of(found.vault_id, "attention")] == ([found.pk] if amber else [])
        estate = estate_of(found.vault, timezone.now())
        assert estate.proven == (0 if amber else 1)
        assert estate.states == [(states.FADED if faded else states.MACHINE.looks[MachineState.READY], 1)]

    def test_one_that_was_never_ready_has_nothing_to_fade(self, machine: peer.Machine) -> None:
        then = timezone.now() - 900 * HOUR
        Machine.objects.filter(pk=machine.id).update(last_restore_check_at=then, unproven_from=then)
        assert (row(machine).faded, row(machine).attention) == (False, None)
        assert proof_age.tell(timezone.now(), 10) == 0

    def test_what_is_worse_is_shown_in_its_place(self, machine: peer.Machine) -> None:
        aged(machine, 200 * HOUR)
        Machine.objects.filter(pk=machine.id).update(concern=Concern.BACKUP_FAILED)
        assert row(machine).attention == states.CONCERNS[Concern.BACKUP_FAILED]

    def test_a_new_schedule_moves_the_moment(self, machine: peer.Machine) -> None:
        found = aged(machine, 200 * HOUR, 24)
        assert found.unproven
        assert peer.say(machine.holder, "runs", **run_of(), schedule={"every_hours": 168}).status_code == 200
        moved = row(machine)
        assert moved.unproven is None
        assert moved.fades_from == states.fades_from(found.last_restore_check_at, 168)  # type: ignore[arg-type]

    def test_pages_say_it_in_words(self, client: Client, machine: peer.Machine, vault: Vault, staff: User) -> None:
        client.force_login(staff)
        pages = (f"/machines/{machine.id}/", f"/vaults/{vault.pk}/machines/", f"/vaults/{vault.pk}/quick-start/")
        aged(machine, 5 * HOUR)
        for page in pages:
            assert "Proven 5 hours ago: 120 files restored and proven against the snapshot" in text_of(client, page)
        aged(machine, 73 * HOUR)
        for page in pages:
            assert "last proven 3 days ago: 120 files restored" in text_of(client, page)
        heading = client.get(pages[0]).content.decode().split('<div class="heading">')[1].split("</div>")[0]
        assert ("status green" in heading, "status grey" in heading) == (False, True)
        aged(machine, 200 * HOUR)
        assert "Not proven" in text_of(client, pages[0])
        assert "The newest proof of a restore is of" in text_of(client, pages[0])
        assert "Not proven" in text_of(client, f"/vaults/{vault.pk}/")

    def test_byte_for_byte_is_said_where_all_of_it_was(
        self, client: Client, machine: peer.Machine, staff: User
    ) -> None:
        client.force_login(staff)
        proven(machine, compared=120, changed=0)
        assert "Proven just now: 120 files restored byte for byte" in text_of(client, f"/machines/{machine.id}/")

    def test_another_computer_begins_anew(self, machine: peer.Machine) -> None:
        proven(machine, **MEASURED)
        Machine.objects.filter(pk=machine.id).update(state=MachineState.REGISTERED, last_restore_check_at=None)
        assert row(machine).faded is False


class TestTold:
    def test_once_until_a_proof_comes(self, machine: peer.Machine) -> None:
        aged(machine, 200 * HOUR)
        before = notices()
        assert [proof_age.tell(timezone.now(), 10) for _ in range(3)] == [1, 0, 0]
        assert set(notices()) - set(before) == {
            'Of machine "hr-db-02" of vault "Payroll" no restore was proven lately.'
        }
        assert AuditEvent.objects.filter(action="machine:unproven").count() == 1
        assert report(machine, run_of("restore_check", outcome="failed", code="network")).status_code == 200
        assert row(machine).unproven_told_at
        proven(machine)
        assert row(machine).unproven_told_at is None
        assert 'Of machine "hr-db-02" of vault "Payroll" no restore was proven lately.' not in notices()

    def test_an_old_proof_that_comes_late_ends_nothing(self, machine: peer.Machine) -> None:
        found = aged(machine, 200 * HOUR)
        proof_age.tell(timezone.now(), 10)
        told = run_of("restore_check", ended=timezone.now() - 300 * HOUR, **{**PROVEN, "proven": 7})
        assert report(machine, told).status_code == 200
        assert (row(machine).unproven_from, row(machine).proof["proven"]) == (found.unproven_from, 120)
        assert proof_age.tell(timezone.now(), 10) == 0

    def test_that_it_has_left_or_promises_less_ends_it(self, machine: peer.Machine) -> None:
        aged(machine, 200 * HOUR)
        before = notices()
        proof_age.tell(timezone.now(), 10)
        assert len(notices()) == len(before) + 1
        Machine.objects.filter(pk=machine.id).update(state=MachineState.REGISTERED)
        assert proof_age.tell(timezone.now(), 10) == 0
        assert notices() == before

    def test_a_round_has_an_end(
        self, vault: Vault, staff: User, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        credential, then = credential_of(vault, staff, machines=50), timezone.now() - HOUR
        for number in range(9):
            machine_in(vault, credential, f"m{number}", state=MachineState.READY, unproven_from=then)
        with django_assert_max_num_queries(4 + 4 * 14):
            assert proof_age.tell(timezone.now(), 4) == 4
        assert proof_age.tell(timezone.now(), 500) == 5


class TestRestoreTime:
    @pytest.mark.parametrize(
        ("changes", "seconds"),
        [
            ({}, 11400),  # 412 times as many bytes
            ({"total": 100_000}, 27_670),  # a thousand times as many files
            ({"total_bytes": GIB, "total": 100, "restore_ms": 1}, 1),
            ({"total_bytes": 1, "total": 1}, 28),  # never less than was measured
            ({"restored_bytes": 0, "total_bytes": 0}, 33),
            ({"restore_ms": 2**62, "total": 2**62, "restored": 1}, proof_age.LONGEST),
            ({"restored": 0}, None),
            ({"restored": 10**18}, 11400),
        ],
    )
    def test_the_estimate(self, changes: dict[str, int], seconds: int | None) -> None:
        assert proof_age.estimate({**MEASURED, **changes}) == seconds
        assert proof_age.estimate({}) is None
        for name in MEASURED:
            if name != "restored_bytes":
                assert proof_age.estimate({each: MEASURED[each] for each in MEASURED if each != name}) is None

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "1 s"), (59, "59 s"), (60, "1 min"), (3599, "60 min"), (11400, "3 h 10 min"), (200_000, "2 days 8 h")],
    )
    def test_in_words(self, seconds: int, text: str) -> None:
        assert about(timedelta(seconds=seconds)) == text.replace("60 min", "1 h 0 min")

    def test_the_page_says_it_with_its_moment(self, client: Client, machine: peer.Machine, staff: User) -> None:
        client.force_login(staff)
        proven(machine, datetime(2026, 1, 22, 2, 30, tzinfo=timezone.now().tzinfo), **MEASURED)
        said = (
            "Restoring all of it (412 GiB) would take about 3 h 10 min at the rate measured on 22 Jan 2026, 02:30 UTC."
        )
        assert said in text_of(client, f"/machines/{machine.id}/")

    def test_the_newest_measurement_counts_and_a_failed_check_gives_none(self, machine: peer.Machine) -> None:
        now = timezone.now()
        proven(machine, now - HOUR, **MEASURED)
        proven(machine, now - 5 * HOUR, **{**MEASURED, "restore_ms": 1000})
        failed: dict[str, Any] = {**PROVEN, **MEASURED, "mismatched": 1, "restore_ms": 99}
        assert report(machine, run_of("restore_check", **failed)).status_code == 200
        assert row(machine).restore_seconds == 11400

    def test_slower_than_expected_is_amber_and_told_once_until_it_is_not(
        self, client: Client, machine: peer.Machine, vault: Vault, staff: User
    ) -> None:
        client.force_login(staff)
        proven(machine, **MEASURED)
        before = notices()
        assert row(machine).attention is None

        def expect(hours: int | None) -> None:
            expected_restore.change(vault.pk, actor=as_actor(staff), hours=hours)

        expect(4)
        assert row(machine).attention is None
        expect(3)
        found = row(machine)
        assert (found.attention, [one.look for one in reasons_of(found)]) == (states.SLOW, [states.SLOW])
        assert [one.pk for one in machines_of(vault.pk, "attention")] == [found.pk]
        said = "Restoring all of it (412 GiB) would take about 3 h 10 min; 3 hours are expected."
        assert said in text_of(client, f"/machines/{machine.id}/")
        assert "Slow restore" in text_of(client, f"/vaults/{vault.pk}/")
        assert [proof_age.tell(timezone.now(), 10) for _ in range(3)] == [1, 0, 0]
        assert set(notices()) - set(before) == {'Machine "hr-db-02" of vault "Payroll" would be restored too slowly.'}
        proven(machine, **{**MEASURED, "restore_ms": 1000})
        assert row(machine).attention is None
        assert proof_age.tell(timezone.now(), 10) == 0
        assert notices() == before
        proven(machine, **MEASURED)
        assert row(machine).attention == states.SLOW
        expect(None)
        assert row(machine).attention is None

    def test_other_vaults_keep_what_they_expect(self, machine: peer.Machine, vault: Vault, make_vault: Any) -> None:
        proven(machine, **MEASURED)
        Machine.objects.update(restore_slow=True)
        proof_age.expect(make_vault(name="Other").pk, None)
        assert row(machine).restore_slow


def test_a_named_file_that_is_missing_is_amber_until_a_check_finds_all(machine: peer.Machine) -> None:
    told: dict[str, Any] = {
        **PROVEN,
        "code": "done_without_named",
        "named": 1,
        "named_missing": 1,
        "message": "Not proven: /x.",
    }
    proven(machine, **told)
    found = row(machine)
    assert (found.state, found.attention) == (MachineState.READY, states.CONCERNS[Concern.NAMED_MISSING])
    assert [(one.look.label, one.text) for one in reasons_of(found)] == [("Named missing", "Not proven: /x.")]
    proven(machine)
    assert row(machine).attention is None

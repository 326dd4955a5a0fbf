"""The Dashboard of a vault: what its machines prove, which are late, and what is stored."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, Run
from agents.monitoring.dashboard import SHOWN, estate_of
from agents.states import MachineState
from portal.accounts.models import User
from tests.agents.factories import credential_of, lost_of, machine_in, run_of, well_run
from tests.agents.views.reading import text
from vaults.models import Credential, StoredDay, Vault
from vaults.usage.charts import HEIGHT, TOP, WIDTH, curve
from vaults.usage.history import KEPT, note_stored, stored_days

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def credential(vault: Vault, staff: User) -> Credential:
    return credential_of(vault, staff, machines=500)


def backed_up(machine: Machine, *days: float) -> Machine:
    """The machine, after backups so many days ago."""
    for ago in days:
        run_of(machine, ago=ago * DAY)
    last = timezone.now() - min(days) * DAY if days else None
    Machine.objects.filter(pk=machine.pk).update(last_backup_at=last, registered_at=timezone.now() - 60 * DAY)
    return machine


def late(vault: Vault) -> list[str]:
    return [one.machine.name for one in estate_of(vault, timezone.now()).late]


class TestLate:
    def test_those_that_wait_longer_than_a_day_or_than_usual(
        self, vault: Vault, credential: Credential, make_vault: Callable[..., Vault], staff: User
    ) -> None:
        other = make_vault(name="Other")
        backed_up(machine_in(other, credential_of(other, staff), "elsewhere"), 9)
        backed_up(machine_in(vault, credential, "in-time"), 0.9, 1.9, 2.9, 3.9)
        backed_up(machine_in(vault, credential, "daily"), 2, 3, 4, 5)
        backed_up(machine_in(vault, credential, "weekly"), 6, 13, 20, 27)
        backed_up(machine_in(vault, credential, "missed-a-week"), 12, 19, 26, 33)
        backed_up(machine_in(vault, credential, "hourly"), 1.2, 1.25, 1.3)
        backed_up(machine_in(vault, credential, "unknown-habits"), 3)
        backed_up(machine_in(vault, credential, "never"))
        backed_up(machine_in(vault, credential, "left", state=MachineState.UNREGISTERED), 30)
        backed_up(machine_in(vault, credential, "shut", state=MachineState.REVOKED), 30)
        machine_in(vault, credential, "new")
        assert late(vault) == ["never", "missed-a-week", "unknown-habits", "daily", "hourly"]

    def test_it_is_said_with_what_is_usual(
        self, client: Client, vault: Vault, credential: Credential, staff: User
    ) -> None:
        backed_up(machine_in(vault, credential, "daily"), 2, 3, 4, 5)
        backed_up(machine_in(vault, credential, "never"))
        client.force_login(staff)
        shown = text(client.get(f"/vaults/{vault.pk}/").content)
        assert "Late never has never been backed up." in shown
        assert "Late daily was last backed up 2 days ago , usually every day." in shown


class TestProof:
    def test_what_is_proven_and_what_is_not(
        self, client: Client, vault: Vault, credential: Credential, staff: User
    ) -> None:
        for name, ago in (("one", 1), ("two", 3)):
            machine = machine_in(vault, credential, name)
            well_run(machine, ago=timedelta(hours=ago))
            well_run(machine, Run.Kind.RESTORE_CHECK, ago=ago * DAY)
        machine_in(vault, credential, "holed")
        lost_of(machine_in(vault, credential, "shut", state=MachineState.REVOKED))
        lost_of(Machine.objects.get(name="holed"))
        Vault.objects.update(machine_count=3, used_bytes=5 << 30, used_measured_at=timezone.now())
        client.force_login(staff)
        shown = text(client.get(f"/vaults/{vault.pk}/").content)
        assert "Proven restorable 2 of 3 oldest proof 3 days ago" in shown
        Machine.objects.filter(name="two").update(concern="restore-check-failed")
        doubted = text(client.get(f"/vaults/{vault.pk}/").content)
        assert "Proven restorable 1 of 3 oldest proof 1 day ago" in doubted
        assert "Last backup 3 hours ago no machine is late" in shown
        assert "Stored 5.00 GiB measured just now" in shown
        assert "3 registered Registered 1 Ready 2" in shown
        assert "Damaged holed : Stored data of this machine is damaged or missing." in shown
        assert "shut" not in shown

    def test_nothing_needs_anybody(self, client: Client, vault: Vault, credential: Credential, staff: User) -> None:
        machine = machine_in(vault, credential)
        for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
            well_run(machine, kind)
        client.force_login(staff)
        shown = text(client.get(f"/vaults/{vault.pk}/").content)
        assert "Nothing: the latest runs of all machines succeeded, and none is late." in shown

    def test_an_outsider_learns_nothing(self, client: Client, vault: Vault, outsider: User) -> None:
        client.force_login(outsider)
        assert client.get(f"/vaults/{vault.pk}/").status_code == 404

    def test_the_number_of_queries_does_not_grow(
        self,
        client: Client,
        vault: Vault,
        credential: Credential,
        staff: User,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(30):
            machine = lost_of(machine_in(vault, credential, f"m{number:02}", concern="losses"))
            backed_up(machine, 3, 4, 5, 6)
            note_stored(vault, number, timezone.now() - number * DAY)
        Vault.objects.update(last_backup_at=timezone.now())
        client.force_login(staff)
        with django_assert_num_queries(17):
            shown = client.get(f"/vaults/{vault.pk}/").content.decode()
        assert shown.count(">Late</span>") == SHOWN + 1
        assert "Show all that need attention" in shown


class TestStored:
    def test_the_last_measure_of_a_day_counts_and_old_days_go(
        self, vault: Vault, make_vault: Callable[..., Vault]
    ) -> None:
        now = timezone.now()
        other = make_vault(name="Other")
        note_stored(other, 77, now - KEPT - DAY)
        note_stored(vault, 1, now - KEPT - DAY)
        for size in (5, 6):
            note_stored(vault, size, now - DAY)
        note_stored(vault, 9, now)
        assert list(StoredDay.objects.filter(vault=vault).order_by("day").values_list("size", flat=True)) == [6, 9]
        assert [day.size for day in stored_days(vault, now, 30)] == [6, 9]
        assert [day.size for day in stored_days(vault, now, 1)] == [9]
        assert stored_days(other, now, 30) == []

    def test_the_picture(self, vault: Vault) -> None:
        today = date(2026, 11, 25)
        days = [
            StoredDay(vault=vault, day=today - back * DAY, size=size) for back, size in ((9, 50), (8, 40), (0, 100))
        ]
        drawn = curve(days, today=today, places=10)
        assert drawn is not None
        assert drawn.line.split()[0] == f"0.0,{HEIGHT - (HEIGHT - TOP) / 2}"
        assert drawn.line.split()[-1] == f"{WIDTH:.1f},{TOP:.1f}"
        assert drawn.area == f"0.0,{HEIGHT} {drawn.line} {WIDTH:.1f},{HEIGHT}"
        assert drawn.growth == 60
        assert curve(days[1:], today=today, places=10) is not None
        assert curve(days[2:], today=today, places=10) is None
        flat = curve(
            [StoredDay(vault=vault, day=today - back * DAY, size=0) for back in (1, 0)], today=today, places=10
        )
        assert flat is not None
        assert (flat.growth, flat.line.split()[-1]) == (None, f"{WIDTH:.1f},{HEIGHT:.1f}")

    def test_growth_is_said(self, client: Client, vault: Vault, credential: Credential, staff: User) -> None:
        machine_in(vault, credential)
        for back, size in ((8, 1 << 30), (0, 3 << 30)):
            note_stored(vault, size, timezone.now() - back * DAY)
        Vault.objects.update(used_bytes=3 << 30)
        client.force_login(staff)
        page = client.get(f"/vaults/{vault.pk}/").content
        assert "Stored 3.00 GiB +2.00 GiB in 7 days" in text(page)
        assert page.decode().count("<polyline") == 1


def test_a_name_leads_to_quick_start_until_a_restore_was_proven(
    client: Client, vault: Vault, make_vault: Callable[..., Vault], staff: User
) -> None:
    failed = make_vault(name="Broken", state="Failed", state_reason="No.")
    client.force_login(staff)
    start, board = (f'href="/vaults/{vault.pk}/{page}" title="Payroll">Payroll<' for page in ("quick-start/", ""))
    shown = client.get("/vaults/").content.decode()
    assert (start in shown, board in shown) == (True, False)
    assert f'href="/vaults/{failed.pk}/" title="Broken">Broken<' in shown
    assert f'href="/vaults/{vault.pk}/quick-start/"' in client.get("/search/?q=payroll").content.decode()
    Vault.objects.filter(pk=vault.pk).update(last_restore_check_at=timezone.now())
    shown = client.get("/vaults/").content.decode()
    assert (start in shown, board in shown) == (False, True)
    assert f'href="/vaults/{vault.pk}/"' in client.get("/search/?q=payroll").content.decode()

"""What Quick Start shows while a machine is set up, step by step; and what it says where nothing is heard."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, Onboarding, RefusedRegistration, Run
from agents.quick_start import progress_of
from agents.states import MachineState
from portal.accounts.models import User
from tests.agents.factories import credential_of, well_run
from tests.agents.views.reading import text
from tests.agents.views.setups import setting_up, shown_code
from tests.factories import member_of
from vaults.models import Credential, OneTimeCode, Vault

pytestmark = pytest.mark.django_db
POLL = {"HX-Request": "true", "HX-Target": "quick-start"}


@pytest.fixture
def page(client: Client, staff: User, vault: Vault) -> Callable[[], str]:
    """Fetches the live part of Quick Start as staff, and gives its text in one line."""
    client.force_login(staff)
    return lambda: text(client.get(f"/vaults/{vault.pk}/quick-start/").content).split("Configure storage")[0]


class TestSteps:
    def test_a_backup_with_its_progress(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        figures = {"files_done": 1234, "files_total": 5000, "bytes_done": 42 << 20, "bytes_total": 100 << 20}
        checks = {
            "program": {},
            "protected": {"files": 5000, "bytes": 100 << 20, "unreadable": 2},
            "cache": {"free": 61 << 30, "needed": 5 << 20},
            "proxy": {"through_proxy": 1},
            "portal": {},
        }
        rate = {"rate": 12 << 20, "seconds_left": 5}
        setting_up(vault, credential_of(vault, staff), step="backup", figures={**figures, **rate}, checks=checks)
        shown = page()
        assert "hr-db-02 Setting up registered" in shown
        assert "from 192.0.2.9" in shown
        assert "7 steps done" in shown
        assert "Done: Backup program" in shown
        assert "Done: Protected folders 5,000 files, 100 MiB; 2 items that its user may not read" in shown
        assert "Done: Cache folder 61.0 GiB free, 5.00 MiB needed" in shown
        assert "Done: Proxy configuration through a proxy" in shown
        assert "First backup 42 %" in shown
        assert "1,234 of 5,000 files, 42.0 MiB of 100 MiB, 12.0 MiB/s, 5.0 s left" in shown
        assert shown.index("First backup 42 %") < shown.index("Restore check") < shown.index("Schedule")

    def test_the_bar_has_a_name_and_a_text(self, client: Client, vault: Vault, staff: User) -> None:
        client.force_login(staff)
        setting_up(vault, credential_of(vault, staff), step="restore", figures={"files_done": 1, "files_total": 4})
        body = client.get(f"/vaults/{vault.pk}/quick-start/").content.decode()
        assert '<progress max="100" value="25" aria-label="Restore check">25 %</progress>' in body

    def test_facts_count_before_what_is_told(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        """A message that never came makes no backup undone that was reported."""
        setting_up(vault, credential_of(vault, staff), step="storage", backed_up_at=timezone.now())
        assert "Done: First backup" in page()

    def test_of_an_older_agent(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        setting_up(vault, credential_of(vault, staff))
        shown = page()
        assert "1 step done" in shown
        assert "Schedule" not in shown

    def test_a_step_that_failed(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        setting_up(vault, credential_of(vault, staff), step="storage", step_state="failed", code="quota_full")
        shown = page()
        assert "hr-db-02 Setup failed registered" in shown
        assert "Storage failed quota_full . The machine says why in its terminal" in shown
        assert "Likely reasons" not in shown

    def test_hostile_figures_are_shown_harmless(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        figures = {
            "files_done": 2**63 - 1,
            "files_total": 1,
            "bytes_done": 2**63 - 1,
            "bytes_total": 1,
            "rate": 2**63 - 1,
        }
        setting_up(vault, credential_of(vault, staff), step="backup", figures=figures)
        assert "First backup 100 %" in page()
        assert "1 of 1 file, 1 B of 1 B, 8192 PiB/s" in page()

    @pytest.mark.parametrize("state", [state for state in MachineState if state != MachineState.REGISTERED])
    def test_only_of_machines_that_are_being_set_up(
        self, vault: Vault, staff: User, page: Callable[[], str], state: MachineState
    ) -> None:
        setting_up(vault, credential_of(vault, staff), step="backup")
        Machine.objects.update(state=state)
        assert "Setting up" not in page()

    def test_not_of_one_that_was_left_lying(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        long_ago = timezone.now() - timedelta(hours=2)
        setting_up(vault, credential_of(vault, staff), step="backup", last_sign_at=long_ago)
        Onboarding.objects.update(registered_at=long_ago)
        assert "Setting up" not in page()

    def test_a_long_backup_is_followed_for_as_long_as_it_lives(
        self, vault: Vault, staff: User, page: Callable[[], str]
    ) -> None:
        setting_up(vault, credential_of(vault, staff), step="backup", figures={"bytes_done": 1, "bytes_total": 2})
        days_ago = timezone.now() - timedelta(days=2)
        Onboarding.objects.update(registered_at=days_ago)
        Machine.objects.update(registered_at=days_ago)
        assert "First backup 50 %" in page()
        assert progress_of(vault, staff).pause == 1

    def test_of_many_the_one_with_the_persons_code_is_first(
        self, vault: Vault, staff: User, page: Callable[[], str]
    ) -> None:
        code = shown_code(vault, staff, ago=timedelta(seconds=90))
        mine = credential_of(vault, staff)
        OneTimeCode.objects.filter(pk=code.pk).update(redeemed_at=timezone.now(), credential=mine, key_digest="x")
        setting_up(vault, mine, "mine", step="backup")
        other = credential_of(vault, staff, machines=9)
        for number in range(4):
            setting_up(vault, other, f"other-{number}", step="backup")
        shown = page()
        places = [shown.index(f"{name} Setting up") for name in ("mine", "other-3", "other-0")]
        assert places == sorted(places)
        assert "mine registered with your code" in shown
        assert "from 192.0.2.9" in shown

    def test_restored_byte_for_byte_and_how_long_it_took(self, client: Client, vault: Vault, staff: User) -> None:
        client.force_login(staff)
        machine = setting_up(vault, credential_of(vault, staff), step="restore")
        well_run(machine)
        well_run(machine, Run.Kind.RESTORE_CHECK, figures={"compared": 3, "total": 3})
        began = timezone.now() - timedelta(seconds=100)
        Onboarding.objects.update(began_at=began, proven_at=began + timedelta(seconds=72), by_code=True)
        shown = text(client.get(f"/vaults/{vault.pk}/quick-start/").content)
        assert "That was hr-db-02. Restored byte for byte 1 min 12 s after its code was shown." in shown
        assert "Setting up" not in shown


class TestQuiet:
    """Two minutes without a sign of life: likely reasons, by what is known."""

    def test_not_before(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        shown_code(vault, staff, ago=timedelta(seconds=110))
        assert "Likely reasons" not in page()

    def test_a_code_that_nobody_has_used(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        shown_code(vault, staff, ago=timedelta(seconds=130))
        shown = page()
        host = settings.EDGE_URL.removeprefix("https://")
        order = [
            "No machine has come with your code yet. The last sign was 2 minutes ago . Likely reasons",
            "The line has not been run yet, or the machine waits for the code.",
            f"The machine has no way to {host}. Try there: curl -k {settings.EDGE_URL}/agents/root.pem",
            "The machine reaches other networks through a proxy alone. Add --proxy",
            "The machine's clock is more than five minutes off.",
        ]
        places = [shown.index(reason) for reason in order]
        assert places == sorted(places)

    def test_a_refusal_is_a_sign_of_life_and_stands_there_at_once(
        self, vault: Vault, staff: User, page: Callable[[], str]
    ) -> None:
        code = shown_code(vault, staff, ago=timedelta(minutes=5))
        values = {"vault": vault, "one_time_code": code, "name": "hr-db-02", "code": "clock_skew", "message": "Set it."}
        RefusedRegistration.objects.create(**values, at=timezone.now())
        shown = page()
        assert "hr-db-02 was refused just now : Set it. clock_skew" in shown
        assert "Likely reasons" not in shown
        assert progress_of(vault, staff).pause == 1
        RefusedRegistration.objects.update(at=timezone.now() - timedelta(minutes=3))
        assert "The last sign was 3 minutes ago . Likely reasons" in page()

    def test_a_code_that_has_ended_says_so_first(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        shown_code(vault, staff, ago=timedelta(minutes=11))
        shown = page()
        assert "No machine has come with your code." in shown
        assert shown.index("The code has ended: it was good for ten minutes.") < shown.index("has no way to")

    def test_a_code_that_was_used_by_a_machine_that_never_registered(
        self, vault: Vault, staff: User, page: Callable[[], str]
    ) -> None:
        code = shown_code(vault, staff, ago=timedelta(minutes=6))
        mine, then = credential_of(vault, staff), timezone.now() - timedelta(minutes=3)
        OneTimeCode.objects.filter(pk=code.pk).update(redeemed_at=then, credential=mine, key_digest="x")
        assert "A machine has used your code and has not registered. The last sign was 3 minutes ago" in page()

    def test_a_code_of_somebody_else_is_no_business_of_mine(
        self, vault: Vault, staff: User, page: Callable[[], str]
    ) -> None:
        shown_code(vault, member_of(vault.subscription), ago=timedelta(minutes=5))
        assert "Likely reasons" not in page()

    @pytest.mark.parametrize("state", ["Removing", "Failed"])
    def test_not_where_no_machine_may_come(
        self, vault: Vault, staff: User, page: Callable[[], str], state: str
    ) -> None:
        shown_code(vault, staff, ago=timedelta(minutes=5))
        Vault.objects.update(state=state)
        assert "Likely reasons" not in page()

    def test_a_file_that_nobody_has_used(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        credential_of(vault, staff, issued_at=timezone.now() - timedelta(minutes=4))
        shown = page()
        assert "No machine has come with the file yet. The last sign was 4 minutes ago" in shown
        assert "Setup has not been started with the file yet." in shown
        Credential.objects.update(issued_at=timezone.now() - timedelta(hours=3))
        assert "Likely reasons" not in page()

    def test_a_setup_that_was_stopped(self, vault: Vault, staff: User, page: Callable[[], str]) -> None:
        then = timezone.now() - timedelta(minutes=3)
        setting_up(vault, credential_of(vault, staff, machines_used=1), step="backup", last_sign_at=then)
        Onboarding.objects.update(registered_at=then)
        shown = page()
        assert "hr-db-02 Nothing heard registered" in shown
        assert "Nothing is heard of hr-db-02. The last sign was 3 minutes ago" in shown
        assert "Setup was stopped on the machine; the last step seen is First backup." in shown
        assert "tells nothing before the first backup" not in shown

    def test_an_older_agent_tells_nothing_and_is_waited_for(
        self, vault: Vault, staff: User, page: Callable[[], str]
    ) -> None:
        setting_up(vault, credential_of(vault, staff, machines_used=1))
        Onboarding.objects.update(registered_at=timezone.now() - timedelta(minutes=3))
        shown = page()
        assert shown.index("Its agent tells nothing before the first backup is made.") < shown.index("was stopped")


class TestPolls:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    def test_nothing_is_sent_while_nothing_was_told(self, client: Client, vault: Vault, staff: User) -> None:
        setting_up(vault, credential_of(vault, staff), step="backup", figures={"bytes_done": 1, "bytes_total": 4})
        address = f"/vaults/{vault.pk}/quick-start/"
        first = client.get(address, headers=POLL)
        again = {**POLL, "If-None-Match": first.headers["ETag"]}
        assert client.get(address, headers=again).status_code == 304
        Onboarding.objects.update(figures={"bytes_done": 2, "bytes_total": 4})
        changed = client.get(address, headers=again)
        assert changed.status_code == 200
        assert "50 %" in changed.content.decode()

    def test_queries_do_not_grow_with_setups(
        self, client: Client, vault: Vault, staff: User, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        credential, address = credential_of(vault, staff, machines=99), f"/vaults/{vault.pk}/quick-start/"
        setting_up(vault, credential, "first", step="backup")
        client.get(address, headers=POLL)
        with django_assert_num_queries(11):
            client.get(address, headers=POLL)
        for number in range(20):
            setting_up(vault, credential, f"m{number}", step="backup")
        with django_assert_num_queries(11):
            client.get(address, headers=POLL)

"""The recovery kit of a machine, as a page and as a file: who gets it, what it says, and what it never says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine
from agents.states import MachineState
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from tests.agents.factories import credential_of, machine_in
from tests.agents.views.reading import text
from tests.factories import member_of, person
from tests.portal.pages import inline
from vaults.models import PairedCopy, Vault

pytestmark = pytest.mark.django_db
SECRET = "do-not-tell-anybody"
ROOT = "/srv/first-region"
BUCKET = "bucket/second-region"
REGIONS = f"""
[[region]]
slug = "local-a"
name = "Local A"
remote = "{ROOT}"
pair = "local-b"

[[region]]
slug = "local-b"
name = "Local B"
remote = "store:{BUCKET}"
[region.config]
type = "s3"
endpoint = "https://s3.example.com"
access_key_id = "{SECRET}-id"
secret_access_key = "{SECRET}"
"""


@pytest.fixture(autouse=True)
def regions_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "regions.toml"
    path.write_text(REGIONS)
    monkeypatch.setattr(settings, "REGIONS_FILE", path)
    return path


@pytest.fixture
def machine(vault: Vault, staff: User) -> Machine:
    return machine_in(vault, credential_of(vault, staff))


@pytest.fixture
def kit(client: Client, machine: Machine) -> Callable[[User], str]:
    """The text of the kit as somebody gets it."""

    def ask(who: User) -> str:
        client.force_login(who)
        response = client.get(f"/machines/{machine.pk}/recovery-kit/file/")
        assert response.status_code == 200
        return response.content.decode()

    return ask


def both(machine: Machine | None = None) -> list[str]:
    number = machine.pk if machine else uuid4()
    return [f"/machines/{number}/recovery-kit/", f"/machines/{number}/recovery-kit/file/"]


class TestAccess:
    def test_an_outsider_learns_nothing(self, client: Client, machine: Machine, outsider: User) -> None:
        client.force_login(outsider)
        for url in [*both(machine), *both()]:
            response = client.get(url)
            assert response.status_code == 404
            assert not {machine.name, ROOT, BUCKET} & set(re.split(r"[\s<>'\"]", response.content.decode()))

    def test_an_administrator_of_nothing_else_is_an_outsider(
        self, client: Client, machine: Machine, administrator: User
    ) -> None:
        client.force_login(administrator)
        assert [client.get(url).status_code for url in both(machine)] == [404, 404]

    def test_it_is_read_and_nothing_else(self, client: Client, machine: Machine, staff: User) -> None:
        client.force_login(staff)
        for url in both(machine):
            assert client.post(url).status_code == 405

    @pytest.mark.parametrize("who", ["approver", "auditor"])
    def test_onlookers_do_not_learn_where_regions_are(
        self,
        client: Client,
        kit: Callable[[User], str],
        machine: Machine,
        copied: PairedCopy,
        request: pytest.FixtureRequest,
        who: str,
    ) -> None:
        onlooker = request.getfixturevalue(who)
        pages = [kit(onlooker), client.get(both(machine)[0]).content.decode()]
        for shown in pages:
            assert [hidden for hidden in (ROOT, BUCKET, "s3.example.com", SECRET) if hidden in shown] == []
            assert f"ROOT-OF-THE-REGION/{machine.vault_id}/{machine.pk}" in shown

    def test_members_and_administrators_who_see_the_machine_do(
        self, kit: Callable[[User], str], vault: Vault, staff: User, copied: PairedCopy
    ) -> None:
        also = person("auditing-administrator", is_auditor=True, is_administrator=True)
        for who in (staff, also, member_of(vault.subscription, "member-and-auditor", is_auditor=True)):
            shown = kit(who)
            assert ROOT in shown
            assert f"https://s3.example.com/{BUCKET}" in shown

    def test_the_right_ends_with_the_membership(self, client: Client, machine: Machine, staff: User) -> None:
        client.force_login(staff)
        assert client.get(both(machine)[0]).status_code == 200
        staff.memberships.all().delete()
        assert [client.get(url).status_code for url in both(machine)] == [404, 404]

    def test_nobody_finds_a_key_in_it(
        self, client: Client, kit: Callable[[User], str], machine: Machine, staff: User, copied: PairedCopy
    ) -> None:
        boss = member_of(machine.vault.subscription, "boss", is_approver=True, is_auditor=True, is_administrator=True)
        for who in (staff, boss):
            assert SECRET not in kit(who)
            assert SECRET not in client.get(both(machine)[0]).content.decode()

    def test_reading_it_is_no_entry_in_the_log(self, client: Client, machine: Machine, staff: User) -> None:
        client.force_login(staff)
        before = AuditEvent.objects.count()
        for url in both(machine):
            client.get(url)
        assert AuditEvent.objects.count() == before


class TestContent:
    def test_names_numbers_addresses_and_both_regions(
        self, kit: Callable[[User], str], machine: Machine, staff: User, copied: PairedCopy
    ) -> None:
        shown = kit(staff)
        vault = machine.vault
        below = f"{vault.pk}/{machine.pk}"
        lines = [re.sub(r":  +", ": ", line) for line in shown.splitlines()]
        for line in (
            f"Machine: {machine.name} ({machine.pk})",
            f"Vault: Payroll ({vault.pk})",
            "Subscription: Default",
            "Region: Local A",
            "Paired region: Local B",
            f"Portal: {settings.PORTAL_URL}",
            f"Edge: {settings.EDGE_URL}",
            f"    export RESTIC_REPOSITORY={ROOT}/{below}",
            f"    export RESTIC_REPOSITORY=s3:https://s3.example.com/{BUCKET}/{below}",
            "Copy complete: not yet",
        ):
            assert line in lines, line
        assert re.search(r"^Made on: +\d+ \w{3} \d{4}, \d\d:\d\d UTC$", shown, re.M)

    def test_a_locally_redundant_vault_has_one_region(
        self, kit: Callable[[User], str], machine: Machine, staff: User
    ) -> None:
        Vault.objects.filter(pk=machine.vault_id).update(redundancy="local")
        shown = kit(staff)
        assert re.search(r"^Paired region: +none: the vault is locally redundant", shown, re.M)
        assert re.findall(r"^Restore from (.*)$", shown, re.M) == ["Local A"]

    def test_the_page_says_what_the_file_says(
        self, client: Client, kit: Callable[[User], str], machine: Machine, staff: User, copied: PairedCopy
    ) -> None:
        shown = kit(staff)
        response = client.get(both(machine)[0])
        words = text(response.content)
        assert inline(response) == []
        commands = [line.strip() for line in shown.splitlines() if line.startswith("    ")]
        assert len(commands) > 12
        assert [line for line in commands if " ".join(line.split()) not in words] == []
        assert [number for number in re.findall(r"^Kit number: +(\S+)$", shown, re.M) if number in words] != []

    def test_its_number_changes_with_what_it_says_and_with_nothing_else(
        self, kit: Callable[[User], str], machine: Machine, staff: User, copied: PairedCopy, regions_file: Path
    ) -> None:
        def number() -> Any:
            return re.findall(r"^Kit number: +(\S+)$", kit(staff), re.M)

        before = number()
        Machine.objects.filter(pk=machine.pk).update(state=MachineState.REVOKED, last_backup_at=machine.registered_at)
        assert number() == before
        regions_file.write_text(REGIONS.replace(ROOT, f"{ROOT}-moved-away"))
        assert number() != before

    def test_a_machine_that_has_left_keeps_its_kit(
        self, kit: Callable[[User], str], machine: Machine, staff: User
    ) -> None:
        Machine.objects.filter(pk=machine.pk).update(state=MachineState.UNREGISTERED)
        assert ROOT in kit(staff)

    def test_a_region_that_the_file_no_longer_has_is_said(
        self, kit: Callable[[User], str], staff: User, copied: PairedCopy, regions_file: Path
    ) -> None:
        first = REGIONS.split("[[region]]")[1].replace('pair = "local-b"', "")
        regions_file.write_text(f"[[region]]{first}")
        shown = kit(staff)
        assert "no longer has the region Local B" in shown
        assert f"export RESTIC_REPOSITORY={ROOT}" in shown

    def test_no_kit_is_made_from_a_regions_file_that_cannot_be_read(
        self, client: Client, machine: Machine, staff: User, regions_file: Path
    ) -> None:
        regions_file.write_text(f"{SECRET} = [")
        client.force_login(staff)
        for url in both(machine):
            response = client.get(url)
            assert response.status_code == 503
            assert SECRET not in response.content.decode()
            assert "regions file is missing or invalid" in response.content.decode()

    def test_what_people_named_is_text(self, client: Client, machine: Machine, staff: User, regions_file: Path) -> None:
        regions_file.write_text(REGIONS.replace(ROOT, "/srv/<b>$(id)"))
        client.force_login(staff)
        page = client.get(both(machine)[0]).content.decode()
        assert "<b>" not in page
        assert "RESTIC_REPOSITORY=&#x27;/srv/&lt;b&gt;$(id)/" in page


class TestFile:
    def test_its_name_and_kind(self, client: Client, machine: Machine, staff: User) -> None:
        client.force_login(staff)
        response = client.get(both(machine)[1])
        assert re.fullmatch(
            r'attachment; filename="Payroll_hr-db-02_recovery-kit_\d{4}-\d\d-\d\d\.txt"',
            response["Content-Disposition"],
        )
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert response["Cache-Control"] == "no-store"

    def test_the_machines_page_leads_there(self, client: Client, machine: Machine, staff: User) -> None:
        client.force_login(staff)
        assert f'href="{both(machine)[0]}"' in client.get(f"/machines/{machine.pk}/").content.decode()
        assert f'href="{both(machine)[1]}"' in client.get(both(machine)[0]).content.decode()


def test_queries(
    client: Client,
    machine: Machine,
    staff: User,
    copied: PairedCopy,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    client.force_login(staff)
    with django_assert_max_num_queries(6):
        assert client.get(both(machine)[1]).status_code == 200

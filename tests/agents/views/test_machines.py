"""The list of a vault's machines, the page of one, and revoking it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, Run
from agents.monitoring.charts import backup_bars, per_cent_left
from agents.monitoring.concerns import of_reports, of_run
from agents.search import find
from agents.states import MachineState
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from tests.agents.factories import certificate_of, credential_of, lost_of, machine_in, run_of, well_run
from vaults.models import Credential, LostObject, Vault

pytestmark = pytest.mark.django_db
ENDS = ("Succeeded", "Some unreadable", "Incomplete", "Failed", "Nothing proven")
PART = {"HX-Request": "true", "HX-Target": "machine-list"}


@pytest.fixture
def credential(vault: Vault, staff: User) -> Credential:
    return credential_of(vault, staff, machines=500)


@pytest.fixture
def machine(vault: Vault, credential: Credential) -> Machine:
    return machine_in(vault, credential)


def names(client: Client, url: str, headers: dict[str, str] | None = None) -> list[str]:
    """The machines of a list, in order."""
    rows = client.get(url, headers=headers).content.decode().split('<th scope="row"><a href="/machines/')[1:]
    return [row.split(">")[1].split("<")[0] for row in rows]


class TestAccess:
    @pytest.mark.parametrize("headers", [{}, PART])
    def test_an_outsider_learns_nothing(
        self, client: Client, vault: Vault, machine: Machine, outsider: User, headers: dict[str, str]
    ) -> None:
        client.force_login(outsider)
        for url in (f"/vaults/{vault.pk}/machines/", f"/machines/{machine.pk}/"):
            response = client.get(url, headers=headers)
            assert response.status_code == 404
            assert machine.name not in response.content.decode()

    def test_there_is_no_such_machine(self, client: Client, staff: User) -> None:
        client.force_login(staff)
        assert client.get(f"/machines/{uuid4()}/").status_code == 404

    @pytest.mark.parametrize(("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403)])
    def test_only_members_revoke(
        self, client: Client, machine: Machine, request: pytest.FixtureRequest, who: str, status: int
    ) -> None:
        client.force_login(request.getfixturevalue(who))
        data = {"confirm": machine.name, "reason": "lost"}
        assert client.post(f"/machines/{machine.pk}/revoke/", data).status_code == status
        machine.refresh_from_db()
        assert machine.state == MachineState.REGISTERED

    @pytest.mark.parametrize("who", ["approver", "auditor"])
    def test_onlookers_see_it_without_the_button(
        self, client: Client, vault: Vault, machine: Machine, request: pytest.FixtureRequest, who: str
    ) -> None:
        client.force_login(request.getfixturevalue(who))
        assert names(client, f"/vaults/{vault.pk}/machines/") == [machine.name]
        shown = client.get(f"/machines/{machine.pk}/")
        assert shown.status_code == 200
        assert "Revoke" not in shown.content.decode()

    def test_revoking_takes_post_with_the_token(self, machine: Machine, staff: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(staff)
        assert client.get(f"/machines/{machine.pk}/revoke/").status_code == 405
        data = {"confirm": machine.name, "reason": "lost"}
        assert client.post(f"/machines/{machine.pk}/revoke/", data).status_code == 403
        machine.refresh_from_db()
        assert machine.state == MachineState.REGISTERED


class TestList:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    def test_none_leads_to_quick_start(self, client: Client, vault: Vault) -> None:
        shown = client.get(f"/vaults/{vault.pk}/machines/").content.decode()
        assert "No machine yet" in shown
        assert f'<a class="button primary" href="/vaults/{vault.pk}/quick-start/">Go to Quick Start</a>' in shown

    def test_those_of_this_vault_that_have_not_left(
        self, client: Client, vault: Vault, credential: Credential, make_vault: Callable[..., Vault], staff: User
    ) -> None:
        other = make_vault(name="Other")
        machine_in(other, credential_of(other, staff), "elsewhere")
        machine_in(vault, credential, "gone", state=MachineState.UNREGISTERED)
        machine_in(vault, credential, "B-second", state=MachineState.REVOKED)
        machine_in(vault, credential, "a-first")
        url = f"/vaults/{vault.pk}/machines/"
        assert names(client, url) == ["a-first", "B-second"]
        assert names(client, f"{url}?show=left") == ["gone"]
        assert names(client, url, headers=PART) == ["a-first", "B-second"]

    def test_pages_hold_every_machine_once(self, client: Client, vault: Vault, credential: Credential) -> None:
        for number in range(53):
            machine_in(vault, credential, f"m{number:02}")
        url = f"/vaults/{vault.pk}/machines/"
        first = client.get(url).content.decode()
        following = first.split("?after=")[1].split('"')[0]
        assert names(client, url) == [f"m{number:02}" for number in range(50)]
        assert names(client, f"{url}?after={following}") == ["m50", "m51", "m52"]

    def test_a_made_up_cursor_is_refused(self, client: Client, vault: Vault) -> None:
        assert client.get(f"/vaults/{vault.pk}/machines/?after=x").status_code == 422

    def test_the_certificate_that_counts(self, client: Client, vault: Vault, machine: Machine) -> None:
        now = timezone.now()
        url = f"/vaults/{vault.pk}/machines/"
        certificate_of(machine, now + timedelta(days=6, minutes=1), revoked_at=now)
        assert "none valid" in client.get(url).content.decode()
        certificate_of(machine, now + timedelta(days=2, minutes=1))
        assert ">in 2 days</time>" in client.get(url).content.decode()

    def test_unchanged_is_not_sent_again(self, client: Client, vault: Vault, machine: Machine) -> None:
        url = f"/vaults/{vault.pk}/machines/"
        tag = client.get(url, headers=PART).headers["ETag"]
        assert client.get(url, headers={**PART, "If-None-Match": tag}).status_code == 304

    def test_queries(
        self,
        client: Client,
        vault: Vault,
        credential: Credential,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(60):
            certificate_of(lost_of(machine_in(vault, credential, f"m{number}", concern="losses")))
        with django_assert_max_num_queries(10):
            client.get(f"/vaults/{vault.pk}/machines/")
        with django_assert_max_num_queries(5):
            client.get(f"/vaults/{vault.pk}/machines/", headers=PART)


class TestMachine:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    def test_its_runs_and_certificates_and_no_others(
        self, client: Client, vault: Vault, credential: Credential, machine: Machine
    ) -> None:
        other = machine_in(vault, credential, "other")
        run_of(other, message="not this one")
        certificate_of(other)
        run_of(machine, outcome=Run.Outcome.FAILED, message="Disk full.", figures={})
        run_of(machine, figures={"files": 7, "bytes": 2048, "bytes_added": 1024}, ago=timedelta(hours=1))
        check = {"compared": 5, "total": 7, "changed": 1, "mismatched": 1}
        run_of(machine, Run.Kind.RESTORE_CHECK, figures=check, ago=timedelta(minutes=5))
        certificate = certificate_of(machine)
        shown = client.get(f"/machines/{machine.pk}/").content.decode()
        assert "not this one" not in shown
        assert shown.count("<rect") == 2
        assert shown.count('class="failed"') == 1
        assert "7 files, 2.00 KiB, 1.00 KiB new" in shown
        told = '5 of 7 files compared with the source, 1 changed meanwhile, <strong class="bad">1 differs</strong>'
        assert told in shown
        assert shown.count(">Failed</span>") == 2
        assert shown.count("Copy the serial number") == 1
        assert certificate.serial in shown
        assert "Disk full." in shown

    def test_runs_come_in_pages(self, client: Client, machine: Machine) -> None:
        for number in range(52):
            run_of(machine, ago=timedelta(hours=number), message=f"run {number}.")
        first = client.get(f"/machines/{machine.pk}/").content.decode()
        following = first.split("?after=")[1].split('"')[0]
        assert [f"run {number}." in first for number in (0, 49, 50)] == [True, True, False]
        second = client.get(f"/machines/{machine.pk}/?after={following}").content.decode()
        assert [f"run {number}." in second for number in (0, 49, 50, 51)] == [False, False, True, True]

    def test_queries(
        self, client: Client, machine: Machine, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(60):
            run_of(machine, ago=timedelta(hours=number))
            certificate_of(machine)
        with django_assert_max_num_queries(17):
            client.get(f"/machines/{machine.pk}/")


def replaced(machine: Machine, *, ago: timedelta) -> None:
    """Another computer takes its place."""
    machine.replaced_at = timezone.now() - ago
    machine.save(update_fields=["replaced_at"])


class TestAttention:
    """What somebody must look at, and what they can do about it."""

    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    def test_those_that_need_it_have_a_list_of_their_own(
        self, client: Client, vault: Vault, credential: Credential, make_vault: Callable[..., Vault], staff: User
    ) -> None:
        other = make_vault(name="Other")
        lost_of(machine_in(other, credential_of(other, staff), "elsewhere", concern="losses"))
        machine_in(vault, credential, "sound")
        machine_in(vault, credential, "failing", concern="check-failed")
        lost_of(machine_in(vault, credential, "holed"))
        machine_in(vault, credential, "gone", concern="losses", state=MachineState.UNREGISTERED)
        lost_of(machine_in(vault, credential, "shut", state=MachineState.REVOKED))
        url = f"/vaults/{vault.pk}/machines/"
        assert names(client, f"{url}?show=attention") == ["failing", "holed"]
        assert names(client, f"{url}?show=junk") == names(client, url) == ["failing", "holed", "shut", "sound"]
        shown = client.get(url).content.decode()
        assert [shown.count(f">{word}</span>") for word in ("Check failed", "Damaged", "Files missing")] == [1, 1, 0]
        assert "No machine needs attention" not in client.get(f"{url}?show=attention").content.decode()
        Machine.objects.update(concern="")
        LostObject.objects.all().delete()
        assert "No machine needs attention" in client.get(f"{url}?show=attention").content.decode()

    @pytest.mark.parametrize(
        ("kind", "columns", "badge", "remedy"),
        [
            ("backup", {"code": "done_with_losses"}, "Files missing", "a mount may be missing"),
            ("backup", {"code": "done_on_damaged"}, "Damaged", "stores again what is still on the machine"),
            ("backup", {"outcome": "failed"}, "Backup failed", "run strongroom-agent backup on the machine"),
            ("check", {"outcome": "failed"}, "Check failed", "Run strongroom-agent repair"),
            ("repair", {"outcome": "failed", "code": "repair_incomplete"}, "Damaged", "its message says what is left"),
            ("restore_check", {"outcome": "failed"}, "Restore check failed", "Run strongroom-agent check"),
            ("check", {"outcome": "failed", "code": "passphrase_wrong"}, "Check failed", "says nothing about what is"),
        ],
    )
    def test_its_page_says_why_and_what_to_do(
        self, client: Client, machine: Machine, kind: str, columns: dict[str, Any], badge: str, remedy: str
    ) -> None:
        run = run_of(machine, Run.Kind(kind), message="/srv: nothing is left.", **columns)
        Machine.objects.update(concern=of_reports(machine))
        assert of_run(run) == Machine.objects.get().concern
        shown = client.get(f"/machines/{machine.pk}/").content.decode()
        heading = shown.split("</h1>")[1].split("</div>")[0]
        assert (f">{badge}</span>" in heading, shown.count("<p><bdi>/srv: nothing is left.</bdi></p>")) == (True, 1)
        assert remedy in shown
        assert shown.partition("<template")[0].count('class="notice amber"') == 1

    def test_damage_that_the_portal_found_is_said_though_every_run_went_well(
        self, client: Client, machine: Machine
    ) -> None:
        well_run(machine)
        lost_of(machine)
        shown = client.get(f"/machines/{machine.pk}/").content.decode()
        assert "Objects of its repository are set aside or missing in every region." in shown
        assert client.get(f"/api/v1/machines/{machine.pk}").json()["attention"] == "Damaged"

    def test_a_repair_that_was_incomplete_counts_until_a_later_check_passes(self, machine: Machine) -> None:
        """A repair that came to nothing says nothing, neither of damage nor of its end."""
        ended = Run.Outcome
        run_of(machine, Run.Kind.REPAIR, outcome=ended.FAILED, code="network", ago=timedelta(hours=5))
        assert of_reports(machine) == ""
        run_of(machine, Run.Kind.REPAIR, outcome=ended.FAILED, code="repair_incomplete", ago=timedelta(hours=4))
        run_of(machine, Run.Kind.REPAIR, outcome=ended.FAILED, code="network", ago=timedelta(hours=3))
        assert of_reports(machine) == "damaged"
        well_run(machine, Run.Kind.CHECK)
        assert of_reports(machine) == ""

    def test_after_a_repair_in_vain_nothing_advises_another(self, client: Client, machine: Machine) -> None:
        run_of(machine, Run.Kind.REPAIR, outcome=Run.Outcome.FAILED, code="repair_incomplete", ago=timedelta(hours=2))
        run_of(machine, Run.Kind.CHECK, outcome=Run.Outcome.FAILED, code="repository_damaged", message="Damaged.")
        lost_of(machine)
        Machine.objects.update(concern=of_reports(machine))
        shown = client.get(f"/machines/{machine.pk}/").content.decode()
        assert "its message says what is left to do" in shown
        assert "strongroom-agent repair" not in shown.partition("<template")[0]

    @pytest.mark.parametrize(("code", "over"), [("state_damaged", ""), ("repository_damaged", "check-failed")])
    def test_a_check_that_could_not_look_is_over_with_the_next_run_that_can(
        self, machine: Machine, code: str, over: str
    ) -> None:
        """As when the passphrase was not where it belongs, and a backup shows that it is again."""
        run_of(machine, Run.Kind.CHECK, outcome=Run.Outcome.FAILED, code=code, ago=timedelta(hours=2))
        assert of_reports(machine) == "check-failed"
        well_run(machine, Run.Kind.BACKUP)
        assert of_reports(machine) == over

    @pytest.mark.parametrize("kept", ["network", "no_room", "file_unusable", "interrupted", "passphrase_wrong"])
    @pytest.mark.parametrize(
        ("kind", "found", "concern"),
        [
            (Run.Kind.CHECK, "repository_damaged", "check-failed"),
            (Run.Kind.RESTORE_CHECK, "restore_check_failed", "restore-check-failed"),
        ],
    )
    def test_what_was_found_is_not_forgotten_when_nobody_could_look_again(
        self, machine: Machine, kind: Run.Kind, found: str, concern: str, kept: str
    ) -> None:
        failed = Run.Outcome.FAILED
        run_of(machine, kind, outcome=failed, code=found, ago=timedelta(hours=3))
        run_of(machine, kind, outcome=failed, code=kept, ago=timedelta(hours=2))
        well_run(machine, Run.Kind.BACKUP)
        assert of_reports(machine) == concern

    def test_a_machine_that_was_replaced_begins_anew(self, client: Client, machine: Machine) -> None:
        run_of(machine, outcome=Run.Outcome.FAILED, message="Of the computer before.", ago=timedelta(hours=2))
        run_of(machine, Run.Kind.CHECK, outcome=Run.Outcome.FAILED, code="passphrase_missing", ago=timedelta(hours=2))
        replaced(machine, ago=timedelta(hours=1))
        assert of_reports(machine) == ""

    @pytest.mark.parametrize(
        ("kind", "columns", "concern"),
        [
            (Run.Kind.BACKUP, {"code": "done_on_damaged"}, "damaged"),
            (Run.Kind.CHECK, {"outcome": "failed", "code": "repository_damaged"}, "check-failed"),
            (Run.Kind.RESTORE_CHECK, {"outcome": "failed", "code": "restore_check_failed"}, "restore-check-failed"),
            (Run.Kind.REPAIR, {"outcome": "failed", "code": "repair_incomplete"}, "damaged"),
        ],
    )
    def test_what_lies_in_the_repository_stays_with_a_machine_that_was_replaced(
        self, machine: Machine, kind: Run.Kind, columns: dict[str, Any], concern: str
    ) -> None:
        """Until a run of the new computer looks, and finds nothing."""
        run_of(machine, kind, ago=timedelta(hours=4), **columns)
        replaced(machine, ago=timedelta(hours=3))
        assert of_reports(machine) == concern
        run_of(machine, Run.Kind.CHECK, outcome=Run.Outcome.FAILED, code="network", ago=timedelta(hours=2))
        well_run(machine, Run.Kind.BACKUP)
        assert of_reports(machine) == concern
        well_run(machine, Run.Kind.RESTORE_CHECK if kind == Run.Kind.RESTORE_CHECK else Run.Kind.CHECK)
        assert of_reports(machine) == ""

    def test_a_check_of_the_computer_before_has_ended_its_damage(self, machine: Machine) -> None:
        run_of(machine, code="done_on_damaged", ago=timedelta(hours=4))
        run_of(machine, Run.Kind.CHECK, ago=timedelta(hours=3))
        replaced(machine, ago=timedelta(hours=2))
        assert of_reports(machine) == ""

    @pytest.mark.parametrize(
        ("columns", "word"),
        [
            ({"code": "done"}, "Succeeded"),
            ({"code": "done_with_unreadable"}, "Some unreadable"),
            ({"outcome": "failed", "code": "restore_incomplete", "message": "ledger.db differs."}, "Incomplete"),
            ({"outcome": "failed", "code": "no_room"}, "Failed"),
            ({"figures": {"mismatched": 2}}, "Failed"),
        ],
    )
    def test_how_a_restore_ended_is_said_in_a_word(
        self, client: Client, machine: Machine, columns: dict[str, Any], word: str
    ) -> None:
        run_of(machine, Run.Kind.RESTORE, **columns)
        row = client.get(f"/machines/{machine.pk}/").content.decode().split("Restore<")[-1]
        assert [word for word in ENDS if f">{word}</span>" in row] == [word]
        assert columns.get("message", "") in row

    def test_what_kind_of_proof_there_is(self, client: Client, machine: Machine) -> None:
        url, kind = f"/machines/{machine.pk}/", Run.Kind.RESTORE_CHECK
        well_run(machine, kind, figures={"compared": 12, "total": 12, "mismatched": 0})
        assert "12 of 12 files compared with their source byte for byte" in client.get(url).content.decode()
        well_run(machine, kind, figures={"compared": 0, "proven": 1, "total": 1, "changed": 1, "mismatched": 0})
        shown = client.get(url).content.decode()
        assert "1 file proven against what the snapshot recorded (changed or gone since)" in shown
        run_of(machine, kind, figures={"compared": 0, "total": 1, "changed": 1, "mismatched": 0})
        assert client.get(url).content.decode().count(">Nothing proven</span>") == 1


class TestRevoke:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"confirm": "hr-db-01", "reason": "lost"}, "This machine is called hr-db-02."),
            ({"confirm": "HR-DB-02", "reason": "lost"}, "This machine is called hr-db-02."),
            ({"reason": "lost"}, "Type the name of the machine."),
            ({"confirm": "hr-db-02", "reason": " "}, "Enter a reason; it is recorded in the audit log."),
            ({"confirm": "hr-db-02", "reason": "a\u202eb"}, "U+202E"),
        ],
    )
    def test_without_name_and_reason_nothing_happens(
        self, client: Client, machine: Machine, data: dict[str, str], message: str
    ) -> None:
        response = client.post(f"/machines/{machine.pk}/revoke/", data)
        assert response.status_code == 422
        assert message in response.content.decode()
        machine.refresh_from_db()
        assert machine.state == MachineState.REGISTERED

    def test_it_is_locked_out_and_recorded(self, client: Client, machine: Machine) -> None:
        certificate = certificate_of(machine)
        url = f"/machines/{machine.pk}/"
        response = client.post(f"{url}revoke/", {"confirm": machine.name, "reason": "Stolen from the rack."})
        assert (response.status_code, response.headers["Location"]) == (302, url)
        machine.refresh_from_db()
        certificate.refresh_from_db()
        assert machine.state == MachineState.REVOKED
        assert certificate.revoked_at is not None
        entry = AuditEvent.objects.get(action="machine:revoke")
        assert (entry.actor_label, entry.detail["reason"]) == ("staff", "Stolen from the rack.")
        shown = client.get(url).content.decode()
        assert "hr-db-02 is locked out of storage." in shown
        assert "Stolen from the rack." in shown
        assert 'command="show-modal"' not in shown

    @pytest.mark.parametrize("state", [MachineState.REVOKED, MachineState.UNREGISTERED])
    def test_what_is_locked_out_already_says_so(self, client: Client, machine: Machine, state: MachineState) -> None:
        Machine.objects.update(state=state)
        response = client.post(f"/machines/{machine.pk}/revoke/", {"confirm": machine.name, "reason": "again"})
        assert response.status_code == 409


class TestCharts:
    def test_nothing_to_draw(self) -> None:
        assert backup_bars([], places=30) == ""

    def test_heights_are_sizes_and_a_failure_is_a_whole_bar(self, machine: Machine) -> None:
        figures: list[dict[str, object]] = [{"bytes": 50}, {"bytes": 100}, {}, {"bytes": "junk"}]
        runs = [run_of(machine, figures=one) for one in figures]
        runs.append(run_of(machine, outcome=Run.Outcome.FAILED))
        drawn = backup_bars(runs, places=10)
        rects = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="86.0" height="([\d.]+)"/>', drawn)
        assert rects == [
            ("protected", "452.0", "28.0", "28.0"),
            ("protected", "542.0", "0.0", "56.0"),
            ("protected", "632.0", "53.0", "3.0"),
            ("protected", "722.0", "53.0", "3.0"),
            ("failed", "812.0", "0.0", "56.0"),
        ]
        titles = [title.partition(" UTC: ")[2] for title in re.findall(r"<title>(.*?)</title>", drawn)]
        assert titles == ["50 B", "100 B", "no size was reported", "no size was reported", "failed"]

    def test_the_share_of_a_certificates_life(self, machine: Machine) -> None:
        now = timezone.now()
        ends = [now + timedelta(days=7), now + timedelta(days=3, hours=12), now - timedelta(days=1)]
        assert [per_cent_left(certificate_of(machine, end), now) for end in ends] == [100, 50, 0]


class TestSearch:
    def test_machines_that_one_may_see(
        self, machine: Machine, staff: User, outsider: User, auditor: User, client: Client
    ) -> None:
        for user, titles in ((staff, ["hr-db-02"]), (auditor, ["hr-db-02"]), (outsider, [])):
            assert [hit.title for hit in find(user, "DB-0", 20)[0].hits] == titles
        assert [hit.url for hit in find(staff, "hr", 20)[0].hits] == [f"/machines/{machine.pk}/"]

    def test_too_many(self, vault: Vault, credential: Credential, staff: User) -> None:
        for number in range(3):
            machine_in(vault, credential, f"m{number}")
        (found,) = find(staff, "m", 2)
        assert ([hit.title for hit in found.hits], found.more) == (["m0", "m1"], True)


def test_the_address_is_said_to_be_where_it_was_last_heard_of(client: Client, machine: Machine, staff: User) -> None:
    """Every report overwrites it, so it is not where the machine registered from."""
    Machine.objects.update(address="192.0.2.77")
    client.force_login(staff)
    page = client.get(f"/machines/{machine.pk}/").content.decode()
    assert "<dt>Last seen from</dt><dd>192.0.2.77</dd>" in page
    assert "192.0.2.77" not in client.get(f"/vaults/{machine.vault_id}/quick-start/").content.decode()


@pytest.mark.parametrize(
    ("template", "figures", "words"),
    [
        ("figures", {"files": 1, "bytes": 3}, "1 file, 3 B"),
        ("figures", {"files": 12345}, "12,345 files"),
        ("figures", {"compared": 1, "total": 1}, "1 of 1 file compared with the source"),
        ("figures", {"compared": 0, "total": None}, "0 of ? files compared with the source"),
        (
            "figures",
            {"compared": 2000, "total": 3000, "mismatched": 1},
            "2,000 of 3,000 files compared with the source",
        ),
        ("figures", {"files": 0, "vanished": 1, "lost": 305}, "1 vanished during the run, 305 no longer there"),
        ("figures", {"files": 2, "vanished": 1, "lost": 1}, "2 files, 1 vanished during the run, 1 no longer there"),
        ("proof", {"compared": 1, "total": 1}, "1 of 1 file compared with its source byte for byte"),
        ("proof", {"compared": 1}, "1 of 1 file compared with its source byte for byte"),
        ("proof", {"compared": 2000, "total": 3000}, "2,000 of 3,000 files compared with their source byte for byte"),
        (
            "proof",
            {"proven": 1},
            "1 file proven against what the snapshot recorded (changed or gone since)",
        ),
    ],
)
def test_figures_read_as_people_say_them(template: str, figures: dict[str, int | None], words: str) -> None:
    told = strip_tags(render_to_string(f"agents/{template}.html", {"figures": figures})).strip()
    assert told.startswith(words)
    assert ", 1 differs" in told or "mismatched" not in figures

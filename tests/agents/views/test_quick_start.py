"""The Quick Start page: who sees and does what, and that it tells the truth in every state."""

import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.models import Machine, RefusedRegistration, Run
from agents.packages.shell_commands import BACKUP, SCHEDULE, setup_command
from agents.quick_start import STEPS, progress_of
from agents.states import MachineState
from portal.accounts.models import Membership, User
from portal.audit.models import AuditEvent
from portal.core.times import for_people
from tests.agents.factories import credential_of, lost_of, machine_in, package, run_of, well_run
from tests.agents.views.reading import text
from tests.factories import member_of
from vaults.models import Credential, PairedCopy, Region, Vault
from vaults.states import VaultState

pytestmark = pytest.mark.django_db
END_NOW = 'id="end-credentials"'
POLL = {"HX-Request": "true", "HX-Target": "quick-start"}
PRESSES = ("credentials/", "credentials/end/", "quick-start/confirm/")


def url(vault: Vault, page: str = "quick-start/") -> str:
    return f"/vaults/{vault.pk}/{page}"


@pytest.fixture
def page(client: Client, staff: User) -> Callable[..., str]:
    """Fetches Quick Start as staff, and gives its text in one line."""
    client.force_login(staff)

    def fetch(vault: Vault) -> str:
        return text(client.get(url(vault)).content)

    return fetch


def done(vault: Vault) -> list[str]:
    return [key for key, step in progress_of(vault).steps.items() if step.done]


def current(vault: Vault) -> list[str]:
    return [key for key, step in progress_of(vault).steps.items() if step.current]


class TestAccess:
    def test_a_stranger_is_asked_to_sign_in(self, client: Client, vault: Vault) -> None:
        response = client.get(url(vault))
        assert (response.status_code, response.headers["Location"].split("?")[0]) == (302, "/accounts/login/")

    def test_an_outsider_learns_nothing(self, client: Client, vault: Vault, outsider: User) -> None:
        client.force_login(outsider)
        for response in (client.get(url(vault)), client.get(url(vault), headers=POLL)):
            assert response.status_code == 404
            assert vault.name not in response.content.decode()

    def test_there_is_no_such_vault(self, client: Client, staff: User) -> None:
        client.force_login(staff)
        assert client.get(f"/vaults/{uuid4()}/quick-start/").status_code == 404

    @pytest.mark.parametrize("press", PRESSES)
    def test_an_outsider_can_press_nothing(self, client: Client, vault: Vault, outsider: User, press: str) -> None:
        client.force_login(outsider)
        assert client.post(url(vault, press)).status_code == 404
        _nothing_happened(vault)

    @pytest.mark.parametrize("press", PRESSES)
    @pytest.mark.parametrize("onlooker", ["approver", "auditor"])
    def test_onlookers_look_but_press_nothing(
        self, client: Client, vault: Vault, request: pytest.FixtureRequest, onlooker: str, press: str
    ) -> None:
        client.force_login(request.getfixturevalue(onlooker))
        shown = client.get(url(vault))
        assert shown.status_code == 200
        steps = shown.content.decode().split('class="steps"')[1].split("</ol>")[0]
        assert "<form" not in steps
        assert "For how many machines" not in steps
        assert client.post(url(vault, press)).status_code == 403
        _nothing_happened(vault)

    @pytest.mark.parametrize("press", PRESSES)
    def test_nothing_is_done_by_get_or_without_the_csrf_token(self, vault: Vault, staff: User, press: str) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(staff)
        assert client.get(url(vault, press)).status_code == 405
        assert client.post(url(vault, press), {"machines": "1"}).status_code == 403
        _nothing_happened(vault)


def _nothing_happened(vault: Vault) -> None:
    assert not Credential.objects.exists()
    vault.refresh_from_db()
    assert vault.redundancy_confirmed_at is None


class TestDownload:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    @pytest.mark.parametrize("machines", ["", "0", "501", "-1", "many", "1.5"])
    def test_a_wrong_number_is_said_beside_the_field_and_issues_nothing(
        self, client: Client, vault: Vault, machines: str
    ) -> None:
        response = client.post(url(vault, "credentials/"), {"machines": machines})
        assert response.status_code == 422
        assert 'aria-invalid="true"' in response.content.decode()
        assert f'value="{machines}"' in response.content.decode() or not machines
        assert not Credential.objects.exists()

    @pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
    def test_a_vault_that_is_not_active_hands_out_nothing(
        self, client: Client, make_vault: Callable[..., Vault], state: VaultState
    ) -> None:
        vault = make_vault(state=state)
        shown = client.get(url(vault))
        assert shown.status_code == 200
        assert "For how many machines" not in shown.content.decode()
        assert client.post(url(vault, "credentials/"), {"machines": "1"}).status_code == 409
        assert not Credential.objects.exists()

    def test_the_file_is_handed_out_once_and_kept_nowhere(self, client: Client, vault: Vault) -> None:
        response = client.post(url(vault, "credentials/"), {"machines": "3"})
        document = json.loads(response.content)
        name = f"Payroll_{timezone.now():%a %b %d %Y}.VaultCredentials"
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert document["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
        assert document["vault"]["id"] == str(vault.pk)
        credential = Credential.objects.get()
        assert (credential.machines_limit, credential.key_origin) == (3, "server")
        assert "PRIVATE KEY" not in json.dumps(list(AuditEvent.objects.values_list("content", flat=True)))

    def test_any_name_is_safe_in_the_header(self, client: Client, make_vault: Callable[..., Vault]) -> None:
        vault = make_vault(name='Löhne"; x=y')
        header = client.post(url(vault, "credentials/"), {"machines": "1"}).headers["Content-Disposition"]
        kind, _, value = header.partition("; filename*=utf-8''")
        assert kind == "attachment"
        assert unquote(value).startswith('Löhne"; x=y_')
        assert '"' not in header

    def test_the_last_one_downloaded_is_the_valid_one(self, client: Client, vault: Vault) -> None:
        for _ in range(2):
            client.post(url(vault, "credentials/"), {"machines": "1"})
        assert [one.end for one in Credential.objects.order_by("issued_at")] == ["replaced", ""]

    def test_end_now_ends_it(self, client: Client, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        credential_of(vault, staff)
        assert END_NOW in client.get(url(vault)).content.decode()
        response = client.post(url(vault, "credentials/end/"))
        assert (response.status_code, response.headers["Location"]) == (302, url(vault))
        assert "can no longer register machines" in page(vault)
        assert END_NOW not in client.get(url(vault)).content.decode()

    def test_there_is_nothing_to_end_twice(self, client: Client, vault: Vault) -> None:
        assert client.post(url(vault, "credentials/end/")).status_code == 409


class TestStanding:
    """What the page says of the newest credential."""

    def test_none_yet(self, vault: Vault, page: Callable[..., str]) -> None:
        assert "Download vault credentials To do now: None yet." in page(vault).replace("Later:", "To do now:")
        assert "No machine can register now" in page(vault)

    def test_valid(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        credential = credential_of(vault, staff, machines=3)
        shown = page(vault)
        assert f"It is valid until {for_people(credential.expires_at)} ( 47 h 59 min left)" in shown
        assert "Issued by staff just now" in shown
        assert "its key was made by the portal, in memory" in shown
        assert "for 3 more machines of 3. No machine has used it." in shown
        assert f"Payroll_{credential.issued_at:%a %b %d %Y}.VaultCredentials" in shown

    def test_valid_and_used(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        credential = credential_of(vault, staff, machines=3, machines_used=2)
        machine_in(vault, credential, "first")
        machine_in(vault, credential, "second")
        assert "for 1 more machine of 3. Used by second , first ." in page(vault)

    def test_used_by_more_than_are_shown(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        credential = credential_of(vault, staff, machines=500, machines_used=101)
        machine_in(vault, credential, "newest")
        assert "Used by newest and 100 more." in page(vault)

    def test_used_up(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        credential = credential_of(vault, staff, machines_used=1)
        machine_in(vault, credential)
        assert "Used up It has registered as many machines as it was issued for: 1. Used by hr-db-02 ." in page(vault)

    def test_expired(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        credential = credential_of(vault, staff, expires_at=timezone.now() - timedelta(seconds=1))
        assert f"Expired It was valid until {for_people(credential.expires_at)}" in page(vault)
        assert "Listening" not in page(vault)
        assert "credentials" in current(vault) or "redundancy" in current(vault)

    @pytest.mark.parametrize("change", [{"is_active": False}, {}])
    def test_whoever_issued_it_has_left(self, vault: Vault, page: Callable[..., str], change: dict[str, bool]) -> None:
        colleague = member_of(vault.subscription)
        credential_of(vault, colleague)
        assert "Valid" in page(vault)
        if change:
            User.objects.filter(pk=colleague.pk).update(**change)
        else:
            Membership.objects.filter(user=colleague).delete()
        assert (
            "Ended The person who issued it has left the subscription, so it can no longer register machines."
            in page(vault)
        )
        assert "Listening" not in page(vault)

    def test_machines_of_other_vaults_are_not_told(
        self, make_vault: Callable[..., Vault], vault: Vault, staff: User, page: Callable[..., str]
    ) -> None:
        credential_of(vault, staff)
        other = make_vault(name="Other")
        machine = machine_in(other, credential_of(other, staff), "not-ours")
        run_of(machine, outcome=Run.Outcome.FAILED, message="not-ours either")
        RefusedRegistration.objects.create(vault=other, name="not-ours", code="x", message="x", at=timezone.now())
        assert "not-ours" not in page(vault)


class TestSteps:
    def test_their_names_and_order_are_the_contract(self, client: Client, vault: Vault, staff: User) -> None:
        client.force_login(staff)
        body = client.get(url(vault)).content.decode()
        names = [part.split("</h2>")[0] for part in body.split('class="steps"')[1].split("<h2>")[1:]]
        assert names[:6] == [
            "Configure storage redundancy",
            "Download vault credentials",
            "Get the agent",
            "Register your machine",
            "First backup",
            "Restore check",
        ]
        assert [name for _, name in STEPS] == names[:6]

    def test_from_nothing_to_ready(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        assert (done(vault), current(vault)) == ([], ["redundancy"])
        vault.redundancy_confirmed_at = timezone.now()
        vault.save()
        assert (done(vault), current(vault)) == (["redundancy"], ["credentials"])
        credential = credential_of(vault, staff)
        assert (done(vault), current(vault)) == (["redundancy", "credentials"], ["agent", "register"])
        machine = machine_in(vault, credential)
        vault.refresh_from_db()
        assert current(vault) == ["backup"]
        well_run(machine)
        vault.refresh_from_db()
        assert current(vault) == ["restore"]
        assert not progress_of(vault).ready
        now = well_run(machine, Run.Kind.RESTORE_CHECK).finished_at
        vault.refresh_from_db()
        assert (done(vault), current(vault)) == ([key for key, _ in STEPS], [])
        assert f"Ready: backed up and restored on {for_people(now)}" in page(vault)

    def test_not_ready_any_more_when_the_last_machine_has_left(
        self, vault: Vault, staff: User, page: Callable[..., str]
    ) -> None:
        credential = credential_of(vault, staff, machines=20)
        gone = machine_in(vault, credential)
        for number in range(7):
            machine_in(vault, credential, f"m{number}")
        for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
            well_run(gone, kind)
        assert "Ready: backed up and restored on" in page(vault)  # though seven others registered since
        Machine.objects.filter(pk=gone.pk).update(state=MachineState.UNREGISTERED)
        assert "Ready: backed up and restored on" not in page(vault)

    def test_not_ready_without_a_restore(self, vault: Vault, page: Callable[..., str]) -> None:
        Vault.objects.filter(pk=vault.pk).update(last_backup_at=timezone.now())
        assert "Ready: backed up" not in page(vault)

    def test_a_lock_is_a_decision(self, vault: Vault, page: Callable[..., str]) -> None:
        lock = {"redundancy_locked_at": timezone.now(), "redundancy_locked_by": "hr-db-01"}
        Vault.objects.filter(pk=vault.pk).update(**lock)
        shown = page(vault)
        assert "Geo-redundant. Locked since hr-db-01 registered just now" in shown
        assert "Confirm " not in shown.split("Download vault credentials")[0].split("Configure storage redundancy")[1]

    def test_confirming(self, client: Client, vault: Vault, staff: User) -> None:
        client.force_login(staff)
        response = client.post(url(vault, "quick-start/confirm/"))
        assert (response.status_code, response.headers["Location"]) == (302, url(vault))
        assert done(Vault.objects.get()) == ["redundancy"]

    def test_what_was_compared_is_told_with_what_had_changed(
        self, vault: Vault, staff: User, page: Callable[..., str]
    ) -> None:
        machine = machine_in(vault, credential_of(vault, staff))
        figures = {"compared": 1180, "compared_bytes": 2 << 30, "total": 21840, "changed": 3, "mismatched": 0}
        well_run(machine, Run.Kind.BACKUP, figures={"files": 21840, "bytes": 5 << 30})
        well_run(machine, Run.Kind.RESTORE_CHECK, figures=figures)
        shown = page(vault)
        assert "hr-db-02 just now : 21,840 files, 5.00 GiB." in shown
        assert "1,180 of 21,840 files compared with their source byte for byte (2.00 GiB)." in shown
        assert "3 files changed since the snapshot" in shown
        Machine.objects.update(state=MachineState.REGISTERED, last_restore_check_at=None)
        figures = {"compared": 0, "proven": 1, "total": 1, "changed": 1, "mismatched": 0}
        well_run(machine, Run.Kind.RESTORE_CHECK, figures=figures)
        shown = page(vault)
        assert "1 file proven against what the snapshot recorded (changed or gone since). 1 file changed since" in shown
        assert "Ready: backed up and restored on" in shown

    def test_proofs_are_of_one_machine_that_is_still_here(
        self, vault: Vault, staff: User, page: Callable[..., str]
    ) -> None:
        credential = credential_of(vault, staff, machines=20)
        here, gone = machine_in(vault, credential, "here"), machine_in(vault, credential, "gone")
        ready_at = well_run(here, figures={"files": 3}, ago=timedelta(hours=3)).finished_at
        ready_at = well_run(
            here, Run.Kind.RESTORE_CHECK, figures={"compared": 3, "total": 3}, ago=timedelta(hours=2)
        ).finished_at
        for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
            well_run(gone, kind, figures={"files": 99, "compared": 99, "total": 99})
        assert "99 files" in page(vault)
        Machine.objects.filter(pk=gone.pk).update(state=MachineState.UNREGISTERED)
        Vault.objects.update(machine_count=1)
        later = machine_in(vault, credential, "later")  # backed up since, but not restored yet
        well_run(later, figures={"files": 77})
        shown = page(vault)
        assert "99 files" not in shown
        assert "here 3 hours ago : 3 files." in shown
        assert "here 2 hours ago : 3 of 3 files compared with their source byte for byte." in shown
        assert f"Ready: backed up and restored on {for_people(ready_at)} That was here." in shown
        Machine.objects.filter(pk=here.pk).update(state=MachineState.REVOKED)
        Vault.objects.update(machine_count=1)
        vault.refresh_from_db()
        assert [key for key, _ in STEPS if key not in done(vault)] == ["redundancy", "restore"]
        assert "later just now : 77 files." in page(vault)
        Machine.objects.filter(pk=later.pk).update(state=MachineState.UNREGISTERED)
        Vault.objects.update(machine_count=0)
        vault.refresh_from_db()
        assert done(vault) == ["credentials"]

    def test_what_needs_attention_is_said_beside_ready(
        self, vault: Vault, staff: User, page: Callable[..., str], client: Client
    ) -> None:
        credential = credential_of(vault, staff, machines=20)
        first = machine_in(vault, credential, "first")
        for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
            well_run(first, kind)
        assert "attention" not in page(vault)
        Machine.objects.filter(pk=first.pk).update(concern="losses")
        assert "first Ready Files missing registered just now" in page(vault)
        assert "1 registered 1 needs attention" in page(vault)
        second = machine_in(vault, credential, "second")
        for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
            well_run(second, kind, ago=timedelta(minutes=-1))
        assert "That was second." in page(vault)
        Machine.objects.filter(pk=second.pk).update(concern="check-failed")
        Machine.objects.filter(pk=first.pk).update(concern="")
        assert "That was first." in page(vault)
        Machine.objects.filter(pk=first.pk).update(concern="losses")
        Machine.objects.filter(pk=second.pk).update(concern="", state=MachineState.REGISTERED)
        lost_of(second)
        shown = page(vault)
        assert "second Registered Damaged registered just now" in shown
        assert "2 registered 2 need attention" in shown
        assert f'href="/vaults/{vault.pk}/machines/?show=attention"' in client.get(url(vault)).content.decode()

    def test_what_to_type_from_now_on(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        machine = machine_in(vault, credential_of(vault, staff))
        assert "sudo /opt/strongroom-agent/strongroom-agent backup" not in page(vault)
        for kind in (Run.Kind.BACKUP, Run.Kind.RESTORE_CHECK):
            well_run(machine, kind)
        shown = page(vault)
        assert f"Back up now: {BACKUP} Copy" in shown
        assert "it backs itself up every night" in shown
        assert SCHEDULE in shown
        assert "--install-dir /opt/strongroom-agent " in setup_command("x", kind="pex")

    def test_an_agent_that_was_withdrawn_is_not_a_step_done(
        self, vault: Vault, staff: User, page: Callable[..., str]
    ) -> None:
        machine_in(vault, credential_of(vault, staff))
        assert "Get the agent Done:" in page(vault)
        package(withdrawn_at=timezone.now(), kept_back=True)
        shown = page(vault)
        assert "Get the agent Not possible now:" in shown
        assert "Version 1.0.0 was withdrawn by an administrator just now" in shown
        assert "publish_agent" not in shown

    def test_a_failure_is_told_until_the_next_success(
        self, vault: Vault, staff: User, page: Callable[..., str]
    ) -> None:
        machine = machine_in(vault, credential_of(vault, staff))
        run_of(machine, outcome=Run.Outcome.FAILED, message="No space left.", ago=timedelta(minutes=9))
        other = machine_in(vault, machine.credential, "hr-db-03")
        for _ in range(70):
            run_of(other, ago=timedelta(minutes=1))
        assert "hr-db-02: backup failed 9 minutes ago . No space left." in page(vault)
        well_run(machine)
        assert "No space left." not in page(vault)

    def test_refusals_are_told_while_they_are_news(self, vault: Vault, page: Callable[..., str]) -> None:
        for minutes, name in ((1, "hr-db-02"), (60 * 49, "long-ago")):
            RefusedRegistration.objects.create(
                vault=vault,
                name=name,
                address="192.0.2.9",
                code="clock_skew",
                message="The clock is 2 h 3 min behind. Set it.",
                at=timezone.now() - timedelta(minutes=minutes),
            )
        shown = page(vault)
        assert (
            "hr-db-02 was refused 1 minute ago (from 192.0.2.9): The clock is 2 h 3 min behind. Set it. clock_skew"
            in shown
        )
        assert "long-ago" not in shown

    def test_refusals_from_before_the_last_success_are_folded(
        self, vault: Vault, staff: User, page: Callable[..., str], client: Client
    ) -> None:
        now = timezone.now()
        machine_in(vault, credential_of(vault, staff), registered_at=now - timedelta(minutes=10))
        for minutes, name in ((5, "after"), (15, "before"), (16, "long-before")):
            at = now - timedelta(minutes=minutes)
            RefusedRegistration.objects.create(vault=vault, name=name, code="x", message="No.", at=at)
        assert "2 refused before the last registration before was refused 15 minutes ago" in page(vault)
        shown = client.get(url(vault)).content.decode()
        assert shown.count('data-announce="after was refused: No."') == 1
        assert shown.count("was refused: No.") == 1

    def test_the_command_line_names_the_real_files(self, vault: Vault, staff: User, page: Callable[..., str]) -> None:
        assert "sudo strongroom-agent setup --unattended" in page(vault)
        package(file_name="strongroom-agent-1.0.0-linux-x86_64-0123abcd.pex")
        credential = credential_of(vault, staff)
        shown = page(vault)
        assert "mv strongroom-agent-1.0.0-linux-x86_64-0123abcd.pex strongroom-agent" in shown
        assert (
            "sudo ./strongroom-agent setup --unattended \\ "
            f"--credentials 'Payroll_{credential.issued_at:%a %b %d %Y}.VaultCredentials' \\ --install-dir"
        ) in shown


class TestLive:
    @pytest.fixture(autouse=True)
    def _signed_in(self, client: Client, staff: User) -> None:
        client.force_login(staff)

    def test_the_part_has_every_piece_but_the_form(self, client: Client, vault: Vault) -> None:
        part = client.get(url(vault), headers=POLL).content.decode()
        whole = client.get(url(vault)).content.decode()
        assert "For how many machines" in whole
        assert "For how many machines" not in part
        assert "<html" not in part
        pieces = [piece.split('"')[0] for piece in part.split('id="') if "hx-swap-oob" in piece.split(">")[0]]
        assert len(pieces) == len(set(pieces)) == 25
        assert [piece for piece in pieces if f'id="{piece}"' not in whole] == []
        assert "hx-swap-oob" not in whole

    def test_it_is_sent_when_something_changed_only(self, client: Client, vault: Vault, staff: User) -> None:
        first = client.get(url(vault), headers=POLL)
        again = {**POLL, "If-None-Match": first.headers["ETag"]}
        unchanged = client.get(url(vault), headers=again)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        machine_in(vault, credential_of(vault, staff))
        changed = client.get(url(vault), headers=again)
        assert changed.status_code == 200
        assert "hr-db-02" in changed.content.decode()

    def test_a_vault_of_another_state_is_another_page(self, client: Client, vault: Vault) -> None:
        response = client.get(f"{url(vault)}?seen=Creating", headers=POLL)
        assert response.headers["HX-Refresh"] == "true"

    def test_a_removed_vault_is_not_asked_about_again(self, client: Client, make_vault: Callable[..., Vault]) -> None:
        vault = make_vault(state=VaultState.REMOVED)
        response = client.get(url(vault), headers=POLL)
        assert response.status_code == 286
        assert "hx-trigger" not in response.content.decode()

    def test_it_asks_often_while_something_is_expected(self, vault: Vault, staff: User) -> None:
        assert progress_of(vault).pause == 5
        credential = credential_of(vault, staff)
        assert progress_of(vault).pause == 2
        machine = machine_in(vault, credential)
        assert progress_of(vault).pause == 1
        machine.state = MachineState.READY
        machine.save()
        assert progress_of(vault).pause == 2


def test_the_number_of_queries_does_not_grow(
    client: Client,
    staff: User,
    make_vault: Callable[..., Vault],
    regions: tuple[Region, Region],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """With a handful of machines or fifty, the whole page or the part."""
    now = timezone.now()
    vault = make_vault()
    PairedCopy.objects.create(vault=vault, region=regions[1])
    credential = credential_of(vault, staff, machines=500, machines_used=50)
    for number in range(50):
        machine = machine_in(vault, credential, f"m{number}")
        well_run(machine)
        well_run(machine, Run.Kind.RESTORE_CHECK)
        run_of(machine, Run.Kind.RESTORE_CHECK, outcome=Run.Outcome.FAILED)
        RefusedRegistration.objects.create(vault=vault, name=f"r{number}", code="x", message="x", at=now)
    client.force_login(staff)
    with django_assert_num_queries(17):
        client.get(url(vault))
    with django_assert_num_queries(12):
        client.get(url(vault), headers=POLL)

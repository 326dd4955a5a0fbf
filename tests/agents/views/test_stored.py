"""A machine's stored backups on its page: what is known, what needs a check, releasing a hold, and bringing back."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents import stored_backups
from agents.models import Machine, Run
from agents.monitoring.stored import figures, moments, retained
from agents.states import MachineState
from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.core.actor import SYSTEM
from portal.core.times import rfc3339
from tests.agents.factories import credential_of, machine_in, run_of
from tests.at_once import at_once
from tests.factories import as_actor, vault_in
from tests.rows import now
from tests.vaults.factories import operation_of
from tests.vaults.pages import call, refused, text_of, window
from tests.vaults.retaining import days_ago, removed, repository_of, seen
from vaults.models import MachineRepository, Operation, Vault
from vaults.recovery.bring_back import HELD
from vaults.trash.holds import hold

HELD_REASON = "It deleted a snapshot although no retain was announced."


@pytest.fixture
def machine(vault: Vault, staff: User) -> Machine:  # instead of one that registers itself
    return machine_in(vault, credential_of(vault, staff))


@pytest.fixture
def held(vault: Vault, machine: Machine) -> Machine:
    """A machine that deleted what it was not expected to."""
    repository_of(vault, machine.pk, held_at=days_ago(1), held_reason=HELD_REASON, trash_bytes=2048)
    return machine


@pytest.fixture
def robbed(vault: Vault, machine: Machine) -> Machine:
    """A machine whose snapshots of before three days were deleted two days ago, and who stored junk yesterday."""
    repository_of(vault, machine.pk, deleted_at=days_ago(2))
    for day in (9, 5):
        for kind, size in (("data", 1024), ("snapshots", 300)):
            removed(seen(vault, machine.pk, days_ago(day), kind=kind, size=size), days_ago(2))
    seen(vault, machine.pk, days_ago(4))
    seen(vault, machine.pk, days_ago(1), kind="data", size=4096)
    seen(vault, machine.pk, days_ago(1))
    other = vault_in(vault.subscription, vault.region, "Other")
    removed(seen(other, machine_in(other, machine.credential, "elsewhere").pk, days_ago(9)), days_ago(2))
    return machine


class TestFacts:
    def test_what_the_portal_has_seen(self, vault: Vault, robbed: Machine, staff: User) -> None:
        repository_of(
            vault,
            robbed.pk,
            live_bytes=5 << 30,
            trash_bytes=3 << 20,
            looked_at=timezone.now(),
            whole_as_of=days_ago(1),
            retain_began_at=days_ago(3),
            retain_snapshots=["a" * 64],
        )
        shown = text_of(window(staff).get(f"/machines/{robbed.pk}/"))
        for told in (
            "Snapshots 2 Size 5.00 GiB In the trash 3.00 MiB for 14 days after each deletion Last look just now",
            "Last whole check begun 1 day ago , missed nothing",
            "Last retain announced 3 days ago , 1 snapshot to go",
            "Bring back…",
        ):
            assert told in shown, told

    def test_nothing_is_known_yet(self, machine: Machine, staff: User) -> None:
        shown = text_of(window(staff).get(f"/machines/{machine.pk}/"))
        assert "The portal has not looked at its repository yet." in shown
        assert "Bring back" not in shown

    @pytest.mark.parametrize(
        ("deleted", "whole", "said"),
        [(None, None, False), (1, None, True), (2, 3, True), (3, 2, False), (None, 2, False)],
    )
    def test_a_deletion_after_the_last_check_is_said(
        self, vault: Vault, machine: Machine, staff: User, deleted: int | None, whole: int | None, said: bool
    ) -> None:
        moment = {"deleted_at": deleted and days_ago(deleted), "whole_as_of": whole and days_ago(whole)}
        repository_of(vault, machine.pk, **moment)
        shown = text_of(window(staff).get(f"/machines/{machine.pk}/"))
        assert ("its backups count as proven again after a check that begins from now on." in shown) is said

    def test_queries(self, vault: Vault, robbed: Machine, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        for _ in range(20):
            removed(seen(vault, robbed.pk, days_ago(8)), days_ago(3))
        with django_assert_num_queries(2):
            figures(robbed, days_ago(6))
        with django_assert_num_queries(1):
            moments(robbed)

    def test_the_dashboard_tells_of_trash_and_what_was_freed(
        self, vault: Vault, held: Machine, staff: User, make_vault: Any
    ) -> None:
        other = make_vault("Other")
        repository_of(other, machine_in(other, credential_of(other, staff), "elsewhere").pk, trash_bytes=9)
        figures_told = {"freed": 3 << 20}
        run_of(held, Run.Kind.RETAIN, timedelta(days=1), figures=figures_told)
        run_of(held, Run.Kind.RETAIN, timedelta(days=2), figures=figures_told)
        run_of(held, Run.Kind.RETAIN, timedelta(days=8), figures=figures_told)
        run_of(held, Run.Kind.RETAIN, timedelta(days=1), figures={}, outcome="failed")
        run_of(held, Run.Kind.BACKUP, timedelta(days=1), figures=figures_told)
        told = retained(vault, timezone.now())
        assert (told.trash_bytes, told.held, told.freed_bytes) == (2048, 1, 6 << 20)
        shown = text_of(window(staff).get(f"/vaults/{vault.pk}/"))
        assert "In the trash 2.00 KiB Held 1 machine" in shown
        assert "Held hr-db-02 : what it deleted needs a decision; nothing is purged until then." in shown
        MachineRepository.objects.update(held_at=None)
        shown = text_of(window(staff).get(f"/vaults/{vault.pk}/"))
        assert "In the trash 2.00 KiB retention freed 6.00 MiB in 7 days" in shown


class TestHold:
    def test_it_says_why_and_offers_two_ways(self, held: Machine, staff: User) -> None:
        shown = text_of(window(staff).get(f"/machines/{held.pk}/"))
        assert HELD_REASON in shown
        assert "Let it be purged Bring back…" in shown

    def test_onlookers_see_it_without_buttons(self, held: Machine, auditor: User) -> None:
        shown = text_of(window(auditor).get(f"/machines/{held.pk}/"))
        assert HELD_REASON in shown
        assert "Members of Default decide." in shown
        assert "Let it be purged" not in shown
        assert "Bring back" not in shown

    @pytest.mark.parametrize(
        ("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403), ("staff", 302)]
    )
    def test_who_may_release_it(self, request: pytest.FixtureRequest, held: Machine, who: str, status: int) -> None:
        client = window(request.getfixturevalue(who))
        assert client.get(f"/machines/{held.pk}/let-purge/").status_code == 405
        answer = client.post(f"/machines/{held.pk}/let-purge/", {"reason": "A planned clean-up."})
        assert answer.status_code == status
        assert (MachineRepository.objects.get().held_at is None) is (status == 302)
        reasons = [entry.detail["reason"] for entry in AuditEvent.objects.filter(action="purge:release")]
        assert reasons == (["A planned clean-up."] if status == 302 else [])

    @pytest.mark.parametrize("reason", ["", " ", "a\u202eb"])
    def test_it_takes_a_reason(self, held: Machine, staff: User, reason: str) -> None:
        answer: Any = window(staff).post(f"/machines/{held.pk}/let-purge/", {"reason": reason})
        assert (answer.status_code, set(answer.context["hold"].errors)) == (422, {"reason"})
        assert MachineRepository.objects.get().held_at is not None

    def test_nothing_to_release(self, held: Machine, staff: User) -> None:
        client = window(staff)
        assert [client.post(f"/machines/{held.pk}/let-purge/", {"reason": "x"}).status_code for _ in "12"] == [302, 409]

    def test_what_is_being_brought_back_is_not_released(self, held: Machine, staff: User) -> None:
        subject = {"machine": str(held.pk), "as_of": rfc3339(days_ago(2))}
        work = operation_of(held.vault, "bring-back", subject=subject)
        client = window(staff)
        shown = text_of(client.get(f"/machines/{held.pk}/"))
        assert "Its backups are being brought back to an earlier time." in shown
        assert "Let it be purged" not in shown
        assert client.post(f"/machines/{held.pk}/let-purge/", {"reason": "x"}).status_code == 409
        assert MachineRepository.objects.get().held_at is not None
        Operation.objects.filter(pk=work.pk).update(subject={**subject, "machine": str(held.vault_id)})
        assert client.post(f"/machines/{held.pk}/let-purge/", {"reason": "x"}).status_code == 302

    @pytest.mark.django_db(transaction=True)
    def test_a_release_and_bringing_back_at_once_leave_a_hold(self, held: Machine, staff: User) -> None:
        actor, as_of = as_actor(staff), timezone.now()
        outcomes = at_once(
            [
                lambda: stored_backups.let_purge(held.pk, actor=actor, reason="Meant."),
                lambda: stored_backups.bring_back(held.pk, actor=actor, as_of=as_of, reason="A mistake."),
            ]
        )
        assert [type(one).__name__ for one in outcomes][1] == "Operation"
        assert MachineRepository.objects.get().held_at is not None

    def test_a_change_without_the_token_is_refused(self, held: Machine, staff: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(staff)
        for path in ("let-purge", "bring-back"):
            assert client.post(f"/machines/{held.pk}/{path}/", {"reason": "x"}).status_code == 403


class TestBringBack:
    @pytest.fixture
    def url(self, robbed: Machine) -> str:
        return f"/machines/{robbed.pk}/bring-back/"

    def sent(self, machine: Machine, days: float = 3, **fields: str) -> dict[str, str]:
        return {"as_of": rfc3339(days_ago(days)), "reason": "A stolen key.", "confirm": machine.name, **fields}

    @pytest.mark.parametrize(
        ("who", "status"), [("outsider", 404), ("approver", 403), ("auditor", 403), ("staff", 302)]
    )
    def test_who_may(self, request: pytest.FixtureRequest, robbed: Machine, url: str, who: str, status: int) -> None:
        client = window(request.getfixturevalue(who))
        assert client.get(url).status_code == (200 if status == 302 else status)
        assert client.post(url, self.sent(robbed)).status_code == status
        assert Operation.objects.filter(kind="bring-back").exists() is (status == 302)

    @pytest.mark.parametrize("state", [MachineState.REVOKED, MachineState.UNREGISTERED, MachineState.SUSPENDED])
    def test_whatever_the_state_of_the_machine(self, robbed: Machine, url: str, staff: User, state: str) -> None:
        Machine.objects.update(state=state)
        answer = window(staff).post(url, self.sent(robbed))
        assert answer.headers["Location"] == f"/vaults/{robbed.vault_id}/"
        begun = Operation.objects.get(kind="bring-back")
        assert begun.subject["machine"] == str(robbed.pk)
        entry = AuditEvent.objects.get(action="repository:bring-back")
        assert (entry.actor, entry.detail["reason"]) == (staff, "A stolen key.")
        assert now(MachineRepository.objects.get()).held_reason == HELD

    def test_the_choices_are_when_snapshots_were_first_seen(
        self, vault: Vault, robbed: Machine, staff: User, url: str
    ) -> None:
        old = seen(vault, robbed.pk, days_ago(15))
        known = moments(robbed)
        assert [round((timezone.now() - moment) / timedelta(days=1)) for moment in known] == [1, 4, 5, 9]
        page = window(staff).get(url).content.decode()
        assert [f'value="{rfc3339(moment)}"' in page for moment in [*known, old.first_seen_at]] == [True] * 4 + [False]

    def test_what_will_happen_is_told_in_figures(self, robbed: Machine, staff: User, url: str) -> None:
        shown = text_of(window(staff).get(url, {"time": f"{days_ago(3):%Y-%m-%d %H:%M}"}))
        for told in (
            "2 objects that came later, 4.29 KiB, are set aside in the trash: 1 snapshot among them.",
            "4 objects that were deleted since, 2.59 KiB, return from the trash: 2 snapshots among them. In both",
            "Type hr-db-02 to confirm",
        ):
            assert told in shown, told
        assert not Operation.objects.exists()

    def test_what_lies_there_again_is_not_counted(self, vault: Vault, machine: Machine) -> None:
        repository_of(vault, machine.pk)
        removed(seen(vault, machine.pk, days_ago(9)), days_ago(2), live_again=True)
        found = figures(machine, days_ago(3))
        assert (found.returned, found.set_aside) == (0, 0)

    @pytest.mark.parametrize("asked", [{"as_of": "x"}, {"time": "yesterday"}, {"time": "9" * 60}, {"as_of": "\0"}])
    def test_what_is_no_time(self, url: str, staff: User, asked: dict[str, str]) -> None:
        answer: Any = window(staff).get(url, asked)
        assert answer.status_code == 422
        assert answer.context["choice"].errors

    @pytest.mark.parametrize(
        ("wrong", "beside"),
        [
            ({"confirm": "other"}, "confirm"),
            ({"reason": ""}, "reason"),
            ({"as_of": ""}, "as_of"),
            ({"as_of": "x"}, "as_of"),
            ({"as_of": "2020-01-01T00:00:00Z"}, "as_of"),
            ({"as_of": "2999-01-01T00:00:00Z"}, "as_of"),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_begins(
        self, robbed: Machine, url: str, staff: User, wrong: dict[str, Any], beside: str
    ) -> None:
        answer: Any = window(staff).post(url, self.sent(robbed, **wrong))
        assert (answer.status_code, set(answer.context["form"].errors)) == (422, {beside})
        assert not Operation.objects.exists()

    def test_while_other_work_is_under_way(self, vault: Vault, robbed: Machine, url: str, staff: User) -> None:
        operation_of(vault, "make-copy")
        answer = window(staff).post(url, self.sent(robbed))
        assert answer.status_code == 409
        assert "Other work on Payroll is under way." in text_of(answer)
        assert "2 objects that came later" in text_of(answer)

    def test_a_vault_that_is_not_active(self, url: str, staff: User) -> None:
        Vault.objects.update(state="Removing")
        assert "only while the vault is Active" in text_of(window(staff).get(url))


class TestApi:
    def sent(self, days: float = 3) -> dict[str, str]:
        return {"as_of": rfc3339(days_ago(days))}

    def test_it_begins(self, robbed: Machine, staff: User) -> None:
        body = self.sent()
        answer = call(window(staff), "POST", f"machines/{robbed.pk}/bring-back", body)
        begun = Operation.objects.get()
        assert answer.status_code == 202
        told = answer.json()
        assert (told["id"], told["machine_id"], told["vault_id"], told["state"]) == (
            str(begun.pk),
            str(robbed.pk),
            str(robbed.vault_id),
            "running",
        )
        assert begun.subject["as_of"] == body["as_of"]
        assert AuditEvent.objects.get(action="repository:bring-back").detail["reason"] == "By API."

    @pytest.mark.parametrize(
        ("who", "status", "code"),
        [("outsider", 404, "not_found"), ("approver", 403, "not_allowed"), ("auditor", 403, "not_allowed")],
    )
    def test_only_members(
        self, request: pytest.FixtureRequest, robbed: Machine, who: str, status: int, code: str
    ) -> None:
        client = window(request.getfixturevalue(who))
        refused(call(client, "POST", f"machines/{robbed.pk}/bring-back", self.sent()), status, code)
        assert not Operation.objects.exists()

    def test_a_token_that_may_only_read(self, robbed: Machine, staff: User) -> None:
        digest = hashlib.sha256(b"secret").hexdigest()
        expires = timezone.now() + timedelta(hours=1)
        ApiToken.objects.create(name="script", digest=digest, scope="read", expires_at=expires, user=staff)
        answer = call(Client(), "POST", f"machines/{robbed.pk}/bring-back", self.sent(), Authorization="Bearer secret")
        refused(answer, 403, "not_allowed")
        assert not Operation.objects.exists()

    @pytest.mark.parametrize("body", [{}, {"as_of": "x"}, {"as_of": None}, {"as_of": "2020-01-01T00:00:00Z"}])
    def test_what_is_no_time_or_too_long_ago(self, robbed: Machine, staff: User, body: object) -> None:
        answer = call(window(staff), "POST", f"machines/{robbed.pk}/bring-back", body)
        assert list(refused(answer, 422, "invalid")["errors"]) == ["as_of"]

    def test_while_other_work_is_under_way(self, robbed: Machine, staff: User) -> None:
        client, path = window(staff), f"machines/{robbed.pk}/bring-back"
        assert call(client, "POST", path, self.sent()).status_code == 202
        refused(call(client, "POST", path, self.sent()), 409, "stale_state")


def test_a_hold_of_the_domain_is_what_the_page_shows(vault: Vault, machine: Machine, staff: User) -> None:
    repository_of(vault, machine.pk)
    with transaction.atomic():
        hold(vault, machine.pk, HELD_REASON, at=timezone.now(), actor=SYSTEM)
    assert HELD_REASON in text_of(window(staff).get(f"/machines/{machine.pk}/"))

"""Changing a retention policy: stronger at once, weaker with a second person, about what was seen, and once."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.accounts.models import Subscription, User
from portal.audit.models import AuditEvent
from portal.audit.rendering import plain
from portal.core.actor import Actor, Via
from portal.core.errors import ContentChanged, Invalid, NotAllowed, NotFound, OwnRequest, StaleState, TooManyOpen
from portal.notifications.models import Notification
from tests.at_once import at_once
from tests.factories import as_actor, member_of, vault_in
from tests.rows import now
from tests.vaults.retaining import agree, ask_weaker, digest_of, policy
from vaults.models import RetentionChange, Vault
from vaults.retention_policy import changes
from vaults.retention_policy.policy import RetentionPolicy
from vaults.retention_policy.wording import LABELS, told
from vaults.states import VaultState
from vaults.tasks import sweep


@pytest.fixture
def colleague(subscription: Subscription) -> User:
    return member_of(subscription)


def keeps(vault: Vault) -> RetentionPolicy:
    return RetentionPolicy.of(now(vault))


class TestStronger:
    def test_is_stored_at_once_with_its_entry_and_people_are_told(self, vault: Vault, staff: User) -> None:
        wanted = policy(vault, keep_within_days=60, keep_weekly_within_weeks=8)
        assert changes.change(vault.pk, actor=as_actor(staff), policy=wanted) is None
        assert keeps(vault) == wanted
        entry = AuditEvent.objects.get(action="vault:retention")
        assert entry.detail == {
            "from": RetentionPolicy().values,
            "to": wanted.values,
            "change": "Keep everything within 60 days instead of 30 days; Keep weekly within 8 weeks instead of off",
        }
        assert (entry.actor, entry.vault_id) == (staff, vault.pk)
        assert "changed the retention policy of vault Payroll: Keep everything within 60 days" in plain(entry)
        notice = Notification.objects.get()
        assert (notice.title, notice.subscription_id) == (
            'The retention policy of vault "Payroll" was changed.',
            vault.subscription_id,
        )
        assert not RetentionChange.objects.exists()

    def test_what_is_there_already_changes_nothing(self, vault: Vault, staff: User) -> None:
        changes.change(vault.pk, actor=as_actor(staff), policy=policy(vault), expected="of another time")
        assert not AuditEvent.objects.filter(action="vault:retention").exists()

    def test_a_page_that_is_out_of_date_is_refused(self, vault: Vault, staff: User) -> None:
        tag = changes.shown(vault)
        changes.change(vault.pk, actor=as_actor(staff), policy=policy(vault, soft_delete_days=20), expected=tag)
        with pytest.raises(ContentChanged, match="The retention policy of Payroll has changed"):
            changes.change(vault.pk, actor=as_actor(staff), policy=policy(vault, soft_delete_days=30), expected=tag)
        assert keeps(vault).soft_delete_days == 20


class TestAccess:
    @pytest.mark.parametrize(
        ("who", "error"), [("outsider", NotFound), ("approver", NotAllowed), ("auditor", NotAllowed)]
    )
    @pytest.mark.parametrize("days", [20, 60])
    def test_only_members_change(
        self, request: pytest.FixtureRequest, vault: Vault, who: str, error: type[Exception], days: int
    ) -> None:
        actor = as_actor(request.getfixturevalue(who))
        with pytest.raises(error):
            changes.change(vault.pk, actor=actor, policy=policy(vault, keep_within_days=days), reason="Why not")
        assert keeps(vault) == RetentionPolicy()
        assert not RetentionChange.objects.exists()

    def test_a_token_that_may_only_read_changes_nothing(self, vault: Vault, staff: User) -> None:
        actor = Actor(label="staff", via=Via.TOKEN, user=staff, read_only=True)
        with pytest.raises(NotAllowed):
            changes.change(vault.pk, actor=actor, policy=policy(vault, keep_within_days=60))

    @pytest.mark.parametrize(("who", "error"), [("outsider", NotFound), ("auditor", NotAllowed), ("staff", OwnRequest)])
    def test_who_may_not_decide(
        self, request: pytest.FixtureRequest, vault: Vault, staff: User, who: str, error: type[Exception]
    ) -> None:
        asked = ask_weaker(staff, vault)
        person = request.getfixturevalue(who)
        with pytest.raises(error):
            agree(person, asked)
        assert (now(asked).state, keeps(vault)) == ("pending", RetentionPolicy())
        refused = AuditEvent.objects.filter(refused=True, action="retention-change:decide", actor=person)
        assert refused.exists() is (who != "outsider")

    @pytest.mark.parametrize("state", [state for state in VaultState if state != VaultState.ACTIVE])
    def test_the_vault_must_be_active(self, vault: Vault, staff: User, approver: User, state: VaultState) -> None:
        asked = ask_weaker(staff, vault)
        Vault.objects.update(state=state)
        for days in (20, 60):
            with pytest.raises(StaleState, match=f"Payroll is {state}"):
                changes.change(vault.pk, actor=as_actor(staff), policy=policy(vault, keep_within_days=days), reason="x")
        with pytest.raises(StaleState, match=f"Payroll is {state}"):
            agree(approver, asked)


class TestWeaker:
    @pytest.mark.parametrize(
        "numbers",
        [
            {"keep_within_days": 29},
            {"minimum_retention_days": 13},
            {"keep_within_days": 90, "minimum_retention_days": 1},
            {"keep_weekly_within_weeks": None},
            {"keep_monthly_within_months": 11},
            {"keep_yearly_within_years": 1},
            {"soft_delete_days": 20},
        ],
    )
    def test_each_number_takes_a_second_person(
        self, vault: Vault, staff: User, approver: User, numbers: dict[str, int | None]
    ) -> None:
        strong = policy(
            vault,
            keep_weekly_within_weeks=8,
            keep_monthly_within_months=12,
            keep_yearly_within_years=2,
            soft_delete_days=30,
        )
        changes.change(vault.pk, actor=as_actor(staff), policy=strong)
        vault.refresh_from_db()
        wanted = policy(vault, **numbers)
        asked = changes.change(vault.pk, actor=as_actor(staff), policy=wanted, reason="Too much is kept.")
        assert asked is not None
        assert keeps(vault) == strong
        agree(approver, changes.workflow.seen_by(as_actor(approver), asked.pk))
        assert keeps(vault) == wanted
        entry = AuditEvent.objects.filter(action="vault:retention").latest("pk")
        assert (entry.actor, entry.detail["from"], entry.detail["to"]) == (approver, strong.values, wanted.values)
        assert (entry.detail["reason"], entry.detail["request"]) == ("Too much is kept.", str(asked.pk))

    @pytest.mark.parametrize("reason", ["", "   "])
    def test_a_reason_is_needed(self, vault: Vault, staff: User, reason: str) -> None:
        with pytest.raises(Invalid) as caught:
            ask_weaker(staff, vault, reason)
        assert caught.value.errors == {"reason": [changes.WHY_NEEDED]}

    def test_a_reason_that_cannot_be_stored_is_refused(self, vault: Vault, staff: User) -> None:
        for reason in ("a\0b", "x" * 2001):
            with pytest.raises(Invalid):
                ask_weaker(staff, vault, reason)

    def test_what_is_malformed_is_neither_stored_nor_asked(self, vault: Vault, staff: User) -> None:
        with pytest.raises(Invalid) as caught:
            ask_weaker(staff, vault, keep_within_days=0, soft_delete_days=13)
        assert set(caught.value.errors) == {"keep_within_days", "soft_delete_days"}
        assert not RetentionChange.objects.exists()

    def test_those_who_can_decide_are_told(
        self, vault: Vault, staff: User, colleague: User, approver: User, auditor: User, outsider: User
    ) -> None:
        asked = ask_weaker(staff, vault)
        told_of = Notification.objects.get(key=f"retention-change:{asked.pk}")
        assert told_of.title == 'staff requests a weaker retention policy for vault "Payroll".'
        people = (staff, colleague, approver, auditor, outsider)
        found = [Notification.objects.visible_to(user).filter(key=told_of.key).exists() for user in people]
        assert found == [True, True, True, False, False]
        entry = AuditEvent.objects.get(action="retention-change:ask")
        assert (entry.actor, entry.vault_id, entry.detail["reason"]) == (staff, vault.pk, "Too much is kept.")
        assert plain(entry).startswith("staff requested weaker retention of Payroll: Keep everything within 20 days")

    @pytest.mark.parametrize("who", ["colleague", "approver"])
    def test_a_no_says_why_and_leaves_all_as_it_is(
        self, request: pytest.FixtureRequest, vault: Vault, staff: User, who: str
    ) -> None:
        person = request.getfixturevalue(who)
        asked = ask_weaker(staff, vault)
        with pytest.raises(Invalid):
            changes.reject(asked.pk, actor=as_actor(person), comment="", digest=digest_of(asked))
        changes.reject(asked.pk, actor=as_actor(person), comment="Keep it.", digest=digest_of(asked))
        assert (now(asked).state, keeps(vault)) == ("rejected", RetentionPolicy())
        outcome = Notification.objects.get(key=f"retention-change-outcome:{vault.pk}")
        assert outcome.step == f"{who}: Keep it."
        assert not Notification.objects.filter(key=f"retention-change:{asked.pk}").exists()

    def test_taking_it_back(self, vault: Vault, staff: User, colleague: User) -> None:
        asked = ask_weaker(staff, vault)
        with pytest.raises(NotAllowed):
            changes.cancel(asked.pk, actor=as_actor(colleague), comment="", digest=digest_of(asked))
        changes.cancel(asked.pk, actor=as_actor(staff), comment="", digest=digest_of(asked))
        assert now(asked).state == "cancelled"
        assert ask_weaker(staff, vault).pk != asked.pk

    def test_other_content_is_not_decided(self, vault: Vault, staff: User, approver: User) -> None:
        asked = ask_weaker(staff, vault)
        RetentionChange.objects.update(policy_wanted=policy(vault, keep_within_days=14).values)
        with pytest.raises(ContentChanged):
            agree(approver, asked)
        assert keeps(vault) == RetentionPolicy()

    def test_a_policy_that_changed_meanwhile_makes_it_out_of_date(
        self, vault: Vault, staff: User, approver: User
    ) -> None:
        asked = ask_weaker(staff, vault)
        stronger = policy(vault, soft_delete_days=60)
        changes.change(vault.pk, actor=as_actor(staff), policy=stronger)
        with pytest.raises(StaleState, match="has changed since this was requested"):
            agree(approver, asked)
        assert (keeps(vault), now(asked).state) == (stronger, "pending")
        changes.reject(asked.pk, actor=as_actor(approver), comment="Out of date.", digest=digest_of(asked))
        assert ask_weaker(staff, now(vault)).state == "pending"

    def test_after_a_fortnight_it_expires(self, vault: Vault, staff: User, approver: User) -> None:
        asked, young = ask_weaker(staff, vault), timedelta(days=13, hours=23)
        RetentionChange.objects.update(requested_at=timezone.now() - young)
        sweep()
        assert now(asked).state == "pending"
        RetentionChange.objects.update(requested_at=timezone.now() - timedelta(days=14, seconds=1))
        with pytest.raises(StaleState, match="now it expires"):
            agree(approver, asked)
        sweep()
        assert (now(asked).state, keeps(vault)) == ("expired", RetentionPolicy())
        assert AuditEvent.objects.get(action="retention-change:expired").actor_label == "system"


class TestOneAtATime:
    def test_the_same_again_is_the_same(self, vault: Vault, staff: User) -> None:
        assert ask_weaker(staff, vault) == ask_weaker(staff, vault, " Too much is kept. ")
        assert RetentionChange.objects.count() == 1

    def test_another_one_waits(self, vault: Vault, staff: User, colleague: User) -> None:
        ask_weaker(staff, vault)
        for user, days in ((staff, 15), (colleague, 20)):
            with pytest.raises(StaleState, match="staff has already requested a weaker policy"):
                ask_weaker(user, vault, keep_within_days=days)

    def test_the_database_has_one_at_most(self, vault: Vault, staff: User) -> None:
        ask_weaker(staff, vault)
        with pytest.raises(IntegrityError), transaction.atomic():
            RetentionChange.objects.create(
                vault=vault,
                policy_before={},
                policy_wanted={},
                reason="x",
                requested_by=staff,
                requested_at=timezone.now(),
            )

    def test_nobody_has_too_many_open(self, vault: Vault, staff: User, settings: object) -> None:
        settings.OPEN_REQUESTS = 1  # type: ignore[attr-defined]
        ask_weaker(staff, vault)
        other = vault_in(vault.subscription, vault.region, "Other")
        with pytest.raises(TooManyOpen):
            ask_weaker(staff, other)

    @pytest.mark.django_db(transaction=True)
    def test_two_at_once_make_one_request(self, vault: Vault, staff: User, colleague: User) -> None:
        outcomes = at_once([lambda user=user: ask_weaker(user, vault) for user in (staff, colleague)])  # type: ignore[misc]
        kinds = sorted(type(one).__name__ for one in outcomes)
        assert kinds == ["RetentionChange", "StaleState"]
        assert RetentionChange.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_an_agreement_and_a_stronger_policy_at_once_lose_nothing(
        self, vault: Vault, staff: User, approver: User
    ) -> None:
        asked = ask_weaker(staff, vault)
        tag, stronger = changes.shown(vault), policy(vault, soft_delete_days=60)
        outcomes = at_once(
            [
                lambda: agree(approver, asked),
                lambda: changes.change(vault.pk, actor=as_actor(staff), policy=stronger, expected=tag),
            ]
        )
        lost = [type(one).__name__ for one in outcomes if isinstance(one, Exception)]
        assert (lost, keeps(vault)) in (
            (["StaleState"], stronger),
            (["ContentChanged"], policy(vault, keep_within_days=20)),
        )


def test_what_is_told_names_each_number_by_its_label(vault: Vault) -> None:
    other = RetentionPolicy(60, 1, 12, 2, 15, 30)
    assert told(policy(vault), other) == (
        "Keep everything within 60 days instead of 30 days; Keep weekly within 1 week instead of off;"
        " Keep monthly within 12 months instead of off; Keep yearly within 2 years instead of off;"
        " Minimum retention 15 days instead of 14 days; Soft delete 30 days instead of 14 days"
    )
    assert list(LABELS) == list(RetentionPolicy().values)

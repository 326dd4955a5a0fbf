"""The way of a request through stages, on a kind that exists for these tests: two approvers, then an auditor."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.accounts.models import User
from portal.approvals.policy import OPEN_FOR
from portal.approvals.states import RequestState
from portal.audit.models import AuditEvent
from portal.core.errors import ContentChanged, DomainError, Invalid, NotAllowed, OwnRequest, StaleState
from tests.at_once import at_once
from tests.factories import as_actor, person
from tests.portal.approvals.quota_changes.models import QuotaChange
from tests.portal.approvals.quota_changes.workflow import QuotaChanges
from tests.rows import now

changes = QuotaChanges()


@pytest.fixture
def asked(staff: User) -> QuotaChange:
    return QuotaChange.objects.create(
        gigabytes=500, reason="More machines.", requested_by=staff, requested_at=timezone.now()
    )


@pytest.fixture
def second() -> User:
    return person("second", is_approver=True)


def agree(asked: QuotaChange, *people: User) -> QuotaChange:
    for user in people:
        changes.approve(asked.pk, actor=as_actor(user), comment="", digest=changes.digest_of(now(asked)))
    return now(asked)


def who(asked: QuotaChange) -> list[str]:
    return [user.username for user in changes.deciders(now(asked))]


def test_it_is_done_when_the_last_stage_has_agreed(
    asked: QuotaChange, approver: User, second: User, auditor: User
) -> None:
    seen = [(changes.stage_of(now(asked)), who(asked))]
    for user in (approver, second):
        agree(asked, user)
        seen.append((changes.stage_of(now(asked)), who(asked)))
        assert (now(asked).state, now(asked).applied) == (RequestState.PENDING, False)
    assert seen == [(1, ["approver", "second"]), (1, ["second"]), (2, ["auditor"])]
    done = agree(asked, auditor)
    assert (done.state, done.applied, who(asked)) == (RequestState.APPROVED, True, [])
    assert list(done.decisions.values_list("stage", "by__username", "verdict", "digest")) == [
        (1, "approver", "approve", changes.digest_of(done)),
        (1, "second", "approve", changes.digest_of(done)),
        (2, "auditor", "approve", changes.digest_of(done)),
    ]


def test_nobody_agrees_twice_in_a_stage(asked: QuotaChange, approver: User) -> None:
    agree(asked, approver)
    with pytest.raises(NotAllowed, match="already"):
        agree(asked, approver)
    assert changes.why_not(as_actor(approver), now(asked)) == "You have agreed to it already."


def test_the_same_person_may_be_in_two_stages(asked: QuotaChange, approver: User, second: User) -> None:
    User.objects.filter(pk=second.pk).update(is_auditor=True)
    assert agree(asked, approver, second, second).state == RequestState.APPROVED


@pytest.mark.parametrize("stage", [1, 2])
def test_a_no_in_any_stage_ends_it(asked: QuotaChange, approver: User, second: User, auditor: User, stage: int) -> None:
    decider = approver
    if stage == 2:
        agree(asked, approver, second)
        decider = auditor
    changes.reject(asked.pk, actor=as_actor(decider), comment=" Too much ", digest=changes.digest_of(asked))
    ended = now(asked)
    assert (ended.state, ended.applied) == (RequestState.REJECTED, False)
    verdict = ended.verdict
    assert verdict is not None
    assert (verdict.by, verdict.stage, verdict.comment) == (decider, stage, "Too much")


def test_people_of_another_stage_wait_for_theirs(asked: QuotaChange, approver: User, auditor: User) -> None:
    with pytest.raises(NotAllowed, match="Only approvers decide"):
        agree(asked, auditor)
    agree(asked, approver, person("third", is_approver=True))
    with pytest.raises(NotAllowed, match="Only auditors decide"):
        agree(asked, approver)


def test_never_ones_own(asked: QuotaChange, staff: User, approver: User) -> None:
    User.objects.filter(pk=staff.pk).update(is_approver=True)
    with pytest.raises(OwnRequest):
        agree(asked, staff)
    assert who(asked) == ["approver"]


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_the_database_itself_refuses_ones_own(asked: QuotaChange, staff: User, verdict: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        asked.decisions.create(verdict=verdict, by=staff, requested_by=staff, at=timezone.now(), digest="")


def test_the_database_itself_refuses_the_same_twice(asked: QuotaChange, staff: User, approver: User) -> None:
    for expected in (1, 2):
        row = {"verdict": "approve", "by": approver, "requested_by": staff, "at": timezone.now(), "digest": ""}
        if expected == 1:
            asked.decisions.create(**row)
            continue
        with pytest.raises(IntegrityError), transaction.atomic():
            asked.decisions.create(**row)


def test_agreeing_counts_for_what_was_seen_only(asked: QuotaChange, approver: User) -> None:
    digest = changes.digest_of(asked)
    QuotaChange.objects.filter(pk=asked.pk).update(gigabytes=5000)
    with pytest.raises(ContentChanged):
        changes.approve(asked.pk, actor=as_actor(approver), comment="", digest=digest)
    assert now(asked).decisions.count() == 0


def test_only_the_one_who_asked_takes_it_back(asked: QuotaChange, staff: User, approver: User) -> None:
    agree(asked, approver)
    with pytest.raises(NotAllowed):
        changes.cancel(asked.pk, actor=as_actor(approver), comment="", digest=changes.digest_of(asked))
    changes.cancel(asked.pk, actor=as_actor(staff), comment="", digest=changes.digest_of(asked))
    assert now(asked).state == RequestState.CANCELLED
    verdict = now(asked).verdict
    assert verdict is not None  # the approval before counts as what was decided; the state says how it ended
    with pytest.raises(StaleState, match="already cancelled by staff"):
        agree(asked, person("late", is_approver=True))


def test_it_expires_once_between_two_stages(asked: QuotaChange, approver: User, second: User, auditor: User) -> None:
    agree(asked, approver, second)
    QuotaChange.objects.update(requested_at=timezone.now() - OPEN_FOR - timedelta(seconds=1))
    with pytest.raises(StaleState, match="now it expires"):
        agree(asked, auditor)
    assert (changes.expire(10), changes.expire(10), now(asked).state) == (1, 0, RequestState.EXPIRED)


def test_a_hidden_character_in_a_comment_is_refused(asked: QuotaChange, approver: User) -> None:
    with pytest.raises(Invalid):
        changes.approve(asked.pk, actor=as_actor(approver), comment="a\u202eb", digest=changes.digest_of(asked))


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_each_stage_takes_what_it_needs(asked: QuotaChange) -> None:
    """Two approvals end the first stage; whoever comes later is told that it is the turn of others."""
    people = [person(f"approver-{number}", is_approver=True) for number in range(20)]
    digest = changes.digest_of(asked)

    def call(user: User) -> object:
        return changes.approve(asked.pk, actor=as_actor(user), comment="", digest=digest)

    outcomes = at_once([lambda user=user: call(user) for user in people])  # type: ignore[misc]
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [error for error in errors if not isinstance(error, DomainError)] == []
    assert (now(asked).decisions.count(), changes.stage_of(now(asked)), now(asked).state) == (2, 2, "pending")
    assert AuditEvent.objects.filter(action="quota-change:approved").count() == 0

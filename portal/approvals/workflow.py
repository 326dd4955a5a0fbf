"""The way of a request from asking to its end, the same for each kind.

A kind is a model that is `Approvable` and a `Workflow` that says what is agreed to, who decides, and what happens then.
Nobody decides on a request of their own, nobody twice in a stage, and only on the content that they have seen.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from portal.accounts.models import User
from portal.accounts.rules import require_full
from portal.approvals.models import Approvable, Decision
from portal.approvals.policy import Policy, Stage
from portal.approvals.states import RequestState
from portal.audit.actions import Action
from portal.audit.record import refusal
from portal.audit.transitions import advance
from portal.core import digests, texts
from portal.core.actor import SYSTEM, Actor
from portal.core.errors import REVIEW_AGAIN, ContentChanged, Invalid, NotAllowed, NotFound, OwnRequest, StaleState
from portal.core.times import for_people

R = TypeVar("R", bound=Approvable)
Verdict = Decision.Verdict


class Workflow(ABC, Generic[R]):
    """One kind of request."""

    model: type[R]
    policy: ClassVar[Policy]
    refused_decision: ClassVar[Action]
    """The audited action of a decision that is refused to somebody."""

    refused_cancel: ClassVar[Action]
    """The same where somebody would take the request back."""

    @abstractmethod
    def visible_to(self, person: User) -> QuerySet[R]:
        """The requests that the person may see."""

    @abstractmethod
    def content(self, request: R) -> Mapping[str, object]:
        """All that is agreed to, in plain JSON; decisions are bound to its digest."""

    @abstractmethod
    def granted(self, request: R, actor: Actor, comment: str) -> None:
        """Do what was asked for, in the transaction of the last approval."""

    def closed(self, request: R, actor: Actor, comment: str) -> None:
        """Undo what asking has reserved and tell people, in the transaction that ends the request without a yes."""

    def shown(self, requests: QuerySet[R]) -> QuerySet[R]:
        """The requests with all that is shown of them, their decisions included."""
        decisions = Prefetch("decisions", Decision.objects.select_related("by"))
        return requests.select_related("requested_by").prefetch_related(decisions)

    def seen_by(self, actor: Actor, request_id: UUID) -> R:
        """The request with all that is shown of it; raises NotFound for outsiders."""
        request = self.shown(self.visible_to(actor.person)).filter(pk=request_id).first()
        if request is None:
            raise NotFound
        return request

    def lock(self, request: R) -> None:
        """Lock what decides whether the request may be decided on; first in its transaction."""
        self.model._default_manager.select_for_update(no_key=True).filter(pk=request.pk).values_list("pk").get()

    def require_grantable(self, request: R) -> None:
        """Raise StaleState when what is asked for cannot be done any more."""

    def now_is(self, request: R) -> str:
        """What has changed, for somebody whose page was out of date: a sentence of its own, or nothing."""
        return ""

    def overdue(self, at: datetime) -> QuerySet[R]:
        """The requests whose time is over."""
        return self.model._default_manager.filter(
            state=RequestState.PENDING, requested_at__lt=at - self.policy.open_for
        )

    def columns(self, state: str, at: datetime) -> dict[str, Any]:
        """What changes beside the state when a request gets into it."""
        return {"decided_at": at}

    def digest_of(self, request: R) -> str:
        """The SHA-256 of the content in its canonical form, RFC 8785."""
        return digests.digest(self.content(request))

    def decide_until(self, request: R) -> datetime:
        """When the request expires if nobody decides."""
        return request.requested_at + self.policy.open_for

    def stage_of(self, request: R) -> int:
        """The number of the stage that is under way, from 1; one more than there are when all have agreed."""
        agreed = Counter(one.stage for one in request.decisions.all() if one.verdict == Verdict.APPROVE)
        stages = enumerate(self.policy.stages, 1)
        lacking = (number for number, stage in stages if agreed[number] < stage.approvals)
        return next(lacking, len(self.policy.stages) + 1)

    def deciders(self, request: R) -> QuerySet[User]:
        """The people who can decide on the request now."""
        number = self.stage_of(request)
        if number > len(self.policy.stages):
            return User.objects.none()
        done = [one.by_id for one in request.decisions.all() if one.stage == number]
        people = self._stage(number).deciders(request).filter(is_active=True)
        return people.exclude(pk__in=[request.requested_by_id, *done]).order_by("username")

    def why_not(self, actor: Actor, request: R) -> str:
        """Why the person may not approve or reject the request now; "" when they may."""
        if request.state != RequestState.PENDING:
            return "It has already been decided."
        if timezone.now() >= self.decide_until(request):
            return "Nobody decided in time."
        try:
            self._require_decider(request, actor)
        except NotAllowed as error:
            return error.message
        return ""

    def for_decision(self, request_id: UUID, *, actor: Actor) -> R:
        """The request, for somebody who may decide on it; raises NotFound, NotAllowed and OwnRequest."""
        request = self.seen_by(actor, request_id)
        with self.refusals_noted(self.refused_decision, request, actor):
            require_full(actor)
            self._require_decider(request, actor)
        return request

    @contextmanager
    def refusals_noted(self, action: Action, request: R, actor: Actor) -> Iterator[None]:
        """What is refused within to somebody who may not do it gets an audit entry; no transaction may be open."""
        try:
            yield
        except NotAllowed as error:
            refusal(action, actor=actor, target=request, detail={"code": error.code})
            raise

    def approve(self, request_id: UUID, *, actor: Actor, comment: str, digest: str) -> R:
        """Agree to exactly what `digest` stands for; with the last approval that is needed, it is done.

        Raises NotFound, NotAllowed, OwnRequest, ContentChanged, Invalid, and StaleState when it has been decided
        already, or cannot be done any more.
        """
        request = self.for_decision(request_id, actor=actor)
        said = _Said(actor, _checked(comment), digest)
        with transaction.atomic():
            request = self._to_decide(request, said)
            self._require_still_decider(request, actor)
            self.require_grantable(request)
            self._note(request, Verdict.APPROVE, said)
            if self.stage_of(request) > len(self.policy.stages):
                self._move(request, RequestState.APPROVED, said)
                self.granted(request, actor, said.comment)
        return request

    def reject(self, request_id: UUID, *, actor: Actor, comment: str, digest: str) -> R:
        """Say no, with a comment that says why. Raises as `approve`."""
        request = self.for_decision(request_id, actor=actor)
        said = _Said(actor, _checked(comment), digest)
        if texts.is_blank(comment):
            raise Invalid({"comment": ["Give a reason, so that the requester can act on it."]})
        with transaction.atomic():
            request = self._to_decide(request, said)
            self._require_still_decider(request, actor)
            self._note(request, Verdict.REJECT, said)
            self._end(request, RequestState.REJECTED, said)
        return request

    def cancel(self, request_id: UUID, *, actor: Actor, comment: str, digest: str) -> R:
        """Take one's own request back. Raises NotFound, NotAllowed, ContentChanged, Invalid, StaleState."""
        request = self.seen_by(actor, request_id)
        with self.refusals_noted(self.refused_cancel, request, actor):
            require_full(actor)
            if request.requested_by_id != actor.person.pk:
                remedy = "" if self.why_not(actor, request) else "You can reject it."
                raise NotAllowed("Only the requester can cancel a request.", remedy=remedy)
        said = _Said(actor, _checked(comment), digest)
        with transaction.atomic():
            request = self._to_decide(request, said)
            self._note(request, Verdict.CANCEL, said)
            self._end(request, RequestState.CANCELLED, said)
        return request

    def expire(self, limit: int) -> int:
        """End requests whose time is over, at most `limit` of them; gives how many."""
        now, ended = timezone.now(), 0
        for each in self.overdue(now).order_by("requested_at")[:limit]:
            with transaction.atomic():
                self.lock(each)
                request = self.shown(self.overdue(now).filter(pk=each.pk)).first()
                if request is None:
                    continue  # decided this very moment
                self._end(request, RequestState.EXPIRED, _Said(SYSTEM))
            ended += 1
        return ended

    def already(self, request: R, actor: Actor | None = None) -> StaleState:
        """That it has ended: `This request is already approved by you.`"""
        label: str = self.model.STATES.looks[request.state].label.lower()  # type: ignore[attr-defined]
        by = next((one.by for one in request.decisions.all() if one.get_verdict_display() == request.state), None)
        if by is not None and actor is not None:
            label += f" by {'you' if by == actor.user else by.display_name}"
        return StaleState(f"This request is already {label}.", remedy=REVIEW_AGAIN)

    def _stage(self, number: int) -> Stage:
        return self.policy.stages[number - 1]

    def _require_decider(self, request: R, actor: Actor) -> None:
        number = min(self.stage_of(request), len(self.policy.stages))
        stage = self._stage(number)
        if not stage.deciders(request).filter(pk=actor.person.pk, is_active=True).exists():
            raise NotAllowed(stage.who(request))
        if request.requested_by_id == actor.person.pk:
            raise OwnRequest("You requested it yourself.", remedy="Another person has to decide on it.")
        mine = (one for one in request.decisions.all() if one.stage == number and one.by_id == actor.person.pk)
        if request.state == RequestState.PENDING and next(mine, None):
            raise NotAllowed("You have agreed to it already.", remedy="It waits for others.")

    def _require_still_decider(self, request: R, actor: Actor) -> None:
        """Ask again under the lock: others may have ended the stage meanwhile, and another one has other people."""
        try:
            self._require_decider(request, actor)
        except NotAllowed as error:
            raise StaleState(
                f"Others have decided since you opened it. {error.message}", remedy=REVIEW_AGAIN
            ) from error

    def _to_decide(self, request: R, said: "_Said") -> R:
        """The request as it is now, locked, when it can still be decided on and is what `digest` stands for."""
        self.lock(request)
        request = self._again(request)
        if request.state != RequestState.PENDING:
            raise self.already(request, said.actor)
        if said.at >= (until := self.decide_until(request)):  # the sweep has not come by yet
            raise StaleState(
                f"This request could be decided until {for_people(until)}; now it expires.",
                remedy="Request it again if it is still needed.",
            )
        if not digests.same(said.digest, self.digest_of(request)):
            raise ContentChanged(
                f"The request has changed since you opened it. {self.now_is(request)}".strip(),
                remedy="Review the request again, then decide.",
            )
        return request

    def _again(self, request: R) -> R:
        return self.shown(self.model._default_manager.filter(pk=request.pk)).get()

    def _note(self, request: R, verdict: Verdict, said: "_Said") -> None:
        request.decisions.create(
            stage=self.stage_of(request),
            verdict=verdict,
            by=said.actor.person,
            requested_by_id=request.requested_by_id,
            at=said.at,
            comment=said.comment,
            digest=said.digest,
        )

    def _end(self, request: R, state: RequestState, said: "_Said") -> None:
        self._move(request, state, said)
        self.closed(request, said.actor, said.comment)

    def _move(self, request: R, state: RequestState, said: "_Said") -> None:
        told = {"digest": said.digest, "comment": said.comment}
        detail = {name: value for name, value in told.items() if value}
        advance(request, state, actor=said.actor, detail=detail, **self.columns(state, said.at))


@dataclass(frozen=True)
class _Said:
    """What somebody says to a request, when, and about which content."""

    actor: Actor
    comment: str = ""
    digest: str = ""
    at: datetime = field(default_factory=timezone.now)


def _checked(comment: str) -> str:
    """The comment without space around it; raises Invalid for one that cannot be stored."""
    if problem := texts.problem(comment, required=False, limit=2000):
        raise Invalid({"comment": [problem]})
    return comment.strip()

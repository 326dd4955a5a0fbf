"""What happens to retention policies: who asked for what, what became of it, and what counts now."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from portal.accounts.models import User
from portal.approvals.policy import OPEN_FOR
from portal.audit.actions import Action
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from vaults.models import RetentionChange, Vault
from vaults.retention_policy.policy import RetentionPolicy
from vaults.retention_policy.wording import told

State = Notification.State


@dataclass(frozen=True)
class RetentionChanged(Event):
    """The vault has another policy from now on."""

    vault: Vault
    before: RetentionPolicy
    after: RetentionPolicy
    by: User
    reason: str
    request: RetentionChange | None = None

    def entry(self) -> Entry:
        """All numbers, before and after."""
        detail: dict[str, object] = {
            "from": self.before.values,
            "to": self.after.values,
            "change": told(self.before, self.after),
        }
        if self.reason:
            detail["reason"] = self.reason
        if self.request:
            detail["request"] = str(self.request.pk)
        return Entry(Action.VAULT_RETENTION, self.vault, detail)

    def notices(self) -> Iterator[Notice]:
        """The vault's people hear what changes, and through whom."""
        yield Notice(
            topic=Topic.RETENTION,
            about=self.vault.pk,
            state=State.INFO,
            title=f'The retention policy of vault "{self.vault.name}" was changed.',
            step=f"{told(self.before, self.after)}. By {self.by.display_name}.",
            url=reverse("vaults:configure", args=[self.vault.pk]),
            subscription=self.vault.subscription,
        )


@dataclass(frozen=True)
class RetentionChangeRequested(Event):
    """Somebody asks for a policy that keeps less."""

    request: RetentionChange

    def entry(self) -> Entry:
        """Both policies, and why."""
        request = self.request
        detail = {
            "from": request.policy_before,
            "to": request.policy_wanted,
            "change": _told(request),
            "reason": request.reason,
        }
        return Entry(Action.RETENTION_CHANGE_ASK, request, detail)

    def notices(self) -> Iterator[Notice]:
        """The other members and the approvers hear that a second person is needed."""
        request, who, vault = self.request, self.request.requested_by, self.request.vault
        yield Notice(
            topic=Topic.RETENTION_CHANGE,
            about=request.pk,
            state=State.ATTENTION,
            title=f'{who.display_name} requests a weaker retention policy for vault "{vault.name}".',
            step=f"{_told(request)}. A second person has to agree, within {OPEN_FOR.days} days.",
            url=_url(request),
            subscription=vault.subscription,
            for_approvers=True,
            requester=who,
        )


@dataclass(frozen=True)
class RetentionChangeAgreed(Event):
    """A second person has agreed; that the policy is another one is told by itself."""

    request: RetentionChange

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody needs to decide any more."""
        yield Withdrawal(Topic.RETENTION_CHANGE, self.request.pk)


@dataclass(frozen=True)
class RetentionChangeRejected(Event):
    """Somebody said no, and why."""

    request: RetentionChange
    by: User
    comment: str

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear who it was."""
        yield from _ended(self.request, State.ATTENTION, "was rejected", f"{self.by.display_name}: {self.comment}")


@dataclass(frozen=True)
class RetentionChangeCancelled(Event):
    """The one who asked took it back."""

    request: RetentionChange
    by: User

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear of it."""
        yield from _ended(self.request, State.INFO, "was cancelled", f"By {self.by.display_name}.")


@dataclass(frozen=True)
class RetentionChangeExpired(Event):
    """Nobody has decided in time."""

    request: RetentionChange

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear what they can do."""
        again = "Nobody decided in time. Request it again if it is still needed."
        yield from _ended(self.request, State.ATTENTION, "has expired", again)


def _ended(request: RetentionChange, state: Notification.State, how: str, step: str) -> Iterator[Notice | Withdrawal]:
    yield Withdrawal(Topic.RETENTION_CHANGE, request.pk)
    yield Notice(
        topic=Topic.RETENTION_CHANGE_OUTCOME,
        about=request.vault_id,
        state=state,
        title=f'The request for a weaker retention policy for vault "{request.vault.name}" {how}.',
        step=step,
        url=_url(request),
        subscription=request.vault.subscription,
    )


def _told(request: RetentionChange) -> str:
    return told(RetentionPolicy(**request.policy_before), RetentionPolicy(**request.policy_wanted))


def _url(request: RetentionChange) -> str:
    return reverse("vaults:request", args=[request.pk])

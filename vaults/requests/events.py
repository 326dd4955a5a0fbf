"""What happens to requests for vaults: approvers hear of them while they can act, members of how each ended."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from portal.accounts.models import User
from portal.approvals.policy import OPEN_FOR
from portal.audit.actions import Action
from portal.events.event import Entry, Event
from portal.notifications.models import Notification
from portal.notifications.notices import Notice, Topic, Withdrawal
from vaults.models import VaultRequest

State = Notification.State


@dataclass(frozen=True)
class VaultRequested(Event):
    """Somebody asks for a vault."""

    request: VaultRequest

    def entry(self) -> Entry:
        """All that is asked for."""
        request = self.request
        detail = {
            "subscription": request.subscription.name,
            "region": request.region.slug,
            "redundancy": request.redundancy,
            "reason": request.reason,
            "digest": request.digest,
        }
        return Entry(Action.VAULT_REQUEST_SUBMIT, request, detail)

    def notices(self) -> Iterator[Notice]:
        """It waits for one of the approvers: of the others, where one of them asks."""
        request, who = self.request, self.request.requested_by
        yield Notice(
            topic=Topic.VAULT_REQUEST,
            about=request.pk,
            state=State.ATTENTION,
            title=f'{who.display_name} requests vault "{request.name}" in {request.subscription.name}.',
            step=f"Decide within {OPEN_FOR.days} days.",
            url=_url(request),
            for_approvers=True,
            requester=who,
        )


@dataclass(frozen=True)
class VaultRequestApproved(Event):
    """The vault is being made; the work on that tells of itself."""

    request: VaultRequest

    def notices(self) -> Iterator[Withdrawal]:
        """Nobody needs to decide any more."""
        yield Withdrawal(Topic.VAULT_REQUEST, self.request.pk)


@dataclass(frozen=True)
class VaultRequestRejected(Event):
    """Somebody said no, and why."""

    request: VaultRequest
    by: User
    comment: str

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear who it was."""
        yield from _ended(self.request, State.ATTENTION, "was rejected", f"{self.by.display_name}: {self.comment}")


@dataclass(frozen=True)
class VaultRequestCancelled(Event):
    """The requester took it back."""

    request: VaultRequest
    by: User

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear of it."""
        yield from _ended(self.request, State.INFO, "was cancelled", f"By {self.by.display_name}.")


@dataclass(frozen=True)
class VaultRequestExpired(Event):
    """Nobody has decided in time."""

    request: VaultRequest

    def notices(self) -> Iterator[Notice | Withdrawal]:
        """Its people hear what they can do."""
        again = "Nobody decided in time. Request the vault again if it is still needed."
        yield from _ended(self.request, State.ATTENTION, "has expired", again)


def _ended(request: VaultRequest, state: Notification.State, how: str, step: str) -> Iterator[Notice | Withdrawal]:
    yield Withdrawal(Topic.VAULT_REQUEST, request.pk)
    yield Notice(
        topic=Topic.VAULT_REQUEST_OUTCOME,
        about=request.pk,
        state=state,
        title=f'The request for vault "{request.name}" {how}.',
        step=step,
        url=_url(request),
        subscription=request.subscription,
    )


def _url(request: VaultRequest) -> str:
    return reverse("vaults:request", args=[request.pk])

"""Notifications about requests for vaults: to approvers while they can act, to members how each ended."""

from django.urls import reverse

from portal.approvals.policy import OPEN_FOR
from portal.approvals.states import RequestState
from portal.core.actor import Actor
from portal.notifications.models import Notification
from portal.notifications.publish import publish, put_away, withdraw
from vaults.models import VaultRequest

State = Notification.State


def waiting(request: VaultRequest) -> None:
    """Tell the approvers that a request waits for one of them: the others, where one of them asks."""
    publish(
        _open_key(request),
        state=State.ATTENTION,
        title=f'{request.requested_by.display_name} requests vault "{request.name}" in {request.subscription.name}.',
        step=f"Decide within {OPEN_FOR.days} days.",
        url=_url(request),
        for_approvers=True,
    )
    put_away(_open_key(request), request.requested_by)


def decided(request: VaultRequest) -> None:
    """Take the entry for the approvers away: nobody needs to act any more."""
    withdraw(_open_key(request))


def ended(request: VaultRequest, actor: Actor, comment: str) -> None:
    """Tell the subscription's people that it was rejected, by whom and why, cancelled, or not decided in time."""
    if request.state == RequestState.REJECTED:
        _notify(request, State.ATTENTION, "was rejected", f"{actor.person.display_name}: {comment}")
    elif request.state == RequestState.CANCELLED:
        _notify(request, State.INFO, "was cancelled", f"By {actor.person.display_name}.")
    else:
        again = "Nobody decided in time. Request the vault again if it is still needed."
        _notify(request, State.ATTENTION, "has expired", again)


def _notify(request: VaultRequest, state: Notification.State, how: str, step: str) -> None:
    publish(
        f"vault-request-outcome:{request.pk}",
        state=state,
        title=f'The request for vault "{request.name}" {how}.',
        step=step,
        url=_url(request),
        subscription=request.subscription,
    )


def _open_key(request: VaultRequest) -> str:
    return f"vault-request:{request.pk}"


def _url(request: VaultRequest) -> str:
    return reverse("vaults:request", args=[request.pk])

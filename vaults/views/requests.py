"""The queue of requests, and the page on which one is decided."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.approvals.models import Decision
from portal.approvals.states import RequestState
from portal.core.actor import Actor
from portal.core.errors import ContentChanged, Invalid, StaleState
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, sent
from portal.core.paging import counted, page_of
from portal.core.sorting import sorting
from portal.web.inbox import Queue, named, queues
from portal.web.kept_forms import refilled
from portal.web.polling import live, pause
from vaults.forms import DecisionForm
from vaults.models import Redundancy, Vault, VaultRequest
from vaults.queries import (
    REQUEST_ORDERS,
    open_requests,
    recent_decisions,
    request_seen_by,
    requests_in_state,
    vaults_owned,
    with_decisions,
    with_names,
)
from vaults.regions.catalog import pair_of
from vaults.requests import vault_requests
from vaults.requests.vault_requests import workflow

DECIDE = {
    Decision.Verdict.APPROVE.value: vault_requests.approve,
    Decision.Verdict.REJECT.value: vault_requests.reject,
    Decision.Verdict.CANCEL.value: vault_requests.cancel,
}


DONE = {
    Decision.Verdict.APPROVE.value: "Approved. The vault is being created.",
    Decision.Verdict.REJECT.value: "Rejected. The requester can see your comment.",
    Decision.Verdict.CANCEL.value: "Cancelled. The name is available again.",
}


@require_safe
def request_list(request: PersonRequest) -> HttpResponse:
    """Requests in one state: those that wait, the longest first, or else those that ended so, the latest first.

    What else waits for a decision stands above the first page of those that wait.
    """
    after, state = request.GET.get("after", ""), request.GET.get("state", "")
    others: list[Queue] = []
    ended = state in VaultRequest.STATES.final
    state = state if ended else RequestState.PENDING
    sorted_by = sorting(REQUEST_ORDERS, request.GET.get("sort", ""), "-when" if ended else "when")
    rows = requests_in_state(request.user, state)
    full = with_decisions(VaultRequest.objects.all()) if ended else with_names(VaultRequest.objects.all())
    page = page_of(rows, *sorted_by.order, after=after, full=full)
    if page.first and not ended:
        others = queues(request.user)
    context = {
        "page": page,
        "number": counted(rows, page),
        "sorting": sorted_by,
        "state": state,
        "chips": [(word, look.label) for word, look in VaultRequest.STATES.looks.items()],
        "others": others,
    }
    return live(request, "requests/list.html", "request-table", context)


@require_http_methods(["GET", "HEAD", "POST"])
def vault_request(request: PersonRequest, request_id: UUID) -> HttpResponse:
    """All that is asked for, and the decision; 409 and the page as it is now for a decision that came too late."""
    actor = actor_of(request)
    asked = request_seen_by(actor, request_id)
    form, refusal = DecisionForm(sent(request), initial=refilled(request)), None
    if form.is_valid():
        try:
            _decide(actor, asked, form.cleaned_data)
            messages.success(request, DONE[form.cleaned_data["verdict"]])
            return redirect("vaults:request", asked.pk)
        except (ContentChanged, StaleState, Invalid) as error:
            refusal, asked = error, request_seen_by(actor, request_id)
            if isinstance(error, Invalid):
                show_refusal(form, error)
    status = refusal.status if refusal else 422 if form.is_bound else 200
    context = {**_page(actor, asked), "form": form, "refusal": None if isinstance(refusal, Invalid) else refusal}
    return live(request, "requests/review.html", "request-state", context, final=_is_final(asked), status=status)


def _decide(actor: Actor, asked: VaultRequest, values: dict[str, str]) -> None:
    DECIDE[values["verdict"]](asked.pk, actor=actor, comment=values["comment"], digest=values["digest"])


def _is_final(asked: VaultRequest) -> bool:
    """Whether neither the request nor the vault that came of it will change by itself."""
    vault = asked.vault
    return asked.state in VaultRequest.STATES.final and (vault is None or vault.state not in Vault.STATES.busy)


def next_url(actor: Actor) -> str:
    """What waits longest for the person's decision, requests for vaults first; empty when nothing does."""
    if not actor.person.is_approver:
        return ""
    waiting = open_requests(actor.person).exclude(requested_by=actor.person).first()
    if waiting:
        return reverse("vaults:request", args=[waiting.pk])
    others = (one for queue in queues(actor.person) for one in queue.items if one.asked_by != actor.person)
    return next((one.url for one in others), "")


def _page(actor: Actor, asked: VaultRequest) -> dict[str, object]:
    pending = asked.state == RequestState.PENDING
    return {
        "asked": asked,
        "outcome": VaultRequest.STATES.looks[asked.state],
        "pending": pending,
        "seconds": pause(2, asked.requested_at) if pending else pause(1, asked.decided_at or asked.requested_at),
        "own": asked.requested_by_id == actor.person.pk,
        "why_not": workflow.why_not(actor, asked) if pending else "",
        "decide_until": workflow.decide_until(asked),
        "pair": pair_of(asked.region) if asked.redundancy == Redundancy.GEO else None,
        "digest": asked.digest,
        "vaults_owned": vaults_owned(asked.subscription),
        "outcomes": recent_decisions(asked.requested_by, seen_by=actor.person),
        **(named(workflow.deciders(asked)) if pending else {"next_url": next_url(actor)}),
    }

"""The page of one request, of whatever kind it is."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.approvals.models import Decision
from portal.approvals.states import RequestState
from portal.core.actor import Actor
from portal.core.errors import ContentChanged, Invalid, NotFound, StaleState
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, sent
from portal.web.inbox import named
from portal.web.kept_forms import refilled
from portal.web.polling import live, pause
from vaults.forms import DecisionForm
from vaults.models import RetentionChange
from vaults.retention_policy import changes
from vaults.retention_policy.changes import workflow
from vaults.retention_policy.policy import RetentionPolicy
from vaults.retention_policy.preview import preview, purgeable_earlier
from vaults.retention_policy.wording import differences
from vaults.views.requests import next_url, vault_request

Verdict = Decision.Verdict
PART = "request-state"
DECIDE = {
    Verdict.APPROVE.value: changes.approve,
    Verdict.REJECT.value: changes.reject,
    Verdict.CANCEL.value: changes.cancel,
}
DONE = {
    Verdict.APPROVE.value: "Agreed. The policy is stored.",
    Verdict.REJECT.value: "Rejected. The requester can see your comment.",
    Verdict.CANCEL.value: "Cancelled. The policy stays as it is.",
}


@require_http_methods(["GET", "HEAD", "POST"])
def one_request(request: PersonRequest, request_id: UUID) -> HttpResponse:
    """A request for a vault, or for a weaker retention policy; 404 for what the person may not see."""
    try:
        return vault_request(request, request_id)
    except NotFound:
        return retention_change(request, request_id)


def retention_change(request: PersonRequest, request_id: UUID) -> HttpResponse:
    """What would be kept for less long, what follows from that and when, and the decision."""
    actor = actor_of(request)
    asked = workflow.seen_by(actor, request_id)
    form, refusal = DecisionForm(sent(request), initial=refilled(request)), None
    if form.is_valid():
        try:
            verdict = form.cleaned_data["verdict"]
            DECIDE[verdict](
                asked.pk, actor=actor, comment=form.cleaned_data["comment"], digest=form.cleaned_data["digest"]
            )
            messages.success(request, DONE[verdict])
            return redirect("vaults:request", asked.pk)
        except Invalid as error:
            show_refusal(form, error)
        except (ContentChanged, StaleState) as error:
            refusal, asked = error, workflow.seen_by(actor, request_id)
    status = refusal.status if refusal else 422 if form.is_bound else 200
    context = {**_page(actor, asked, whole=request.htmx.target != PART), "form": form, "refusal": refusal}
    final = asked.state in RetentionChange.STATES.final
    return live(request, "requests/retention.html", PART, context, final=final, status=status)


def _page(actor: Actor, asked: RetentionChange, *, whole: bool) -> dict[str, object]:
    """What the page shows; the part that is asked for again and again does without what does not change in it."""
    pending = asked.state == RequestState.PENDING
    before, wanted = RetentionPolicy(**asked.policy_before), RetentionPolicy(**asked.policy_wanted)
    return {
        "asked": asked,
        "vault": asked.vault,
        "outcome": RetentionChange.STATES.looks[asked.state],
        "pending": pending,
        "own": asked.requested_by_id == actor.person.pk,
        "why_not": workflow.why_not(actor, asked) if pending else "",
        "decide_until": workflow.decide_until(asked),
        "digest": workflow.digest_of(asked),
        "differences": differences(before, wanted),
        "before": before,
        "wanted": wanted,
        "seconds": pause(2, asked.requested_at),
        **({"next_url": next_url(actor)} if not pending else _outlook(asked, wanted) if whole else {}),
    }


def _outlook(asked: RetentionChange, wanted: RetentionPolicy) -> dict[str, object]:
    now = timezone.now()
    return {
        "outdated": changes.is_outdated(asked),
        "preview": preview(asked.vault, wanted, at=now),
        "purgeable": purgeable_earlier(asked.vault, wanted.soft_delete_days, at=now),
        **named(workflow.deciders(asked)),
    }

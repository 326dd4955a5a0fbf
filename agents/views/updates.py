"""Which machines take which release of the agent: for administrators."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from agents.forms import StageForm, WithdrawForm
from agents.models import AgentRelease
from agents.monitoring.updates import progress_of
from agents.packages import releases
from agents.packages.kinds import KINDS
from agents.packages.publish import PLATFORMS
from agents.queries import release_for
from agents.states import ReleaseState
from portal.accounts.rules import require_administrator
from portal.core.errors import Invalid
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of

_OLDER = 20


@require_safe
def release_list(request: PersonRequest) -> HttpResponse:
    """The newest release, with how far it has come, and those before."""
    require_administrator(actor_of(request))
    return _page(request)


@require_POST
def stage_release(request: PersonRequest, release_id: UUID) -> HttpResponse:
    """Let other machines take it, or fewer."""
    actor = actor_of(request)
    release_for(actor, release_id)
    form = StageForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form)
    chosen = list(form.cleaned_data["subscriptions"])
    try:
        release = releases.stage(release_id, form.cleaned_data["share"], chosen, actor=actor)
    except Invalid as error:
        show_refusal(form, error)
        return _page(request, form=form)
    messages.success(request, f"Release {release} goes to the machines that you have chosen, with their next backup.")
    return redirect("agents:updates")


@require_POST
def pause_release(request: PersonRequest, release_id: UUID) -> HttpResponse:
    """No further machine takes it, until somebody lets it go on."""
    release = releases.pause(release_id, actor=actor_of(request))
    messages.success(request, f"Release {release} is paused: no further machine takes it.")
    return redirect("agents:updates")


@require_POST
def resume_release(request: PersonRequest, release_id: UUID) -> HttpResponse:
    """It goes on where it was."""
    release = releases.resume(release_id, actor=actor_of(request))
    messages.success(request, f"Release {release} goes on: machines of its stage take it with their next backup.")
    return redirect("agents:updates")


@require_POST
def withdraw_release(request: PersonRequest, release_id: UUID) -> HttpResponse:
    """For good, for somebody who typed its version."""
    actor = actor_of(request)
    release = release_for(actor, release_id)
    form = WithdrawForm(request.POST, version=release.version)
    if not form.is_valid():
        return _page(request, refused=form)
    releases.withdraw(release_id, actor=actor)
    messages.success(request, f"Release {release} is withdrawn: no machine takes it any more.")
    return redirect("agents:updates")


def _page(
    request: PersonRequest, *, form: StageForm | None = None, refused: WithdrawForm | None = None
) -> HttpResponse:
    newest, *older = AgentRelease.objects.order_by("-serial")[: _OLDER + 1] or [None]
    context: dict[str, object] = {"release": newest, "older": older, "refused": refused}
    if newest is not None:
        chosen = {"share": newest.share, "subscriptions": list(newest.subscriptions.all())}
        context["progress"] = progress_of(newest)
        context["form"] = form or StageForm(initial=chosen)
        context["files"] = [_described(each) for each in newest.files]
        context["chosen"] = chosen["subscriptions"]
        context["open"] = newest.state in (ReleaseState.OFFERED, ReleaseState.PAUSED)
    wrong = form is not None or refused is not None
    return render(request, "agents/updates.html", context, status=422 if wrong else 200)


def _described(file: Mapping[str, object]) -> dict[str, object]:
    """A file as people read of it."""
    kind, platform = KINDS.get(str(file["kind"])), PLATFORMS.get(str(file["platform"]))
    label = kind.label if kind else file["kind"]
    return {**file, "about": f"{platform or file['platform']}, {file['architecture']}, {label}"}

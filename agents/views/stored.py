"""What people do about a machine's stored backups: let its trash be purged, and bring back an earlier time."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from agents import stored_backups
from agents.forms import AsOfForm, BringBackForm, HoldForm
from agents.models import Machine
from agents.monitoring import stored as facts
from agents.queries import machine_worked_on_by
from agents.views.machines import machine_page
from portal.core.errors import Invalid, StaleState
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of
from portal.core.times import for_people, rfc3339
from portal.web.kept_forms import refilled
from vaults.models import MachineRepository
from vaults.recovery.bring_back import earliest
from vaults.states import VaultState


@require_POST
def let_purge(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """End the hold on the machine's trash, for a reason."""
    actor = actor_of(request)
    found, form = machine_worked_on_by(actor, machine_id), HoldForm(request.POST)
    if not form.is_valid():
        return machine_page(request, found, hold=form)
    try:
        stored_backups.let_purge(machine_id, actor=actor, reason=form.cleaned_data["reason"])
    except Invalid as error:
        show_refusal(form, error)
        return machine_page(request, found, hold=form)
    messages.success(request, f"What {found.name} deleted is purged when its time comes, after a check.")
    return redirect("agents:machine", machine_id)


@require_http_methods(["GET", "HEAD", "POST"])
def bring_back(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """Choose a time, then see what would happen, then do it. 409 with the page while other work is under way."""
    actor = actor_of(request)
    found = machine_worked_on_by(actor, machine_id)
    if request.method != "POST":
        return _choosing(request, found)
    form, refusal = BringBackForm(request.POST, machine_name=found.name), None
    if form.is_valid():
        try:
            stored_backups.bring_back(
                machine_id, actor=actor, as_of=form.cleaned_data["as_of"], reason=form.cleaned_data["reason"]
            )
            messages.success(request, f"The backups of {found.name} are being brought back. Its progress is below.")
            return redirect("vaults:vault", found.vault_id)
        except Invalid as error:
            show_refusal(form, error)
        except StaleState as error:
            refusal = error
    as_of = form.cleaned_data.get("as_of") if hasattr(form, "cleaned_data") else None
    context = {"form": form, "refusal": refusal, **_outlook(found, as_of)}
    return _page(request, found, context, refusal.status if refusal else 422)


def _choosing(request: PersonRequest, found: Machine) -> HttpResponse:
    """The choice of a time; once there is one in the address, what would happen."""
    asked = {name: request.GET.get(name, "") for name in ("as_of", "time")}
    if not any(asked.values()):
        return _page(request, found, {}, 200)
    choice = AsOfForm(asked, moments=facts.moments(found))
    context: dict[str, object] = {"choice": choice}
    if choice.is_valid():
        as_of = choice.moment()
        form = BringBackForm(initial=refilled(request, {"as_of": rfc3339(as_of)}), machine_name=found.name)
        context |= {"form": form, **_outlook(found, as_of)}
    return _page(request, found, context, 200 if choice.is_valid() else 422)


def _outlook(found: Machine, as_of: datetime | None) -> dict[str, object]:
    if as_of is None:
        return {}
    looked = MachineRepository.objects.filter(pk=found.pk).values_list("looked_at", flat=True).first()
    return {"as_of": as_of, "figures": facts.figures(found, as_of), "looked_at": looked}


def _page(request: PersonRequest, found: Machine, context: dict[str, object], status: int) -> HttpResponse:
    since = earliest(found.vault)
    values: dict[str, object] = {
        "machine": found,
        "vault": found.vault,
        "active": found.vault.state == VaultState.ACTIVE,
        "earliest": since,
        "earliest_text": for_people(since),
        **context,
    }
    if "choice" not in values:
        values["choice"] = AsOfForm(moments=facts.moments(found))
    return render(request, "agents/bring_back.html", values, status=status)

"""The `Registered machines` tab of a vault, and the page of one machine."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from agents.forms import HoldForm, RevokeForm
from agents.machines import revoke as lock_out
from agents.machines import shown
from agents.models import Machine
from agents.monitoring.charts import backup_bars, per_cent_left
from agents.monitoring.concerns import reasons_of
from agents.monitoring.restore_time import takes
from agents.monitoring.stored import stored_backups
from agents.queries import (
    SHOWS,
    last_backups,
    machine_seen_by,
    machine_worked_on_by,
    machines_of,
    proof_of,
    runs_of,
    with_receipts,
)
from agents.replacement.queries import open_replacement, with_replacement_asked
from agents.states import MachineState
from portal.core.errors import Invalid
from portal.core.forms import show_refusal
from portal.core.http import PersonRequest, actor_of, expected
from portal.core.paging import page_of
from portal.web.polling import live
from vaults.queries import vault_seen_by
from vaults.rules import is_member

BARS = 30
CHIPS = {"": "Registered", "attention": "Needs attention", "left": "Left"}
"""The filters above the list: word in the address, label."""


@require_safe
def machine_list(request: PersonRequest, vault_id: UUID) -> HttpResponse:
    """The machines of a vault by name: those that are in it, or what `show` says: of those the ones that need
    attention, or those that have left it."""
    vault = vault_seen_by(actor_of(request), vault_id)
    show = request.GET.get("show", "")
    show = show if show in SHOWS else ""
    machines = with_replacement_asked(machines_of(vault.pk, show))
    context: dict[str, object] = {
        "vault": vault,
        "tab": "machines",
        "show": show,
        "chips": CHIPS,
        "page": page_of(machines, "name_key", "id", after=request.GET.get("after", "")),
    }
    return live(request, "agents/machine_list.html", "machine-list", context)


@require_safe
def machine(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """One machine: what is known of it, what it did, what it may."""
    return machine_page(request, machine_seen_by(actor_of(request), machine_id))


@require_POST
def revoke(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """Lock the machine out of storage, for somebody who typed its name."""
    found = machine_worked_on_by(actor_of(request), machine_id)
    form = RevokeForm(request.POST, machine_name=found.name)
    if not form.is_valid():
        return machine_page(request, found, refused=form)
    try:
        lock_out(machine_id, actor=actor_of(request), reason=form.cleaned_data["reason"], expected=expected(request))
    except Invalid as error:
        show_refusal(form, error)
        return machine_page(request, found, refused=form)
    messages.success(request, f"{found.name} is locked out of storage.")
    return redirect("agents:machine", machine_id)


def machine_page(
    request: PersonRequest, found: Machine, *, refused: RevokeForm | None = None, hold: HoldForm | None = None
) -> HttpResponse:
    """The page of the machine, with the form that was refused, if any: 422 then."""
    now = timezone.now()
    context: dict[str, object] = {
        "machine": found,
        "vault": found.vault,
        "reasons": reasons_of(found),
        "stored": stored_backups(found),
        "hold": hold or HoldForm(),
        "proof": proof_of(found),
        "restore_time": takes(found) if found.restore_seconds else "",
        "member": is_member(actor_of(request), found.vault.subscription_id),
        "certificates": [(one, per_cent_left(one, now)) for one in found.certificates.order_by("-not_after")[:BARS]],
        "bars": backup_bars(last_backups(found, BARS), places=BARS),
        "page": page_of(with_receipts(runs_of(found)), "-finished_at", "-id", after=request.GET.get("after", "")),
        "revocable": Machine.STATES.allows(found.state, MachineState.REVOKED),
        "expected": shown(found),
        "replacement": open_replacement(found),
        "refused": refused,
        "now": now,
    }
    return render(request, "agents/machine.html", context, status=422 if refused or hold else 200)

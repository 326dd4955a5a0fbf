"""The recovery kit of a machine, to be printed or kept as a file."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from agents.models import Machine
from agents.queries import machine_seen_by
from agents.recovery.document import Kit, as_text
from agents.recovery.kit import file_name, kit_of
from portal.core.http import PersonRequest, actor_of
from vaults.rules import is_member


@require_safe
def recovery_kit(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """What it takes to get the machine's backups back without the portal, made to be printed."""
    machine = machine_seen_by(actor_of(request), machine_id)
    context = {"machine": machine, "vault": machine.vault, "kit": _kit(request, machine)}
    response = render(request, "agents/recovery_kit.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def download(request: PersonRequest, machine_id: UUID) -> HttpResponse:
    """The same as a text file."""
    machine = machine_seen_by(actor_of(request), machine_id)
    kit = _kit(request, machine)
    disposition = content_disposition_header(as_attachment=True, filename=file_name(machine, kit.made_at))
    return HttpResponse(
        as_text(kit),
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store", "Content-Disposition": disposition or "attachment"},
    )


def _kit(request: PersonRequest, machine: Machine) -> Kit:
    """Where regions are is for those whose data it is, and for those who keep the regions file; not for onlookers."""
    actor = actor_of(request)
    knows = actor.person.is_administrator or is_member(actor, machine.vault.subscription_id)
    return kit_of(machine, timezone.now(), knows_places=knows)

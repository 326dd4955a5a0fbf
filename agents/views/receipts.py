"""The receipt of a run, as a file."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from agents.queries import machine_seen_by
from agents.receipts import receipts
from portal.core.errors import NotFound
from portal.core.http import PersonRequest, actor_of


@require_safe
def receipt(request: PersonRequest, machine_id: UUID, run_id: UUID) -> HttpResponse:
    """What the machine has signed about the run, as it came; 404 where there is none."""
    machine = machine_seen_by(actor_of(request), machine_id)
    found = receipts.of_run(machine, run_id)
    if found is None:
        raise NotFound
    disposition = content_disposition_header(as_attachment=True, filename=receipts.file_name(machine, found.run))
    return HttpResponse(
        found.compact + "\n",
        content_type="application/jose",
        headers={"Cache-Control": "no-store", "Content-Disposition": disposition or "attachment"},
    )

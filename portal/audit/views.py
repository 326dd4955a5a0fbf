"""The audit log, for auditors."""

from datetime import UTC, datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.audit import access_log
from portal.audit.charts import bars
from portal.audit.details import facts
from portal.audit.forms import FilterForm
from portal.audit.queries import activity, event_seen_by, events, require_auditor
from portal.audit.rendering import page_url, plain, sentence
from portal.audit.rows import table_rows
from portal.core.http import PersonRequest, actor_of
from portal.core.paging import page_of


@require_safe
def audit_log(request: PersonRequest) -> HttpResponse:
    """The entries that the filter in the address asks for, the latest first."""
    actor = actor_of(request)
    require_auditor(actor)
    form = FilterForm(request.user, request.GET)
    page = None
    if form.is_valid():
        access_log.note(actor, form.filter)
        page = page_of(events(form.filter), "-id", after=request.GET.get("after", ""))
    context = {
        "form": form,
        "page": page,
        "rows": table_rows(page.items) if page else "",
        "filtered": form.is_valid() and bool(form.filter.words),
        "chart": bars(activity(datetime.now(UTC).date())),
    }
    return render(request, "audit/list.html", context, status=200 if form.is_valid() else 422)


@require_safe
def entry(request: PersonRequest, number: int) -> HttpResponse:
    """One entry: its sentence, all its details, and ways to what else the log has about the same."""
    actor = actor_of(request)
    event = event_seen_by(actor, number)
    access_log.note_entry(actor, number)
    context = {
        "event": event,
        "sentence": sentence(event),
        "title": plain(event),
        "facts": facts(event),
        "target_url": page_url(event.target_type, event.target_id),
    }
    return render(request, "audit/entry.html", context)

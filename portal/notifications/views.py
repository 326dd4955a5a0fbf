"""The notification area, its list, and putting entries away."""

from datetime import UTC, datetime
from uuid import UUID

from django.http import HttpResponse, HttpResponseNotModified, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from django.views.decorators.http import require_GET, require_POST

from portal.core.errors import Invalid
from portal.core.http import PersonRequest, actor_of, page_of_ours
from portal.core.paging import page_of
from portal.notifications import dismissals
from portal.notifications.models import Notification
from portal.notifications.queries import COMPLETED, OFTEN, SELDOM, Area, area_of
from portal.web.polling import live

State = Notification.State
SHOW = {"running": {State.RUNNING}, "needs": {State.ATTENTION, State.FAILED}, "ended": COMPLETED}
"""Parts of the list, by the word in the address."""


@require_GET
def area(request: PersonRequest) -> HttpResponse:
    """The area alone, for polling; 304 when the browser has what stands now."""
    now = area_of(request.user)
    if request.headers.get("If-None-Match") == now.tag:
        return HttpResponseNotModified(headers={"ETag": now.tag})
    return _render(request, now)


@require_GET
def notifications(request: PersonRequest) -> HttpResponse:
    """All that was ever addressed to the person, latest first; live. `?show=` for a part."""
    rows = Notification.objects.visible_to(request.user)
    show = request.GET.get("show", "")
    if show in SHOW:
        rows = rows.filter(state__in=SHOW[show])
    page = page_of(rows, "-updated_at", "id", after=request.GET.get("after", ""))
    busy = any(row.state == State.RUNNING for row in page.items)
    context: dict[str, object] = {"page": page, "show": show, "seconds": OFTEN if busy else SELDOM}
    return live(request, "notifications/list.html", "notification-rows", context)


@require_POST
def seen(request: PersonRequest) -> HttpResponse:
    """Note that what the line says has been on the screen for some seconds: sent by the page by itself."""
    dismissals.saw(_until(request), actor=actor_of(request))
    return _shown_again(request)


@require_POST
def dismiss(request: PersonRequest, notification_id: UUID) -> HttpResponse:
    """Put one entry away."""
    dismissals.dismiss(notification_id, actor=actor_of(request))
    return _shown_again(request)


@require_POST
def dismiss_completed(request: PersonRequest) -> HttpResponse:
    """Put away what ended well, as far as the list showed it."""
    dismissals.dismiss_completed(_until(request), actor=actor_of(request))
    return _shown_again(request)


def _until(request: PersonRequest) -> datetime:
    """What the form was made for: what ended later was not on the page."""
    try:
        until = parse_datetime(request.POST.get("until", ""))
        if until is not None and is_aware(until):
            return until.astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or one that UTC has no year for
        pass
    raise Invalid({"until": ["Send the time up to which you have seen notifications."]})


def _shown_again(request: PersonRequest) -> HttpResponse:
    """The area as it is now; without scripts, the page that the button was on."""
    if request.htmx:
        return _render(request, area_of(request.user))
    came_from = page_of_ours(request, request.headers.get("Referer", ""))
    return HttpResponseRedirect(came_from or reverse("notifications:list"))


def _render(request: PersonRequest, area: Area) -> HttpResponse:
    response = render(request, "notifications/area.html", {"area": area, "swap": True})
    response["ETag"] = area.tag
    return response

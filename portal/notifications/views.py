"""The notification area, its list, and putting entries away."""

from uuid import UUID

from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from portal.http import PersonRequest, actor_of
from portal.notifications import dismissals
from portal.notifications.queries import RUNNING, Area, area_of, visible_to
from portal.paging import page_of


@require_GET
def area(request: PersonRequest) -> HttpResponse:
    """The area alone, for polling; 304 when the browser has what stands now. Costs one query beside the session's."""
    now = area_of(request.user)
    if request.headers.get("If-None-Match") == now.tag:
        return HttpResponseNotModified(headers={"ETag": now.tag})
    return _render(request, now)


@require_GET
def notifications(request: PersonRequest) -> HttpResponse:
    """All that was ever addressed to the person, latest first; `?show=running` or `ended` for a part."""
    rows = visible_to(request.user)
    show = request.GET.get("show", "")
    if show == "running":
        rows = rows.filter(RUNNING)
    elif show == "ended":
        rows = rows.exclude(RUNNING)
    page = page_of(rows, "-updated_at", "id", after=request.GET.get("after", ""))
    return render(request, "notifications/list.html", {"page": page, "show": show})


@require_POST
def dismiss(request: PersonRequest, notification_id: UUID) -> HttpResponse:
    """Put one entry away."""
    dismissals.dismiss(notification_id, actor=actor_of(request))
    return _shown_again(request)


@require_POST
def dismiss_ended(request: PersonRequest) -> HttpResponse:
    """Put all ended entries away."""
    dismissals.dismiss_ended(actor=actor_of(request))
    return _shown_again(request)


def _shown_again(request: PersonRequest) -> HttpResponse:
    """The area without it; without scripts, the page that the button was on."""
    if request.htmx:
        return _render(request, area_of(request.user))
    came_from = request.headers.get("Referer", "")
    known = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    return redirect(came_from if known else "notifications:list")


def _render(request: PersonRequest, area: Area) -> HttpResponse:
    response = render(request, "notifications/area.html", {"area": area})
    response["ETag"] = area.tag
    return response

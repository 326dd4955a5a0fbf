"""Live pages: the whole page and the part that htmx polls for come from one view and one template."""

import hashlib
import re
from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseStopPolling

from portal.core.http import SiteRequest

# The token is masked anew in each rendering; it must not make equal fragments look different.
CSRF_FIELD = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')

FRESH = timedelta(minutes=10)
SLOW = 15


def pause(seconds: int, since: datetime) -> int:
    """How many seconds a part waits from poll to poll: few while something has just happened, `SLOW` afterwards.

    What people and workers do meanwhile comes with the notification area, which renews the page for what is new in it.
    """
    return seconds if timezone.now() - since < FRESH else max(seconds, SLOW)


def live(
    request: SiteRequest,
    template: str,
    part: str,
    context: dict[str, object],
    *,
    final: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The page `template`; for htmx its partial `part`, 304 when the browser has it already, 286 when `final`.

    `part` is the name of the partial and the id of the element that it fills, so that htmx requests which aim at
    something else get the whole page. `final` says that nothing in the part will change any more, which ends the
    polling. The part is guarded by what guards the view: it is the same view. In the part `live` is true, for what is
    to be swapped elsewhere on the page.
    """
    whole = request.htmx.target != part
    context = {**context, "live": not whole, "final": final}
    response = render(request, template if whole else f"{template}#{part}", context, status=status)
    if not whole:
        response = HttpResponseStopPolling(response.content) if final else _unless_known(request, response)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def _unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    tag = f'"{hashlib.sha256(CSRF_FIELD.sub(b"", response.content)).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponseNotModified()
    response["ETag"] = tag
    return response

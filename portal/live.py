"""Live pages: the whole page and the part that htmx polls for come from one view and one template."""

import hashlib
import re

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseStopPolling

from portal.http import SiteRequest

# The token is masked anew in each rendering; it must not make equal fragments look different.
CSRF_FIELD = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"')


def live(
    request: SiteRequest, template: str, part: str, context: dict[str, object], *, final: bool = False
) -> HttpResponse:
    """The page `template`; for htmx its partial `part`, 304 when the browser has it already, 286 when `final`.

    `final` says that nothing in the part will change any more, which ends the polling. The part is guarded by what
    guards the view: it is the same view.
    """
    whole = not request.htmx or request.htmx.boosted or request.htmx.history_restore_request
    response = render(request, template if whole else f"{template}#{part}", context)
    if not whole:
        response = _stopped(response) if final else _unless_known(request, response)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _stopped(response: HttpResponse) -> HttpResponse:
    return HttpResponseStopPolling(response.content)


def _unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    tag = f'"{hashlib.sha256(CSRF_FIELD.sub(b"", response.content)).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == tag:
        response = HttpResponseNotModified()
    response["ETag"] = tag
    return response

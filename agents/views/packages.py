"""The page with the agent packages, the visitor's platform first."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from agents.offers import offers
from agents.packages import FILES_URL
from portal.http import PersonRequest


@require_safe
def package_list(request: PersonRequest) -> HttpResponse:
    """What can be downloaded, and for what is not published yet, what to do instead."""
    rows = offers(request.headers.get("User-Agent", ""))
    return render(request, "agents/packages.html", {"offers": rows, "files": FILES_URL})

"""Search, and what it suggests meanwhile."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.core.http import PersonRequest
from portal.web import search


@require_safe
def search_page(request: PersonRequest) -> HttpResponse:
    """Vaults, requests and machines that the person may see and whose name has the text in it."""
    text = request.GET.get("q", "").strip()
    return render(request, "vaults/search.html", {"text": text, "found": search.search(request.user, text)})


@require_safe
def suggestions(request: PersonRequest) -> HttpResponse:
    """The list below the search field while somebody types."""
    hits = search.suggest(request.user, request.GET.get("q", "").strip())
    return render(request, "vaults/suggestions.html", {"hits": hits})

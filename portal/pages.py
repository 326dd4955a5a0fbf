"""Pages that say no."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portal.errors import DomainError


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A DomainError as a page, or as a fragment for htmx, with its status."""
    return render(request, "errors/refused.html", {"error": error}, status=error.status)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: seen, but not allowed."""
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: there is nothing here that this person can see."""
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our mistake."""
    return render(request, "errors/500.html", status=500)

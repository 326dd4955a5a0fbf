"""What the base template needs on every page."""

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, object]:
    """Values for the frame of the page; no queries for people who are not signed in."""
    return {}

"""What the web makes of a request before Django's middleware sees it."""

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Utf8Request(WSGIRequest):
    """Texts are UTF-8, whatever charset a request claims: Django would read addresses and forms by any codec of
    Python's, and some of those are no codecs of texts, which ends in an error before anybody could answer it."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """As Django's, which says with it how all of the request is read."""
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Handler(WSGIHandler):
    """Django's handler, with requests of that kind."""

    request_class = Utf8Request

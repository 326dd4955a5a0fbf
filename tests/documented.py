"""Every refusal of the JSON API that a test sees must be in the OpenAPI description, with its status and its code."""

import re
from functools import cache
from typing import Any

from portal.api.app import schema

PREFIX = "/api/v1/"


@cache
def documented() -> dict[tuple[str, str], dict[int, set[str]]]:
    """The codes of each status, for each method and path."""
    found = {}
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            refusals = {int(status): _codes(answer) for status, answer in operation["responses"].items()}
            found[method.upper(), path] = refusals
    return found


def undocumented(request: dict[str, Any], response: Any) -> str:
    """What the description lacks of this answer; empty when it has all, or when the path is not of the API."""
    match = getattr(response, "resolver_match", None)
    if match is None or not str(request.get("PATH_INFO", "")).startswith(PREFIX) or response.status_code == 405:
        return ""
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route)
    known = documented().get((request["REQUEST_METHOD"], path))
    if known is None:
        return ""  # no operation: unknown paths, and the description itself
    if response.status_code not in known:
        return f"{request['REQUEST_METHOD']} {path} answers {response.status_code}, which is not in the description."
    if response.status_code < 400:
        return ""
    code = response.json()["code"]
    known_codes = known[response.status_code]
    return "" if code in known_codes else f"{request['REQUEST_METHOD']} {path}: {code} is not in {known_codes}."


def _codes(answer: dict[str, Any]) -> set[str]:
    content = answer.get("content", {}).get("application/problem+json", {})
    parts = content.get("schema", {}).get("allOf", [])
    return {code for part in parts for code in part.get("properties", {}).get("code", {}).get("enum", [])}

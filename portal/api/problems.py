"""Refusals in the OpenAPI description: which status and which codes each operation answers with, as problem details.

An operation names what is its own with `refuses()`, by the classes of the errors; what holds for all operations of a
kind is added by `describe()`. Tests compare every refusal that they see with the description (tests/documented.py).
"""

from collections.abc import Iterator
from typing import Any

from portal.core.errors import DomainError, Invalid, NotAllowed, NotFound, Unavailable

Schema = dict[str, Any]
_KEY = "x-refusals"
_SHAPE = "Problem"
PROBLEM: Schema = {
    "title": _SHAPE,
    "description": "RFC 9457, with a machine-readable code.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people: what happened, why, and the next step."},
        "code": {"type": "string"},
        "remedy": {"type": "string", "description": "The next step alone."},
        "errors": {"type": "object", "description": "Messages for each field, where the code is `invalid`."},
        "retry_after": {"type": "integer", "description": "Seconds, where the code is `throttled`."},
    },
}


class NotSignedIn(DomainError):
    """Neither a session nor a valid token."""

    code = "not_signed_in"
    status = 401


def refuses(*kinds: type[DomainError]) -> Schema:
    """For `openapi_extra`: the errors that an operation raises beside those that all of its kind raise."""
    return {_KEY: list(kinds)}


def describe(schema: Schema) -> Schema:
    """The description with the refusals of each operation, in place."""
    schema["components"]["schemas"][_SHAPE] = PROBLEM
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            kinds = [*operation.pop(_KEY, []), *_common(path, operation)]
            answers = {**operation["responses"], **_responses(kinds)}
            if "requestBody" in operation:
                answers[413] = {"description": "The body is too large. Said by the edge, without a code."}
            operation["responses"] = {status: answers[status] for status in sorted(answers)}
    return schema


def _common(path: str, operation: Schema) -> Iterator[type[DomainError]]:
    """What every operation of the kind may refuse."""
    yield Unavailable
    if "requestBody" in operation or operation.get("parameters"):
        yield Invalid
    if "security" not in operation:
        return  # signed by a machine
    yield NotSignedIn
    yield NotAllowed  # a token that may only read, no CSRF token, no such role, a password to be changed first
    if "{" in path:
        yield NotFound


def _responses(kinds: list[type[DomainError]]) -> dict[int, Schema]:
    found: dict[int, dict[str, str]] = {}
    for kind in kinds:
        for code in kind.codes or (kind.code,):
            found.setdefault(kind.status, {})[code] = (kind.__doc__ or "").split("\n\n")[0].replace("\n    ", " ")
    return {status: _response(found[status]) for status in sorted(found)}


def _response(codes: dict[str, str]) -> Schema:
    one_of = {"type": "object", "properties": {"code": {"enum": sorted(codes)}}}
    shape = {"allOf": [{"$ref": f"#/components/schemas/{_SHAPE}"}, one_of]}
    return {
        "description": "\n".join(f"`{code}`: {about}" for code, about in sorted(codes.items())),
        "content": {"application/problem+json": {"schema": shape}},
    }

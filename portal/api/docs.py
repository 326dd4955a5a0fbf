"""A page that people read to learn the JSON API, made from its OpenAPI description, without scripts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.api import app

Schema = Mapping[str, Any]
FORMATS = {"date-time": "time", "uuid": "uuid"}


@dataclass(frozen=True)
class Field:
    """A field of a body or an answer, or a parameter."""

    name: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    summary: str
    about: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    status: str
    refusals: list[tuple[str, str, str]]


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The whole API on one page."""
    return render(request, "api/docs.html", {"groups": _groups()})


@cache
def _groups() -> dict[str, list[Operation]]:
    """The operations by their tag. The description does not change while the program runs."""
    schema = app.schema()
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, one in methods.items():
            groups.setdefault(one["tags"][0], []).append(_operation(schema, path, method, one))
    return groups


def _operation(schema: Schema, path: str, method: str, one: Schema) -> Operation:
    status, answer = next(iter(one["responses"].items()))
    parameters = one.get("parameters", [])
    return Operation(
        method=method.upper(),
        path=path,
        summary=one["summary"],
        about=one.get("description", ""),
        parameters=[_field(schema, item["name"], item["schema"], item.get("required", False)) for item in parameters],
        body=_fields(schema, one.get("requestBody", {})),
        answer=_fields(schema, answer),
        status=str(status),
        refusals=[line for status, refusal in one["responses"].items() for line in _refusals(int(status), refusal)],
    )


def _refusals(status: int, answer: Schema) -> list[tuple[str, str, str]]:
    """Status, code and meaning, one for each code, as `portal.api.problems` describes them."""
    lines = answer["description"].splitlines() if status >= 400 else []
    parted = (line.partition("`: ") for line in lines)
    return [(str(status), code[1:] if colon else "", about if colon else code) for code, colon, about in parted]


def _fields(schema: Schema, message: Schema) -> list[Field]:
    content = message.get("content", {}).get("application/json", {}).get("schema", {})
    shape = _resolved(schema, content)
    required = shape.get("required", [])
    return [_field(schema, name, item, name in required) for name, item in shape.get("properties", {}).items()]


def _field(schema: Schema, name: str, shape: Schema, required: bool) -> Field:
    return Field(name, _kind(schema, shape), required, shape.get("description", ""))


def _kind(schema: Schema, shape: Schema) -> str:
    """What a value is, in a few words."""
    if "anyOf" in shape:
        return " or ".join(_kind(schema, option) for option in shape["anyOf"])
    if "enum" in shape:
        return " | ".join(f'"{value}"' for value in shape["enum"])
    if "$ref" in shape:
        inner = _resolved(schema, shape).get("properties", {})
        return "{" + ", ".join(inner) + "}"
    if shape.get("type") == "array":
        return f"list of {_kind(schema, shape['items'])}"
    return FORMATS.get(shape.get("format", "")) or str(shape.get("type", "anything"))


def _resolved(schema: Schema, shape: Schema) -> Schema:
    while "$ref" in shape:
        shape = schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[-1]]
    return shape

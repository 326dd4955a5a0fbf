"""Digests that bind a decision to the content that was looked at, and the short form of those and of other keys."""

import hashlib
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any, cast

import rfc8785

ENDS = (8, 4)
"""Characters kept at the beginning and the end of a long digest."""


def canonical(content: Mapping[str, object]) -> bytes:
    """The bytes of plain JSON, the same for whoever makes them: RFC 8785.

    Raises ValueError for what the form does not have: half characters, whole numbers beyond 2^53, what is no JSON.
    """
    return rfc8785.dumps(cast(dict[str, Any], content))


def digest(content: Mapping[str, object]) -> str:
    """The SHA-256 of the content in its canonical form."""
    return hashlib.sha256(canonical(content)).hexdigest()


def same(sent: str, ours: str) -> bool:
    """Whether the digest that somebody sent, which can be any text, is ours."""
    return compare_digest(sent.encode(errors="replace"), ours.encode())


def shortened(value: object) -> str:
    """A digest, serial or key as people compare it by eye: `4d83b702…f46c`, everywhere the same."""
    text, (head, tail) = str(value), ENDS
    return text if len(text) <= head + tail + 1 else f"{text[:head]}…{text[-tail:]}"

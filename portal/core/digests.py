"""Digests that bind a decision to the content that was looked at, and the short form of those and of other keys."""

import hashlib
import json
from collections.abc import Mapping
from hmac import compare_digest

ENDS = (8, 4)
"""Characters kept at the beginning and the end of a long digest."""


def digest(content: Mapping[str, object]) -> str:
    """The SHA-256 of the content in a canonical form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def same(sent: str, ours: str) -> bool:
    """Whether the digest that somebody sent, which can be any text, is ours."""
    return compare_digest(sent.encode(errors="replace"), ours.encode())


def shortened(value: object) -> str:
    """A digest, serial or key as people compare it by eye: `4d83b702…f46c`, everywhere the same."""
    text, (head, tail) = str(value), ENDS
    return text if len(text) <= head + tail + 1 else f"{text[:head]}…{text[-tail:]}"

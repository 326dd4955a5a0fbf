"""Digests that bind a decision to the content that was looked at."""

import hashlib
import json
from collections.abc import Mapping
from hmac import compare_digest


def digest(content: Mapping[str, object]) -> str:
    """The SHA-256 of the content in a canonical form."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def same(sent: str, ours: str) -> bool:
    """Whether the digest that somebody sent, which can be any text, is ours."""
    return compare_digest(sent.encode(errors="replace"), ours.encode())

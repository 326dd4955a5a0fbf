"""Changing what is valid at random, and counting honestly: only what differs from the original once it is parsed."""

import base64
import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.long import MANY

# What a parser may take for something else: wrong types, edges of ranges, texts that databases do not like.
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, -1, 10**30, 253402300800]),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(["", "\0", "\ud800", "..", "../../etc", "a" * 5000, "{{7*7}}", "%00", "' OR 1=1 --", "ﬁle"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


class Count:
    """The different changes that were tried."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def add(self, *parsed: object) -> None:
        """Note a change by what it looks like when it is parsed."""
        self.seen.add(repr(parsed))

    def require(self, cases: int) -> None:
        """Fail unless so many different ones were tried, in this run or, by the factor, in the long one."""
        assert len(self.seen) >= cases * MANY, f"Only {len(self.seen)} different cases."


def at_least(cases: int) -> settings:
    """Settings for so many different cases: drawn are some more, since the same may be drawn twice."""
    return settings(
        max_examples=(cases + cases // 4 + 10) * MANY,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def changed_bytes(data: st.DataObject, raw: bytes) -> bytes:
    """`raw` with bits flipped, a part cut out, put in, or repeated."""
    piece = bytearray(raw)
    place = data.draw(st.integers(0, len(piece) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
        case "flip":
            piece[place] ^= data.draw(st.integers(1, 255))
        case "cut":
            del piece[place : place + data.draw(st.integers(1, 40))]
        case "insert":
            piece[place:place] = data.draw(st.binary(min_size=1, max_size=20))
        case "double":
            piece[place:place] = piece[: data.draw(st.integers(1, 40))]
    return bytes(piece)


def changed_field(data: st.DataObject, fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` with one of them, at any depth, missing, of another value, or under another name."""
    name = data.draw(st.sampled_from(sorted(fields)))
    value = fields[name]
    if isinstance(value, dict) and data.draw(st.booleans()):
        return {**fields, name: changed_field(data, value)}
    others = {key: kept for key, kept in fields.items() if key != name}
    match data.draw(st.sampled_from(["leave out", "rename", "replace", "edit"])):
        case "leave out":
            return others
        case "rename":
            return {**others, data.draw(st.text(min_size=1, max_size=12)): value}
        case "edit" if isinstance(value, str) and value:
            return {**others, name: changed_bytes(data, value.encode()).decode("utf-8", "replace")}
        case _:
            return {**others, name: data.draw(ODD)}


def parsed(raw: bytes) -> object:
    """What JSON makes of it; the bytes themselves where it makes nothing."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def segments(message: bytes) -> list[bytes]:
    """Header, payload and signature of a compact JWS, decoded."""
    return [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in message.split(b".")]


def compact(*pieces: bytes) -> bytes:
    """The compact form of the three."""
    return b".".join(base64.urlsafe_b64encode(piece).rstrip(b"=") for piece in pieces)

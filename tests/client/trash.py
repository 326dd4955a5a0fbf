"""The retention of the test portal: what it lists, what may be deleted, and the trash to which that goes."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .authority import stamp

_OBJECT = re.compile(r"/(data|index|snapshots)/([0-9a-f]{64})$")


@dataclass
class Retention:
    """A portal with retention policies. Nothing but index objects goes unless a retain was announced."""

    forget: list[str] = field(default_factory=list)
    young: set[str] = field(default_factory=set)  # packs and snapshots that may not go yet, by name
    at_quota: bool = False
    lasts: timedelta = timedelta(days=1)
    answer: dict[str, Any] = field(default_factory=dict)  # fields that are answered otherwise
    announced: int = 0
    status: dict[tuple[str, str], int] = field(default_factory=dict)  # by method and kind; 0: the line is cut
    first: dict[tuple[str, str], int] = field(default_factory=dict)  # how many of these requests fail, if not all
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def respond(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The answer to a machine that asks what goes."""
        dry = payload["dry_run"]
        assert isinstance(dry, bool)
        self.announced += not dry
        return {
            "ok": True,
            "forget": self.forget,
            "keep": 1,
            "policy": "Keep everything within 30 days.",
            "minimum_retention_days": 14,
            "until": None if dry else stamp(datetime.now(UTC) + self.lasts),
            "at_quota": self.at_quota,
            **self.answer,
        }

    def fault(self, method: str, path: str) -> int | None:
        """The status with which a request fails; None when it does not."""
        found = _OBJECT.search(path)
        if found is None or (method, found[1]) not in self.status:
            return None
        key = (method, found[1])
        self.asked[key] += 1
        return self.status[key] if self.asked[key] <= self.first.get(key, 1_000_000) else None

    def lets_go(self, path: str) -> bool:
        """Whether an object may be deleted."""
        found = _OBJECT.search(path)
        if found is None:
            return False
        return found[1] == "index" or (self.announced > 0 and found[2] not in self.young)


def stored_at(regions: Path, path: str) -> Path:
    """The file of an object, as rclone keeps it: packs in folders by the beginning of their names."""
    found = _OBJECT.search(path)
    place = regions / path.strip("/")
    return place.parent / place.name[:2] / place.name if found and found[1] == "data" else place

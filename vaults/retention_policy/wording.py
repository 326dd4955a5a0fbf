"""A retention policy's numbers as people read them: labels, amounts, and what one policy changes of another."""

from collections.abc import Mapping
from dataclasses import dataclass

from portal.templatetags.amounts import plural
from vaults.retention_policy.policy import RetentionPolicy

LABELS: Mapping[str, str] = {
    "keep_within_days": "Keep everything within",
    "keep_weekly_within_weeks": "Keep weekly within",
    "keep_monthly_within_months": "Keep monthly within",
    "keep_yearly_within_years": "Keep yearly within",
    "minimum_retention_days": "Minimum retention",
    "soft_delete_days": "Soft delete",
}
"""By the names of the policy, in the order in which they are shown."""
UNITS: Mapping[str, str] = {name: name.rpartition("_")[2].removesuffix("s") for name in LABELS}
"""What each number counts: `day`, `week`, `month` or `year`."""


@dataclass(frozen=True)
class Difference:
    """One number that changes, in words; `weaker` when less is kept by it."""

    label: str
    before: str
    after: str
    weaker: bool

    def __str__(self) -> str:
        """`Soft delete 14 days instead of 30 days`."""
        return f"{self.label} {self.after} instead of {self.before}"


def amount(name: str, number: int | None) -> str:
    """`30 days`, or `off`."""
    return plural(number, UNITS[name]) if number else "off"


def rows(policy: RetentionPolicy) -> list[tuple[str, str]]:
    """Label and amount of each number."""
    return [(label, amount(name, policy.values[name])) for name, label in LABELS.items()]


def differences(before: RetentionPolicy, after: RetentionPolicy) -> list[Difference]:
    """What changes, in the order in which it is shown."""
    weaker = after.weaker_than(before)
    pairs = [(name, before.values[name], after.values[name]) for name in LABELS]
    return [
        Difference(LABELS[name], amount(name, old), amount(name, new), name in weaker)
        for name, old, new in pairs
        if old != new
    ]


def told(before: RetentionPolicy, after: RetentionPolicy) -> str:
    """What changes, in one line."""
    return "; ".join(str(one) for one in differences(before, after))

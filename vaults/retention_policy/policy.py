"""A vault's retention policy as a value: what it says, what is well-formed, and which change weakens it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from portal.core.errors import Invalid
from portal.templatetags.amounts import plural
from vaults.models import Vault

LEAST_SOFT_DELETE, MOST_SOFT_DELETE = 14, 180
"""Days. What was deleted can be brought back for at least so long, and is never kept for longer than it can be said."""
BOUNDS: Mapping[str, tuple[int, int]] = {
    "keep_within_days": (1, 3650),
    "keep_weekly_within_weeks": (1, 520),
    "keep_monthly_within_months": (1, 120),
    "keep_yearly_within_years": (1, 50),
    "minimum_retention_days": (1, 180),
    "soft_delete_days": (LEAST_SOFT_DELETE, MOST_SOFT_DELETE),
}
"""The least and the most of each number."""
OPTIONAL = frozenset({"keep_weekly_within_weeks", "keep_monthly_within_months", "keep_yearly_within_years"})
"""The rules that can be off, which is None."""


@dataclass(frozen=True)
class RetentionPolicy:
    """For how long snapshots are kept, how young nothing is deleted, and for how long the trash keeps what was.

    The names are those of the API and of the vault's columns.
    """

    keep_within_days: int = 30
    keep_weekly_within_weeks: int | None = None
    keep_monthly_within_months: int | None = None
    keep_yearly_within_years: int | None = None
    minimum_retention_days: int = 14
    soft_delete_days: int = 14

    @classmethod
    def of(cls, vault: Vault) -> Self:
        """The vault's."""
        return cls(**{field.name: getattr(vault, field.name) for field in fields(cls)})

    @property
    def values(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)

    def require_valid(self) -> None:
        """Raise Invalid with what is wrong with each number."""
        errors: dict[str, list[str]] = {}
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            if type(value) is not int or not least <= value <= most:
                off = ", or nothing for off" if name in OPTIONAL else ""
                errors[name] = [f"A whole number from {least} to {most}{off}."]
        if not errors:
            for name in ("keep_within_days", "soft_delete_days"):
                if getattr(self, name) < self.minimum_retention_days:
                    shortest = plural(self.minimum_retention_days, "day")
                    errors[name] = [f"At least the minimum retention, {shortest}."]
        if errors:
            raise Invalid(errors)

    def weaker_than(self, other: "RetentionPolicy") -> list[str]:
        """The names of the numbers by which this keeps less than `other`: lower ones, and rules that are off."""
        return [name for name in BOUNDS if (getattr(self, name) or 0) < (getattr(other, name) or 0)]

    def __str__(self) -> str:
        """In a sentence, as machines and people are told."""
        parts = [f"everything within {plural(self.keep_within_days, 'day')}"]
        rules = (
            ("weekly", self.keep_weekly_within_weeks, "week"),
            ("monthly", self.keep_monthly_within_months, "month"),
            ("yearly", self.keep_yearly_within_years, "year"),
        )
        parts += [f"{label} within {plural(number, unit)}" for label, number, unit in rules if number]
        return f"Keep {', '.join(parts)}."

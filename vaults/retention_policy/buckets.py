"""Which snapshots a retention policy keeps, by the times at which the portal first saw them.

Never by times in snapshots, which whoever holds the machine's key can forge. Each week, month or year (ISO weeks, in
UTC) keeps its first and its last snapshot: what is forged later displaces no genuine first one, and what is forged
beforehand no genuine last one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vaults.retention_policy.policy import RetentionPolicy

WEEK, MONTH, YEAR = timedelta(days=7), timedelta(days=31), timedelta(days=366)
"""How long one may last: a rule counts by the longest, so that it never keeps less than it says."""


@dataclass(frozen=True)
class Selection:
    """The snapshots that stay and those that go, by id, each oldest first."""

    keep: list[str]
    forget: list[str]


def select(seen: Mapping[str, datetime], policy: RetentionPolicy, *, at: datetime) -> Selection:
    """What the policy keeps of snapshots that the portal first saw at these times, and what goes.

    The newest one always stays, and so does what is younger than the minimum retention.
    """
    order = sorted(seen, key=lambda name: (seen[name], name))
    kept = set(order[-1:])
    young = timedelta(days=max(policy.keep_within_days, policy.minimum_retention_days))
    kept.update(name for name in order if at - seen[name] <= young)
    for rule, number, unit in (
        ("%G-%V", policy.keep_weekly_within_weeks, WEEK),
        ("%Y-%m", policy.keep_monthly_within_months, MONTH),
        ("%Y", policy.keep_yearly_within_years, YEAR),
    ):
        if number:
            within = [name for name in order if at - seen[name] <= number * unit]
            kept.update(_ends_of_buckets(within, seen, rule))
    return Selection([name for name in order if name in kept], [name for name in order if name not in kept])


def _ends_of_buckets(order: Iterable[str], seen: Mapping[str, datetime], rule: str) -> set[str]:
    """The first and the last of each bucket of what comes in order."""
    first: dict[str, str] = {}
    last: dict[str, str] = {}
    for name in order:
        bucket = seen[name].astimezone(UTC).strftime(rule)
        first.setdefault(bucket, name)
        last[bucket] = name
    return {*first.values(), *last.values()}

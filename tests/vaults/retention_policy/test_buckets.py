"""Which snapshots go: by the portal's times alone, whatever anybody forges."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vaults.retention_policy.buckets import select
from vaults.retention_policy.policy import RetentionPolicy

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ages = st.dictionaries(
    st.text("0123456789abcdef", min_size=8, max_size=8),
    st.integers(0, 4000 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
    max_size=60,
)
policies = st.builds(
    RetentionPolicy,
    keep_within_days=st.integers(1, 400),
    keep_weekly_within_weeks=st.none() | st.integers(1, 100),
    keep_monthly_within_months=st.none() | st.integers(1, 60),
    keep_yearly_within_years=st.none() | st.integers(1, 10),
    minimum_retention_days=st.integers(1, 180),
)


def nightly(days: int) -> dict[str, datetime]:
    """A snapshot each night for so many days, the first of them the oldest."""
    return {f"{number:08x}": NOW - (days - number) * DAY for number in range(days)}


def test_what_is_within_stays_and_the_rest_goes() -> None:
    found = select(nightly(40), RetentionPolicy(keep_within_days=30), at=NOW)
    assert found.forget == [f"{number:08x}" for number in range(10)]
    assert found.keep == [f"{number:08x}" for number in range(10, 40)]


def test_each_week_keeps_its_first_and_its_last() -> None:
    policy = RetentionPolicy(keep_within_days=14, keep_weekly_within_weeks=8)
    seen = nightly(60)
    kept = [seen[name] for name in select(seen, policy, at=NOW).keep]
    old = [moment for moment in kept if NOW - moment > 14 * DAY]
    by_week: dict[str, int] = {}
    for moment in old:
        by_week[moment.strftime("%G-%V")] = by_week.get(moment.strftime("%G-%V"), 0) + 1
    assert set(by_week.values()) <= {1, 2}
    assert {moment.isoweekday() for moment in old[1:-1]} == {1, 7}  # each night: Mondays and Sundays


def test_the_only_snapshot_stays_however_old() -> None:
    assert select({"a": NOW - 4000 * DAY}, RetentionPolicy(), at=NOW).forget == []


def test_the_minimum_retention_wins() -> None:
    """A policy that was stored before, or by hand: what is young stays all the same."""
    policy = RetentionPolicy(keep_within_days=1, minimum_retention_days=14)
    assert len(select(nightly(20), policy, at=NOW).keep) == 14


@given(ages, policies)
def test_every_snapshot_is_in_one_of_the_two(seen: dict[str, datetime], policy: RetentionPolicy) -> None:
    found = select(seen, policy, at=NOW)
    assert sorted([*found.keep, *found.forget]) == sorted(seen)
    assert found.keep == sorted(found.keep, key=lambda name: (seen[name], name))
    young = [name for name in seen if NOW - seen[name] <= policy.minimum_retention_days * DAY]
    assert set(young) <= set(found.keep)
    assert not seen or found.keep


@given(ages, policies)
def test_a_stronger_policy_keeps_what_a_weaker_one_keeps(seen: dict[str, datetime], policy: RetentionPolicy) -> None:
    stronger = RetentionPolicy(
        policy.keep_within_days + 10,
        (policy.keep_weekly_within_weeks or 0) + 3,
        (policy.keep_monthly_within_months or 0) + 3,
        (policy.keep_yearly_within_years or 0) + 1,
        policy.minimum_retention_days,
    )
    assert not stronger.weaker_than(policy)
    assert set(select(seen, policy, at=NOW).keep) <= set(select(seen, stronger, at=NOW).keep)


@given(st.lists(st.integers(0, 59 * 24), max_size=40))
def test_what_is_forged_later_displaces_no_first_one(hours: list[int]) -> None:
    """Snapshots that somebody with the machine's key stores are seen when they come, so after the genuine ones."""
    policy = RetentionPolicy(keep_within_days=14, keep_weekly_within_weeks=9)
    genuine = nightly(60)
    kept = set(select(genuine, policy, at=NOW).keep)
    forged = {f"f{number:07x}": NOW - timedelta(hours=hour) for number, hour in enumerate(hours)}
    both = select({**genuine, **forged}, policy, at=NOW)
    firsts: dict[str, str] = {}
    for name in sorted(genuine, key=lambda each: genuine[each]):
        firsts.setdefault(genuine[name].strftime("%G-%V"), name)
    for name in kept & set(firsts.values()) - set(both.keep):
        # Only a forged one that was seen before the genuine one, in a week that had begun without it.
        week = genuine[name].strftime("%G-%V")
        assert any(when < genuine[name] and when.strftime("%G-%V") == week for when in forged.values())

"""What a policy may say, and which change of it keeps less."""

from dataclasses import replace
from typing import Any

import pytest

from portal.core.errors import Invalid
from vaults.models import Vault
from vaults.retention_policy.policy import BOUNDS, OPTIONAL, RetentionPolicy

STRONG = RetentionPolicy(60, 8, 12, 7, 30, 30)


def but(**changes: Any) -> RetentionPolicy:
    """The strong one with other numbers, some of them no numbers."""
    return replace(STRONG, **changes)


def test_a_vault_begins_with_the_defaults() -> None:
    policy = RetentionPolicy.of(Vault())
    assert policy == RetentionPolicy(30, None, None, None, 14, 14)
    policy.require_valid()


@pytest.mark.parametrize("name", BOUNDS)
def test_each_number_has_its_bounds(name: str) -> None:
    least, most = BOUNDS[name]
    for wrong in (least - 1, most + 1, -1, True, "30", 1.5):
        with pytest.raises(Invalid) as found:
            but(**{name: wrong}).require_valid()
        assert list(found.value.errors) == [name]


@pytest.mark.parametrize("name", BOUNDS)
def test_only_some_rules_can_be_off(name: str) -> None:
    policy = but(**{name: None})
    if name in OPTIONAL:
        policy.require_valid()
    else:
        with pytest.raises(Invalid):
            policy.require_valid()


@pytest.mark.parametrize("name", ["keep_within_days", "soft_delete_days"])
def test_nothing_goes_before_the_minimum_retention(name: str) -> None:
    but(**{name: 30}).require_valid()
    with pytest.raises(Invalid) as found:
        but(**{name: 29}).require_valid()
    assert found.value.errors == {name: ["At least the minimum retention, 30 days."]}


@pytest.mark.parametrize("name", BOUNDS)
def test_less_of_anything_is_weaker_and_more_is_not(name: str) -> None:
    value = getattr(STRONG, name)
    assert but(**{name: value - 1}).weaker_than(STRONG) == [name]
    assert but(**{name: value + 1}).weaker_than(STRONG) == []
    assert but(**{name: None}).weaker_than(STRONG) == [name]
    assert STRONG.weaker_than(but(**{name: None})) == []


def test_it_says_what_it_keeps() -> None:
    assert str(STRONG) == (
        "Keep everything within 60 days, weekly within 8 weeks, monthly within 12 months, yearly within 7 years."
    )
    assert str(RetentionPolicy(keep_within_days=1)) == "Keep everything within 1 day."

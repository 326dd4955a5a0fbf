"""Names of vaults, by property: what is told while typing is what submitting does."""

import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.accounts.models import Subscription
from portal.core.errors import DomainError
from tests.long import MANY
from tests.vaults.factories import Ask
from vaults.models import NameReservation, VaultRequest
from vaults.rules import name_problem

ALPHABET = string.ascii_letters + string.digits + "-"
good = st.from_regex(re.compile(r"\A[A-Za-z][A-Za-z0-9-]{1,49}\Z"), fullmatch=True).filter(lambda name: name.isascii())
HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100 * MANY)


@HERE
@given(name=good)
def test_well_formed_names_are_taken(subscription: Subscription, name: str) -> None:
    assert name_problem(subscription, name) == ""


@HERE
@given(name=st.text(max_size=60))
def test_everything_else_is_refused(subscription: Subscription, name: str) -> None:
    fits = 2 <= len(name) <= 50 and name[0] in string.ascii_letters and all(letter in ALPHABET for letter in name)
    assert (name_problem(subscription, name) == "") == fits


@pytest.mark.parametrize("name", ["ab\n", "é1", "-a", "1a", "a", "a" * 51, "a b", "a_b", "ab\0", "İab", "a\u2010b", ""])
def test_near_misses(subscription: Subscription, name: str) -> None:
    assert name_problem(subscription, name) != ""


@settings(HERE, max_examples=25 * MANY)
@given(name=st.one_of(good, st.text(max_size=55)))
def test_submitting_agrees_with_the_check(ask: Ask, subscription: Subscription, name: str) -> None:
    VaultRequest.objects.all().delete()
    problem = name_problem(subscription, name)
    try:
        request = ask(name)
    except DomainError:
        assert problem != ""
        return
    assert problem == ""
    assert NameReservation.objects.get().name_key == request.name.lower()
    assert name_problem(subscription, name.swapcase()) != ""

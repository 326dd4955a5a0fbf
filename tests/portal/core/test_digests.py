"""The canonical form that digests and signatures are over."""

import hashlib
import json

import pytest

from portal.core import digests

# The example of RFC 8785, 3.2.2 to 3.2.4.
GIVEN = r"""{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""
CANONICAL = (
    r"""{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"""
    r""""string":"€$\u000f\nA'B\"\\\\\"/"}"""
)


def test_the_example_of_the_standard() -> None:
    assert digests.canonical(json.loads(GIVEN)).decode() == CANONICAL
    assert digests.digest(json.loads(GIVEN)) == hashlib.sha256(CANONICAL.encode()).hexdigest()


def test_names_are_in_the_order_of_utf_16() -> None:
    """Where it differs from that of the code points: the first half of the emoji comes before the ligature."""
    ligature, emoji = "\ufb33", "\U0001f600"
    assert digests.canonical({ligature: 1, emoji: 2}).decode() == f'{{"{emoji}":2,"{ligature}":1}}'


@pytest.mark.parametrize("value", ["\ud800", 2**53, float("nan"), {1}, b"bytes"])
def test_what_has_no_such_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        digests.canonical({"a": value})

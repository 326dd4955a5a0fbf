"""What a form was made for: a choice made on a page that is out of date is refused, with what is there now.

Each form that changes something carries `expected`, the tag of the state that its page showed. The domain function
compares it in its transaction, with the row locked. Programs that expect nothing send nothing.
"""

from portal.core import digests
from portal.core.errors import ContentChanged

LONGEST = 16


def tag_of(**shown: object) -> str:
    """The tag of what a page shows of the things that a form of it changes."""
    return digests.digest({name: str(value) for name, value in shown.items()})[:LONGEST]


def require(expected: str, now: str, **shown: object) -> None:
    """Raise ContentChanged when `expected` is the tag of something else than what is `shown` now, as `now` says."""
    if expected and not digests.same(expected, tag_of(**shown)):
        raise ContentChanged(
            f"{now} Your page was out of date, so nothing was changed.",
            remedy="Review the current state, then choose again.",
        )

"""Extension points: what rooms above add to a room below, which so need not import them.

Apps add in `AppConfig.ready()`. Whoever asks gets the additions in the order in which apps are installed.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Extensions(Generic[T]):
    """The additions to one extension point."""

    def __init__(self) -> None:
        self._added: list[T] = []

    def add(self, *additions: T) -> None:
        """Add, once each: apps may be made ready more than once."""
        self._added += [one for one in additions if one not in self._added]

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._added))

"""Lists that are sorted by a column of theirs: `?sort=name`, `?sort=-name`; links, so no script is needed."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sorting:
    """By which column a list is sorted; `word` is the column's in the address."""

    word: str
    descending: bool
    columns: tuple[str, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """The columns, as `page_of()` takes them."""
        if not self.descending:
            return self.columns
        return tuple(name[1:] if name.startswith("-") else f"-{name}" for name in self.columns)

    def aria(self, word: str) -> str:
        """The value of `aria-sort` of a column; empty for those that the list is not sorted by."""
        if word != self.word:
            return ""
        return "descending" if self.descending else "ascending"

    def toggled(self, word: str) -> str:
        """What a press on the head of the column asks for: by it, or the other way round."""
        return f"-{word}" if word == self.word and not self.descending else word


def sorting(orders: Mapping[str, tuple[str, ...]], asked: str, default: str) -> Sorting:
    """The sorting that `asked` names, else the one that `default` does."""
    if asked.removeprefix("-") not in orders:
        asked = default
    word = asked.removeprefix("-")
    return Sorting(word, asked.startswith("-"), orders[word])

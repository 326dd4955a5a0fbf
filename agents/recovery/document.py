"""A recovery kit as plain values, which the page and the text file show alike."""

import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from portal.core.times import for_people

WIDTH = 80
INDENT = "    "


@dataclass(frozen=True)
class Block:
    """A part of a section: a paragraph, facts by name, or commands; one of the three."""

    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Kit:
    """The whole kit. `state` is what was so when it was made, and changes by itself; `number` is of all the rest."""

    title: str
    made_at: datetime
    sections: tuple[Section, ...]
    state: tuple[tuple[str, str], ...]

    @property
    def number(self) -> str:
        """What two kits of the same content have in common, whenever they were made: `4d83-b702-f46c`."""
        digest = hashlib.sha256(repr((self.title, self.sections)).encode()).hexdigest()
        return "-".join(digest[at : at + 4] for at in range(0, 12, 4))

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """When it was made and how to recognise it, and how things stood then."""
        return (("Made on", for_people(self.made_at)), ("Kit number", self.number), *self.state)


def as_text(kit: Kit) -> str:
    """The kit as a text file. Commands, and nothing else, are indented by four spaces."""
    return "\n".join(_lines(kit)) + "\n"


def _lines(kit: Kit) -> Iterator[str]:
    yield from (kit.title.upper(), "=" * len(kit.title), "", *_facts(kit.facts), "")
    for section in kit.sections:
        yield from (section.title, "-" * len(section.title), "")
        for block in section.blocks:
            yield from textwrap.wrap(block.text, WIDTH, break_long_words=False, break_on_hyphens=False)
            yield from _facts(block.facts)
            yield from (f"{INDENT}{line}" for line in block.commands)
            yield ""


def _facts(facts: tuple[tuple[str, str], ...]) -> Iterator[str]:
    width = max((len(name) for name, _ in facts), default=0) + 2
    return (f"{name}:".ljust(width) + value for name, value in facts)

"""The states of a model: how each is shown, and what may follow it.

Each model with a `state` declares `STATES: ClassVar[StateTable]`, built in its app's `states.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StateDisplay:
    """How a state is shown: its word, its colour (blue, green, amber, red, grey) and what it means."""

    label: str
    colour: str
    meaning: str = ""


@dataclass(frozen=True)
class StateTable:
    """The states of one model, how each is shown, and the legal transitions between them."""

    noun: str  # as in audit actions: `vault`, `vault-request`, `machine`
    looks: Mapping[str, StateDisplay]
    moves: Mapping[str, frozenset[str]]
    busy: frozenset[str] = frozenset()

    @property
    def final(self) -> frozenset[str]:
        """States that nothing leads out of."""
        return frozenset(state for state in self.looks if not self.moves.get(state))

    def allows(self, old: str, new: str) -> bool:
        """Whether the table has the transition."""
        return new in self.moves.get(old, frozenset())

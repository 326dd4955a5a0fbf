"""Who acts. Domain functions take an `Actor`, never a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portal.accounts.models import User


class Via(StrEnum):
    """The way that somebody came by; it is in each audit entry."""

    PAGE = "page"
    API = "api"  # with the session of a browser
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    AGENT = "agent"
    ADMIN = "admin"
    COMMAND = "command"
    WORKER = "worker"


@dataclass(frozen=True)
class Actor:
    """A person, a machine or the system itself, with the way and the address it came by.

    `user` is set for people only.
    `read_only` holds for people who came with a token of scope `read`. `session` names the session of the sign-in, and
    is no key to it; empty for whoever came without.
    """

    label: str
    via: Via
    user: User | None = None
    address: str = ""
    read_only: bool = False
    session: str = ""

    @property
    def person(self) -> User:
        """The person; raises TypeError for machines and the system, which have no rights of a person."""
        if self.user is None:
            raise TypeError(f"{self.label} is not a person")
        return self.user


SYSTEM = Actor(label="system", via=Via.WORKER)
"""The worker and the scheduler, when they act by themselves."""

"""Which vaults and machines have a name, for the filters of the log; the rooms that have them say so."""

from collections.abc import Callable
from uuid import UUID

from portal.accounts.models import User
from portal.core.extensions import Extensions

providers: Extensions[tuple[str, Callable[[User, str], "list[UUID]"]]] = Extensions()
"""For a kind, `vault` or `machine`: the keys of those that the person sees and that have the name, MOST + 1 at most."""
MOST = 500


def of_name(kind: str, name: str, reader: User) -> list[UUID]:
    """All of the kind that the person sees and that have this name, whatever its case; at most one more than MOST."""
    return [key for known, keys in providers if known == kind for key in keys(reader, name.lower())]

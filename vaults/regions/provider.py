"""The seam to homes of vaults: what a kind of home must be able to do, and which kinds there are.

Provisioning asks the provider of each region for its steps and works through them; it knows no kind by name. A home
may take hours to make, as cloud services do: a step then answers `Wait` and is asked again later, by any worker.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from vaults.models import Region, Vault
from vaults.regions.storage.base import StorageRefused

Memory = dict[str, Any]
"""What the steps in one region remember from one to the next: plain JSON without secrets, stored with the operation."""


@dataclass(frozen=True)
class Wait:
    """The answer of a step whose work goes on elsewhere: ask again after `seconds`.

    It costs no attempt. When it has not ended `at_most` after the first such answer, the operation fails.
    """

    seconds: int
    at_most: timedelta = timedelta(hours=2)


@dataclass(frozen=True)
class Step:
    """A piece of an operation: what people read while it runs, and what does it.

    `do` is given the memory of the region and may change it; that is stored when it returns. It raises StorageError.
    A worker can be gone before it is stored, so doing a step twice must be harmless.
    """

    label: str
    region: Region
    do: Callable[[Memory], Wait | None]


@dataclass(frozen=True)
class Home:
    """Where a vault is at home: in which region; `operation` is the ID of the work under way there."""

    region: Region
    vault: Vault
    operation: UUID


class Provider(Protocol):
    """A kind of home for vaults."""

    def steps_to_make(self, home: Home) -> list[Step]:
        """Make the home, and prove that it keeps what it is given.

        After Retry the memory is empty: what an attempt before has made or ordered has to be found by the vault's ID.
        """

    def steps_to_check(self, home: Home) -> list[Step]:
        """Prove that machines reach it; done when all homes of the vault are made."""

    def steps_to_end(self, home: Home) -> list[Step]:
        """Remove the home of a vault in which no machine has ever stored anything; what is in it stays otherwise.

        It may still be in the making: then the memory is that of the work that was making it.
        """


_providers: dict[str, Provider] = {}


def register(name: str, provider: Provider) -> None:
    """Add a kind of home, which the regions file calls `name`: for `AppConfig.ready()`."""
    _providers[name] = provider


def provider_of(region: Region) -> Provider:
    """What makes homes in the region; raises StorageRefused for a kind that no app has registered."""
    if found := _providers.get(region.provider):
        return found
    raise StorageRefused(f"{region} is for homes of the kind {region.provider}, which this portal does not have.")

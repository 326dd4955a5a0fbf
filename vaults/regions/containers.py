"""Homes that are containers (folders, buckets) of a storage that rclone reaches.

A probe object takes the way of real data: in through storage, out through storage and through the gateway that
machines use.
"""

from vaults.regions.provider import Home, Step
from vaults.regions.storage import gateway
from vaults.regions.storage.base import StorageUnavailable
from vaults.regions.storage.rclone import region_storage


class Containers:
    """The provider of containers: each vault has one, named by its ID."""

    def steps_to_make(self, home: Home) -> list[Step]:
        """Make the container; store a probe in it and read that back."""
        region = home.region
        return [
            Step(f"Making the container in {region}", region, lambda _: _make(home)),
            Step(f"Storing a probe in {region} and reading it back", region, lambda _: _read_back(home)),
        ]

    def steps_to_check(self, home: Home) -> list[Step]:
        """Read a probe through the gateway."""
        return [Step(f"Checking the gateway of {home.region}", home.region, lambda _: _look_through(home))]

    def steps_to_end(self, home: Home) -> list[Step]:
        """Remove the container with the probes that attempts left which were cut off; what else is in it stays."""
        return [Step(f"Removing the empty container in {home.region}", home.region, lambda _: _remove(home))]


def _make(home: Home) -> None:
    region_storage(home.region).make_container(str(home.vault.pk))


def _read_back(home: Home) -> None:
    with _Probe(home) as (folder, content):
        if region_storage(home.region).read(f"{folder}/config") != content:
            raise StorageUnavailable(f"{home.region} returned other data than was stored.")


def _look_through(home: Home) -> None:
    region = home.region
    with _Probe(home) as (folder, content):
        if gateway.read_config(region.slug, region.name, folder) != content:
            raise StorageUnavailable(f"The gateway of {region} returned other data than was stored.")


def _remove(home: Home) -> None:
    storage, container = region_storage(home.region), str(home.vault.pk)
    probes = {str(operation_id) for operation_id in home.vault.operations.values_list("pk", flat=True)}
    for entry in storage.entries(container):
        if entry.name in probes:
            storage.delete(f"{container}/{entry.name}/config")
            storage.remove_container(f"{container}/{entry.name}")
    storage.remove_container(container)


class _Probe:
    """A small object in the place of a repository's `config`, there for the length of a `with` block.

    It gives the folder, which is where a machine's would be, and the content.
    """

    def __init__(self, home: Home) -> None:
        self.storage = region_storage(home.region)
        self.folder = f"{home.vault.pk}/{home.operation}"

    def __enter__(self) -> tuple[str, bytes]:
        content = f"strongroom probe {self.folder}".encode()
        self.storage.write(f"{self.folder}/config", content)
        return self.folder, content

    def __exit__(self, *error: object) -> None:
        self.storage.delete(f"{self.folder}/config")
        self.storage.remove_container(self.folder)
